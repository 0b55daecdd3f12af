package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a router that answers with what it got.
func echo() *Router {
	rt := NewRouter(zerolog.Nop())
	rt.Handle(http.MethodPut, "/v1/echo/{name}", Either, func(_ context.Context, r *Request) (*Response, error) {
		return &Response{Status: http.StatusOK, Header: http.Header{"X-Name": {r.Values["name"]}}, Body: r.Body}, nil
	})
	rt.Handle(http.MethodGet, "/v1/panic", Either, func(context.Context, *Request) (*Response, error) { panic("x") })
	rt.Handle(http.MethodGet, "/v1/own", DeviceOnly, func(context.Context, *Request) (*Response, error) { return OK() })
	return rt
}

// served is the client's end of a socket that is served until the end of the test.
func served(t *testing.T, rt *Router) (net.Conn, *Socket) {
	t.Helper()
	ours, theirs := net.Pipe()
	request := httptest.NewRequest(http.MethodGet, "/v1/websocket/", nil)
	s := newSocket(theirs, request, nil)
	s.fate = rt.fate
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve(context.Background(), rt.Route)
	}()
	t.Cleanup(func() { _ = ours.Close(); <-done })
	return ours, s
}

func request(id uint64, verb, path string, body []byte) []byte {
	data, _ := proto.Marshal(&servicepb.WebSocketMessage{
		Type:    servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{Id: &id, Verb: &verb, Path: &path, Body: body},
	})
	return data
}

func readFrame(conn net.Conn) (ws.Header, []byte, error) {
	header, err := ws.ReadHeader(conn)
	if err != nil {
		return header, nil, err
	}
	payload := make([]byte, header.Length)
	_, err = io.ReadFull(conn, payload)
	return header, payload, err
}

// receive reads the next message, or the code with which the service closes.
func receive(t *testing.T, conn net.Conn) (*servicepb.WebSocketMessage, ws.StatusCode) {
	t.Helper()
	header, payload, err := readFrame(conn)
	require.NoError(t, err)
	if header.OpCode == ws.OpClose {
		code, _ := ws.ParseCloseFrameData(payload)
		return nil, code
	}
	message := &servicepb.WebSocketMessage{}
	require.NoError(t, proto.Unmarshal(payload, message))
	return message, 0
}

func TestSocketCalls(t *testing.T) {
	for _, c := range []struct {
		verb, path string
		status     uint32
		body       string
	}{
		{http.MethodPut, "/v1/echo/a%2Fb?q=1", 200, "body"},
		{http.MethodGet, "/v1/echo/a", 405, `{"code":405,"message":"HTTP 405 Method Not Allowed"}`},
		{http.MethodGet, "/v1/nothing", 404, `{"code":404,"message":"HTTP 404 Not Found"}`},
		{http.MethodGet, "/v1/panic", 500, `{"code":500,"message":"HTTP 500 Internal Server Error"}`},
		{http.MethodGet, "/v1/own", 401, `{"code":401,"message":"Authenticated resource"}`},
		{http.MethodGet, "", 404, `{"code":404,"message":"HTTP 404 Not Found"}`},
	} {
		conn, _ := served(t, echo())
		require.NoError(t, wsutil.WriteClientBinary(conn, request(7, c.verb, c.path, []byte("body"))))
		message, _ := receive(t, conn)
		answer := message.GetResponse()
		require.Equal(t, uint64(7), answer.GetId())
		require.Equal(t, c.status, answer.GetStatus(), c.path)
		require.Equal(t, c.body, string(answer.GetBody()))
		require.Contains(t, answer.GetHeaders(), "Content-Length:"+strconv.Itoa(len(c.body)))
		require.Regexp(t, `^X-Signal-Timestamp:\d{13}$`, answer.GetHeaders()[0])
	}
}

// What has no number is done, and has no answer; what is text is passed over.
func TestSocketSaysNothing(t *testing.T) {
	conn, _ := served(t, echo())
	verb, path := http.MethodGet, "/v1/panic"
	data, err := proto.Marshal(&servicepb.WebSocketMessage{
		Type:    servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{Verb: &verb, Path: &path},
	})
	require.NoError(t, err)
	require.NoError(t, wsutil.WriteClientBinary(conn, data))
	require.NoError(t, wsutil.WriteClientText(conn, []byte("hello")))
	require.NoError(t, wsutil.WriteClientBinary(conn, request(8, http.MethodGet, "/v1/nothing", nil)))
	message, _ := receive(t, conn)
	require.Equal(t, uint64(8), message.GetResponse().GetId())
}

