package commands

import (
	"reflect"

	"github.com/invopop/jsonschema"

	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

// ProtocolReply is the reply of protocol.
type ProtocolReply struct {
	Commands    []CommandDescription    `json:"commands"`
	StatusCodes []StatusCodeDescription `json:"statusCodes"`
}

// CommandDescription describes one command.
type CommandDescription struct {
	Name string `json:"name"`
	Help string `json:"help"`
	// Request and Reply are JSON Schemas. A reply that reports an error has command, reqId, statusCode and
	// errorMessage only, but for what goes with RATE_LIMITED and CHALLENGE_REQUIRED.
	Request *jsonschema.Schema `json:"request"`
	Reply   *jsonschema.Schema `json:"reply"`
}

// StatusCodeDescription is one row of the table of status codes.
type StatusCodeDescription struct {
	Code int    `json:"code"`
	Name string `json:"name"`
}

func runProtocol(*call, *None) (*ProtocolReply, error) {
	out := &ProtocolReply{}
	for _, c := range table() {
		out.Commands = append(out.Commands, c.describe())
	}
	for _, code := range statuscodes.All() {
		out.StatusCodes = append(out.StatusCodes, StatusCodeDescription{Code: int(code), Name: code.String()})
	}
	return out, nil
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
	StatusCode   int    `json:"statusCode" jsonschema:"required"`
	ErrorMessage string `json:"errorMessage,omitempty"`
}

// describe makes the schemas from the types. The command's own fields are required where their tags say so.
func (c *command) describe() CommandDescription {
	request := schemaOf(&requestHeader{}, c.request)
	command, _ := request.Properties.Get("command")
	command.Const = c.name
	return CommandDescription{
		Name: c.name, Help: c.help, Request: request,
		Reply: schemaOf(&replyHeader{}, c.reply, &statuscodes.Details{}),
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
