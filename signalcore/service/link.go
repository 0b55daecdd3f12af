package service

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
)

const (
	pathWebsocket             = "/v1/websocket/"
	pathProvisioningWebsocket = "/v1/websocket/provisioning/"
)

// The client of net/http refuses the header :protocol, so that extended CONNECT needs the one of x/net. From Go 1.27 on
// that one stands on net/http, unless built with the tag http2legacy; without it sockets fall back to HTTP/1.1.
//
//lint:file-ignore SA1019 net/http cannot do extended CONNECT

// Link is one connection to the chat host: HTTP/2, with sockets and gRPC calls as its streams, or a note that only
// HTTP/1.1 is to be had, where each socket has a connection of its own.
//
// The service can tell that the streams of one link belong together. Whoever wants sealed sends apart from the
// account's own socket, as Signal's apps do, dials twice.
type Link struct {
	network  *Network
	h2       *http2.ClientConn // nil: HTTP/1.1
	noGRPC   sync.Map          // gRPC methods that this service does not have
	noSocket atomic.Bool       // HTTP/2 without extended CONNECT

	mu     sync.Mutex
	conns  map[*Conn]struct{}
	closed bool
}

// Dial connects to the chat host.
func (n *Network) Dial(ctx context.Context) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, n.options.ConnectTimeout)
	defer cancel()
	conn, err := n.dialTLS(ctx, "h2", "http/1.1")
	if err != nil {
		return nil, &NetworkError{Err: fmt.Errorf("connect: %w", err)}
	}
	link := &Link{network: n, conns: map[*Conn]struct{}{}}
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		// An HTTP/1.1 connection carries one socket; each will dial its own.
		_ = conn.Close()
		return link, nil
	}
	transport := &http2.Transport{DisableCompression: true, MaxHeaderListSize: 64 << 10}
	link.h2, err = transport.NewClientConn(conn)
	if err != nil {
		_ = conn.Close()
		return nil, &NetworkError{Err: fmt.Errorf("start HTTP/2: %w", err)}
	}
	return link, nil
}

// HTTP2 reports whether the link is an HTTP/2 connection.
func (l *Link) HTTP2() bool { return l.h2 != nil }

// Close ends the link and its sockets, and waits for their goroutines.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	conns := make([]*Conn, 0, len(l.conns))
	for conn := range l.conns {
		conns = append(conns, conn)
	}
	l.mu.Unlock()
	var wait sync.WaitGroup
	for _, conn := range conns {
		wait.Go(func() { _ = conn.Close() })
	}
	wait.Wait()
	if l.h2 != nil {
		return l.h2.Close()
	}
	return nil
}

// OpenAuthenticated opens the socket of the account's own device.
func (l *Link) OpenAuthenticated(ctx context.Context, credentials Credentials) (*Authenticated, error) {
	conn, err := l.open(ctx, socket{
		path: pathWebsocket, keepalive: "/v1/keepalive", credentials: &credentials, accepts: acceptsQueue,
	})
	if err != nil {
		return nil, err
	}
	return &Authenticated{conn}, nil
}

// OpenAnonymous opens a socket that does not say who is asking.
func (l *Link) OpenAnonymous(ctx context.Context) (*Anonymous, error) {
	conn, err := l.open(ctx, socket{path: pathWebsocket, keepalive: "/v1/keepalive"})
	if err != nil {
		return nil, err
	}
	return &Anonymous{conn}, nil
}

func (l *Link) open(ctx context.Context, s socket) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.network.options.ConnectTimeout)
	defer cancel()
	stream, err := l.openStream(ctx, s)
	if err != nil {
		return nil, err
	}
	conn := newConn(l, s, stream)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = stream.Close()
		return nil, &NetworkError{Err: ErrClosed}
	}
	l.conns[conn] = struct{}{}
	conn.start()
	return conn, nil
}

func (l *Link) openStream(ctx context.Context, s socket) (duplex, error) {
	if l.h2 != nil && !l.noSocket.Load() {
		stream, err := l.connectHTTP2(ctx, s)
		if err == nil || !l.lacksExtendedConnect(ctx, err) {
			return stream, err
		}
		l.noSocket.Store(true)
		l.network.options.Logger.Info().Msg("the service has no websocket over HTTP/2: HTTP/1.1 is used")
	}
	return l.network.upgradeHTTP1(ctx, s)
}

func (l *Link) forget(conn *Conn) {
	l.mu.Lock()
	delete(l.conns, conn)
	l.mu.Unlock()
}

// header is what every socket and gRPC call of this network carries.
func (n *Network) header(credentials *Credentials) http.Header {
	header := http.Header{"User-Agent": {n.options.UserAgent}}
	if credentials != nil {
		header.Set("Authorization", credentials.header())
	}
	return header
}

func (n *Network) chatURL(path string) *url.URL {
	return &url.URL{Scheme: "https", Host: n.chat.Host, Path: path}
}

// duplex is a websocket's transport. CloseWrite ends our half after what was written; Close ends both at once.
type duplex interface {
	io.ReadWriteCloser
	CloseWrite() error
}
