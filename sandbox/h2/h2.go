// Package h2 is the server's half of HTTP/2 with websockets on its streams: extended CONNECT (RFC 8441), which the
// server of net/http offers only to processes that were started with GODEBUG=http2xconnect=1.
//
// Specifications: RFC 9113; frames and header compression are those of golang.org/x/net/http2. Priorities and server
// push, which clients of the service do without, are not here; nor are TLS and HTTP/1.1.
package h2

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	preface = http2.ClientPreface
	// streamWindow is what a client may send on one stream before it is read. All of them together are bounded by their
	// number, so that the connection's own window is opened again for whatever arrives.
	streamWindow = 256 << 10
	connWindow   = 16 << 20
	// initialWindow is that of both sides before they say otherwise (RFC 9113, section 6.9.2).
	initialWindow = 65535
	maxWindow     = 1<<31 - 1
	maxFrame      = 16 << 10
	maxStreams    = 250
	maxHeaders    = 64 << 10
	// settingConnectProtocol lets clients open websockets (RFC 8441, section 3).
	settingConnectProtocol = http2.SettingEnableConnectProtocol
)

// errDone ends a connection in good order.
var errDone = errors.New("the connection has ended")

// Serve answers the requests of one connection until it ends, then closes it and waits for its handlers. A handler sees
// an extended CONNECT as a request with the header ":protocol", whose body and answer are the stream.
func Serve(conn net.Conn, handler http.Handler) error {
	c := newConn(conn, handler)
	defer c.running.Wait()
	defer c.end()
	if err := c.begin(); err != nil {
		return err
	}
	for {
		frame, err := c.framer.ReadFrame()
		if err == nil {
			err = c.process(frame)
		}
		if err = c.survive(err); err != nil {
			return c.reason(err)
		}
	}
}

// serverConn is one connection. The framer's reading half belongs to Serve's goroutine, its writing half to who holds
// writing; mu guards the rest. Who takes both takes writing first.
type serverConn struct {
	conn    net.Conn
	handler http.Handler
	framer  *http2.Framer
	in      *bufio.Reader
	out     *bufio.Writer
	running sync.WaitGroup

	writing sync.Mutex
	encoder *hpack.Encoder
	headers headerBuffer

	mu           sync.Mutex
	changed      *sync.Cond // windows, streams, the end
	streams      map[uint32]*stream
	lastStream   uint32
	window       int64 // that we may send on all streams
	peerWindow   int64 // of a new stream
	peerMaxFrame int
	ended        bool
}

func newConn(conn net.Conn, handler http.Handler) *serverConn {
	c := &serverConn{
		conn: conn, handler: handler, out: bufio.NewWriter(conn), streams: map[uint32]*stream{},
		window: initialWindow, peerWindow: initialWindow, peerMaxFrame: maxFrame,
	}
	c.changed = sync.NewCond(&c.mu)
	c.in = bufio.NewReader(conn)
	c.framer = http2.NewFramer(c.out, c.in)
	c.framer.SetMaxReadFrameSize(maxFrame)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.MaxHeaderListSize = maxHeaders
	c.encoder = hpack.NewEncoder(&c.headers)
	return c
}

// begin reads the client's preface and says what is offered (RFC 9113, section 3.4).
func (c *serverConn) begin() error {
	got := make([]byte, len(preface))
	if _, err := io.ReadFull(c.in, got); err != nil {
		return fmt.Errorf("read HTTP/2 preface: %w", err)
	}
	if string(got) != preface {
		return fmt.Errorf("not HTTP/2: %w", http2.ConnectionError(http2.ErrCodeProtocol))
	}
	return c.write(func() error {
		err := c.framer.WriteSettings(
			http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: maxStreams},
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
			http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaders},
			http2.Setting{ID: settingConnectProtocol, Val: 1},
		)
		return errors.Join(err, c.framer.WriteWindowUpdate(0, connWindow-initialWindow))
	})
}

// write has fn write frames, and flushes them.
func (c *serverConn) write(fn func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := fn(); err != nil {
		return err
	}
	return c.out.Flush()
}