func TestSocketCloses(t *testing.T) {
	id, status := uint64(1), uint32(200)
	response, err := proto.Marshal(&servicepb.WebSocketMessage{
		Type:     servicepb.WebSocketMessage_RESPONSE.Enum(),
		Response: &servicepb.WebSocketResponseMessage{Id: &id, Status: &status},
	})
	require.NoError(t, err)
	verb := http.MethodGet
	incomplete, err := proto.Marshal(&servicepb.WebSocketMessage{
		Type:    servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{Id: &id, Verb: &verb},
	})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		data []byte
		code uint16
	}{
		"not protobuf":             {[]byte{0xff}, CloseBadFormat},
		"neither":                  {[]byte{}, CloseBadFormat},
		"answer without a message": {response, CloseBadFormat},
		"request without a path":   {incomplete, CloseBadFormat},
		"path that is none":        {request(7, verb, "http://%", nil), CloseUnexpected},
		"too large":                {make([]byte, maxSocketMessage+1), CloseTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := served(t, echo())
			go func() { _ = wsutil.WriteClientBinary(conn, c.data) }() // the service may not read all of it
			_, code := receive(t, conn)
			require.Equal(t, c.code, uint16(code))
		})
	}
}

// A socket on which nobody says anything is closed.
func TestIdleSocket(t *testing.T) {
	ours, theirs := net.Pipe()
	s := newSocket(theirs, httptest.NewRequest(http.MethodGet, "/v1/websocket/", nil), nil)
	s.endWhenIdle(time.Millisecond)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve(context.Background(), echo().Route)
	}()
	_, code := receive(t, ours)
	require.Equal(t, CloseIdle, uint16(code))
	require.NoError(t, ours.Close())
	<-done
}

// A request has the headers that opened the socket, where it does not bring its own.
func TestCombinedHeaders(t *testing.T) {
	opening := http.Header{
		"Authorization": {"Basic YTpi"}, "User-Agent": {"app"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"x"},
		"Accept-Language": {"de"}, ":protocol": {"websocket"},
	}
	own := parseHeaders([]string{
		"accept-language: en", "user-agent:other", "X-Forwarded-For:1", "a:b:c", "empty:", "none",
	})
	require.Equal(t, http.Header{
		"Authorization": {"Basic YTpi"}, "User-Agent": {"app"}, "Accept-Language": {"en"},
	}, combinedHeaders(opening, own))
}

// TestBrokenFrame has a push end in the middle of its frame.
func TestBrokenFrame(t *testing.T) {
	rt := echo()
	rt.Intercept(func(r *Request) *Fate {
		require.True(t, r.Pushed)
		return &Fate{Break: BreakMiddle}
	})
	conn, s := served(t, rt)
	sent := make(chan error, 1)
	go func() {
		_, err := s.Send(http.MethodPut, "/api/v1/message", nil, make([]byte, 1000))
		sent <- err
	}()
	_, _, err := readFrame(conn)
	require.Error(t, err)
	require.ErrorIs(t, <-sent, ErrClosed)
}

// FuzzSocket sends whatever may be frames of a websocket.
func FuzzSocket(f *testing.F) {
	frame := func(op ws.OpCode, data []byte) []byte {
		var out bytes.Buffer
		_ = wsutil.WriteClientMessage(&out, op, data)
		return out.Bytes()
	}
	f.Add(frame(ws.OpBinary, request(1, http.MethodPut, "/v1/echo/a", []byte("body"))))
	f.Add(frame(ws.OpPing, []byte("ping")))
	f.Add(frame(ws.OpClose, ws.NewCloseFrameBody(1000, "bye")))
	f.Add(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<62))
	rt := echo()
	f.Fuzz(func(_ *testing.T, data []byte) {
		conn := &script{Reader: bytes.NewReader(data)}
		s := newSocket(conn, httptest.NewRequest(http.MethodGet, "/v1/websocket/", nil), nil)
		s.serve(context.Background(), rt.Route)
	})
}

