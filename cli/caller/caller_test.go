package caller

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patient is far more than anything here takes.
const patient = time.Minute

// daemon answers each line with what answer returns for it, and closes when its client has no more to say.
func daemon(t *testing.T, answer func(line string) string) Target {
	t.Helper()
	return listen(t, "unix", filepath.Join(t.TempDir(), "s"), func(conn net.Conn) {
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			if line := lines.Text(); line != "" {
				_, _ = io.WriteString(conn, answer(line))
			}
		}
	})
}

// listen serves one connection after the other, and closes each, until the end of the test.
func listen(t *testing.T, network, address string, serve func(net.Conn)) Target {
	t.Helper()
	listener, err := net.Listen(network, address)
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	return Target{Network: network, Address: listener.Addr().String()}
}

func TestRelay(t *testing.T) {
	target := daemon(t, func(line string) string {
		if line == "bad" {
			return `{"statusCode":4,"errorMessage":"x"}` + "\n"
		}
		return `{"command":"` + line + `","reqId":"\"statusCode\":7","statusCode":0,"body":"` + strings.Repeat("x", 3*headSize) + `"}` + "\n"
	})
	for _, test := range []struct {
		requests string
		code     int
		replies  int
	}{{"one", 0, 1}, {"one\ntwo\n", 0, 2}, {"one\nbad\ntwo", 4, 3}} {
		c, err := Dial(t.Context(), target)
		require.NoError(t, err)
		var said strings.Builder
		code, err := c.Relay(t.Context(), strings.NewReader(test.requests), &said, patient)
		require.NoError(t, err)
		require.Equal(t, test.code, code)
		require.Equal(t, test.replies, strings.Count(said.String(), "\n"))
		require.NoError(t, c.Close())
	}
}

func TestNoReply(t *testing.T) {
	for answer, want := range map[string]error{
		"":                                 ErrNoReply,
		"HTTP/1.1 400\n":                   errMalformed,
		"{}\n":                             errMalformed,
		`{"command":"x","statusCode":0,"x`: io.ErrUnexpectedEOF,
	} {
		c, err := Dial(t.Context(), daemon(t, func(string) string { return answer }))
		require.NoError(t, err)
		_, err = c.Relay(t.Context(), strings.NewReader("x"), io.Discard, 0)
		require.ErrorIs(t, err, want, answer)
		require.NoError(t, c.Close())
	}
}

// What the daemon turns away at once may fail to be sent, or to be half-closed: it is the same to a person. Requests that
// cannot be read are their own fault.
func TestTurnedAway(t *testing.T) {
	connected := make(chan struct{})
	target := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		<-connected
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	for range 50 {
		c, err := Dial(t.Context(), target)
		require.NoError(t, err)
		connected <- struct{}{}
		_, err = c.Relay(t.Context(), strings.NewReader(`{"command":"version"}`), io.Discard, 0)
		require.ErrorIs(t, err, ErrNoReply)
		require.NoError(t, c.Close())
	}
	unread := errors.New("cannot be read")
	sent := make(chan error, 1)
	sent <- unread
	require.ErrorIs(t, withoutReply(sent), unread)
}

func TestTimeoutAndInterrupt(t *testing.T) {
	held := make(chan struct{})
	defer close(held)
	target := daemon(t, func(string) string { <-held; return "" })
	c, err := Dial(t.Context(), target)
	require.NoError(t, err)
	_, err = c.Relay(t.Context(), strings.NewReader("x"), io.Discard, time.Millisecond)
	var late *TimeoutError
	require.ErrorAs(t, err, &late)
	require.EqualError(t, err, "no reply within 1ms")

	ctx, cancel := context.WithCancel(t.Context())
	again, err := Dial(t.Context(), target)
	require.NoError(t, err)
	cancel()
	_, err = again.Relay(ctx, strings.NewReader("x"), io.Discard, 0)
	require.ErrorIs(t, err, context.Canceled)
	_, err = again.Ask(ctx, []byte("x"), io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, errors.Join(c.Close(), again.Close()))
}

func TestToken(t *testing.T) {
	target := daemon(t, func(line string) string {
		if line == `{"command":"auth","token":"right"}` {
			return `{"command":"auth","statusCode":0}` + "\n"
		}
		return `{"statusCode":19}` + "\n"
	})
	target.Token = "right"
	c, err := Dial(t.Context(), target)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	target.Token = "wrong"
	_, err = Dial(t.Context(), target)
	require.ErrorIs(t, err, ErrTokenRefused)
}

func TestNobodyThere(t *testing.T) {
	var nobody *NobodyThereError
	_, err := Dial(t.Context(), Target{Network: "unix", Address: filepath.Join(t.TempDir(), "none")})
	require.ErrorAs(t, err, &nobody)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = Dial(t.Context(), Target{Network: "tcp", Address: listener.Addr().String()})
	require.ErrorAs(t, err, &nobody)
}

// FuzzReply: whatever is there in place of a daemon, reading it ends.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"command":"status","reqId":"1","statusCode":12,"x":1}` + "\n"))
	f.Add([]byte(`{"command":{"statusCode":0},"event":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader(strings.NewReader(string(data)))
		var copied strings.Builder
		for {
			if _, err := r.next(&copied); err != nil {
				break
			}
		}
		require.True(t, strings.HasPrefix(string(data), copied.String()))
	})
}
