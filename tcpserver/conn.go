package tcpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/commands"
	"signalbox/statuscodes"
)

var (
	errTooManyConnections = &commands.Error{
		Code:    statuscodes.TooManyConnections,
		Message: "there are as many connections as --max-connections allows",
	}
	errOtherUser = &commands.Error{
		Code:    statuscodes.PermissionDenied,
		Message: "this socket serves only the user who runs the daemon",
	}
)

const (
	handshakeTimeout = 10 * time.Second
	// lingerTime and lingerBytes bound what is read and dropped before a connection is closed from here: closing with
	// unread bytes would reset it, and the client might lose the last reply.
	lingerTime  = time.Second
	lingerBytes = 256 << 20
)

// conn is one connection. Its goroutines: serve runs the commands and owns the others; the reader (reader.go) reads
// ahead by at most one request; a subscription of the session pushes lines.
type conn struct {
	server *Server
	own    bool     // only the daemon's own user is served
	net    net.Conn // the TLS connection where there is one
	socket socket   // what is below it
	lines  *lineWriter
	log    zerolog.Logger

	gone     context.Context // ends when the client is gone
	setGone  context.CancelFunc
	activity chan struct{} // the client sent something
}

func newConn(s *Server, l *listener, client net.Conn) *conn {
	c := &conn{
		server: s, own: l.unix && !l.others, net: client, socket: newSocket(client),
		log:      s.config.Log.With().Stringer("client", client.RemoteAddr()).Logger(),
		activity: make(chan struct{}, 1),
	}
	if l.tls != nil {
		c.net = tls.Server(client, l.tls)
	}
	c.gone, c.setGone = context.WithCancel(context.Background())
	c.lines = newLineWriter(c.net, s.config.WriteTimeout)
	return c
}

// serve runs the connection to its end.
func (c *conn) serve() {
	defer c.setGone()
	defer c.fence()
	defer c.net.Close()
	stop := context.AfterFunc(c.server.patience, func() { c.setGone(); _ = c.net.Close() })
	defer stop()
	if err := c.handshake(); err != nil {
		c.log.Debug().Err(err).Msg("TLS handshake failed")
		return
	}
	if c.own && !c.socket.sameUser() {
		c.log.Warn().Msg("refused a client of another user")
		c.refuse(errOtherUser)
		return
	}
	c.log.Debug().Msg("client connected")
	c.commands()
	c.log.Debug().Msg("connection closed")
}

// fence keeps a bug in one connection from ending the daemon.
func (c *conn) fence() {
	if r := recover(); r != nil {
		c.log.Error().Bytes("stack", debug.Stack()).Msgf("connection panicked: %v", r)
	}
}

func (c *conn) handshake() error {
	secure, ok := c.net.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.gone, handshakeTimeout)
	defer cancel()
	return secure.HandshakeContext(ctx)
}

// refuse says why, and closes.
func (c *conn) refuse(why error) {
	defer c.setGone()
	defer c.net.Close()
	if c.handshake() == nil && c.lines.reply(commands.Failure(why)) == nil {
		c.linger()
	}
}

// commands runs the client's requests, one after another.
func (c *conn) commands() {
	session := c.server.registry.Open(c.server.base, commands.Client{Push: c.push, Drain: c.server.drain})
	items := make(chan item)
	quit := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(items)
		newReader(c, items, quit).run()
	})
	polite := false
	defer func() {
		close(quit)
		_ = c.net.SetReadDeadline(time.Unix(1, 0))
		c.closeSession(session, polite)
		reading.Wait()
		if polite {
			c.linger()
		}
	}()
	polite = c.loop(session, items)
}

// closeSession ends the session. A line that a subscription is just writing is finished, if that takes no longer than a
// moment.
func (c *conn) closeSession(session *commands.Session, polite bool) {
	if !polite {
		c.lines.abort()
	}
	timer := time.AfterFunc(lingerTime, c.lines.abort)
	defer timer.Stop()
	session.Close()
}

// loop answers until there is nothing more to answer. It reports whether the connection is still in order.
func (c *conn) loop(session *commands.Session, items <-chan item) bool {
	for {
		it, ok := c.next(items)
		if !ok {
			return c.gone.Err() == nil
		}
		last, err := c.answer(session, it)
		if err != nil {
			c.log.Debug().Err(err).Msg("a reply was not delivered")
			return false
		}
		if last {
			return true
		}
	}
}

// next waits for a request. When shutting down, it returns only one that is there already.
func (c *conn) next(items <-chan item) (item, bool) {
	select {
	case it, ok := <-items:
		return it, ok
	case <-c.gone.Done():
		return item{}, false
	case <-c.server.drain:
	}
	select {
	case it, ok := <-items:
		return it, ok
	default:
		return item{}, false
	}
}

// answer runs one request and sees its reply delivered. It reports whether the connection ends with it.
func (c *conn) answer(session *commands.Session, it item) (last bool, err error) {
	defer it.close()
	if it.http {
		return true, c.lines.raw(httpRefusal)
	}
	if it.err != nil {
		return it.last, c.lines.reply(commands.Failure(it.err))
	}
	stop := c.watch()
	reply := session.Run(c.gone, it.request.Value)
	stop()
	settled := false
	if reply.Settle != nil {
		defer func() {
			if !settled {
				reply.Settle(false)
			}
		}()
	}
	if c.gone.Err() != nil {
		return true, errGone
	}
	if err := c.lines.reply(reply); err != nil {
		return true, err
	}
	if reply.Settle != nil {
		if err := c.acknowledged(); err != nil {
			return true, err
		}
		settled = true
		reply.Settle(true)
	}
	return reply.Hangup, nil
}

var errGone = errors.New("the client is gone")

// push writes a line of a subscription.
func (c *conn) push(line any) error {
	err := c.lines.push(line)
	if err != nil {
		c.setGone()
	}
	return err
}

// watch looks after the client while a command takes its time: the reader does not notice it going away when it waits
// to hand over the next request, or has seen the end of the stream. The returned function ends the watch.
func (c *conn) watch() func() {
	const first, interval = 30 * time.Millisecond, 100 * time.Millisecond
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		timer := time.NewTimer(first)
		defer timer.Stop()
		for ; ; timer.Reset(interval) {
			select {
			case <-done:
				return
			case <-timer.C:
			}
			if c.socket.gone() {
				c.setGone()
				return
			}
		}
	})
	return func() { close(done); watching.Wait() }
}

// acknowledged waits until the client's TCP stack has everything that was written.
func (c *conn) acknowledged() error {
	const longest = 5 * time.Millisecond
	deadline := time.Now().Add(c.server.config.WriteTimeout)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, longest) {
		left, err := c.socket.unacknowledged()
		if err != nil || left == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the client has not taken %d bytes of the reply", left)
		}
		select {
		case <-c.activity: // what it sent carried its acknowledgement
		case <-time.After(pause):
		case <-c.gone.Done():
			return errGone
		}
	}
}

// linger ends the sending side, and reads on for a moment before the caller closes.
func (c *conn) linger() {
	if half, ok := c.net.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, c.net, lingerBytes)
}