// script is a connection that says one thing and hears nothing.
type script struct{ io.Reader }

func (*script) Write(p []byte) (int, error) { return len(p), nil }
func (*script) Close() error                { return nil }

// anybody knows nobody.
type anybody struct{}

func (anybody) Authenticate(string, string) (Device, bool) { return Device{}, false }

// FuzzRequest sends whatever may be a request of HTTP: REST, gRPC, and the opening of a websocket.
func FuzzRequest(f *testing.F) {
	server := NewServer(echo(), anybody{})
	server.HandleMethod("a.B/C", func(context.Context, *Device, []byte) (proto.Message, error) {
		return nil, &GRPCRefusal{Code: codeInvalidArgument, Reason: "R", RetryAfter: time.Second}
	})
	server.HandleSocket("/v1/websocket/", Sockets{
		Handler: func(context.Context, *Socket) {}, Calls: echo(), Idle: time.Minute,
	})
	f.Add("/v1/echo/a", "application/json", "Basic YTpi", "", []byte("{}"))
	f.Add("/a.B/C", "application/grpc", "", "", []byte{0, 0, 0, 0, 1, 7})
	f.Add("/v1/websocket/", "", "Basic !", "websocket", []byte{})
	f.Fuzz(func(t *testing.T, path, mediaType, authorization, upgrade string, body []byte) {
		r := httptest.NewRequest(http.MethodPut, "/", bytes.NewReader(body))
		r.URL.Path, r.RequestURI = path, path
		r.Header.Set("Content-Type", mediaType)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("Upgrade", upgrade)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		require.GreaterOrEqual(t, w.Code, 200)
	})
}

func TestGRPCRefusals(t *testing.T) {
	server := NewServer(echo(), anybody{})
	server.HandleMethod("a.B/C", func(_ context.Context, _ *Device, message []byte) (proto.Message, error) {
		if len(message) > 0 {
			panic("x")
		}
		return &servicepb.ProvisioningAddress{}, nil
	})
	server.HandleAnonymous("a.B/Anonymous", func(context.Context, *Device, []byte) (proto.Message, error) {
		return &servicepb.ProvisioningAddress{}, nil
	})
	frame := []byte{0, 0, 0, 0, 0}
	for _, c := range []struct {
		name, path, authorization string
		body                      []byte
		code                      string
	}{
		{"good", "/a.B/C", "", frame, "0"},
		{"no such method", "/a.B/D", "", frame, "12"},
		{"wrong credentials", "/a.B/C", "Basic YTpi", frame, "16"},
		{"credentials for nobody", "/a.B/Anonymous", "Basic YTpi", frame, "3"},
		{"nobody", "/a.B/Anonymous", "", frame, "0"},
		{"compressed", "/a.B/C", "", []byte{1, 0, 0, 0, 0}, "3"},
		{"too large", "/a.B/C", "", []byte{0, 0xff, 0, 0, 0}, "3"},
		{"cut", "/a.B/C", "", []byte{0, 0, 0, 0, 9, 1}, "3"},
		{"two messages", "/a.B/C", "", append(append([]byte{}, frame...), frame...), "3"},
		{"a handler that panics", "/a.B/C", "", []byte{0, 0, 0, 0, 1, 7}, "13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, c.path, bytes.NewReader(c.body))
			r.Header.Set("Content-Type", "application/grpc")
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			require.Equal(t, c.code, w.Result().Trailer.Get("Grpc-Status"))
		})
	}
}

func TestBasicAuth(t *testing.T) {
	for header, want := range map[string]struct {
		username, password string
		present, bad       bool
	}{
		"":               {},
		"Basic YTpi":     {"a", "b", true, false},
		"basic YTpi":     {"a", "b", true, false},
		"Basic YTpiOmM=": {"a", "b:c", true, false},
		"Basic YTpiOmM":  {"a", "b:c", true, false},
		"Bearer YTpi":    {present: true, bad: true},
		"Basic !":        {present: true, bad: true},
		"Basic YQ==":     {present: true, bad: true},
		"Basic":          {present: true, bad: true},
	} {
		username, password, present, err := BasicAuth(http.Header{"Authorization": {header}})
		require.Equal(t, want.present, present, header)
		require.Equal(t, want.bad, err != nil, header)
		require.Equal(t, want.username+want.password, username+password, header)
	}
}
