package lenientjson

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParser checks on any input that chunks change nothing, and that what encoding/json accepts as one object is
// accepted with the same value.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		`{command:'receive_messages'}`, `[{"a":1},{"b":[true,false,null]}]`, "{a:?}\n{b:1}", `{"base64Data":"aGVsbG8="}`,
		`{"a":"\ud83d\ude00"}`, "{a:'\xc3\xa9'}", `{"a":-1.5e+10,}`, "{\n a:?,\n {}\n}\n{c:1}", `{"":{"":[[],{}]}}`, "\xef  0", "\xef\xbb\xbf{}",
	} {
		f.Add([]byte(seed), byte(1), byte(3))
	}
	f.Fuzz(func(t *testing.T, input []byte, first, second byte) {
		opts := DefaultOptions()
		opts.MaxBytes, opts.MaxMemory, opts.BlobMemory, opts.MaxDepth = 200, 4000, 20, 16
		whole := run(t, opts, string(input), 0)
		for _, size := range []int{1, int(first%16) + 1, int(second) + 1} {
			require.Equal(t, whole, run(t, opts, string(input), size))
		}
		var object map[string]any
		opts = DefaultOptions()
		if json.Unmarshal(input, &object) != nil || object == nil {
			return
		}
		got := run(t, opts, string(input), 0)
		if len(got.requests) == 1 {
			var back map[string]any
			require.NoError(t, json.Unmarshal([]byte(got.requests[0]), &back))
			dropBlobs(object)
			dropBlobs(back)
			require.Equal(t, object, back)
			return
		}
		require.Contains(t, got.log[0], "invalid JSON", "accepted by encoding/json only")
		require.Regexp(t, "UTF-8|surrogate|too deep", got.log[0])
	})
}

// dropBlobs removes what the parser decodes and encoding/json does not.
func dropBlobs(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "base64Data")
		for _, field := range v {
			dropBlobs(field)
		}
	case []any:
		for _, item := range v {
			dropBlobs(item)
		}
	}
}
