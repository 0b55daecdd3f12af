package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

const (
	// maxSocketMessage is what Signal-Server takes in one message (WebSocketConfiguration).
	maxSocketMessage = 512 << 10
	// maxConcurrent bounds the calls of one socket that are under way.
	maxConcurrent = 64
	// closePatience is how long a client may take to answer a close frame.
	closePatience = 2 * time.Second
)

// Close codes of Signal-Server (websocket/WebSocketConnection, WebSocketDisconnectionRequestListener,
// WebSocketResourceProvider), and of Jetty.
const (
	CloseOK                uint16 = 1000
	CloseIdle              uint16 = 1001
	CloseBadFormat         uint16 = 1007
	CloseTooBig            uint16 = 1009
	CloseUnexpected        uint16 = 1011
	CloseReauthenticate    uint16 = 4401
	CloseConnectedElsewere uint16 = 4409
)

// ErrClosed is returned for requests that the end of the socket overtook.
var ErrClosed = errors.New("the websocket is closed")

// Socket is the service's side of one websocket. Its methods are safe for concurrent use.
type Socket struct {
	// By is nil on a socket that does not say whose it is.
	By *Device
	// Header is of the request that opened it.
	Header http.Header
	// Path is what was opened.
	Path string

	conn    io.ReadWriteCloser
	line    *line       // below conn
	fate    Interceptor // of what the service sends by itself; nil for none
	idle    *idleTimer
	writing sync.Mutex
	calls   sync.WaitGroup

	mu      sync.Mutex
	lastID  uint64
	pending map[uint64]pendingCall
	closed  bool
	done    chan struct{}
}

func newSocket(conn io.ReadWriteCloser, r *http.Request, by *Device) *Socket {
	return &Socket{
		By: by, Header: r.Header, Path: r.URL.Path, conn: conn, line: lineOf(r.Context()),
		pending: map[uint64]pendingCall{}, done: make(chan struct{}),
	}
}

// Done is closed when the socket has ended.
func (s *Socket) Done() <-chan struct{} { return s.done }

// Call is a request of the service that the client has not answered yet.
type Call struct {
	socket *Socket
	id     uint64
	answer chan *Response
}

// pendingCall waits for the client's answer. One that is lost ends the connection when it comes.
type pendingCall struct {
	answer chan *Response
	lost   bool
}

// Send writes a request of the service. Whoever sends one after the other has them arrive in that order.
func (s *Socket) Send(method, path string, headers []string, body []byte) (*Call, error) {
	fate := s.fateOf(method, path)
	if !fate.wait(s.done) || fate.Break == BreakBefore {
		s.Cut()
		return nil, ErrClosed
	}
	id, answer := s.register(fate.Break == BreakAfter)
	err := s.send(&servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{
			Id: &id, Verb: &method, Path: &path, Body: body, Headers: headers,
		},
	}, fate.Break == BreakMiddle)
	if err != nil {
		s.unregister(id)
		return nil, err
	}
	return &Call{s, id, answer}, nil
}

func (s *Socket) fateOf(method, path string) *Fate {
	if s.fate != nil {
		if fate := s.fate(&Request{Method: method, Path: path, By: s.By, Socket: s, Pushed: true}); fate != nil {
			return fate
		}
	}
	return &Fate{}
}

// Wait returns the client's answer, or ErrClosed.
func (c *Call) Wait(ctx context.Context) (*Response, error) {
	defer c.socket.unregister(c.id)
	select {
	case response := <-c.answer:
		return response, nil
	case <-c.socket.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Request sends a request and waits for the client's answer.
func (s *Socket) Request(ctx context.Context, method, path string, headers []string, body []byte) (*Response, error) {
	call, err := s.Send(method, path, headers, body)
	if err != nil {
		return nil, err
	}
	return call.Wait(ctx)
}

func (s *Socket) register(lost bool) (uint64, chan *Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	answer := make(chan *Response, 1)
	s.pending[s.lastID] = pendingCall{answer, lost}
	return s.lastID, answer
}

func (s *Socket) unregister(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// Close ends the socket with a code, and leaves the client a moment to answer.
func (s *Socket) Close(code uint16, reason string) {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return
	}
	frame := ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), reason))
	_ = s.frame(frame)
	time.AfterFunc(closePatience, func() { _ = s.conn.Close() })
}

