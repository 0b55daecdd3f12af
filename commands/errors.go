package commands

import (
	"fmt"

	"signalbox/statuscodes"
)

// Error is what is wrong with a request: a status code, and the field it is about, where it is about one.
type Error struct {
	Code    statuscodes.Code
	Field   string
	Message string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + " " + e.Message
}

// StatusCode makes Error a statuscodes.Coded.
func (e *Error) StatusCode() statuscodes.Code { return e.Code }

func badArgument(field, format string, args ...any) error {
	return badField(statuscodes.InvalidArgument, field, format, args...)
}

func badField(code statuscodes.Code, field, format string, args ...any) error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}
