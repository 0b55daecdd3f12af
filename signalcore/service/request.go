package service

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Request is one REST request, over the websocket or over HTTPS.
type Request struct {
	Method string
	Path   string // with the query
	Header http.Header
	Body   []byte
}

// Response is the answer to a Request, of any status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Requester sends requests: a Conn over its websocket, REST over HTTPS. An error is about the transport only (see
// NetworkError); the status is for the caller to judge.
type Requester interface {
	Do(context.Context, *Request) (*Response, error)
}

const (
	headerAccessKey      = "Unidentified-Access-Key"
	headerGroupSendToken = "Group-Send-Token"
	headerRetryAfter     = "Retry-After"
	contentTypeJSON      = "application/json"
)

// jsonRequest builds a request with a JSON body; a nil body sends none.
func jsonRequest(method, path string, body any) (*Request, error) {
	request := &Request{Method: method, Path: path, Header: http.Header{}}
	if body == nil {
		return request, nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	request.Header.Set("Content-Type", contentTypeJSON)
	request.Body = data
	return request, nil
}

// callJSON sends a request and decodes a successful answer into out, unless that is nil. Any other status becomes an
// error by Response.Err.
func callJSON(ctx context.Context, via Requester, request *Request, out any) error {
	response, err := via.Do(ctx, request)
	if err != nil {
		return err
	}
	if err := response.Err(); err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	return decodeJSON(response.Body, out)
}

func decodeJSON(body []byte, out any) error {
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%w: answer cannot be read: %v", ErrProtocol, err)
	}
	return nil
}

// parseHeaders reads the "Name: value" lines of a websocket message. What is no such line is left out.
func parseHeaders(lines []string) http.Header {
	header := make(http.Header, len(lines))
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || strings.TrimSpace(name) == "" {
			continue
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header
}

// headerLines is the reverse of parseHeaders.
func headerLines(header http.Header) []string {
	lines := make([]string, 0, len(header))
	for name, values := range header {
		for _, value := range values {
			lines = append(lines, strings.ToLower(name)+":"+value)
		}
	}
	return lines
}
