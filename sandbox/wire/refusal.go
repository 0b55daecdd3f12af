package wire

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Refusal is a request that a handler turns down, with the status and the body of the service.
type Refusal struct {
	Status int
	Header http.Header
	Body   any // JSON; nil for none
}

func (r *Refusal) response() *Response {
	response := &Response{Status: r.Status}
	if r.Body != nil {
		var err error
		if response, err = jsonResponse(r.Status, r.Body); err != nil {
			return &Response{Status: http.StatusInternalServerError}
		}
	}
	if response.Header == nil {
		response.Header = http.Header{}
	}
	for name, values := range r.Header {
		response.Header[name] = values
	}
	return response
}

func (r *Refusal) Error() string { return fmt.Sprintf("refused with status %d", r.Status) }

// Refuse turns a request down without a body.
func Refuse(status int) *Refusal { return &Refusal{Status: status} }

// RefuseWith turns a request down with a JSON body.
func RefuseWith(status int, body any) *Refusal { return &Refusal{Status: status, Body: body} }

// Limited is 429 (Signal-Server RateLimitExceededExceptionMapper).
func Limited(retryAfter time.Duration) *Refusal {
	seconds := strconv.FormatInt(int64(retryAfter/time.Second), 10)
	return &Refusal{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {seconds}}}
}
