package lenientjson

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// jacksonVector is a line of testdata/jackson/vectors.jsonl; Vectors.java says what is in it.
type jacksonVector struct {
	Input  []byte         `json:"input"`
	Stream jacksonVerdict `json:"stream"`
	Reader jacksonVerdict `json:"reader"`
}

type jacksonVerdict struct {
	End    string   `json:"end"`
	Values []string `json:"values"`
}

// TestJackson compares with what Jackson made of each input, up to the first error: Jackson does not go on after it.
//
// Jackson's two parsers differ from each other on names with letters beyond ASCII, byte order marks, and, as it guesses
// the encoding, on NUL bytes at the start; agreeing with one of them will do. Where the protocol differs from both on
// purpose, deliberate says so.
func TestJackson(t *testing.T) {
	counts := map[string]int{}
	for _, vector := range jacksonVectors(t) {
		got := verdict(t, string(vector.Input))
		stream, reader := vector.Stream.canonical(t), vector.Reader.canonical(t)
		switch {
		case same(got, stream) || same(got, reader):
			counts[got.End]++
			continue
		}
		why := deliberate(got, stream, reader)
		assert.NotEmpty(t, why, "%q\ngot    %v\nstream %v\nreader %v", vector.Input, got, stream, reader)
		counts[why]++
	}
	t.Log(counts)
	for _, end := range []string{"ok", "eof", "error", "lone surrogate"} {
		require.NotZero(t, counts[end], end)
	}
}

func jacksonVectors(t testing.TB) []jacksonVector {
	file, err := os.Open("testdata/jackson/vectors.jsonl")
	require.NoError(t, err)
	defer file.Close()
	var out []jacksonVector
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var v jacksonVector
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &v))
		out = append(out, v)
	}
	require.Greater(t, len(out), 1500)
	return out
}

// verdict is ours, up to the first error; End is the error's text.
func verdict(t testing.TB, input string) jacksonVerdict {
	opts := DefaultOptions()
	opts.BlobFields = nil
	got := run(t, opts, input, 0)
	for i, entry := range got.log {
		if strings.HasPrefix(entry, "! ") {
			return jacksonVerdict{End: "error", Values: append(got.log[:i:i], entry)}
		}
	}
	if got.open {
		return jacksonVerdict{End: "eof", Values: got.log}
	}
	return jacksonVerdict{End: "ok", Values: got.log}
}

func same(got, want jacksonVerdict) bool {
	values := got.Values
	if got.End == "error" {
		values = values[:len(values)-1]
	}
	return got.End == want.End && strings.Join(values, " ") == strings.Join(want.Values, " ")
}

// deliberate names the rule of the protocol by which a verdict differs from Jackson's.
func deliberate(got, stream, reader jacksonVerdict) string {
	last := ""
	if len(got.Values) > 0 {
		last = got.Values[len(got.Values)-1]
	}
	switch {
	case strings.Contains(last, "surrogate"):
		return "lone surrogate"
	case strings.Contains(last, "the start of a command"):
		return "a scalar is refused at its first byte"
	case got.End == "ok" && (stream.End == "eof" || reader.End == "eof" || stream.End == "error"):
		return "the end inside brackets" // which are no part of a request
	case strings.Contains(last, "expected a digit, found 'I'"):
		return "Jackson waits for the rest of -INF before it refuses it"
	case got.End == "eof" && stream.End == "error" && reader.End == "error":
		return "the end inside a token" // which Jackson calls a wrong token
	}
	return ""
}

// canonical writes the values as canonical does, and folds the protocol's own rules into "error".
func (v jacksonVerdict) canonical(t testing.TB) jacksonVerdict {
	out := jacksonVerdict{End: v.End}
	if v.End == "scalar" || v.End == "deep" {
		out.End = "error"
	}
	for _, text := range v.Values {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var value any
		require.NoError(t, decoder.Decode(&value))
		out.Values = append(out.Values, canonical(t, fromGo(value)))
	}
	return out
}

func fromGo(value any) Value {
	switch value := value.(type) {
	case bool:
		return Value{Kind: Bool, Text: map[bool]string{true: "true", false: "false"}[value]}
	case json.Number:
		return Value{Kind: Number, Text: value.String()}
	case string:
		return Value{Kind: String, Text: value}
	case []any:
		out := Value{Kind: Array}
		for _, item := range value {
			out.Items = append(out.Items, fromGo(item))
		}
		return out
	case map[string]any:
		out := Value{Kind: Object, Fields: map[string]Value{}}
		for name, field := range value {
			out.Fields[name] = fromGo(field)
		}
		return out
	}
	return Value{}
}

// TestJacksonInputsInChunks feeds every vector in other chunks.
func TestJacksonInputsInChunks(t *testing.T) {
	for _, vector := range jacksonVectors(t) {
		requireSameInChunks(t, DefaultOptions(), string(vector.Input))
	}
}
