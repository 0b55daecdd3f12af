package tcpserver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"signalbox/commands"
	"signalbox/lenientjson"
	"signalbox/statuscodes"
)

// item is what the reader hands over: a request, an error to report, or an HTTP request to refuse.
type item struct {
	request *lenientjson.Request
	err     error
	last    bool // the connection cannot go on after err
	http    bool
}

func (i item) close() {
	if i.request != nil {
		i.request.Close()
	}
}

const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// reader turns the bytes of a connection into items, until the stream ends, cannot go on, or quit is closed.
type reader struct {
	conn   *conn
	parser *lenientjson.Parser
	items  chan<- item
	quit   <-chan struct{}
	first  []byte // what was read before the protocol was known
	known  bool
	begun  time.Time // of the request at hand; zero between requests
}

func newReader(c *conn, items chan<- item, quit <-chan struct{}) *reader {
	return &reader{conn: c, parser: lenientjson.NewParser(c.server.config.Parser), items: items, quit: quit}
}

func (r *reader) run() {
	defer r.conn.fence()
	defer r.parser.Close()
	buffer := make([]byte, smallBuffer)
	for {
		n, err := r.conn.net.Read(buffer)
		if n > 0 {
			select {
			case r.conn.activity <- struct{}{}:
			default:
			}
			if !r.take(buffer[:n]) {
				return
			}
		}
		if err != nil {
			r.end(err)
			return
		}
		if n == len(buffer) && n < largeBuffer {
			buffer = make([]byte, largeBuffer)
		}
	}
}

// take handles some bytes. It reports whether to go on.
func (r *reader) take(chunk []byte) bool {
	if !r.known {
		r.first = append(r.first, chunk...)
		switch sniff(r.first) {
		case undecided:
			r.startTimer()
			return true
		case httpRequest:
			r.conn.log.Warn().Msg("refused an HTTP request: is a web page trying to send commands?")
			r.hand(item{http: true})
			return false
		case otherProtocol:
			r.conn.log.Warn().Msg("refused a client that speaks TLS or STUN")
			return false
		}
		chunk, r.first, r.known = r.first, nil, true
	}
	for len(chunk) > 0 {
		n, res := r.parser.Feed(chunk)
		chunk = chunk[n:]
		switch {
		case res.Request != nil:
			r.stopTimer()
			if !r.hand(item{request: res.Request}) {
				return false
			}
		case res.Err != nil:
			r.stopTimer()
			last := res.Err.Reason == lenientjson.TooLarge
			if !r.hand(item{err: res.Err, last: last}) || last {
				return false
			}
		}
	}
	if r.parser.InRequest() {
		r.startTimer()
	}
	return true
}

// startTimer bounds how long a request may take to arrive, from its first byte on.
func (r *reader) startTimer() {
	if r.begun.IsZero() {
		r.begun = time.Now()
		r.setDeadline(r.begun.Add(r.conn.server.config.RequestTimeout))
	}
}

func (r *reader) stopTimer() {
	if !r.begun.IsZero() {
		r.begun = time.Time{}
		r.setDeadline(time.Time{})
	}
}

// setDeadline never undoes the deadline by which the connection tells the reader to stop.
func (r *reader) setDeadline(t time.Time) {
	_ = r.conn.net.SetReadDeadline(t)
	select {
	case <-r.quit:
		_ = r.conn.net.SetReadDeadline(time.Unix(1, 0))
	default:
	}
}

// end handles the end of the stream, or of the patience.
func (r *reader) end(err error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if !r.known && len(r.first) > 0 {
			r.known = true
			first := r.first
			r.first = nil
			if !r.take(first) {
				return
			}
		}
		if r.parser.InRequest() {
			r.conn.log.Debug().Msg("the stream ended inside a request")
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.hand(item{last: true, err: &commands.Error{
			Code: statuscodes.InvalidJSON,
			Message: fmt.Sprintf("invalid JSON: the request was not complete within --request-timeout (%v)",
				r.conn.server.config.RequestTimeout),
		}})
	default:
		r.conn.setGone()
	}
}

// hand waits until the connection takes an item. It reports false when it will take no more.
func (r *reader) hand(it item) bool {
	select {
	case r.items <- it:
		return true
	case <-r.quit:
	case <-r.conn.gone.Done():
	}
	it.close()
	return false
}
