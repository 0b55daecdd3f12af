package caller

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// headSize is how much of a reply is looked at for its status code, which comes before all that can be long but the
// echo of a reqId.
const headSize = 64 << 10

// ErrNoReply is for a connection that ended without one.
var ErrNoReply = errors.New("the daemon closed the connection without a reply: was it stopped, does it want TLS, or is the request no whole JSON object?")

// errMalformed is for what is no reply at all.
var errMalformed = errors.New("the answer is none of a signalbox daemon's: does something else listen there, or is TLS missing?")

// reader takes the replies apart: one line each.
type reader struct{ *bufio.Reader }

func newReader(r io.Reader) *reader { return &reader{bufio.NewReaderSize(r, headSize)} }

// next copies one reply to w as it comes and returns its status code. io.EOF is the end of the stream.
func (r *reader) next(w io.Writer) (code int, err error) {
	if _, err := r.Peek(1); err != nil {
		return 0, err
	}
	code, known := 0, false
	for {
		piece, err := r.ReadSlice('\n')
		if !known && len(piece) > 0 {
			if code, known = statusCode(piece); !known {
				return 0, errMalformed
			}
		}
		if _, failed := w.Write(piece); failed != nil {
			return code, failed
		}
		switch {
		case err == nil:
			return code, nil
		case errors.Is(err, io.EOF):
			return code, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return code, err
		}
	}
}

// statusCode finds a reply's code in its beginning. Events of a subscription have none: they are no failure.
func statusCode(head []byte) (code int, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(head))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return 0, false
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return 0, false
		}
		switch name {
		case "statusCode":
			err := decoder.Decode(&code)
			return code, err == nil
		case "command", "reqId":
			if _, err := decoder.Token(); err != nil {
				return 0, false
			}
		default:
			return 0, name == "event"
		}
	}
	return 0, false
}
