package commands

import (
	"reflect"

	"github.com/invopop/jsonschema"

	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

// ProtocolReply is the reply of protocol.
type ProtocolReply struct {
	Commands    []CommandDescription    `json:"commands" jsonschema:"description=each with its schemas"`
	StatusCodes []StatusCodeDescription `json:"statusCodes" jsonschema:"description=all that there are"`
}

// CommandDescription describes one command.
type CommandDescription struct {
	Name string `json:"name" jsonschema:"description=of the command"`
	Help string `json:"help" jsonschema:"description=what it is for"`
	// Request and Reply are JSON Schemas. A reply that reports an error has command, reqId, statusCode and
	// errorMessage only, but for what goes with RATE_LIMITED and CHALLENGE_REQUIRED.
	Request *jsonschema.Schema `json:"request" jsonschema:"description=of its requests"`
	Reply   *jsonschema.Schema `json:"reply" jsonschema:"description=of its replies"`
	// StatusCodes are those that it may answer beside SUCCESS.
	StatusCodes []int `json:"statusCodes" jsonschema:"description=which it may answer beside SUCCESS"`
}

// StatusCodeDescription is one row of the table of status codes.
type StatusCodeDescription struct {
	Code int    `json:"code" jsonschema:"description=as in statusCode"`
	Name string `json:"name" jsonschema:"description=as in the documents"`
}

func runProtocol(*call, *None) (*ProtocolReply, error) { return Describe(), nil }

// Describe describes the command set; docs/commands.md is made from it.
func Describe() *ProtocolReply {
	out := &ProtocolReply{}
	for _, c := range table() {
		out.Commands = append(out.Commands, c.describe())
	}
	for _, code := range statuscodes.All() {
		out.StatusCodes = append(out.StatusCodes, StatusCodeDescription{Code: int(code), Name: code.String()})
	}
	return out
}

// requestHeader is header, for the schemas.
type requestHeader struct {
	Command  string `json:"command" jsonschema:"required"`
	ReqID    string `json:"reqId,omitempty" jsonschema:"description=echoed in the reply"`
	Username string `json:"username,omitempty" jsonschema:"description=must name this account"`
	Token    string `json:"token,omitempty" jsonschema:"description=where --token-file is in use and auth was not sent"`
}

type replyHeader struct {
	Command      string `json:"command,omitempty"`
	ReqID        string `json:"reqId,omitempty"`
	StatusCode   int    `json:"statusCode" jsonschema:"required,description=0 for success"`
	ErrorMessage string `json:"errorMessage,omitempty" jsonschema:"description=where statusCode is not 0: what is wrong\\, for people"`
}

// describe makes the schemas from the types. The command's own fields are required where their tags say so.
func (c *command) describe() CommandDescription {
	request := schemaOf(&requestHeader{}, c.request)
	command, _ := request.Properties.Get("command")
	command.Const = c.name
	return CommandDescription{
		Name: c.name, Help: c.help, Request: request,
		Reply: schemaOf(&replyHeader{}, c.reply, &statuscodes.Details{}), StatusCodes: codesOf(c.name),
	}
}

// schemaOf merges the fields of several structs in one schema.
func schemaOf(parts ...any) *jsonschema.Schema {
	reflector := &jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true, AllowAdditionalProperties: true, RequiredFromJSONSchemaTags: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			switch t {
			case reflect.TypeFor[model.Blob]():
				return &jsonschema.Schema{Type: "string", ContentEncoding: "base64"}
			case reflect.TypeFor[*jsonschema.Schema]():
				return &jsonschema.Schema{Type: "object"}
			}
			return nil
		},
	}
	out := reflector.Reflect(parts[0])
	for _, part := range parts[1:] {
		more := reflector.Reflect(part)
		if more.Properties == nil {
			continue
		}
		for pair := more.Properties.Oldest(); pair != nil; pair = pair.Next() {
			out.Properties.Set(pair.Key, pair.Value)
		}
		out.Required = append(out.Required, more.Required...)
		for name, definition := range more.Definitions { // types that hold themselves are referred to
			if out.Definitions == nil {
				out.Definitions = jsonschema.Definitions{}
			}
			out.Definitions[name] = definition
		}
	}
	return out
}
