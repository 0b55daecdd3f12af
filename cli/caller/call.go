package caller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrTokenRefused is for a token that is not the daemon's.
var ErrTokenRefused = errors.New("the daemon refused the token")

// TimeoutError is a reply that did not come in time.
type TimeoutError struct{ After time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("no reply within %s", e.After) }

// authenticate presents the token before anything else.
func (c *Connection) authenticate(ctx context.Context, token string) error {
	if token == "" {
		return nil
	}
	request, err := json.Marshal(map[string]string{"command": "auth", "token": token})
	if err != nil {
		return err
	}
	code, err := c.Ask(ctx, request, io.Discard)
	if err == nil && code != 0 {
		return ErrTokenRefused
	}
	return err
}

// Ask sends one request, copies its reply to w and returns the status code.
func (c *Connection) Ask(ctx context.Context, request []byte, w io.Writer) (int, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.conn.Write(append(bytes.TrimSpace(request), '\n')); err != nil {
		return 0, ended(ctx, err)
	}
	code, err := c.replies.next(w)
	if errors.Is(err, io.EOF) {
		err = ErrNoReply
	}
	return code, ended(ctx, err)
}

// ended tells of the context's end where that is why something failed.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Relay sends a stream of requests as it comes, and copies the replies to w until the daemon has answered the last. It
// returns the first code that is not 0. Each reply has the timeout to come, from the end of the requests or the reply
// before, whichever is later; 0 is no timeout. The goroutine that reads the requests ends with them: of a terminal
// it may outlive the call, as nothing interrupts a read there.
func (c *Connection) Relay(ctx context.Context, requests io.Reader, w io.Writer, timeout time.Duration) (int, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	patience := &patience{conn: c.conn, timeout: timeout}
	sent := make(chan error, 1)
	go func() {
		sent <- c.send(requests)
		patience.begin()
	}()
	first, count := 0, 0
	for {
		code, err := c.replies.next(w)
		if first == 0 {
			first = code
		}
		switch {
		case errors.Is(err, io.EOF) && count > 0:
			return first, nil
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET) && count == 0:
			return first, withoutReply(sent)
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
			return first, &TimeoutError{timeout}
		case err != nil:
			return first, ended(ctx, err)
		}
		count++
		patience.renew()
	}
}

// withoutReply is for a connection that ended at once: reading the requests may have failed first. That they could not be
// sent is the same end.
func withoutReply(sent <-chan error) error {
	select {
	case err := <-sent:
		var ended *net.OpError
		if err != nil && !errors.As(err, &ended) {
			return err
		}
	default:
	}
	return ErrNoReply
}

// send copies the requests and then closes the sending half: what is pending is answered all the same.
func (c *Connection) send(requests io.Reader) error {
	if _, err := io.Copy(c.conn, requests); err != nil {
		return err
	}
	if _, err := c.conn.Write([]byte("\n")); err != nil {
		return err
	}
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// patience is the deadline for the next reply; it runs only once all requests are sent.
type patience struct {
	conn interface{ SetReadDeadline(time.Time) error }

	timeout time.Duration
	mu      sync.Mutex
	running bool
}

func (p *patience) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = true
	p.set()
}

func (p *patience) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set()
}

func (p *patience) set() {
	if p.running && p.timeout > 0 {
		_ = p.conn.SetReadDeadline(time.Now().Add(p.timeout))
	}
}
