package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/docs/doctest"
	"signalbox/statuscodes"
)

//go:generate go test -run ^TestReference$ -update .

const referenceFile = "commands.md"

const referenceHead = "# Commands\n\n" +
	"<!-- Made from the command table by `go generate ./docs`: change the table, or docs/examples_test.go. -->\n\n" +
	"Every command, its fields, an example and what it may answer. How requests and replies travel is in\n" +
	"[socket-protocol.md](socket-protocol.md); the command `protocol` gives the same as JSON Schemas.\n\n" +
	"The examples are one session with the sandbox (`signalbox --sandbox`), from top to bottom: +12025550100 is the\n" +
	"account, +12025550101 a contact who sends everything back. `signalbox call` sends one command to the daemon; `nc` and\n" +
	"`socat` do as well, see [recipes.md](recipes.md).\n\n" +
	"Every request has `command`, and may have:\n\n"

// TestReference: docs/commands.md is what the command table gives; -update writes it anew, with the outputs that it has.
func TestReference(t *testing.T) {
	document, err := doctest.Read(referenceFile)
	if *update && errors.Is(err, fs.ErrNotExist) {
		document, err = &doctest.Document{}, nil
	}
	require.NoError(t, err)
	text := reference(t, outputs(document))
	if *update {
		require.NoError(t, os.WriteFile(referenceFile, []byte(text), 0o644)) //nolint:gosec // a document
		return
	}
	require.Equal(t, text, document.Text, "docs/commands.md is stale: go generate ./docs")
}

// outputs are what the commands of a document printed.
func outputs(document *doctest.Document) map[string]string {
	out := map[string]string{}
	for _, b := range document.Blocks {
		for _, s := range b.Steps {
			out[s.Command] = s.Output
		}
	}
	return out
}

// schema is as much of a JSON Schema as the command table makes.
type schema struct {
	Ref             string            `json:"$ref"`
	Type            string            `json:"type"`
	Description     string            `json:"description"`
	ContentEncoding string            `json:"contentEncoding"`
	Enum            []string          `json:"enum"`
	Default         any               `json:"default"`
	Minimum         *json.Number      `json:"minimum"`
	Maximum         *json.Number      `json:"maximum"`
	MaxLength       int               `json:"maxLength"`
	Items           *schema           `json:"items"`
	Required        []string          `json:"required"`
	Properties      fields            `json:"properties"`
	Defs            map[string]schema `json:"$defs"`
}

// UnmarshalJSON takes `true` too, the schema of anything.
func (s *schema) UnmarshalJSON(data []byte) error {
	type plain schema
	if string(data) == "true" {
		return nil
	}
	return json.Unmarshal(data, (*plain)(s))
}

// fields are the properties of a schema in their order.
type fields []field

type field struct {
	name string
	schema
}

// UnmarshalJSON keeps the order that the types have.
func (f *fields) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		next := field{name: name.(string)}
		if err := decoder.Decode(&next.schema); err != nil {
			return err
		}
		*f = append(*f, next)
	}
	return nil
}

type describedCommand struct {
	Name, Help     string
	Request, Reply schema
	StatusCodes    []statuscodes.Code
}

// everywhere are the fields of all requests and all replies.
var everywhere = []string{"command", "reqId", "username", "token", "statusCode", "errorMessage", "retryAfterSeconds",
	"challengeToken", "challengeOptions"}

// writer writes the reference, and remembers the objects that it has met.
type writer struct {
	strings.Builder
	t        *testing.T
	outputs  map[string]string
	requests objects
	replies  objects
}

// objects are the objects inside requests, or inside replies, by name.
type objects struct {
	kind  string
	found map[string]schema
	order []string
}

func reference(t *testing.T, outputs map[string]string) string {
	text, err := json.Marshal(commands.Describe())
	require.NoError(t, err)
	var all struct{ Commands []describedCommand }
	require.NoError(t, json.Unmarshal(text, &all))
	w := &writer{
		t: t, outputs: outputs, requests: objects{"request", map[string]schema{}, nil},
		replies: objects{"reply", map[string]schema{}, nil},
	}
	w.WriteString(referenceHead)
	w.common(all.Commands)
	for _, c := range all.Commands {
		w.command(c)
	}
	w.objects("Objects in requests", &w.requests)
	w.objects("Objects in replies", &w.replies)
	return w.String()
}

// common writes what all commands share: their fields, and the codes that any may answer.
func (w *writer) common(all []describedCommand) {
	inAll := func(fields fields) (out fields) {
		for _, f := range fields {
			if f.name != "command" && slices.Contains(everywhere, f.name) {
				out = append(out, f)
			}
		}
		return out
	}
	w.table(schema{Properties: inAll(all[0].Request.Properties)}, &w.requests)
	w.WriteString("Every reply echoes `command` and `reqId`, and has:\n\n")
	w.table(schema{Properties: inAll(all[0].Reply.Properties)[1:], Required: []string{"statusCode"}}, &w.replies)
	w.WriteString("Any command may answer " + codes(sharedCodes(all)) + "; what to do about each code is in\n" +
		"[troubleshooting.md](troubleshooting.md). The commands: ")
	for i, c := range all {
		if i > 0 {
			w.WriteString(", ")
		}
		fmt.Fprintf(w, "[%s](#%s)", c.Name, c.Name)
	}
	w.WriteString(".\n")
}