// end aborts all streams and closes the connection.
func (c *serverConn) end() {
	c.mu.Lock()
	c.ended = true
	for _, s := range c.streams {
		s.abort(errDone)
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	_ = c.conn.Close()
}

// survive answers an error of one stream by resetting it; others end the connection.
func (c *serverConn) survive(err error) error {
	var streamErr http2.StreamError
	if !errors.As(err, &streamErr) {
		return err
	}
	c.mu.Lock()
	if s := c.streams[streamErr.StreamID]; s != nil {
		s.abort(streamErr)
		delete(c.streams, streamErr.StreamID)
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	return c.write(func() error { return c.framer.WriteRSTStream(streamErr.StreamID, streamErr.Code) })
}

// reason tells the client of its mistake, and the caller of everything but an ordinary end.
func (c *serverConn) reason(err error) error {
	var connErr http2.ConnectionError
	if errors.As(err, &connErr) {
		c.mu.Lock()
		last := c.lastStream
		c.mu.Unlock()
		_ = c.write(func() error { return c.framer.WriteGoAway(last, http2.ErrCode(connErr), nil) })
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errDone) {
		return nil
	}
	return fmt.Errorf("HTTP/2: %w", err)
}

func (c *serverConn) process(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return c.headersFrame(f)
	case *http2.DataFrame:
		return c.dataFrame(f)
	case *http2.SettingsFrame:
		return c.settingsFrame(f)
	case *http2.WindowUpdateFrame:
		return c.windowFrame(f)
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		return c.write(func() error { return c.framer.WritePing(true, f.Data) })
	case *http2.RSTStreamFrame:
		c.resetFrame(f)
	case *http2.GoAwayFrame:
		return errDone
	}
	return nil
}

func (c *serverConn) settingsFrame(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	err := f.ForeachSetting(c.setting)
	c.changed.Broadcast()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.write(func() error {
		if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
			c.encoder.SetMaxDynamicTableSize(min(size, 4096))
		}
		return c.framer.WriteSettingsAck()
	})
}

// setting needs mu.
func (c *serverConn) setting(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	switch s.ID {
	case http2.SettingInitialWindowSize:
		// The windows of open streams change with it, and may become negative (RFC 9113, section 6.9.2).
		change := int64(s.Val) - c.peerWindow
		c.peerWindow = int64(s.Val)
		for _, open := range c.streams {
			open.window += change
		}
	case http2.SettingMaxFrameSize:
		c.peerMaxFrame = int(min(s.Val, 64<<10))
	}
	return nil
}

func (c *serverConn) windowFrame(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	window := &c.window
	if f.StreamID != 0 {
		s := c.streams[f.StreamID]
		if s == nil {
			return nil
		}
		window = &s.window
	}
	if *window += int64(f.Increment); *window > maxWindow {
		if f.StreamID == 0 {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeFlowControl}
	}
	c.changed.Broadcast()
	return nil
}

func (c *serverConn) resetFrame(f *http2.RSTStreamFrame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[f.StreamID]; s != nil {
		s.abort(fmt.Errorf("reset by the client: %v", f.ErrCode))
		delete(c.streams, f.StreamID)
		c.changed.Broadcast()
	}
}

// dataFrame hands a part of a body to its reader. What nobody reads any more is dropped.
func (c *serverConn) dataFrame(f *http2.DataFrame) error {
	c.mu.Lock()
	s := c.streams[f.StreamID]
	idle := f.StreamID > c.lastStream
	c.mu.Unlock()
	if idle {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if s != nil && !s.body.add(f.Data(), f.StreamEnded()) {
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeFlowControl}
	}
	if s != nil && !f.StreamEnded() {
		if err := c.giveBack(f.StreamID, int(f.Length)-len(f.Data())); err != nil { // padding
			return err
		}
	}
	return c.giveBack(0, int(f.Length))
}

// giveBack opens a window again: that of a stream for what was read, the connection's (0) for what arrived.
func (c *serverConn) giveBack(id uint32, size int) error {
	if size == 0 {
		return nil
	}
	return c.write(func() error { return c.framer.WriteWindowUpdate(id, uint32(size)) })
}

func (c *serverConn) headersFrame(f *http2.MetaHeadersFrame) error {
	id := f.StreamID
	c.mu.Lock()
	open, last := c.streams[id], c.lastStream
	c.mu.Unlock()
	switch {
	case id%2 == 0:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case open != nil:
		// Trailers of a request, which say nothing to anyone here.
		if !f.StreamEnded() {
			return http2.StreamError{StreamID: id, Code: http2.ErrCodeProtocol}
		}
		open.body.add(nil, true)
		return nil
	case id <= last: // of a stream that has ended
		return nil
	case f.Truncated:
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return c.open(f)
}

// open starts the handler of a new request.
func (c *serverConn) open(f *http2.MetaHeadersFrame) error {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{conn: c, id: f.StreamID, cancel: cancel}
	s.body = newBody(s)
	request, err := newRequest(ctx, f, s.body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastStream = f.StreamID
	switch {
	case c.ended:
		cancel()
		return errDone
	case err != nil:
		cancel()
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeProtocol, Cause: err}
	case len(c.streams) >= maxStreams:
		cancel()
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeRefusedStream}
	}
	request.RemoteAddr = c.conn.RemoteAddr().String()
	if secured, ok := c.conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := secured.ConnectionState()
		request.TLS = &state
	}
	s.window = c.peerWindow
	c.streams[s.id] = s
	if f.StreamEnded() {
		s.body.add(nil, true)
	}
	c.running.Go(func() { s.serve(c.handler, request) })
	return nil
}
