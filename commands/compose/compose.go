// Package compose turns the dataMessage and reaction of a request into the event to send.
//
// It follows section 4 of docs/socket-protocol.md: the structs here are what a request is decoded into, and each
// checks itself. Who is meant by a name, and where an attachment is uploaded to, is for the client to find out.
package compose

import (
	"errors"
	"fmt"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/statuscodes"
)

// Name is a person named in a request, at the path of a field.
type Name struct {
	Field, Text string
}

// Resolver finds the accounts of all the people named in a request, in their order. It is not called for none.
type Resolver func(names []Name) ([]serviceid.ServiceID, error)

// Draft is an event that lacks only what the client fills in: times, group, profile key, and attachments' pointers.
// Timer is set where the request asks for one.
type Draft struct {
	Event content.Event
	// Uploads is the data of Event.Attachments(), in their order. One without Open is a sticker that the client is to
	// fetch from its pack.
	Uploads []model.Blob
}

// Error is what is wrong with a request: a status code, and the field it is about.
type Error struct {
	Code           statuscodes.Code
	Field, Message string
}

func (e *Error) Error() string { return e.Field + " " + e.Message }

// StatusCode makes Error a statuscodes.Coded.
func (e *Error) StatusCode() statuscodes.Code { return e.Code }

func badArgument(field, format string, args ...any) error {
	return &Error{statuscodes.InvalidArgument, field, fmt.Sprintf(format, args...)}
}

// explain gives an error of package content the path of its field.
func explain(err error) error {
	if input, ok := errors.AsType[*content.InputError](err); ok {
		field := "dataMessage"
		if input.Field != field {
			field += "." + input.Field
		}
		return badArgument(field, "is not valid: %s", input.Reason)
	}
	if errors.Is(err, content.ErrTextTooLong) {
		return badArgument("dataMessage.message", "is longer than %d bytes", content.MaxTextBytes)
	}
	return err
}

// maxTimestamp is the last millisecond that every client of the socket can write exactly.
const maxTimestamp = 1<<53 - 1

func checkTimestamp(field string, ms uint64) error {
	if ms == 0 || ms > maxTimestamp {
		return badArgument(field, "is not a timestamp in milliseconds")
	}
	return nil
}

// people gathers the names of a request, to be resolved at once.
type people struct {
	names []Name
	slots []*serviceid.ServiceID
}

func (p *people) want(field, text string, into *serviceid.ServiceID) error {
	if text == "" {
		return badArgument(field, "is missing")
	}
	p.names, p.slots = append(p.names, Name{field, text}), append(p.slots, into)
	return nil
}

// resolve fills the slots. A person who has only a PNI cannot have written a message, nor be mentioned.
func (p *people) resolve(resolver Resolver) error {
	if len(p.names) == 0 {
		return nil
	}
	ids, err := resolver(p.names)
	if err != nil {
		return err
	}
	if len(ids) != len(p.names) {
		return fmt.Errorf("%d names resolved to %d accounts", len(p.names), len(ids))
	}
	for i, id := range ids {
		if id.IsZero() || id.Kind != serviceid.ACI {
			return &Error{statuscodes.InvalidRecipient, p.names[i].Field, "is a person whose account is not known here"}
		}
		*p.slots[i] = id
	}
	return nil
}
