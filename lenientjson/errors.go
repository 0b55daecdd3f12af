package lenientjson

import (
	"errors"
	"fmt"
)

// ErrBase64 is in a Blob whose text is not base64 (RFC 4648 section 4, padded; white space is skipped).
var ErrBase64 = errors.New("not valid base64")

// ErrSpool is in a Blob that could not be written to the spool.
var ErrSpool = errors.New("cannot keep a long attachment on disk")

// Reason tells the kinds of errors apart.
type Reason byte

const (
	// BadSyntax is anything that is no JSON, even leniently.
	BadSyntax Reason = iota
	// NotAnObject is a scalar, or a nested array, where a command should be.
	NotAnObject
	// BadText is invalid UTF-8 or a lone surrogate.
	BadText
	// TooDeep is nesting beyond Options.MaxDepth.
	TooDeep
	// TooLarge is a request beyond Options.MaxBytes or MaxMemory. Nothing more can be read after it.
	TooLarge
)

// SyntaxError is what is wrong with the stream, and where.
type SyntaxError struct {
	Reason Reason
	// Offset counts from the first byte of the stream, InRequest from that of the broken request.
	Offset, InRequest int64
	// Message says what was expected and what was there.
	Message string
}

func (e *SyntaxError) Error() string {
	if e.Offset == e.InRequest {
		return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Message)
	}
	return fmt.Sprintf("invalid JSON at byte %d of the request (byte %d of the connection): %s",
		e.InRequest, e.Offset, e.Message)
}

// show names a byte in an error message without repeating more of the input than that.
func show(c byte) string {
	switch {
	case c == '\n':
		return "the end of the line"
	case c < 0x20 || c >= 0x7f:
		return fmt.Sprintf("byte 0x%02x", c)
	}
	return fmt.Sprintf("'%c'", c)
}
