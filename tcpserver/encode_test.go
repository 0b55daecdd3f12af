package tcpserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands/signaltest"
	"signalbox/signalcore/model"
)

func encode(v any, lenient bool) (string, error) {
	var out bytes.Buffer
	e := &encoder{w: bufio.NewWriter(&out), lenient: lenient}
	err := e.value(reflect.ValueOf(v))
	_ = e.w.Flush()
	return out.String(), err
}

type inner struct {
	A int    `json:"a,omitempty"`
	B string `json:"b"`
}

type sample struct {
	inner
	*Embedded
	Text     string             `json:"text"`
	List     []int              `json:"list"`
	Short    []int              `json:"short,omitempty"`
	Zero     []int              `json:"zero,omitzero"`
	Bytes    []byte             `json:"bytes,omitempty"`
	Pointer  *int               `json:"pointer,omitempty"`
	Null     *int               `json:"null"`
	Map      map[string]uint8   `json:"map,omitempty"`
	Bool     bool               `json:"bool"`
	Float    float64            `json:"float"`
	When     time.Time          `json:"when"`
	Raw      json.RawMessage    `json:"raw"`
	Any      any                `json:"any"`
	Nested   []map[string]inner `json:"nested"`
	Skipped  string             `json:"-"`
	Untagged int
	private  int
}

// Embedded is exported, as encoding/json wants pointers to embedded structs to be.
type Embedded struct {
	E int `json:"e"`
}

// TestEncodingIsEncodingJSON compares with encoding/json where nothing is special.
func TestEncodingIsEncodingJSON(t *testing.T) {
	seven := 7
	for _, v := range []any{
		nil, 1, "x", true, []string{}, map[string]int{"b": 1, "a": 2}, &seven,
		sample{List: []int{}, Raw: json.RawMessage("[1]"), Nested: []map[string]inner{}},
		sample{
			inner: inner{A: 1, B: "b"}, Embedded: &Embedded{E: 2}, Text: "é\"\\\b\f\n\r\t\x00\x1f😀/", List: []int{1, -2},
			Short: []int{3}, Zero: []int{}, Bytes: []byte{1, 2, 3}, Pointer: &seven, Map: map[string]uint8{"x": 255, "": 0},
			Bool: true, Float: 1.5e10, When: time.Unix(1, 0).UTC(), Raw: json.RawMessage(`{"a":1}`), Any: inner{B: "x"},
			Nested: []map[string]inner{{"k": {A: 1}}}, Skipped: "x", Untagged: 1, private: 1,
		},
	} {
		var want bytes.Buffer
		standard := json.NewEncoder(&want)
		standard.SetEscapeHTML(false)
		require.NoError(t, standard.Encode(v))
		got, err := encode(v, false)
		require.NoError(t, err)
		require.Equal(t, want.String(), got+"\n")
	}
}

func TestEncodingDiffers(t *testing.T) {
	for want, v := range map[string]any{
		`[]`:                       []string(nil),
		`"a` + "\ufffd" + `b"`:     "a\xffb",
		`"` + "\u2028" + `\u007f"`: "\u2028\x7f",
		`"aGVsbG8="`:               signaltest.Bytes([]byte("hello")),
		`""`:                       model.Blob{},
	} {
		got, err := encode(v, false)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestBrokenBlobs(t *testing.T) {
	missing := model.Blob{Size: 1, Open: func() (io.ReadCloser, error) { return nil, errors.New("gone") }}
	_, err := encode(missing, false)
	require.ErrorContains(t, err, "gone")
	got, err := encode(missing, true)
	require.NoError(t, err)
	require.Equal(t, "null", got)
	for _, size := range []int64{4, 6} {
		wrong := signaltest.Bytes([]byte("hello"))
		wrong.Size = size
		_, err = encode(wrong, false)
		require.ErrorIs(t, err, errBlobSize)
	}
}
