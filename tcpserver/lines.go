package tcpserver

import (
	"bufio"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/commands"
)

// lineWriter writes whole lines to a client, from any goroutine. After a first error it writes nothing more.
type lineWriter struct {
	mu  sync.Mutex
	w   *bufio.Writer
	out *deadlineWriter
	err error
}

const lineBuffer = 16 << 10

func newLineWriter(client net.Conn, timeout time.Duration) *lineWriter {
	out := &deadlineWriter{client: client, timeout: timeout}
	return &lineWriter{w: bufio.NewWriterSize(out, lineBuffer), out: out}
}

// deadlineWriter gives each write the same time: a client that takes something goes on, one that takes nothing ends.
type deadlineWriter struct {
	client  net.Conn
	timeout time.Duration
	aborted atomic.Bool
}

func (d *deadlineWriter) Write(b []byte) (int, error) {
	if err := d.client.SetWriteDeadline(time.Now().Add(d.timeout)); err != nil {
		return 0, err
	}
	if d.aborted.Load() {
		return 0, net.ErrClosed
	}
	return d.client.Write(b)
}

// abort ends a write that waits for the client, and lets no other begin.
func (l *lineWriter) abort() {
	l.out.aborted.Store(true)
	_ = l.out.client.SetWriteDeadline(time.Unix(1, 0))
}

func (l *lineWriter) reply(r commands.Reply) error {
	return l.line(func(e *encoder) error { return e.reply(r) })
}

func (l *lineWriter) push(line any) error {
	return l.line(func(e *encoder) error {
		e.lenient = true
		return e.value(reflect.ValueOf(line))
	})
}

func (l *lineWriter) raw(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.out.Write([]byte(text))
	}
	return l.err
}

func (l *lineWriter) line(write func(*encoder) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if l.err = write(&encoder{w: l.w}); l.err != nil {
		return l.err
	}
	_ = l.w.WriteByte('\n')
	l.err = l.w.Flush()
	return l.err
}
