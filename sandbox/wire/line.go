package wire

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
)

// line is one TLS connection, which may end in the middle of what is written to it. Its methods but Close and those of
// net.Conn may be called on nil, which is the line of requests that came by none.
type line struct {
	*tls.Conn
	closed func(*line)
	once   sync.Once
	halved atomic.Bool
}

type lineKey struct{}

// withLine is http.Server.ConnContext.
func withLine(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, lineKey{}, conn)
}

// lineOf is the connection that a request came on.
func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

// cut ends the TCP connection without a word of TLS, as a network does.
func (l *line) cut() {
	if l != nil {
		_ = l.NetConn().Close()
	}
}

// halve has the next write end in its middle, and the connection with it.
func (l *line) halve() {
	if l != nil {
		l.halved.Store(true)
	}
}

func (l *line) Write(p []byte) (int, error) {
	if !l.halved.Load() {
		return l.Conn.Write(p)
	}
	n, err := l.Conn.Write(p[:len(p)/2])
	l.cut()
	if err == nil {
		err = net.ErrClosed
	}
	return n, err
}

func (l *line) Close() error {
	l.once.Do(func() { l.closed(l) })
	return l.Conn.Close()
}
