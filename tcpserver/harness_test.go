package tcpserver

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/commands"
	"signalbox/commands/signaltest"
	"signalbox/lenientjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; nothing waits that long when all is well.
const patience = time.Minute

// daemon is a server over a fake Signal client.
type daemon struct {
	t       testing.TB
	signal  *signaltest.Client
	server  *Server
	spool   string
	address string // of the TCP listener
	unix    string
	stop    func() error // shuts down, and waits; may be called again
	log     *logBuffer
}

type logBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

type setup struct {
	config  Config
	options commands.Options
}

func start(t testing.TB, change func(*setup)) *daemon {
	d := &daemon{t: t, signal: signaltest.New(), log: &logBuffer{}, spool: t.TempDir()}
	d.unix = filepath.Join(t.TempDir(), "s")
	log := zerolog.New(d.log).Level(zerolog.DebugLevel)
	s := setup{config: DefaultConfig(), options: commands.Options{CommandTimeout: time.Minute, Log: log}}
	s.config.Address, s.config.UnixSocket, s.config.Log = "127.0.0.1:0", d.unix, log
	spool, err := lenientjson.NewDirSpool(d.spool)
	require.NoError(t, err)
	s.config.Parser.Spool = spool
	if change != nil {
		change(&s)
	}
	d.server = New(s.config, commands.New(d.signal, s.options))
	require.NoError(t, d.server.Listen())
	d.address = d.server.Addrs()[0].String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.server.Run(ctx) }()
	var once sync.Once
	var result error
	d.stop = func() error {
		once.Do(func() {
			cancel()
			select {
			case result = <-done:
			case <-time.After(2 * patience):
				t.Fatal("the server does not stop")
			}
		})
		return result
	}
	t.Cleanup(func() { _ = d.stop() })
	return d
}

// client is one connection to a daemon.
type client struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

func (d *daemon) dial() *client { return dial(d.t, "tcp", d.address) }

func (d *daemon) dialUnix() *client { return dial(d.t, "unix", d.unix) }

func dial(t testing.TB, network, address string) *client {
	c, err := net.Dial(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &client{t: t, Conn: c, in: bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, text)
	require.NoError(c.t, err)
}

// line returns the next line, without its end.
func (c *client) line() string {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	text, err := c.in.ReadString('\n')
	require.NoError(c.t, err, "got %q", text)
	return text[:len(text)-1]
}

// ask sends a command and returns its reply.
func (c *client) ask(text string) string {
	c.t.Helper()
	c.send(text)
	return c.line()
}

// rest reads to the end of the stream.
func (c *client) rest() string {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	text, err := io.ReadAll(c.in)
	require.NoError(c.t, err)
	return string(text)
}

func (c *client) closeWrite() {
	require.NoError(c.t, c.Conn.(interface{ CloseWrite() error }).CloseWrite())
}

// code returns a reply's status code.
func code(t testing.TB, reply string) int {
	t.Helper()
	var r struct {
		StatusCode   *int   `json:"statusCode"`
		ErrorMessage string `json:"errorMessage"`
	}
	require.NoError(t, json.Unmarshal([]byte(reply), &r), "%q", reply)
	require.NotNil(t, r.StatusCode, "%q", reply)
	require.Equal(t, *r.StatusCode != 0, r.ErrorMessage != "", "errorMessage goes with errors: %q", reply)
	return *r.StatusCode
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond, what)
}

func newBuffered(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }
