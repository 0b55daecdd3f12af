package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"signalbox/sandbox/h2"
)

const (
	handshakePatience = 10 * time.Second
	// maxBody bounds the body of a call; the largest is a message for many.
	maxBody = 1 << 20
)

// Authenticator says which device a username and password are of (Signal-Server AccountAuthenticator).
type Authenticator interface {
	Authenticate(username, password string) (Device, bool)
}

// Sockets are the websockets that are opened at a path.
type Sockets struct {
	// Handler owns each of them.
	Handler SocketHandler
	// Calls answers what is asked on them.
	Calls *Router
	// Idle is how long one stays open on which nothing is said.
	Idle time.Duration
}

// SocketHandler owns a websocket until it returns or the socket's Done is closed, whichever is later.
type SocketHandler func(ctx context.Context, s *Socket)

// Server is the chat host, with other handlers below prefixes of the path.
type Server struct {
	router        *Router
	authenticator Authenticator
	methods       map[string]rpc
	sockets       map[string]Sockets
	prefixes      map[string]http.Handler

	listener net.Listener
	plain    *http.Server
	handover *handover
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	lines map[*line]struct{}
}

// NewServer returns a server that does not listen yet.
func NewServer(router *Router, authenticator Authenticator) *Server {
	s := &Server{
		router: router, authenticator: authenticator, methods: map[string]rpc{}, sockets: map[string]Sockets{},
		prefixes: map[string]http.Handler{}, lines: map[*line]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// HandleSocket takes the websockets opened at a path; before Serve.
func (s *Server) HandleSocket(path string, sockets Sockets) { s.sockets[path] = sockets }

// HandlePrefix has a handler answer everything below a prefix, such as "/cdn3"; before Serve.
func (s *Server) HandlePrefix(prefix string, handler http.Handler) {
	s.prefixes[prefix] = http.StripPrefix(prefix, handler)
}

// Serve listens until Close. HTTP1Only leaves out HTTP/2, and with it gRPC.
func (s *Server) Serve(listener net.Listener, certificate tls.Certificate, http1Only bool) {
	protocols := []string{"h2", "http/1.1"}
	if http1Only {
		protocols = protocols[1:]
	}
	s.listener = tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: protocols, MinVersion: tls.VersionTLS12,
	})
	s.handover = newHandover(listener.Addr())
	s.plain = &http.Server{Handler: s, ReadHeaderTimeout: handshakePatience, ConnContext: withLine}
	s.running.Go(func() { _ = s.plain.Serve(s.handover) })
	s.running.Go(s.accept)
}

// Close ends all connections and waits for everything that runs.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	_ = s.plain.Close()
	_ = s.handover.Close()
	s.CutAll()
	s.running.Wait()
	return err
}

// CutAll ends every connection without a word.
func (s *Server) CutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.lines {
		l.cut()
	}
}

// CutOthers ends every connection but the one that a request came on.
func (s *Server) CutOthers(request context.Context) {
	own := lineOf(request)
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.lines {
		if l != own {
			l.cut()
		}
	}
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		l := &line{Conn: conn.(*tls.Conn), closed: s.forget}
		if !s.keep(l) {
			l.cut()
			return
		}
		s.running.Go(func() { s.serveConn(l) })
	}
}

// keep reports whether the server goes on.
func (s *Server) keep(l *line) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[l] = struct{}{}
	return s.ctx.Err() == nil
}

func (s *Server) forget(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lines, l)
}

func (s *Server) serveConn(l *line) {
	ctx, cancel := context.WithTimeout(s.ctx, handshakePatience)
	err := l.HandshakeContext(ctx)
	cancel()
	if err != nil {
		_ = l.Close()
		return
	}
	if l.ConnectionState().NegotiatedProtocol == "h2" {
		_ = h2.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.ServeHTTP(w, r.WithContext(withLine(r.Context(), l)))
		}))
		return
	}
	s.handover.give(l)
}

