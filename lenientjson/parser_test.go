package lenientjson

import (
	"encoding/json"
	"io"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outcome is all that came of an input: canonical requests and errors, in order.
type outcome struct {
	requests []string
	log      []string // requests and errors, interleaved
	open     bool     // the input ended inside a request
}

// run feeds input in chunks of size, or whole for 0.
func run(t testing.TB, opts Options, input string, size int) outcome {
	t.Helper()
	p := NewParser(opts)
	defer p.Close()
	var out outcome
	for len(input) > 0 {
		chunk := input
		if size > 0 && size < len(chunk) {
			chunk = chunk[:size]
		}
		input = input[len(chunk):]
		for len(chunk) > 0 {
			n, res := p.Feed([]byte(chunk))
			chunk = chunk[n:]
			switch {
			case res.Request != nil:
				text := canonical(t, res.Request.Value)
				res.Request.Close()
				out.requests = append(out.requests, text)
				out.log = append(out.log, text)
			case res.Err != nil:
				out.log = append(out.log, "! "+res.Err.Error())
			default:
				require.Empty(t, chunk, "Feed stopped without a reason")
			}
		}
	}
	out.open = p.InRequest()
	return out
}

// canonical writes a value as JSON with sorted fields, numbers as they came, and blobs as "blob:" and their data.
func canonical(t testing.TB, v Value) string {
	quote := func(s string) string {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(s))
		return strings.TrimSuffix(b.String(), "\n")
	}
	switch v.Kind {
	case Null:
		return "null"
	case Bool, Number:
		return v.Text
	case String:
		if v.Blob == nil {
			return quote(v.Text)
		}
		if v.Blob.Err != nil {
			return quote("blob! " + v.Blob.Err.Error())
		}
		r, err := v.Blob.Open()
		require.NoError(t, err)
		defer r.Close()
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.EqualValues(t, v.Blob.Size, len(data))
		return quote("blob:" + string(data))
	case Array:
		items := make([]string, len(v.Items))
		for i, item := range v.Items {
			items[i] = canonical(t, item)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	fields := make([]string, 0, len(v.Fields))
	for name, field := range v.Fields {
		fields = append(fields, quote(name)+":"+canonical(t, field))
	}
	sort.Strings(fields)
	return "{" + strings.Join(fields, ",") + "}"
}

func TestRequests(t *testing.T) {
	for name, tc := range map[string]struct {
		input string
		want  []string
		open  bool
	}{
		"the original's example":   {input: `{command:'receive_messages'}`, want: []string{`{"command":"receive_messages"}`}},
		"plain JSON":               {input: `{"a":[1,-2.5e3,true,false,null,"x"]}`, want: []string{`{"a":[1,-2.5e3,true,false,null,"x"]}`}},
		"one after another":        {input: "{a:1}{a:2} {a:3}\n\t{a:4}", want: []string{`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`}},
		"over many lines":          {input: "{\n a\n:\r\n1\n}\n", want: []string{`{"a":1}`}},
		"trailing commas":          {input: `{a:[1,2,],}`, want: []string{`{"a":[1,2]}`}},
		"brackets":                 {input: `[{a:1},{a:2},]{a:3}`, want: []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}},
		"empty brackets":           {input: `[]{}`, want: []string{`{}`}},
		"escapes":                  {input: `{a:'\'\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00é😀'}`, want: []string{`{"a":"'\"\\/\b\f\n\r\té😀é😀"}`}},
		"an escaped NUL":           {input: `{a:"\u0000"}`, want: []string{`{"a":"\u0000"}`}},
		"odd names":                {input: `{@a-b#+*$_1:1,2:3,é:4}`, want: []string{`{"2":3,"@a-b#+*$_1":1,"é":4}`}},
		"the last duplicate":       {input: `{a:1,'a':2,"\u0061":3}`, want: []string{`{"a":3}`}},
		"a byte order mark":        {input: "\xef\xbb\xbf{}", want: []string{`{}`}},
		"the end inside an object": {input: `{a:1}{b:`, want: []string{`{"a":1}`}, open: true},
		"the end inside a string":  {input: `{b:'x`, open: true},
		"the end inside a number":  {input: `{b:1`, open: true},
		"the end inside brackets":  {input: `[{a:1}`, want: []string{`{"a":1}`}},
		"a blob":                   {input: `{x:{base64Data:'aGVsbG8='}}`, want: []string{`{"x":{"base64Data":"blob:hello"}}`}},
		"a blob with white space":  {input: `{base64Data:"aGVs\n bG8="}`, want: []string{`{"base64Data":"blob:hello"}`}},
		"a blob of nothing":        {input: `{base64Data:""}`, want: []string{`{"base64Data":"blob:"}`}},
		"a blob with \\/":          {input: `{base64Data:"\/\/8="}`, want: []string{`{"base64Data":"blob:\ufffd\ufffd"}`}},
		"a blob that is no string": {input: `{base64Data:[1]}`, want: []string{`{"base64Data":[1]}`}},
		"a bad blob":               {input: `{base64Data:"aGVsbG8"}`, want: []string{`{"base64Data":"blob! not valid base64"}`}},
		"text after the padding":   {input: `{base64Data:"aGVsbG8=aGVs"}`, want: []string{`{"base64Data":"blob! not valid base64"}`}},
		"another field's base64":   {input: `{data:"aGVsbG8="}`, want: []string{`{"data":"aGVsbG8="}`}},
		"a name like a blob's":     {input: `{x:["base64Data","aGVsbG8="]}`, want: []string{`{"x":["base64Data","aGVsbG8="]}`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, DefaultOptions(), tc.input, 0)
			require.Equal(t, tc.want, got.log)
			require.Equal(t, tc.open, got.open)
			requireSameInChunks(t, DefaultOptions(), tc.input)
		})
	}
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		input string
		want  []string
	}{
		"what was expected, and where": {`{"a" 1}`, []string{`! invalid JSON at byte 5: expected ':' after the field name, found '1'`}},
		"in a later request": {"{}\n{a:}", []string{`{}`,
			`! invalid JSON at byte 3 of the request (byte 6 of the connection): expected a value, found '}'`}},
		"the rest of the line is dropped": {"{a:?}{b:1}\n{c:1}", []string{
			`! invalid JSON at byte 3: expected a value, found '?'`, `{"c":1}`}},
		"a nested object never runs": {"{a:?,b:{command:'x'}} {command:'y'}\n", []string{
			`! invalid JSON at byte 3: expected a value, found '?'`}},
		"not on further lines either": {"{\n a:?,\n b:\n {command:'x'}\n}\n {c:1}", []string{
			`! invalid JSON at byte 5: expected a value, found '?'`, `{"c":1}`}},
		"nor when indented as a whole": {"  {\n    a:?,\n    {command:'x'}\n  {c:1}", []string{
			`! invalid JSON at byte 8 of the request (byte 10 of the connection): expected a value, found '?'`, `{"c":1}`}},
		"a line that was cut short": {"{a:'x\n{c:1}\n", []string{
			`! invalid JSON at byte 5: expected the end of the string; control characters in it must be escaped, found the end of the line`,
			`{"c":1}`}},
		"a scalar": {"7 {a:1}\n\"x\"\n{a:2}", []string{
			`! invalid JSON at byte 0: expected '{', the start of a command, found '7'`,
			`! invalid JSON at byte 0 of the request (byte 8 of the connection): expected '{', the start of a command, found '"'`,
			`{"a":2}`}},
		"a comma between requests": {"{},{}\n{}", []string{`{}`,
			`! invalid JSON at byte 0 of the request (byte 2 of the connection): expected '{', the start of a command, found ','`,
			`{}`}},
		"nothing but a comma": {"{,}", []string{`! invalid JSON at byte 1: expected a field name or '}', found ','`}},
		"brackets in brackets": {"[[{}]]\n{}", []string{
			`! invalid JSON at byte 0 of the request (byte 1 of the connection): expected '{', the start of a command, or ']', found '['`,
			`{}`}},
		"no comma in brackets":   {"[{}{}]", []string{`{}`, `! invalid JSON at byte 2 of the request (byte 3 of the connection): expected ',' or ']', found '{'`}},
		"a closing bracket more": {"{}}\n{}", []string{`{}`, `! invalid JSON at byte 0 of the request (byte 2 of the connection): expected '{', the start of a command, found '}'`, `{}`}},
		"a NUL byte":             {"{a:\x00}", []string{`! invalid JSON at byte 3: expected a value, found byte 0x00`}},
		"a NUL in a string":      {"{a:'\x00'}", []string{`! invalid JSON at byte 4: expected the end of the string; control characters in it must be escaped, found byte 0x00`}},
		"invalid UTF-8":          {"{a:'\xc3(', b:{}}\n{}", []string{`! invalid JSON at byte 5: expected valid UTF-8, found '('`, `{}`}},
		"an overlong form":       {"{a:'\xc0\x80'}", []string{`! invalid JSON at byte 4: expected valid UTF-8, found byte 0xc0`}},
		"a surrogate in UTF-8":   {"{a:'\xed\xa0\x80'}", []string{`! invalid JSON at byte 5: expected valid UTF-8, found byte 0xa0`}},
		"a lone high surrogate":  {`{a:'\ud83d'}`, []string{`! invalid JSON at byte 10: expected the second half of a surrogate pair, found '''`}},
		"a lone low surrogate":   {`{a:'\ude00'}`, []string{`! invalid JSON at byte 9: expected both halves of a surrogate pair, found '0'`}},
		"two high surrogates":    {`{a:'\ud83d\ud83d'}`, []string{`! invalid JSON at byte 15: expected both halves of a surrogate pair, found 'd'`}},
		"a leading zero":         {`{a:01}`, []string{`! invalid JSON at byte 4: expected no further digit after a leading zero, found '1'`}},
		"a number cut short":     {`{a:1.}`, []string{`! invalid JSON at byte 5: expected a digit, found '}'`}},
		"a plus sign":            {`{a:+1}`, []string{`! invalid JSON at byte 3: expected a value, found '+'`}},
		"not a literal":          {`{a:nul}`, []string{`! invalid JSON at byte 6: expected null, found '}'`}},
		"a comment":              {"{/*x*/a:1}", []string{`! invalid JSON at byte 1: expected a field name or '}', found '/'`}},
		"a wrong escape":         {`{a:'\x'}`, []string{"! invalid JSON at byte 5: expected one of \"\\/'bfnrtu after the backslash, found 'x'"}},
		"the wrong bracket":      {`{a:[1}}`, []string{`! invalid JSON at byte 5: expected ',' or ']', found '}'`}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, run(t, DefaultOptions(), tc.input, 0).log)
			requireSameInChunks(t, DefaultOptions(), tc.input)
		})
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("{a:", n-1) + "{}" + strings.Repeat("}", n-1) }
	require.Len(t, run(t, DefaultOptions(), nested(64), 0).requests, 1)
	require.Len(t, run(t, DefaultOptions(), "["+nested(64)+"]", 0).requests, 1, "brackets do not count")
	require.Equal(t, []string{
		`! invalid JSON at byte 192: objects and arrays are nested too deep, found '{'`, `{"b":1}`,
	}, run(t, DefaultOptions(), nested(65)+"\n{b:1}", 0).log)
}

