package commands

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"signalbox/lenientjson"
	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

// decode fills a request struct from a parsed object, by its json tags. Unknown fields are passed over, null leaves a
// field as it is, and scalars are coerced where that is unambiguous (docs/socket-protocol.md, section 2).
func decode(object lenientjson.Value, into any) error {
	return decodeStruct(object, reflect.ValueOf(into).Elem(), "")
}

var blobType = reflect.TypeFor[model.Blob]()

func decodeValue(v lenientjson.Value, into reflect.Value, path string) error {
	if v.Kind == lenientjson.Null {
		return nil
	}
	if into.Type() == blobType {
		return decodeBlob(v, into, path)
	}
	switch into.Kind() {
	case reflect.Pointer:
		target := reflect.New(into.Type().Elem())
		err := decodeValue(v, target.Elem(), path)
		if err == nil {
			into.Set(target)
		}
		return err
	case reflect.Struct:
		if v.Kind != lenientjson.Object {
			return wrongType(path, "an object", v)
		}
		return decodeStruct(v, into, path)
	case reflect.Slice:
		return decodeSlice(v, into, path)
	case reflect.String:
		return decodeString(v, into, path)
	case reflect.Bool:
		return decodeBool(v, into, path)
	case reflect.Float64:
		return decodeFloat(v, into, path)
	}
	return decodeInteger(v, into, path)
}

func decodeStruct(v lenientjson.Value, into reflect.Value, path string) error {
	for i := range into.NumField() {
		field := into.Type().Field(i)
		if field.Anonymous {
			if err := decodeStruct(v, into.Field(i), path); err != nil {
				return err
			}
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value, ok := v.Fields[name]
		if !ok || name == "" || name == "-" {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		if err := decodeValue(value, into.Field(i), name); err != nil {
			return err
		}
	}
	return nil
}

func decodeSlice(v lenientjson.Value, into reflect.Value, path string) error {
	if v.Kind != lenientjson.Array {
		return wrongType(path, "an array", v)
	}
	out := reflect.MakeSlice(into.Type(), len(v.Items), len(v.Items))
	for i, item := range v.Items {
		if item.Kind == lenientjson.Null {
			return wrongType(path+"["+strconv.Itoa(i)+"]", "a value", item)
		}
		if err := decodeValue(item, out.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	into.Set(out)
	return nil
}

func decodeString(v lenientjson.Value, into reflect.Value, path string) error {
	if v.Kind > lenientjson.String || v.Blob != nil {
		return wrongType(path, "a string", v)
	}
	into.SetString(v.Text)
	return nil
}

func decodeBool(v lenientjson.Value, into reflect.Value, path string) error {
	if v.Kind > lenientjson.String {
		return wrongType(path, "true or false", v)
	}
	switch v.Text {
	case "true", "1":
		into.SetBool(true)
	case "false", "0":
		into.SetBool(false)
	default:
		return wrongType(path, "true or false", v)
	}
	return nil
}

func decodeFloat(v lenientjson.Value, into reflect.Value, path string) error {
	number, err := strconv.ParseFloat(strings.TrimSpace(v.Text), 64)
	if err != nil || v.Kind != lenientjson.Number && v.Kind != lenientjson.String || math.IsInf(number, 0) || math.IsNaN(number) {
		return wrongType(path, "a number", v)
	}
	into.SetFloat(number)
	return nil
}

// decodeInteger takes 500, "500", 500.0 and 5e2, and refuses 0.5 and what the field cannot hold.
func decodeInteger(v lenientjson.Value, into reflect.Value, path string) error {
	text := strings.TrimSpace(v.Text)
	if v.Kind != lenientjson.Number && v.Kind != lenientjson.String || len(text) > 40 {
		return wrongType(path, "an integer", v)
	}
	integer, err := strconv.ParseInt(text, 10, 64)
	if err != nil && strings.ContainsAny(text, ".eE") && !strings.ContainsAny(text, "xX_pP") {
		number, _, parseErr := big.ParseFloat(text, 10, 200, big.ToNearestEven)
		if parseErr == nil && number.IsInt() && number.MantExp(nil) <= 64 {
			var accuracy big.Accuracy
			if integer, accuracy = number.Int64(); accuracy == big.Exact {
				err = nil
			}
		}
	}
	switch {
	case err != nil:
		return wrongType(path, "an integer", v)
	case into.CanInt() && !into.OverflowInt(integer):
		into.SetInt(integer)
	case into.CanUint() && integer >= 0 && !into.OverflowUint(uint64(integer)):
		into.SetUint(uint64(integer))
	default:
		return badArgument(path, "is out of range")
	}
	return nil
}

// decodeBlob takes what the parser has decoded on its way in, or decodes the text of a short field.
func decodeBlob(v lenientjson.Value, into reflect.Value, path string) error {
	if v.Kind != lenientjson.String {
		return wrongType(path, "a string of base64", v)
	}
	if v.Blob == nil {
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(v.Text))
		if err != nil {
			return badField(statuscodes.InvalidAttachment, path, "is not valid base64")
		}
		into.Set(reflect.ValueOf(model.Blob{Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		}}))
		return nil
	}
	if errors.Is(v.Blob.Err, lenientjson.ErrBase64) {
		return badField(statuscodes.InvalidAttachment, path, "is not valid base64")
	}
	if v.Blob.Err != nil {
		return badField(statuscodes.Of(v.Blob.Err), path, "cannot be stored: %v", v.Blob.Err)
	}
	into.Set(reflect.ValueOf(model.Blob{Size: v.Blob.Size, Open: v.Blob.Open}))
	return nil
}

func wrongType(path, want string, got lenientjson.Value) error {
	return badArgument(path, "must be %s, not %s", want, describe(got))
}

// describe names a value in an error; strings are not repeated, as they may be private.
func describe(v lenientjson.Value) string {
	if v.Kind == lenientjson.Number && len(v.Text) <= 20 {
		return v.Text
	}
	return v.Kind.String()
}
