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
	Body   any // JSON, or plainText; nil for none
}

func (r *Refusal) response() *Response {
	response := &Response{Status: r.Status}
	if text, plain := r.Body.(plainText); plain {
		response.Header, response.Body = http.Header{"Content-Type": {"text/plain"}}, []byte(text)
	} else if r.Body != nil {
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

// errorMessage is what Dropwizard's LoggingExceptionMapper writes for an exception with a status, which is how nearly
// all refusals of Signal-Server come about (util/logging/LoggingUnhandledExceptionMapper).
type errorMessage struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Refuse turns a request down as an exception with that status does.
func Refuse(status int) *Refusal {
	return RefuseWith(status, errorMessage{status, fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))})
}

// RefuseBare turns a request down without a body, where a controller builds the answer itself.
func RefuseBare(status int) *Refusal { return &Refusal{Status: status} }

// Invalid turns down a body that breaks the annotations of its entity: 422, with a list of what is wrong
// (JerseyViolationExceptionMapper).
func Invalid() *Refusal {
	return RefuseWith(http.StatusUnprocessableEntity, map[string][]string{"errors": {"The request body is not valid"}})
}

// InvalidParameter turns down a header or a parameter that breaks its annotations: 400, as above.
func InvalidParameter() *Refusal {
	return RefuseWith(http.StatusBadRequest, map[string][]string{"errors": {"A parameter is not valid, or is missing"}})
}

// Unauthorized is 401 for a call that needs credentials (Dropwizard's DefaultUnauthorizedHandler).
func Unauthorized() *Refusal {
	return &Refusal{
		Status: http.StatusUnauthorized, Body: plainText("Credentials are required to access this resource."),
		Header: http.Header{"Www-Authenticate": {`Basic realm="realm"`}},
	}
}

// unauthorizedSocket is 401 for one on a websocket (WebsocketAuthValueFactoryProvider).
func unauthorizedSocket() *Refusal {
	return RefuseWith(http.StatusUnauthorized, errorMessage{http.StatusUnauthorized, "Authenticated resource"})
}

// plainText is a body that is no JSON.
type plainText string

// RefuseWith turns a request down with a JSON body.
func RefuseWith(status int, body any) *Refusal { return &Refusal{Status: status, Body: body} }

// Limited is 429 (Signal-Server RateLimitExceededExceptionMapper).
func Limited(retryAfter time.Duration) *Refusal {
	seconds := strconv.FormatInt(int64(retryAfter/time.Second), 10)
	return &Refusal{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {seconds}}}
}
