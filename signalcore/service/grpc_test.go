package service_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"signalbox/signalcore/service"
	"signalbox/signalcore/service/grpcwire"
	"signalbox/signalcore/service/servicetest"
	"signalbox/signalcore/signalpb/grpcpb"
)

const restForm = `{"cdn":2,"key":"rest","headers":{"a":"b"},"signedUploadLocation":"https://cdn/upload"}`

// openGRPC opens a socket to a fake with HTTP/2, which has no extended CONNECT, so that the fallback is shown by it too.
func openGRPC(t *testing.T, handler http.HandlerFunc) (*service.Authenticated, *servicetest.Socket) {
	t.Helper()
	fake := servicetest.StartFake(t, true, handler)
	link := dial(t, fakeNetwork(t, fake, service.Options{}))
	require.True(t, link.HTTP2())
	socket, err := link.OpenAuthenticated(testContext(t), service.Credentials{Username: "user", Password: "secret"})
	require.NoError(t, err)
	server := <-fake.Sockets
	t.Cleanup(func() { _ = server.Close() })
	user, password, ok := (&http.Request{Header: server.Header}).BasicAuth()
	require.Equal(t, []any{"user", "secret", true}, []any{user, password, ok})
	return socket, server
}

// grpcAnswer writes a unary answer.
func grpcAnswer(w http.ResponseWriter, message proto.Message, trailers map[string]string) {
	w.Header().Set("Content-Type", grpcwire.ContentType)
	for name := range trailers {
		w.Header().Add("Trailer", name)
	}
	w.WriteHeader(http.StatusOK)
	if message != nil {
		data, _ := proto.Marshal(message)
		_, _ = w.Write(grpcwire.AppendFrame(nil, data))
	}
	for name, value := range trailers {
		w.Header().Set(name, value)
	}
}

func details(t *testing.T, reason, domain string, retry time.Duration) string {
	t.Helper()
	info, err := proto.Marshal(&grpcpb.ErrorInfo{Reason: reason, Domain: domain})
	require.NoError(t, err)
	delay, err := proto.Marshal(&grpcpb.RetryInfo{RetryDelay: durationpb.New(retry)})
	require.NoError(t, err)
	status, err := proto.Marshal(&grpcpb.Status{Details: []*anypb.Any{
		{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: info},
		{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: delay},
	}})
	require.NoError(t, err)
	return base64.RawStdEncoding.EncodeToString(status)
}

func TestUploadFormByGRPC(t *testing.T) {
	socket, _ := openGRPC(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := &grpcpb.GetUploadFormRequest{}
		_, _, authenticated := r.BasicAuth()
		if r.URL.Path != "/org.signal.chat.attachments.Attachments/GetUploadForm" || r.ProtoMajor != 2 ||
			!authenticated || len(body) < 5 || proto.Unmarshal(body[5:], request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer := &grpcpb.GetUploadFormResponse{Outcome: &grpcpb.GetUploadFormResponse_UploadForm{UploadForm: &grpcpb.UploadForm{
			Cdn: 3, Key: "grpc", SignedUploadLocation: "https://cdn/upload",
		}}}
		if request.GetUploadLength() > 1000 {
			answer.Outcome = &grpcpb.GetUploadFormResponse_ExceedsMaxUploadLength{}
		}
		grpcAnswer(w, answer, map[string]string{"Grpc-Status": "0"})
	})
	form, err := socket.UploadForm(testContext(t), 1000)
	require.NoError(t, err)
	require.Equal(t, service.UploadForm{CDN: 3, Key: "grpc", URL: "https://cdn/upload"}, *form)
	_, err = socket.UploadForm(testContext(t), 1001)
	require.ErrorIs(t, err, service.ErrTooLarge)
}