func sharedCodes(all []describedCommand) []statuscodes.Code {
	shared := slices.Clone(all[0].StatusCodes)
	return slices.DeleteFunc(shared, func(code statuscodes.Code) bool {
		return slices.ContainsFunc(all, func(c describedCommand) bool { return !slices.Contains(c.StatusCodes, code) })
	})
}

func codes(list []statuscodes.Code) string {
	names := make([]string, len(list))
	for i, code := range list {
		names[i] = fmt.Sprintf("`%s` (%d)", code, int(code))
	}
	return strings.Join(names, ", ")
}

func (w *writer) command(c describedCommand) {
	fmt.Fprintf(w, "\n## %s\n\n%s\n\n", c.Name, strings.ReplaceAll(c.Help, "<", "&lt;"))
	w.part("Request:", c.Request, &w.requests)
	w.part("Reply:", c.Reply, &w.replies)
	example, ok := examples[c.Name]
	require.True(w.t, ok, "no example of %s", c.Name)
	w.WriteString("```console\n")
	for _, line := range example {
		w.WriteString("$ " + line + "\n" + w.outputs[line])
	}
	w.WriteString("```\n")
	own := slices.DeleteFunc(c.StatusCodes, func(code statuscodes.Code) bool { return slices.Contains(anyCommand, code) })
	if len(own) > 0 {
		w.WriteString("\nMay answer " + codes(own) + ".\n")
	}
}

// jsonSchema is the name of JSON Schema's own object, which is not described here.
const jsonSchema = "Schema"

// anyCommand are the codes that all may answer.
var anyCommand = []statuscodes.Code{
	statuscodes.Unknown, statuscodes.InvalidArgument, statuscodes.Unauthorized, statuscodes.ShuttingDown,
	statuscodes.StorageError, statuscodes.Timeout,
}

// part writes a command's own fields of its request or reply.
func (w *writer) part(title string, s schema, into *objects) {
	s.Properties = slices.DeleteFunc(slices.Clone(s.Properties), func(f field) bool {
		return slices.Contains(everywhere, f.name)
	})
	if len(s.Properties) == 0 {
		w.WriteString(strings.TrimSuffix(title, ":") + ": no fields of its own.\n\n")
		return
	}
	w.WriteString(title + "\n\n")
	into.add(w.t, s.Defs)
	w.table(s, into)
}

func (o *objects) add(t *testing.T, definitions map[string]schema) {
	names := make([]string, 0, len(definitions))
	for name := range definitions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		known, ok := o.found[name]
		require.True(t, !ok || fmt.Sprint(known.Properties) == fmt.Sprint(definitions[name].Properties), "two %s", name)
		if !ok && name != jsonSchema {
			o.found[name], o.order = definitions[name], append(o.order, name)
		}
	}
}

func (w *writer) objects(title string, o *objects) {
	fmt.Fprintf(w, "\n## %s\n", title)
	slices.Sort(o.order)
	for _, name := range o.order {
		fmt.Fprintf(w, "\n### %s (%s)\n\n", name, o.kind)
		w.table(o.found[name], o)
	}
}

func (w *writer) table(s schema, into *objects) {
	required := into.kind == "request" && len(s.Required) > 0
	if required {
		w.WriteString("| field | type | required | what it says |\n|---|---|---|---|\n")
	} else {
		w.WriteString("| field | type | what it says |\n|---|---|---|\n")
	}
	for _, f := range s.Properties {
		fmt.Fprintf(w, "| `%s` | %s |", f.name, kind(f.schema, into))
		if required {
			w.WriteString(map[bool]string{true: " yes |", false: " |"}[slices.Contains(s.Required, f.name)])
		}
		fmt.Fprintf(w, " %s |\n", strings.ReplaceAll(strings.ReplaceAll(meaning(f.schema), "|", `\|`), "<", "&lt;"))
	}
	w.WriteString("\n")
}

// kind names a type, with a link where it is an object.
func kind(s schema, into *objects) string {
	name := strings.TrimPrefix(s.Ref, "#/$defs/")
	switch {
	case name == jsonSchema:
		return "JSON Schema"
	case name != "":
		return fmt.Sprintf("[%s](#%s-%s)", name, strings.ToLower(name), into.kind)
	case s.Type == "array":
		return "list of " + kind(*s.Items, into)
	case s.ContentEncoding != "":
		return s.ContentEncoding
	}
	return s.Type
}

// meaning is a field's description, with the values that it may have.
func meaning(s schema) string {
	var parts []string
	if s.Description != "" {
		parts = append(parts, s.Description)
	}
	if len(s.Enum) > 0 {
		parts = append(parts, "`"+strings.Join(s.Enum, "`, `")+"`")
	}
	if s.Minimum != nil && s.Maximum != nil {
		parts = append(parts, fmt.Sprintf("%s to %s", *s.Minimum, *s.Maximum))
	} else if s.Minimum != nil {
		parts = append(parts, fmt.Sprintf("%s or more", *s.Minimum))
	}
	if s.MaxLength > 0 {
		parts = append(parts, fmt.Sprintf("up to %d characters", s.MaxLength))
	}
	if s.Default != nil {
		parts = append(parts, fmt.Sprintf("default %v", s.Default))
	}
	return strings.Join(parts, "; ")
}
