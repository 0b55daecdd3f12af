package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"signalbox/signalcore/service/grpcwire"
	"signalbox/signalcore/signalpb/grpcpb"
)

// gRPC codes that the service answers beside those of grpcwire.
const (
	codeInvalidArgument = 3
	errorDomain         = "grpc.chat.signal.org"
)

// Method is a gRPC call: it reads message, the serialised request, and returns its answer. by is nil for who did not
// say.
type Method func(ctx context.Context, by *Device, message []byte) (proto.Message, error)

// GRPCRefusal is a gRPC call that is turned down, with the reason of the service's ErrorInfo (Signal-Server
// grpc/GrpcExceptions).
type GRPCRefusal struct {
	Code       int
	Reason     string
	RetryAfter time.Duration
}

func (r *GRPCRefusal) Error() string { return fmt.Sprintf("gRPC status %d %s", r.Code, r.Reason) }

// Refusals of GrpcExceptions.
func InvalidArgument() *GRPCRefusal {
	return &GRPCRefusal{Code: codeInvalidArgument, Reason: "CONSTRAINT_VIOLATED"}
}

// InvalidCredentials is for calls that need a device.
func InvalidCredentials() *GRPCRefusal {
	return &GRPCRefusal{Code: grpcwire.Unauthenticated, Reason: "INVALID_CREDENTIALS"}
}

// BadAuthentication is for calls that say whose they are, and must not (auth/grpc/ProhibitAuthenticationInterceptor).
func BadAuthentication() *GRPCRefusal {
	return &GRPCRefusal{Code: codeInvalidArgument, Reason: "BAD_AUTHENTICATION"}
}

// rpc is a method, and whether it is for those alone who do not say who they are.
type rpc struct {
	Method
	anonymous bool
}

// HandleMethod adds a gRPC call by its name, "package.Service/Method"; before Serve.
func (s *Server) HandleMethod(name string, method Method) { s.methods["/"+name] = rpc{Method: method} }

// HandleAnonymous adds one of those that an Authorization header does not go with.
func (s *Server) HandleAnonymous(name string, method Method) { s.methods["/"+name] = rpc{method, true} }

func (s *Server) serveGRPC(w http.ResponseWriter, r *http.Request) {
	l := lineOf(r.Context())
	w.Header().Set("Content-Type", grpcwire.ContentType)
	answer, err := s.callGRPC(r)
	if answer == nil && err == nil {
		abort(l)
	}
	if err == nil {
		body := grpcwire.AppendFrame(nil, answer.Body)
		if answer.broken {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = (&breakingWriter{ResponseWriter: w, line: l}).Write(body)
			abort(l)
		}
		_, _ = w.Write(body)
	}
	setStatus(w.Header(), err)
}

// callGRPC returns nothing at all for a call without an answer.
func (s *Server) callGRPC(r *http.Request) (*Response, error) {
	method, known := s.methods[r.URL.Path]
	switch {
	case !known:
		return nil, &GRPCRefusal{Code: grpcwire.Unimplemented}
	case method.anonymous && len(r.Header.Values("Authorization")) > 0:
		return nil, BadAuthentication()
	}
	by, err := s.authenticate(r.Header)
	if err != nil {
		return nil, InvalidCredentials()
	}
	message, err := grpcwire.ReadFrame(r.Body, maxBody)
	if err != nil {
		return nil, InvalidArgument()
	}
	call := &Request{Method: "GRPC", Path: r.URL.Path, Query: url.Values{}, Header: r.Header, Body: message, By: by}
	response := s.router.befall(r.Context(), call, func() *Response {
		var body []byte
		if body, err = method.answer(r.Context(), by, message); err != nil {
			return &Response{Status: http.StatusOK} // err has the outcome
		}
		return &Response{Status: http.StatusOK, Body: body}
	})
	switch {
	case response == nil:
		return nil, nil
	case err != nil:
		return nil, err
	case response.Status != http.StatusOK:
		return nil, asGRPC(response)
	}
	return response, nil
}

// answer is the serialised answer of a method, or why there is none.
func (m Method) answer(ctx context.Context, by *Device, message []byte) (body []byte, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("panic: %v", recovered)
		}
	}()
	answer, err := m(ctx, by, message)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(answer)
}

// asGRPC is what a refusal by a fault means for a gRPC call.
func asGRPC(refused *Response) error {
	if refused.Status == http.StatusTooManyRequests {
		seconds, _ := strconv.Atoi(refused.Header.Get("Retry-After"))
		return &GRPCRefusal{
			Code: grpcwire.ResourceExhausted, Reason: "RESOURCE_EXHAUSTED", RetryAfter: time.Duration(seconds) * time.Second,
		}
	}
	return &GRPCRefusal{Code: grpcwire.Unavailable, Reason: "UNAVAILABLE"}
}

// setStatus writes the outcome into the trailers.
func setStatus(header http.Header, err error) {
	code := grpcwire.OK
	if err != nil {
		code = grpcwire.Internal
		var refusal *GRPCRefusal
		if errors.As(err, &refusal) {
			code = refusal.Code
			if details, err := proto.Marshal(refusal.details()); err == nil && refusal.Reason != "" {
				header.Set(http.TrailerPrefix+"Grpc-Status-Details-Bin",
					strings.TrimRight(base64.StdEncoding.EncodeToString(details), "="))
			}
		}
	}
	header.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(code))
}

func (r *GRPCRefusal) details() *grpcpb.Status {
	status := &grpcpb.Status{Code: int32(r.Code)}
	parts := map[string]proto.Message{
		"type.googleapis.com/google.rpc.ErrorInfo": &grpcpb.ErrorInfo{Reason: r.Reason, Domain: errorDomain},
	}
	if r.RetryAfter > 0 {
		parts["type.googleapis.com/google.rpc.RetryInfo"] = &grpcpb.RetryInfo{RetryDelay: durationpb.New(r.RetryAfter)}
	}
	for kind, part := range parts {
		value, err := proto.Marshal(part)
		if err != nil {
			continue
		}
		status.Details = append(status.Details, &anypb.Any{TypeUrl: kind, Value: value})
	}
	return status
}
