package h2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// headerProtocol is the pseudo-header of an extended CONNECT, as handlers see it.
const headerProtocol = ":protocol"

type headerBuffer struct{ bytes.Buffer }

// stream is one request and its answer. window and gone are the connection's to guard.
type stream struct {
	conn   *serverConn
	id     uint32
	body   *body
	cancel context.CancelFunc
	window int64 // that we may send
	gone   error // why nothing can be sent any more
}

// abort needs the connection's mu.
func (s *stream) abort(why error) {
	if s.gone == nil {
		s.gone = why
	}
	s.body.fail(why)
	s.cancel()
}

// serve runs the handler and ends the stream. A handler that panics resets it, as one of net/http does.
func (s *stream) serve(handler http.Handler, request *http.Request) {
	w := &responseWriter{stream: s, header: http.Header{}}
	defer s.cancel()
	defer func() {
		if recovered := recover(); recovered != nil {
			s.reset(http2.ErrCodeInternal)
		}
	}()
	handler.ServeHTTP(w, request)
	if w.finish() != nil {
		s.reset(http2.ErrCodeCancel)
		return
	}
	if !s.body.ended() { // the client may stop sending
		s.reset(http2.ErrCodeNo)
		return
	}
	s.forget()
}

func (s *stream) forget() {
	s.conn.mu.Lock()
	s.abort(errDone)
	delete(s.conn.streams, s.id)
	s.conn.mu.Unlock()
}

func (s *stream) reset(code http2.ErrCode) {
	s.conn.mu.Lock()
	_, open := s.conn.streams[s.id]
	s.conn.mu.Unlock()
	s.forget()
	if open {
		_ = s.conn.write(func() error { return s.conn.framer.WriteRSTStream(s.id, code) })
	}
}

// send writes data as the windows allow.
func (s *stream) send(data []byte) error {
	for len(data) > 0 {
		n, err := s.reserve(len(data))
		if err != nil {
			return err
		}
		err = s.conn.write(func() error { return s.conn.framer.WriteData(s.id, false, data[:n]) })
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// reserve waits until something may be sent, and takes that from the windows.
func (s *stream) reserve(want int) (int, error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for s.gone == nil && (s.window <= 0 || c.window <= 0) {
		c.changed.Wait()
	}
	if s.gone != nil {
		return 0, fmt.Errorf("write HTTP/2 stream: %w", s.gone)
	}
	n := min(int64(want), s.window, c.window, int64(c.peerMaxFrame))
	s.window -= n
	c.window -= n
	return int(n), nil
}

// sendHeaders writes a header block: that of the answer with a status, or the trailers.
func (s *stream) sendHeaders(status int, header http.Header, end bool) error {
	c := s.conn
	c.mu.Lock()
	gone := s.gone
	c.mu.Unlock()
	if gone != nil {
		return fmt.Errorf("write HTTP/2 stream: %w", gone)
	}
	return c.write(func() error {
		c.headers.Reset()
		if status != 0 {
			_ = c.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)})
		}
		for name, values := range header {
			for _, value := range values {
				_ = c.encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(name), Value: value})
			}
		}
		return s.writeBlock(c.headers.Bytes(), end)
	})
}

// writeBlock writes a header block in as many frames as it takes. It needs the connection's writing.
func (s *stream) writeBlock(block []byte, end bool) error {
	first := true
	for first || len(block) > 0 {
		part := block[:min(len(block), maxFrame)]
		block = block[len(part):]
		var err error
		if first {
			err = s.conn.framer.WriteHeaders(http2.HeadersFrameParam{
				StreamID: s.id, BlockFragment: part, EndStream: end, EndHeaders: len(block) == 0,
			})
		} else {
			err = s.conn.framer.WriteContinuation(s.id, len(block) == 0, part)
		}
		if err != nil {
			return err
		}
		first = false
	}
	return nil
}