func TestTooLarge(t *testing.T) {
	opts := DefaultOptions()
	opts.MaxBytes = 20
	fits := `{a:"` + strings.Repeat("x", 14) + `"}`
	require.Len(t, fits, 20)
	require.Len(t, run(t, opts, fits+fits, 0).requests, 2)
	over := `{a:"` + strings.Repeat("x", 15) + `"}`
	for _, size := range []int{0, 1, 7} {
		p := run(t, opts, over+fits, size)
		require.Len(t, p.log, 1, "nothing is read after it")
		require.Contains(t, p.log[0], "--max-request-bytes")
	}
	require.Len(t, run(t, opts, strings.Repeat(" ", 100)+fits, 0).requests, 1, "white space between requests is free")
}

func TestMemoryIsBounded(t *testing.T) {
	opts := DefaultOptions()
	opts.MaxMemory = 10_000
	for name, input := range map[string]string{
		"a long string":  `{a:"` + strings.Repeat("x", 20_000) + `"}`,
		"a long name":    `{` + strings.Repeat("x", 20_000) + `:1}`,
		"a long number":  `{a:` + strings.Repeat("1", 20_000) + `}`,
		"many values":    `{a:[` + strings.Repeat("1,", 100) + `]}`,
		"many fields":    `{` + strings.Repeat("a:1,", 100) + `}`,
		"many empty":     `{a:[` + strings.Repeat("{},", 100) + `]}`,
		"many empty str": `{a:[` + strings.Repeat("'',", 100) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			log := run(t, opts, input, 0).log
			require.Len(t, log, 1)
			require.Contains(t, log[0], "too large outside its attachments")
			requireSameInChunks(t, opts, input)
		})
	}
}

// requireSameInChunks feeds the input in other chunks, which must change nothing.
func requireSameInChunks(t testing.TB, opts Options, input string) {
	t.Helper()
	whole := run(t, opts, input, 0)
	for _, size := range []int{1, 2, 3, 7} {
		require.Equal(t, whole, run(t, opts, input, size), "in chunks of %d", size)
	}
}
