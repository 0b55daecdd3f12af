package tcpserver

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/commands/signaltest"
)

// handOver opens a listener as a service manager does: the daemon gets a copy of the descriptor, and who closes that
// leaves the socket be.
func handOver(t *testing.T, network, address string) net.Listener {
	t.Helper()
	original, err := net.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = original.Close() })
	file, err := original.(interface{ File() (*os.File, error) }).File()
	require.NoError(t, err)
	defer file.Close()
	copied, err := net.FileListener(file)
	require.NoError(t, err)
	t.Cleanup(func() { _ = copied.Close() })
	return copied
}

func TestInheritedExposure(t *testing.T) {
	for name, tc := range map[string]struct {
		address string
		change  func(*Config)
		refused bool
	}{
		"loopback":                 {address: "127.0.0.1:0"},
		"all interfaces":           {address: "0.0.0.0:0", refused: true},
		"all of IPv6":              {address: ":0", refused: true},
		"with TLS alone":           {address: ":0", change: func(c *Config) { c.TLS = &tls.Config{} }, refused: true},
		"with a token":             {address: ":0", change: func(c *Config) { c.HasToken = true }},
		"with client certificates": {address: ":0", change: func(c *Config) { c.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert} }},
		"with its eyes wide open":  {address: ":0", change: func(c *Config) { c.InsecureNoAuth = true }},
	} {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			config.Inherited = []net.Listener{handOver(t, "tcp", "127.0.0.1:0"), handOver(t, "tcp", tc.address)}
			if tc.change != nil {
				tc.change(&config)
			}
			s := New(config, commands.New(signaltest.New(), commands.Options{}))
			err := s.Listen()
			if !tc.refused {
				require.NoError(t, err)
				require.Len(t, s.Addrs(), 2)
				s.Close()
			} else {
				require.ErrorIs(t, err, ErrExposed)
				require.Empty(t, s.Addrs())
			}
			for _, l := range config.Inherited {
				_, err := l.Accept()
				require.ErrorIs(t, err, net.ErrClosed)
			}
		})
	}
}

func TestInheritedServe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	overTCP, overUnix := handOver(t, "tcp", "127.0.0.1:0"), handOver(t, "unix", path)
	d := start(t, func(s *setup) { s.config.Inherited = []net.Listener{overTCP, overUnix} })
	require.Len(t, d.server.Addrs(), 4)
	for network, address := range map[string]string{"tcp": overTCP.Addr().String(), "unix": path} {
		require.Equal(t, 0, code(t, dial(t, network, address).ask(`{command:'version'}`)))
	}
	require.NoError(t, d.stop())
	require.FileExists(t, path, "the socket is the service manager's")
	require.NoFileExists(t, d.unix)
	waiting := dial(t, "unix", path)
	waiting.send("{command:'version'}") // it stays open for the next daemon
}

func TestInheritedTLS(t *testing.T) {
	inherited := handOver(t, "tcp", "127.0.0.1:0")
	d := start(t, func(s *setup) { s.config.TLS, s.config.Inherited = &tls.Config{}, []net.Listener{inherited} })
	plain := dial(t, "tcp", inherited.Addr().String())
	plain.send("{command:'version'}\n")
	require.NoError(t, plain.SetReadDeadline(time.Now().Add(patience)))
	answer, _ := io.ReadAll(plain.in) // closed or reset
	require.NotContains(t, string(answer), "statusCode")
	require.NoError(t, d.stop())
}

func TestInheritedForeignSocket(t *testing.T) {
	s := New(Config{MaxConnections: 1, Inherited: []net.Listener{foreignListener{}}}, nil)
	require.ErrorContains(t, s.Listen(), "vsock")
}

type foreignListener struct{ net.Listener }

func (foreignListener) Addr() net.Addr { return foreignAddr{} }
func (foreignListener) Close() error   { return nil }

type foreignAddr struct{ net.Addr }

func (foreignAddr) Network() string { return "vsock" }

func TestLimitedByMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	for mode, limited := range map[os.FileMode]bool{0o600: true, 0o660: true, 0o666: false, 0o662: false} {
		require.NoError(t, os.Chmod(path, mode))
		require.Equal(t, limited, limitedByMode(path), "%o", mode)
	}
	require.False(t, limitedByMode("@abstract"))
	require.False(t, limitedByMode(t.TempDir()), "no socket")
}