// newRequest makes the request of a header block (RFC 9113, section 8.3.1; RFC 8441, section 4).
func newRequest(ctx context.Context, f *http2.MetaHeadersFrame, b *body) (*http.Request, error) {
	method, path, host := f.PseudoValue("method"), f.PseudoValue("path"), f.PseudoValue("authority")
	if method == "" || path == "" || !strings.HasPrefix(path, "/") && path != "*" {
		return nil, errors.New("a request without method or path")
	}
	target, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("path of a request: %w", err)
	}
	header := http.Header{}
	for _, field := range f.RegularFields() {
		header.Add(field.Name, field.Value)
	}
	if protocol := f.PseudoValue("protocol"); protocol != "" {
		header.Set(headerProtocol, protocol)
	}
	if host == "" {
		host = header.Get("Host")
	}
	length := int64(-1)
	if f.StreamEnded() {
		length = 0
	} else if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		length = n
	}
	request := &http.Request{
		Method: method, URL: target, Proto: "HTTP/2.0", ProtoMajor: 2, Header: header, Body: b,
		ContentLength: length, Host: host, RequestURI: path,
	}
	return request.WithContext(ctx), nil
}

// responseWriter is a handler's answer: sent as it is written, with trailers by http.TrailerPrefix.
type responseWriter struct {
	stream *stream
	header http.Header
	sent   bool
	err    error
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) { w.start(status, false) }

func (w *responseWriter) start(status int, end bool) {
	if w.sent {
		return
	}
	w.sent = true
	w.err = w.stream.sendHeaders(status, w.headers(false), end)
}

func (w *responseWriter) Write(data []byte) (int, error) {
	w.start(http.StatusOK, false)
	if w.err == nil {
		w.err = w.stream.send(data)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(data), nil
}

// Flush sends the header; everything else is sent already.
func (w *responseWriter) Flush() { w.start(http.StatusOK, false) }

// headers are those before the body, or the trailers.
func (w *responseWriter) headers(trailers bool) http.Header {
	out := http.Header{}
	for name, values := range w.header {
		plain, isTrailer := strings.CutPrefix(name, http.TrailerPrefix)
		if isTrailer == trailers {
			out[plain] = values
		}
	}
	return out
}

func (w *responseWriter) finish() error {
	trailers := w.headers(true)
	if !w.sent {
		if w.start(http.StatusOK, len(trailers) == 0); len(trailers) == 0 {
			return w.err
		}
	}
	if w.err != nil {
		return w.err
	}
	if len(trailers) > 0 {
		return w.stream.sendHeaders(0, trailers, true)
	}
	return w.stream.conn.write(func() error { return w.stream.conn.framer.WriteData(w.stream.id, true, nil) })
}

// body is what a client sends on a stream. It holds no more than the window.
type body struct {
	stream *stream

	mu     sync.Mutex
	arrive *sync.Cond
	buffer bytes.Buffer
	err    error // io.EOF at the end of what the client sent
}

func newBody(s *stream) *body {
	b := &body{stream: s}
	b.arrive = sync.NewCond(&b.mu)
	return b
}

// add appends what arrived. False: the client sent more than it may.
func (b *body) add(data []byte, last bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.buffer.Write(data)
		if last {
			b.err = io.EOF
		}
	}
	b.arrive.Broadcast()
	return b.buffer.Len() <= streamWindow
}

func (b *body) fail(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = why
	}
	b.arrive.Broadcast()
}

// ended reports whether all of it has arrived.
func (b *body) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	for b.buffer.Len() == 0 && b.err == nil {
		b.arrive.Wait()
	}
	if b.buffer.Len() == 0 {
		defer b.mu.Unlock()
		return 0, b.err
	}
	n, _ := b.buffer.Read(p)
	open := b.err == nil
	b.mu.Unlock()
	if !open { // nothing more comes
		return n, nil
	}
	return n, b.stream.conn.giveBack(b.stream.id, n)
}

// Close ends the reading; what still comes is dropped.
func (b *body) Close() error {
	b.fail(http.ErrBodyReadAfterClose)
	return nil
}
