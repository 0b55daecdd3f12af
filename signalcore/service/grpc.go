package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/service/grpcwire"
)

// errorDomain marks the error details that the chat service itself wrote (libsignal rust/net/chat/src/grpc.rs).
const errorDomain = "grpc.chat.signal.org"

// callGRPC makes one unary call over the link, as whom the socket was opened for. Methods are "package.Service/Method".
// It returns ErrNoGRPC where the link or the service cannot carry this call.
func (c *Conn) callGRPC(ctx context.Context, method string, in, out proto.Message) error {
	if c.link.h2 == nil {
		return ErrNoGRPC
	}
	message, err := proto.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode gRPC request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.link.network.options.RequestTimeout)
	defer cancel()
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }})
	response, err := c.link.h2.RoundTrip(c.grpcRequest(ctx, method, message))
	if err != nil {
		return &NetworkError{Err: err, MayHaveLeft: left.Load()}
	}
	defer response.Body.Close()
	if !isGRPC(response) {
		return grpcRefusal(response)
	}
	answer, err := grpcwire.ReadFrame(response.Body, maxMessage)
	if err != nil && err != io.EOF {
		return &NetworkError{Err: err, MayHaveLeft: true}
	}
	status, err := grpcwire.ReadStatus(response.Header, response.Trailer)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if err := grpcError(status); err != nil {
		return err
	}
	if err := proto.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%w: gRPC answer cannot be read: %v", ErrProtocol, err)
	}
	return nil
}

func (c *Conn) grpcRequest(ctx context.Context, method string, message []byte) *http.Request {
	body := grpcwire.AppendFrame(nil, message)
	request := &http.Request{
		Method: http.MethodPost, URL: c.link.network.chatURL("/" + method), Host: c.link.network.chat.Host,
		Header: c.link.network.header(c.socket.credentials),
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	request.Header.Set("Content-Type", grpcwire.ContentType)
	request.Header.Set("Te", "trailers")
	return request.WithContext(ctx)
}

func isGRPC(response *http.Response) bool {
	return response.StatusCode == http.StatusOK &&
		strings.HasPrefix(response.Header.Get("Content-Type"), grpcwire.ContentType)
}

// grpcRefusal is for an answer that is not gRPC at all: a service, or something before it, without this call.
func grpcRefusal(response *http.Response) error {
	switch response.StatusCode {
	case http.StatusOK, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType,
		http.StatusNotImplemented:
		return ErrNoGRPC
	}
	return (&Response{Status: response.StatusCode, Header: response.Header}).Err()
}

// grpcError is Response.Err for gRPC. What the service says in the details of the error counts before the code.
func grpcError(status grpcwire.Status) error {
	if status.Code == grpcwire.OK {
		return nil
	}
	reason, retry := errorDetails(status.Details)
	switch reason {
	case "UPGRADE_REQUIRED":
		return ErrOutdated
	case "INVALID_CREDENTIALS":
		return ErrUnauthorized
	case "RESOURCE_EXHAUSTED":
		return &RateLimitedError{RetryAfter: retry}
	case "UNAVAILABLE":
		return &StatusError{Code: http.StatusServiceUnavailable}
	}
	switch status.Code {
	case grpcwire.Unauthenticated:
		return ErrUnauthorized
	case grpcwire.ResourceExhausted:
		return &RateLimitedError{RetryAfter: retry}
	case grpcwire.Unimplemented:
		return ErrNoGRPC
	case grpcwire.DeadlineExceeded:
		return &NetworkError{Err: context.DeadlineExceeded, MayHaveLeft: true}
	case grpcwire.Unavailable:
		return &StatusError{Code: http.StatusServiceUnavailable, Body: status.Message}
	}
	return &GRPCError{Code: status.Code, Reason: reason, Message: status.Message}
}
