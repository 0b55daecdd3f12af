package commands

import (
	"errors"

	"signalbox/commands/compose"
	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

// Reply answers one request. Its JSON has command, reqId and statusCode, then the fields of Result, then errorMessage.
type Reply struct {
	// Command and ReqID echo the request; nil where it had none.
	Command *string
	ReqID   *string
	Code    statuscodes.Code
	// Result is a struct, or nil.
	Result  any
	Message string
	// Hangup asks to close the connection after this reply.
	Hangup bool
	// Settle, unless nil, must be called once: with true when the client has the reply, else with false.
	Settle func(delivered bool)
}

// Push is a line that answers no request.
type Push struct {
	Command string  `json:"command"`
	ReqID   *string `json:"reqId,omitempty"`
	Event   any     `json:"event"`
}

// Failure returns the reply that reports an error to a client whose request has no name, or was not understood.
func Failure(err error) Reply { return Reply{}.failed(err) }

// failed makes a reply report an error.
func (r Reply) failed(err error) Reply {
	r.Code, r.Message, r.Result = statuscodes.Of(err), sentence(err), nil
	if part, ok := partOf(err); ok {
		r.Result = part
		return r
	}
	if details := statuscodes.DetailsOf(err); details.RetryAfterSeconds != 0 || details.ChallengeToken != "" ||
		len(details.ChallengeOptions) > 0 {
		r.Result = details
	}
	return r
}

// sentence writes an error for a person. One that begins with the name of a field keeps it as it is.
func sentence(err error) string {
	if own, ok := errors.AsType[*Error](err); ok && own.Field != "" {
		return own.Error() + "."
	}
	if composing, ok := errors.AsType[*compose.Error](err); ok {
		return composing.Error() + "."
	}
	if part, ok := errors.AsType[*model.GroupPartError](err); ok {
		return part.Error() + "."
	}
	return statuscodes.Sentence(err)
}