func TestStatusesOfGRPC(t *testing.T) {
	const domain = "grpc.chat.signal.org"
	for name, test := range map[string]struct {
		trailers map[string]string
		want     error
	}{
		"unauthenticated": {map[string]string{"Grpc-Status": "16"}, service.ErrUnauthorized},
		"limited":         {map[string]string{"Grpc-Status": "8"}, &service.RateLimitedError{}},
		"limited, with details": {
			map[string]string{"Grpc-Status": "8", "Grpc-Status-Details-Bin": details(t, "RESOURCE_EXHAUSTED", domain, time.Minute)},
			&service.RateLimitedError{RetryAfter: time.Minute},
		},
		"outdated": {
			map[string]string{"Grpc-Status": "3", "Grpc-Status-Details-Bin": details(t, "UPGRADE_REQUIRED", domain, 0)},
			service.ErrOutdated,
		},
		"somebody else's details": {
			map[string]string{"Grpc-Status": "3", "Grpc-Status-Details-Bin": details(t, "UPGRADE_REQUIRED", "elsewhere", 0)},
			&service.GRPCError{Code: 3},
		},
		"unavailable":    {map[string]string{"Grpc-Status": "14"}, &service.StatusError{Code: 503}},
		"internal":       {map[string]string{"Grpc-Status": "13", "Grpc-Message": "why%20not"}, &service.GRPCError{Code: 13, Message: "why not"}},
		"broken details": {map[string]string{"Grpc-Status": "13", "Grpc-Status-Details-Bin": "!"}, &service.GRPCError{Code: 13}},
	} {
		t.Run(name, func(t *testing.T) {
			socket, _ := openGRPC(t, func(w http.ResponseWriter, _ *http.Request) { grpcAnswer(w, nil, test.trailers) })
			_, err := socket.UploadForm(testContext(t), 1)
			require.Equal(t, test.want, err)
		})
	}
	for name, trailers := range map[string]map[string]string{
		"no status": {}, "no number": {"Grpc-Status": "x"}, "no answer": {"Grpc-Status": "0"},
	} {
		t.Run(name, func(t *testing.T) {
			socket, _ := openGRPC(t, func(w http.ResponseWriter, _ *http.Request) { grpcAnswer(w, nil, trailers) })
			_, err := socket.UploadForm(testContext(t), 1)
			require.ErrorIs(t, err, service.ErrProtocol)
		})
	}
}

func TestUploadFormFallsBackToREST(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"unimplemented": func(w http.ResponseWriter, _ *http.Request) {
			grpcAnswer(w, nil, map[string]string{"Grpc-Status": "12"})
		},
		"no gRPC at all": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			socket, server := openGRPC(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				handler(w, r)
			})
			answering(t, server, 200, restForm)
			for range 3 {
				form, err := socket.UploadForm(testContext(t), 7)
				require.NoError(t, err)
				require.Equal(t, "rest", form.Key)
			}
			require.Equal(t, 1, asked, "the answer is remembered")
		})
	}
	socket, server := openFake(t, service.Options{})
	answering(t, server, 413, "")
	_, err := socket.UploadForm(testContext(t), 7)
	require.ErrorIs(t, err, service.ErrTooLarge)
}

func TestLinkingErrors(t *testing.T) {
	for status, want := range map[int]error{
		403: service.ErrLinkCode, 409: service.ErrMissingCapability, 411: service.ErrTooManyDevices,
		422: &service.StatusError{Code: 422}, 429: &service.RateLimitedError{RetryAfter: time.Minute},
	} {
		fake := servicetest.StartFake(t, true, func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != someone.String() || password != "password" || r.URL.Path != "/v1/devices/link" {
				status = http.StatusBadRequest
			}
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(status)
		})
		rest := fakeNetwork(t, fake, service.Options{}).REST()
		_, err := rest.LinkDevice(testContext(t), service.LinkRequest{ACI: someone, Password: "password"})
		require.Equal(t, want, err)
	}
	for _, answer := range []string{
		"", "{}", `{"uuid":"` + someone.String() + `","deviceId":1}`, `{"uuid":"` + someone.String() + `","pni":"x","deviceId":2}`,
	} {
		fake := servicetest.StartFake(t, true, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
		_, err := fakeNetwork(t, fake, service.Options{}).REST().LinkDevice(testContext(t), service.LinkRequest{ACI: someone})
		require.ErrorIs(t, err, service.ErrProtocol)
	}
}
