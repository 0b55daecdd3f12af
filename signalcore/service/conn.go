package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/rs/zerolog"
)

const (
	// maxOutstanding bounds our requests without an answer; the next ones wait.
	maxOutstanding = 64
	// maxControl bounds the pongs and refusals that wait for the writer.
	maxControl = 64
	// maxWrite is where the writer stops gathering frames for one write.
	maxWrite = 64 << 10
	// closeTimeout is how long the service may take to end a socket that we close.
	closeTimeout = time.Second
)

// Close codes of the service (libsignal rust/net/src/env.rs), and the registered one for failed authentication.
const (
	closeUnauthorized       ws.StatusCode = 3000
	closeInvalidated        ws.StatusCode = 4401
	closeConnectedElsewhere ws.StatusCode = 4409
)

// socket says what a Conn is for.
type socket struct {
	path        string
	keepalive   string
	credentials *Credentials
	accepts     func(method, path string) bool // incoming requests to queue; nil: none
}

func (s socket) header(n *Network) http.Header {
	header := n.header(s.credentials)
	if s.credentials != nil {
		header.Set("X-Signal-Receive-Stories", "true")
	}
	return header
}

// Conn is one websocket to the service, until its end. It owns three goroutines: one reads, one writes, one keeps the
// connection alive; all are gone when Close returns. Its methods are safe for concurrent use, but only one goroutine may
// receive.
type Conn struct {
	link   *Link
	socket socket
	stream duplex
	log    zerolog.Logger

	out     chan *outgoing
	control chan []byte
	slots   chan struct{}

	mu      sync.Mutex
	pending map[uint64]chan *Response
	lastID  uint64

	arrivals *arrivals
	frames   atomic.Uint64 // read so far, for the keepalive
	lastSeen atomic.Int64  // when the last frame was read, in Unix milliseconds

	closing   chan struct{}
	closeOnce sync.Once
	done      chan struct{}
	failOnce  sync.Once
	err       error // set before done is closed
	running   sync.WaitGroup
}

// outgoing is frames for the writer, which reports on written.
type outgoing struct {
	frames  []byte
	written chan error
}

func newConn(link *Link, s socket, stream duplex) *Conn {
	return &Conn{
		link: link, socket: s, stream: stream, log: link.network.options.Logger,
		out: make(chan *outgoing), control: make(chan []byte, maxControl), slots: make(chan struct{}, maxOutstanding),
		pending: map[uint64]chan *Response{}, arrivals: newArrivals(),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
}

func (c *Conn) start() {
	c.running.Go(func() { c.fail(c.read()) })
	c.running.Go(func() { c.fail(c.write()) })
	c.running.Go(c.keepAlive)
}

// Done is closed when the connection has ended; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.done }

// LastFrame is when the service was last heard, zero before it ever was.
func (c *Conn) LastFrame() time.Time {
	if ms := c.lastSeen.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// Err is nil while the connection lives. Afterwards it is ErrClosed, ErrUnlinked, ErrConnectedElsewhere, or a
// NetworkError.
func (c *Conn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close ends the connection in good order, and waits for its goroutines.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() { close(c.closing) })
	patience := time.NewTimer(closeTimeout)
	defer patience.Stop()
	select {
	case <-c.done:
	case <-patience.C:
	}
	c.fail(ErrClosed)
	c.running.Wait()
	c.link.forget(c)
	return nil
}

// fail ends the connection for a reason; the first counts.
func (c *Conn) fail(reason error) {
	if reason == nil {
		return
	}
	c.failOnce.Do(func() {
		c.err = c.endOf(reason)
		close(c.done)
		_ = c.stream.Close()
	})
}

// endOf translates the reason for the end of the connection.
func (c *Conn) endOf(reason error) error {
	select {
	case <-c.closing:
		return ErrClosed
	default:
	}
	var closed *closeError
	if errors.As(reason, &closed) {
		switch closed.code {
		case closeConnectedElsewhere:
			return ErrConnectedElsewhere
		case closeInvalidated, closeUnauthorized:
			return ErrUnlinked
		}
	}
	if errors.Is(reason, ErrClosed) {
		return ErrClosed
	}
	return &NetworkError{Err: fmt.Errorf("connection lost: %w", reason), MayHaveLeft: true}
}

// ended is the error of a request that the end of the connection overtook.
func (c *Conn) ended(mayHaveLeft bool) error {
	cause := c.err
	var network *NetworkError
	if errors.As(cause, &network) {
		cause = network.Err
	}
	return &NetworkError{Err: cause, MayHaveLeft: mayHaveLeft}
}

// keepAlive asks for an answer now and then, and ends a connection on which nothing comes back.
func (c *Conn) keepAlive() {
	options := c.link.network.options
	ticker := time.NewTicker(options.KeepaliveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		before := c.frames.Load() + c.arrivals.resumed.Load()
		_, err := c.do(context.Background(), &Request{Method: http.MethodGet, Path: c.socket.keepalive}, options.KeepaliveTimeout)
		// While the receiver lags, the answer waits behind what it has not taken: that is no sign of death.
		if err != nil && !c.arrivals.blocked.Load() && c.frames.Load()+c.arrivals.resumed.Load() == before {
			c.fail(fmt.Errorf("no sign of life for %v: %w", options.KeepaliveTimeout, err))
			return
		}
	}
}