// Cut ends the connection without a word, as a network does.
func (s *Socket) Cut() {
	s.line.cut()
	_ = s.conn.Close()
}

func (s *Socket) frame(f ws.Frame) error {
	compiled, err := ws.CompileFrame(f)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.idle.stir()
	_, err = s.conn.Write(compiled)
	return err
}

// breakFrame writes half a frame of the websocket, then half of what carries the rest, and ends the connection.
func (s *Socket) breakFrame(f ws.Frame) error {
	compiled, err := ws.CompileFrame(f)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err = s.conn.Write(compiled[:len(compiled)/2]); err == nil && s.line != nil {
		s.line.halve()
		_, _ = s.conn.Write(compiled[len(compiled)/2:])
	}
	s.Cut()
	return ErrClosed
}

func (s *Socket) send(message *servicepb.WebSocketMessage, broken bool) error {
	data, err := proto.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode websocket message: %w", err)
	}
	write := s.frame
	if broken {
		write = s.breakFrame
	}
	if err := write(ws.NewBinaryFrame(data)); err != nil {
		return errors.Join(ErrClosed, err)
	}
	return nil
}

// serve reads until the end of the socket. Calls go to route, each in a goroutine of its own.
func (s *Socket) serve(ctx context.Context, route func(context.Context, *Request) *Response) {
	ctx, cancel := context.WithCancel(ctx)
	slots := make(chan struct{}, maxConcurrent)
	defer s.calls.Wait()
	defer cancel()
	defer close(s.done)
	defer s.conn.Close() //nolint:errcheck // it is at its end
	defer s.idle.stop()
	for {
		message, err := s.read()
		if err != nil {
			return
		}
		if response := message.GetResponse(); response != nil {
			s.resolve(response)
			continue
		}
		request := message.GetRequest()
		slots <- struct{}{}
		s.calls.Go(func() {
			defer func() { <-slots }()
			s.call(ctx, request, route)
		})
	}
}

// read returns the next message, and answers control frames on the way. Text is passed over
// (WebSocketResourceProvider.onWebSocketText).
func (s *Socket) read() (*servicepb.WebSocketMessage, error) {
	reader := wsutil.Reader{
		Source: s.conn, State: ws.StateServerSide, CheckUTF8: false, MaxFrameSize: maxSocketMessage,
		OnIntermediate: s.control,
	}
	for {
		header, err := reader.NextFrame()
		if err != nil {
			return nil, s.tooBig(err)
		}
		s.idle.stir()
		if header.OpCode.IsControl() {
			if err := s.control(header, &reader); err != nil {
				return nil, err
			}
			continue
		}
		data, err := io.ReadAll(io.LimitReader(&reader, maxSocketMessage+1))
		if err == nil && len(data) > maxSocketMessage {
			err = wsutil.ErrFrameTooLarge
		}
		if err != nil {
			return nil, s.tooBig(err)
		}
		if header.OpCode == ws.OpText {
			continue
		}
		message, ok := parseMessage(data)
		if !ok {
			s.Close(CloseBadFormat, "Badly formatted")
			return nil, ErrClosed
		}
		return message, nil
	}
}

func (s *Socket) tooBig(err error) error {
	if errors.Is(err, wsutil.ErrFrameTooLarge) {
		s.Close(CloseTooBig, "Frame too large")
	}
	return err
}

func (s *Socket) control(header ws.Header, r io.Reader) error {
	payload, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch header.OpCode {
	case ws.OpPing:
		return s.frame(ws.NewPongFrame(payload))
	case ws.OpClose:
		s.mu.Lock()
		answered := s.closed
		s.closed = true
		s.mu.Unlock()
		if !answered {
			_ = s.frame(ws.NewCloseFrame(payload))
		}
		return io.EOF
	}
	return nil
}

func (s *Socket) resolve(response *servicepb.WebSocketResponseMessage) {
	s.mu.Lock()
	call := s.pending[response.GetId()]
	s.mu.Unlock()
	if call.lost {
		s.Cut()
		return
	}
	select {
	case call.answer <- &Response{Status: int(response.GetStatus()), Body: response.GetBody()}:
	default: // to no request, or a second answer to the same
	}
}
