package tcpserver

import (
	"bufio"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/commands"
	"signalbox/signalcore/model"
)

// encoder writes values as compact JSON, by the json tags of encoding/json, straight to a buffered writer: a blob is
// streamed from where it is kept, so that a large attachment costs no memory. A nil slice is an empty array.
//
// An error in the middle leaves a broken line: nothing more can be said on that connection.
type encoder struct {
	w *bufio.Writer
	// lenient writes null for a blob that cannot be opened, where it would be an error.
	lenient bool
}

var errBlobSize = errors.New("an attachment has not the size that it should have")

// reply writes the object of section 3 of the protocol: command, reqId, statusCode, the result's fields, errorMessage.
func (e *encoder) reply(r commands.Reply) error {
	head := struct {
		Command    *string `json:"command,omitempty"`
		ReqID      *string `json:"reqId,omitempty"`
		StatusCode int     `json:"statusCode"`
	}{r.Command, r.ReqID, int(r.Code)}
	tail := struct {
		ErrorMessage string `json:"errorMessage,omitempty"`
	}{r.Message}
	return e.object(reflect.ValueOf(head), reflect.ValueOf(r.Result), reflect.ValueOf(tail))
}

// object writes the fields of several structs as one object.
func (e *encoder) object(parts ...reflect.Value) error {
	e.raw("{")
	first := true
	for _, part := range parts {
		for part.Kind() == reflect.Pointer || part.Kind() == reflect.Interface {
			part = part.Elem()
		}
		if part.IsValid() {
			if err := e.fields(part, &first); err != nil {
				return err
			}
		}
	}
	e.raw("}")
	return nil
}

func (e *encoder) fields(v reflect.Value, first *bool) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			embedded := v.Field(i)
			if embedded.Kind() == reflect.Pointer {
				if embedded.IsNil() {
					continue
				}
				embedded = embedded.Elem()
			}
			if err := e.fields(embedded, first); err != nil {
				return err
			}
			continue
		}
		if name == "-" || !field.IsExported() || omitted(v.Field(i), options) {
			continue
		}
		if name == "" {
			name = field.Name
		}
		if !*first {
			e.raw(",")
		}
		*first = false
		e.text(name)
		e.raw(":")
		if err := e.value(v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func omitted(v reflect.Value, options string) bool {
	switch {
	case strings.Contains(options, "omitzero"):
		return v.IsZero()
	case !strings.Contains(options, "omitempty"):
		return false
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

var blobType = reflect.TypeFor[model.Blob]()

func (e *encoder) value(v reflect.Value) error {
	if !v.IsValid() {
		e.raw("null")
		return nil
	}
	if v.Type() == blobType {
		return e.blob(v.Interface().(model.Blob))
	}
	switch v.Interface().(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return e.standard(v)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return e.value(v.Elem())
	case reflect.Struct:
		return e.object(v)
	case reflect.Slice, reflect.Array:
		return e.slice(v)
	case reflect.Map:
		return e.mapping(v)
	case reflect.String:
		e.text(v.String())
	case reflect.Bool:
		e.raw(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.raw(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.raw(strconv.FormatUint(v.Uint(), 10))
	default:
		return e.standard(v)
	}
	return nil
}

// standard leaves a value to encoding/json.
func (e *encoder) standard(v reflect.Value) error {
	text, err := json.Marshal(v.Interface())
	if err == nil {
		_, _ = e.w.Write(text)
	}
	return err
}

func (e *encoder) slice(v reflect.Value) error {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		e.raw(`"` + base64.StdEncoding.EncodeToString(v.Bytes()) + `"`)
		return nil
	}
	e.raw("[")
	for i := range v.Len() {
		if i > 0 {
			e.raw(",")
		}
		if err := e.value(v.Index(i)); err != nil {
			return err
		}
	}
	e.raw("]")
	return nil
}

func (e *encoder) mapping(v reflect.Value) error {
	names := make([]string, 0, v.Len())
	for _, key := range v.MapKeys() {
		names = append(names, key.String())
	}
	slices.Sort(names)
	e.raw("{")
	for i, name := range names {
		if i > 0 {
			e.raw(",")
		}
		e.text(name)
		e.raw(":")
		if err := e.value(v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key()))); err != nil {
			return err
		}
	}
	e.raw("}")
	return nil
}

// blob writes the base64 of a blob.
func (e *encoder) blob(b model.Blob) error {
	if b.Open == nil {
		e.raw(`""`)
		return nil
	}
	source, err := b.Open()
	if err != nil && e.lenient {
		e.raw("null")
		return nil
	}
	if err != nil {
		return fmt.Errorf("an attachment cannot be read: %w", err)
	}
	defer source.Close()
	e.raw(`"`)
	text := base64.NewEncoder(base64.StdEncoding, e.w)
	n, err := io.CopyBuffer(struct{ io.Writer }{text}, io.LimitReader(source, b.Size+1), make([]byte, 24<<10))
	if err == nil && n != b.Size {
		err = errBlobSize
	}
	if err == nil {
		err = text.Close()
	}
	e.raw(`"`)
	return err
}

// raw and text write to the buffer; it remembers a first error, which its Flush returns.
func (e *encoder) raw(s string) { _, _ = e.w.WriteString(s) }

const hex = "0123456789abcdef"

// text writes a string. What is not UTF-8 becomes U+FFFD.
func (e *encoder) text(s string) {
	e.raw(`"`)
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				e.raw(s[start:i] + "\ufffd")
				start = i + 1
			}
			i += size
			continue
		}
		if c < 0x20 || c == '"' || c == '\\' || c == 0x7f {
			e.raw(s[start:i])
			e.escape(c)
			start = i + 1
		}
		i++
	}
	e.raw(s[start:])
	e.raw(`"`)
}

func (e *encoder) escape(c byte) {
	const from, to = "\"\\\b\f\n\r\t", `"\bfnrt`
	if i := strings.IndexByte(from, c); i >= 0 {
		e.raw(`\` + to[i:i+1])
		return
	}
	e.raw(`\u00` + string(hex[c>>4]) + string(hex[c&15]))
}
