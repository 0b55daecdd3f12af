package content

import (
	"errors"
	"fmt"
)

// ErrNoContent is for a content in which nothing is known: empty, or of a kind that came after this program.
var ErrNoContent = errors.New("the message holds nothing that this version knows")

// ErrTextTooLong is for an outgoing text beyond MaxTextBytes.
var ErrTextTooLong = fmt.Errorf("the text is longer than %d bytes", MaxTextBytes)

// UnsupportedVersionError is for a message that asks for a newer program to show it.
type UnsupportedVersionError struct {
	Required, Spoken uint32
}

func (e *UnsupportedVersionError) Error() string {
	return fmt.Sprintf("the message needs protocol version %d, and this is version %d", e.Required, e.Spoken)
}

// InvalidError is for a content that breaks the rules of the apps. Part names what, Reason says why.
type InvalidError struct {
	Part, Reason string
}

func (e *InvalidError) Error() string { return "malformed " + e.Part + ": " + e.Reason }

// InputError is for an outgoing message that cannot be built: Field is its name in a request.
type InputError struct {
	Field, Reason string
}

func (e *InputError) Error() string { return e.Field + ": " + e.Reason }

func invalid(part, format string, args ...any) error {
	return &InvalidError{Part: part, Reason: fmt.Sprintf(format, args...)}
}

func badInput(field, format string, args ...any) error {
	return &InputError{Field: field, Reason: fmt.Sprintf(format, args...)}
}
