package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// REST sends requests to a host over HTTPS, for the time before there is a socket and for the storage service.
type REST struct {
	network     *Network
	base        string
	credentials *Credentials
	limit       int64 // of an answer; zero: maxMessage
}

// REST is the chat host over HTTPS.
func (n *Network) REST() *REST { return &REST{network: n, base: n.env.ChatURL} }

// Do sends one request. Basic authentication is the request's own header, if any.
func (r *REST) Do(ctx context.Context, request *Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, r.network.options.RequestTimeout)
	defer cancel()
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }})
	outgoing, err := http.NewRequestWithContext(ctx, request.Method, r.base+request.Path, bytes.NewReader(request.Body))
	if err != nil {
		return nil, fmt.Errorf("build request: %w", WithoutURL(err))
	}
	for name, values := range r.network.header(r.credentials) {
		outgoing.Header[name] = values
	}
	for name, values := range request.Header {
		outgoing.Header[name] = values
	}
	response, err := r.network.client.Do(outgoing)
	if err != nil {
		return nil, &NetworkError{Err: WithoutURL(err), MayHaveLeft: left.Load()}
	}
	defer response.Body.Close()
	limit := r.limit
	if limit == 0 {
		limit = maxMessage
	}
	body, err := readBounded(response.Body, limit)
	if err != nil {
		return nil, &NetworkError{Err: err, MayHaveLeft: true}
	}
	return &Response{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// readBounded reads everything, and refuses more than limit bytes.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: an answer of more than %d bytes", ErrProtocol, limit)
	}
	return body, nil
}
