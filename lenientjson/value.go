// Package lenientjson reads a stream of JSON objects, one byte at a time if need be, with the leniencies of the command
// socket: single quotes, unquoted field names, trailing commas, objects that follow one another in any way.
//
// It implements section 2 of docs/socket-protocol.md; what is accepted was compared with Jackson 2.14 with
// ALLOW_SINGLE_QUOTES, ALLOW_UNQUOTED_FIELD_NAMES and ALLOW_TRAILING_COMMA (testdata/jackson). What the fields mean is
// in package commands; connections, timeouts and replies in tcpserver.
package lenientjson

import "io"

// Kind is the kind of a Value.
type Kind byte

// The kinds of JSON values. The zero Value is Null.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// Value is one parsed value.
type Value struct {
	Kind Kind
	// Text is the string; of a number and a boolean its literal. Empty for a string that went to Blob.
	Text   string
	Items  []Value
	Fields map[string]Value
	// Blob is the decoded data of a string in one of the Options.BlobFields.
	Blob *Blob
}

// Blob is a base64 string, decoded while it arrived. Open may be called any number of times while the request is open.
type Blob struct {
	Size int64
	Open func() (io.ReadCloser, error)
	// Err says why there is no data: ErrBase64, or what the spool answered, wrapped in ErrSpool.
	Err error
}

// Request is one top-level object, and the spool files that its blobs are in.
type Request struct {
	Value Value
	files []SpoolFile
}

// Close removes the request's spool files. Its blobs cannot be opened any more; readers that are open are not touched.
func (r *Request) Close() {
	for _, file := range r.files {
		file.Remove()
	}
	r.files = nil
}
