// Package tcpserver serves the command set over TCP and unix sockets: listeners, connections, framing, order, limits.
//
// It follows sections 1, 2, 3 and 6 of docs/socket-protocol.md. What the commands do is in package commands, how their
// bytes are read in lenientjson.
package tcpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/commands"
	"signalbox/lenientjson"
	"signalbox/signalcore/model"
)

// Config says where to listen, and the limits.
type Config struct {
	// Address is the TCP address, host:port; empty for none. Beyond loopback it needs HasToken, client certificates
	// or InsecureNoAuth.
	Address        string
	HasToken       bool
	InsecureNoAuth bool
	// UnixSocket is the path of a unix socket; empty for none.
	UnixSocket string
	// Inherited are listeners that were opened before, by the service manager. The rules above hold for them too.
	Inherited []net.Listener
	// TLS is for TCP listeners; nil for none.
	TLS *tls.Config

	MaxConnections  int
	RequestTimeout  time.Duration
	ShutdownTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of what is written to it, and how long its TCP stack may take
	// to acknowledge a reply.
	WriteTimeout time.Duration
	Parser       lenientjson.Options
	Log          zerolog.Logger
}

// DefaultConfig are the protocol's limits. Address and the spool are yet to be set.
func DefaultConfig() Config {
	return Config{
		MaxConnections: 256, RequestTimeout: 5 * time.Minute, ShutdownTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, Parser: lenientjson.DefaultOptions(), Log: zerolog.Nop(),
	}
}

// Server serves one command set. Listen, then Run.
type Server struct {
	config    Config
	registry  *commands.Registry
	listeners []*listener
	drain     chan struct{}
	// base ends when shutting down takes long: commands are cut short, and say so. Then patience ends, and with it
	// every connection.
	base     context.Context
	patience context.Context
	conns    sync.WaitGroup
	slots    chan struct{} // one for each connection served
	refusals chan struct{} // one for each connection that is being refused
}

// maxRefusals is how many connections at once are told that there are too many; more are just closed.
const maxRefusals = 16

// New returns a server that does not listen yet.
func New(config Config, registry *commands.Registry) *Server {
	return &Server{
		config: config, registry: registry, drain: make(chan struct{}),
		slots: make(chan struct{}, config.MaxConnections), refusals: make(chan struct{}, maxRefusals),
	}
}

// Run serves until ctx ends. Then it stops accepting, lets running commands end, and returns within the shutdown
// timeout, when every connection is closed. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	base, abort := context.WithCancelCause(context.Background())
	defer abort(nil)
	patience, cut := context.WithCancel(context.Background())
	defer cut()
	s.base, s.patience = base, patience
	var accepting sync.WaitGroup
	for _, l := range s.listeners {
		accepting.Go(func() { s.accept(ctx, l) })
	}
	<-ctx.Done()
	s.Close()
	accepting.Wait()
	close(s.drain)
	aborting := time.AfterFunc(s.config.ShutdownTimeout*4/5, func() { abort(model.ErrShuttingDown) })
	defer aborting.Stop()
	cutting := time.AfterFunc(s.config.ShutdownTimeout, cut)
	defer cutting.Stop()
	s.conns.Wait()
	if base.Err() != nil {
		return errors.New("some commands did not end within --shutdown-timeout")
	}
	return nil
}

// Close stops listening.
func (s *Server) Close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// accept serves one listener until it is closed.
func (s *Server) accept(ctx context.Context, l *listener) {
	const pause = 50 * time.Millisecond
	for {
		client, err := l.Accept()
		switch {
		case err == nil:
			s.begin(l, client)
		case errors.Is(err, net.ErrClosed):
			return
		default: // such as no file descriptors left: others may free some
			s.config.Log.Error().Err(err).Msg("cannot accept a connection")
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// begin serves a client in a goroutine of its own, or refuses it.
func (s *Server) begin(l *listener, client net.Conn) {
	c := newConn(s, l, client)
	select {
	case s.slots <- struct{}{}:
		s.conns.Go(func() {
			defer func() { <-s.slots }()
			c.serve()
		})
		return
	default:
	}
	select {
	case s.refusals <- struct{}{}:
		s.conns.Go(func() {
			defer func() { <-s.refusals }()
			c.refuse(errTooManyConnections)
		})
	default:
		_ = client.Close()
	}
}
