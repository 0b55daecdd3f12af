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

// HandleMethod adds a gRPC call by its name, "package.Service/Method"; before Serve.
func (s *Server) HandleMethod(name string, method Method) { s.methods["/"+name] = method }

func (s *Server) serveGRPC(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", grpcwire.ContentType)
	answer, err := s.callGRPC(r)
	if err == nil {
		_, _ = w.Write(grpcwire.AppendFrame(nil, answer))
	}
	setStatus(w.Header(), err)
}

func (s *Server) callGRPC(r *http.Request) ([]byte, error) {
	method := s.methods[r.URL.Path]
	if method == nil {
		return nil, &GRPCRefusal{Code: grpcwire.Unimplemented}
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
	handler := s.router.through(func(ctx context.Context, call *Request) (*Response, error) {
		answer, err := method(ctx, call.By, call.Body)
		if err != nil {
			return nil, err
		}
		body, err := proto.Marshal(answer)
		return &Response{Status: http.StatusOK, Body: body}, err
	})
	response, err := handler(r.Context(), call)
	if errors.Is(err, ErrCut) {
		panic(http.ErrAbortHandler)
	}
	if err == nil && response.Status != http.StatusOK {
		err = &Refusal{Status: response.Status, Header: response.Header}
	}
	if err != nil {
		return nil, asGRPC(err)
	}
	return response.Body, nil
}

// asGRPC is what a refusal by an interceptor means for a gRPC call.
func asGRPC(err error) error {
	var refusal *Refusal
	switch {
	case !errors.As(err, &refusal):
		return err
	case refusal.Status == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(refusal.Header.Get("Retry-After"))
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