// handover gives connections that speak HTTP/1.1 to the server of net/http.
type handover struct {
	address net.Addr
	conns   chan net.Conn
	once    sync.Once
	done    chan struct{}
}

func newHandover(address net.Addr) *handover {
	return &handover{address: address, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (h *handover) give(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		_ = conn.Close()
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handover) Addr() net.Addr { return h.address }

// ServeHTTP answers everything that is asked of the host.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for prefix, handler := range s.prefixes {
		if strings.HasPrefix(r.URL.Path, prefix+"/") {
			handler.ServeHTTP(w, r)
			return
		}
	}
	switch {
	case r.Header.Get("Upgrade") == "websocket" || r.Header.Get(":protocol") == "websocket":
		s.openSocket(w, r)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		s.serveGRPC(w, r)
	default:
		s.serveREST(w, r)
	}
}

// serveREST answers a call that came without a websocket. Who has wrong credentials is nobody.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request) {
	by, _ := s.authenticate(r.Header)
	body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if readErr != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	call := &Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Header: r.Header, Body: body, By: by,
	}
	write(w, r, s.router.Route(r.Context(), call))
}

// write answers a request; without a response, its connection is cut.
func write(w http.ResponseWriter, r *http.Request, response *Response) {
	l := lineOf(r.Context())
	if response == nil {
		abort(l)
	}
	for name, values := range response.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.Header().Set("X-Signal-Timestamp", timestamp(time.Now()))
	if response.broken {
		w.Header().Set("Content-Length", strconv.Itoa(len(response.Body)))
		w = &breakingWriter{ResponseWriter: w, line: l}
		defer abort(l)
	}
	w.WriteHeader(response.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(response.Body)
	}
}

// authenticate returns nil for who does not say who he is.
func (s *Server) authenticate(header http.Header) (*Device, error) {
	username, password, present, err := BasicAuth(header)
	if err != nil || !present {
		return nil, err
	}
	device, ok := s.authenticator.Authenticate(username, password)
	if !ok {
		return nil, errors.New("wrong credentials")
	}
	return &device, nil
}

// openSocket opens a websocket: 403 for wrong credentials (WebSocketResourceProviderFactory).
func (s *Server) openSocket(w http.ResponseWriter, r *http.Request) {
	sockets, known := s.sockets[r.URL.Path]
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	by, err := s.authenticate(r.Header)
	if err != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	call := &Request{Method: http.MethodGet, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header, By: by}
	opening := sockets.Calls.befall(r.Context(), call, func() *Response { return &Response{Status: http.StatusOK} })
	if opening == nil || opening.broken || opening.Status != http.StatusOK {
		write(w, r, opening)
		return
	}
	var conn io.ReadWriteCloser
	if r.Method == http.MethodConnect {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		conn = newStreamConn(w, r.Body)
	} else if conn, _, _, err = ws.UpgradeHTTP(r, w); err != nil {
		return
	}
	socket := newSocket(conn, r, by)
	socket.fate = sockets.Calls.fate
	socket.endWhenIdle(sockets.Idle)
	var owner sync.WaitGroup
	owner.Go(func() { sockets.Handler(s.ctx, socket) })
	stop := context.AfterFunc(s.ctx, socket.Cut)
	socket.serve(s.ctx, sockets.Calls.Route)
	stop()
	owner.Wait()
}

// streamConn is a websocket's half of an HTTP/2 stream. It is closed by ending the reading: the handler returns then.
type streamConn struct {
	io.ReadCloser
	mu   sync.Mutex
	w    http.ResponseWriter
	gone bool
}

func newStreamConn(w http.ResponseWriter, body io.ReadCloser) *streamConn {
	return &streamConn{ReadCloser: body, w: w}
}

func (c *streamConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return 0, net.ErrClosed
	}
	return c.w.Write(p)
}

func (c *streamConn) Close() error {
	err := c.ReadCloser.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	return err
}
