package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
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

// Do sends a request over the websocket and waits for its answer.
func (c *Conn) Do(ctx context.Context, request *Request) (*Response, error) {
	return c.do(ctx, request, c.link.network.options.RequestTimeout)
}

func (c *Conn) do(ctx context.Context, request *Request, timeout time.Duration) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, &NetworkError{Err: ctx.Err()}
	case <-c.done:
		return nil, c.ended(false)
	}
	id, answer := c.expect()
	defer c.forgetAnswer(id)
	frames, err := requestFrame(id, request)
	if err != nil {
		return nil, err
	}
	if _, err := c.submit(ctx, frames); err != nil {
		return nil, err
	}
	select {
	case response := <-answer:
		return response, nil
	case <-ctx.Done():
		return nil, &NetworkError{Err: ctx.Err(), MayHaveLeft: true}
	case <-c.done:
	}
	select { // the answer may have been the last thing that came
	case response := <-answer:
		return response, nil
	default:
		return nil, c.ended(true)
	}
}

// submit hands frames to the writer. When it returns an error they were certainly not written.
func (c *Conn) submit(ctx context.Context, frames []byte) (<-chan error, error) {
	item := &outgoing{frames: frames, written: make(chan error, 1)}
	select {
	case c.out <- item:
		return item.written, nil
	case <-ctx.Done():
		return nil, &NetworkError{Err: ctx.Err()}
	case <-c.closing:
		return nil, &NetworkError{Err: ErrClosed}
	case <-c.done:
		return nil, c.ended(false)
	}
}

func (c *Conn) expect() (uint64, <-chan *Response) {
	answer := make(chan *Response, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	c.pending[c.lastID] = answer
	return c.lastID, answer
}

func (c *Conn) forgetAnswer(id uint64) {
	c.mu.Lock()
	delete(c.pending, id)
	c.mu.Unlock()
}

// requestFrame encodes a request of ours.
func requestFrame(id uint64, request *Request) ([]byte, error) {
	return appendMessage(nil, &servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{
			Id: &id, Verb: &request.Method, Path: &request.Path, Headers: headerLines(request.Header), Body: request.Body,
		},
	})
}

// appendResponse encodes an answer of ours.
func appendResponse(buffer []byte, id uint64, status int) []byte {
	out, err := appendMessage(buffer, &servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_RESPONSE.Enum(),
		Response: &servicepb.WebSocketResponseMessage{
			Id: &id, Status: proto.Uint32(uint32(status)), Message: proto.String(http.StatusText(status)),
		},
	})
	if err != nil { // a message of a few bytes always encodes
		return buffer
	}
	return out
}

// write is the writer goroutine: it gathers what waits into one write. It returns nil once the connection is closing
// and everything was written.
func (c *Conn) write() error {
	var buffer []byte
	for {
		items := make([]*outgoing, 0, 8)
		buffer = buffer[:0]
		select {
		case item := <-c.out:
			buffer, items = append(buffer, item.frames...), append(items, item)
		case frame := <-c.control:
			buffer = append(buffer, frame...)
		case <-c.closing:
			return c.sayGoodbye()
		case <-c.done:
			return nil
		}
		buffer, items = c.gather(buffer, items)
		_, err := c.stream.Write(buffer)
		for _, item := range items {
			item.written <- err
		}
		if err != nil {
			return err
		}
		if cap(buffer) > 4*maxWrite {
			buffer = nil
		}
	}
}

// gather adds what waits already.
func (c *Conn) gather(buffer []byte, items []*outgoing) ([]byte, []*outgoing) {
	for len(buffer) < maxWrite {
		select {
		case item := <-c.out:
			buffer, items = append(buffer, item.frames...), append(items, item)
		case frame := <-c.control:
			buffer = append(buffer, frame...)
		default:
			return buffer, items
		}
	}
	return buffer, items
}

func (c *Conn) sayGoodbye() error {
	frame := appendFrame(nil, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	if _, err := c.stream.Write(frame); err != nil {
		return err
	}
	return c.stream.CloseWrite()
}

// read is the reader goroutine. It always returns an error.
func (c *Conn) read() error {
	frames := newFrameReader(c.stream)
	for {
		op, payload, err := frames.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		c.frames.Add(1)
		c.lastSeen.Store(time.Now().UnixMilli())
		if err := c.handleFrame(op, payload); err != nil {
			return err
		}
	}
}

func (c *Conn) handleFrame(op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpClose:
		code, _ := ws.ParseCloseFrameData(payload)
		return &closeError{code}
	case ws.OpPing:
		return c.reply(appendFrame(nil, ws.OpPong, payload))
	case ws.OpBinary:
		return c.handleMessage(payload)
	default:
		return nil
	}
}

// reply queues a frame that the reader owes. A service that makes us owe more than we can write is cut off, for the
// reader must not wait for the writer.
func (c *Conn) reply(frame []byte) error {
	select {
	case c.control <- frame:
		return nil
	default:
		return fmt.Errorf("%w: too much to answer", ErrProtocol)
	}
}

func (c *Conn) handleMessage(payload []byte) error {
	var message servicepb.WebSocketMessage
	if err := proto.Unmarshal(payload, &message); err != nil {
		return fmt.Errorf("%w: websocket message cannot be read: %v", ErrProtocol, err)
	}
	switch message.GetType() {
	case servicepb.WebSocketMessage_REQUEST:
		return c.handleRequest(message.GetRequest())
	case servicepb.WebSocketMessage_RESPONSE:
		c.handleResponse(message.GetResponse())
		return nil
	default:
		return fmt.Errorf("%w: a websocket message that is neither request nor response", ErrProtocol)
	}
}

func (c *Conn) handleRequest(request *servicepb.WebSocketRequestMessage) error {
	id, path := request.GetId(), request.GetPath()
	if c.socket.accepts == nil || !c.socket.accepts(request.GetVerb(), path) {
		c.log.Debug().Str("method", request.GetVerb()).Msg("the service asked for something unknown")
		return c.reply(appendResponse(nil, id, http.StatusNotFound))
	}
	item := incoming{id: id, path: path, header: parseHeaders(request.GetHeaders()), body: request.GetBody()}
	if path == pathQueueEmpty {
		item = incoming{queueEmpty: true}
		if err := c.reply(appendResponse(nil, id, http.StatusOK)); err != nil {
			return err
		}
	}
	if !c.arrivals.push(item, c.done) {
		return ErrClosed
	}
	return nil
}

// handleResponse gives an answer to whoever still waits for it.
func (c *Conn) handleResponse(response *servicepb.WebSocketResponseMessage) {
	c.mu.Lock()
	answer, expected := c.pending[response.GetId()]
	delete(c.pending, response.GetId())
	c.mu.Unlock()
	if !expected {
		return
	}
	answer <- &Response{
		Status: int(response.GetStatus()), Header: parseHeaders(response.GetHeaders()), Body: response.GetBody(),
	}
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
		before := c.frames.Load()
		_, err := c.do(context.Background(), &Request{Method: http.MethodGet, Path: c.socket.keepalive}, options.KeepaliveTimeout)
		// While the receiver lags, the answer waits behind what it has not taken: that is no sign of death.
		if err != nil && c.frames.Load() == before && !c.arrivals.blocked.Load() {
			c.fail(fmt.Errorf("no sign of life for %v: %w", options.KeepaliveTimeout, err))
			return
		}
	}
}

func logAlerts(log zerolog.Logger, header http.Header) {
	if alerts := header.Values("X-Signal-Alert"); len(alerts) > 0 {
		log.Info().Strs("alerts", alerts).Msg("the service sends alerts")
	}
}
