package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Device is who a request is by: a device of an account.
type Device struct {
	Account uuid.UUID // ACI
	ID      uint32
}

// Request is one call, however it came.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
	// By is nil for who did not say.
	By *Device
	// Values are the parts of the path that the route names.
	Values map[string]string
	// Socket is the websocket on which the request came, nil for others.
	Socket *Socket
	// Pushed is set for what the service sends on a websocket by itself, of which interceptors alone are told.
	Pushed bool
	// Inside is set for calls of devices that the sandbox itself plays, on which faults have no effect.
	Inside bool

	asked string // the path before a prefix was taken off; empty where there was none
}

// Response is an answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	broken bool // the connection ends in its middle
}

// Asked is the path that the client asked for, with the prefix of the host.
func (r *Request) Asked() string {
	if r.asked != "" {
		return r.asked
	}
	return r.Path
}

// asked is the path of a request before a prefix was taken off.
func asked(r *http.Request) string {
	if target, err := url.ParseRequestURI(r.RequestURI); err == nil {
		return target.EscapedPath()
	}
	return r.URL.EscapedPath()
}

// JSON is an answer with status 200.
func JSON(value any) (*Response, error) { return jsonResponse(http.StatusOK, value) }

func jsonResponse(status int, value any) (*Response, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return &Response{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

// OK is the empty answer of status 200, NoContent that of a method that returns nothing.
func OK() (*Response, error) { return &Response{Status: http.StatusOK}, nil }

// NoContent is 204, which JAX-RS answers for methods without a result.
func NoContent() (*Response, error) { return &Response{Status: http.StatusNoContent}, nil }

// MediaTypeJSON is that of the chat service's bodies.
const MediaTypeJSON = "application/json"

// IsType reports whether the body is said to be of a media type, whatever its parameters.
func (r *Request) IsType(mediaType string) bool {
	given, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(given), mediaType)
}

// Decode reads a JSON body: 415 for another media type (JAX-RS's @Consumes), 400 for what is no JSON, 422 for values of
// another kind (Dropwizard's JsonProcessingExceptionMapper, Signal-Server JsonMappingExceptionMapper).
func (r *Request) Decode(into any) error {
	if !r.IsType(MediaTypeJSON) {
		return Refuse(http.StatusUnsupportedMediaType)
	}
	if !json.Valid(r.Body) {
		return RefuseWith(http.StatusBadRequest, errorMessage{http.StatusBadRequest, "Unable to process JSON"})
	}
	if strings.TrimSpace(string(r.Body)) == "null" {
		return Invalid()
	}
	if json.Unmarshal(r.Body, into) != nil {
		return RefuseBare(http.StatusUnprocessableEntity)
	}
	return nil
}

// Flag is a boolean parameter of the query, as Java reads it: everything but "true" is false.
func (r *Request) Flag(name string, absent bool) bool {
	if !r.Query.Has(name) {
		return absent
	}
	return strings.EqualFold(r.Query.Get(name), "true")
}

// Number is a number in the query, 0 where it is missing: 404 for what is none (JAX-RS).
func (r *Request) Number(name string) (int64, error) {
	text := r.Query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, Refuse(http.StatusNotFound)
	}
	return n, nil
}

// Bytes is a byte string in JSON, null where there is none. The service reads base64 with padding and without, and
// writes it with padding.
type Bytes []byte

// MarshalJSON writes base64 with padding.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// UnmarshalJSON reads both forms.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err != nil || text == nil {
		return err
	}
	decoded, err := DecodeBase64(*text)
	*b = decoded
	return err
}

// Unpadded is a byte string that the service writes without padding (Signal-Server ByteArrayAdapter and the adapters of
// keys).
type Unpadded []byte

// MarshalJSON writes base64 without padding.
func (b Unpadded) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(b))
}

// UnmarshalJSON reads both forms.
func (b *Unpadded) UnmarshalJSON(data []byte) error { return (*Bytes)(b).UnmarshalJSON(data) }

// DecodeBase64 reads base64 with padding or without.
func DecodeBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

// BasicAuth reads the Authorization header; an error means that there is one, of another form.
func BasicAuth(header http.Header) (username, password string, present bool, err error) {
	value := header.Get("Authorization")
	if value == "" {
		return "", "", false, nil
	}
	scheme, encoded, _ := strings.Cut(value, " ")
	decoded, decodeErr := DecodeBase64(strings.TrimSpace(encoded))
	username, password, found := strings.Cut(string(decoded), ":")
	if !strings.EqualFold(scheme, "basic") || decodeErr != nil || !found {
		return "", "", true, errors.New("not Basic authorization")
	}
	return username, password, true, nil
}
