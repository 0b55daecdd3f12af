package servicetest

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/signalpb/servicepb"
)

// Fake is a service that does what the test says: it answers what a right one does not, such as statuses out of turn,
// bodies that cannot be read, and frames that are torn. For a service that is right there is the sandbox.
//
// Go's server offers extended CONNECT only where GODEBUG has http2xconnect=1 from the start; otherwise, with HTTP/2, it
// is the service that has gRPC but wants websockets on connections of their own.
type Fake struct {
	Environment *environment.Environment
	Server      *httptest.Server
	// Sockets are the websockets that were opened, each of which the test must take and close.
	Sockets chan *Socket

	refuse atomic.Pointer[http.HandlerFunc]
}

// Refuse has a handler answer the opening of sockets; nil lets them be opened again.
func (f *Fake) Refuse(handler http.HandlerFunc) {
	if handler == nil {
		f.refuse.Store(nil)
		return
	}
	f.refuse.Store(&handler)
}

// StartFake runs a fake until the end of the test. The handler gets what is not the opening of a websocket.
func StartFake(t testing.TB, http2 bool, handler http.HandlerFunc) *Fake {
	t.Helper()
	f := &Fake{Sockets: make(chan *Socket, 16)}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := f.refuse.Load()
		switch {
		case opensSocket(r) && refuse != nil:
			(*refuse)(w, r)
		case r.Method == http.MethodConnect:
			f.connect(w, r)
		case opensSocket(r):
			f.upgrade(w, r)
		case handler != nil:
			handler(w, r)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	f.Server.EnableHTTP2 = http2
	f.Server.StartTLS()
	t.Cleanup(f.Server.Close)
	f.Environment = FakeEnvironment(t, f.Server.URL, pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: f.Server.Certificate().Raw,
	}))
	return f
}

// FakeEnvironment describes a service that has everything at one place.
func FakeEnvironment(t testing.TB, base string, certificate []byte) *environment.Environment {
	t.Helper()
	key := append([]byte{0x05}, make([]byte, 32)...)
	description, err := json.Marshal(map[string]any{
		"chatUrl": base, "storageUrl": base, "cdnUrls": map[string]string{"0": base, "2": base, "3": base},
		"caCertificates": []string{string(certificate)}, "sealedSenderTrustRoots": [][]byte{key},
		"zkServerPublicParams": key, "zkGenericServerPublicParams": key, "zkBackupServerPublicParams": key,
	})
	require.NoError(t, err)
	env, err := environment.Parse(description)
	require.NoError(t, err)
	return env
}

func (f *Fake) upgrade(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	f.Sockets <- &Socket{Conn: conn, Header: r.Header}
}

func opensSocket(r *http.Request) bool {
	return r.Header.Get("Upgrade") == "websocket" || r.Header.Get(":protocol") == "websocket"
}

// connect answers an extended CONNECT; the stream lives as long as the handler.
func (f *Fake) connect(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	stream := &stream{body: r.Body, w: w, closed: make(chan struct{})}
	f.Sockets <- &Socket{Conn: stream, Header: r.Header}
	select {
	case <-stream.closed:
	case <-r.Context().Done():
	}
	stream.mu.Lock() // nothing may be written once the handler is gone
	stream.gone = true
	stream.mu.Unlock()
}

// stream is the server's half of an HTTP/2 stream, as far as a websocket needs a net.Conn.
type stream struct {
	net.Conn
	body   io.ReadCloser
	once   sync.Once
	closed chan struct{}

	mu   sync.Mutex
	w    http.ResponseWriter
	gone bool
}

func (s *stream) Read(p []byte) (int, error) { return s.body.Read(p) }

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return 0, net.ErrClosed
	}
	n, err := s.w.Write(p)
	s.w.(http.Flusher).Flush()
	return n, err
}

func (s *stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Socket is the service's side of a websocket.
type Socket struct {
	net.Conn
	Header http.Header

	writing sync.Mutex
}

// Next reads the next websocket message, answering nothing on its own.
func (s *Socket) Next() (*servicepb.WebSocketMessage, error) {
	payload, _, err := wsutil.ReadData(readerOnly{s.Conn, s.Conn}, ws.StateServerSide)
	if err != nil {
		return nil, err
	}
	message := &servicepb.WebSocketMessage{}
	return message, proto.Unmarshal(payload, message)
}

// readerOnly drops what wsutil would answer to control frames.
type readerOnly struct {
	io.Reader
	conn net.Conn
}

func (readerOnly) Write(p []byte) (int, error) { return len(p), nil }

// Send writes a message.
func (s *Socket) Send(message *servicepb.WebSocketMessage) error {
	data, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return wsutil.WriteServerBinary(s.Conn, data)
}

// Request sends a request of the service.
func (s *Socket) Request(id uint64, path string, body []byte, headers ...string) error {
	return s.Send(&servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{
			Id: &id, Verb: proto.String(http.MethodPut), Path: &path, Body: body, Headers: headers,
		},
	})
}

// Respond answers a request of the client.
func (s *Socket) Respond(id uint64, status uint32, body string, headers ...string) error {
	return s.Send(&servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_RESPONSE.Enum(),
		Response: &servicepb.WebSocketResponseMessage{
			Id: &id, Status: &status, Body: []byte(body), Headers: headers,
		},
	})
}

// End closes the websocket with a code.
func (s *Socket) End(code uint16) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return ws.WriteFrame(s.Conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), "")))
}
