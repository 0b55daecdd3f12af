package tcpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/commands/signaltest"
)

func withToken(s *setup) { s.options.Token = "correct horse" }

func TestToken(t *testing.T) {
	d := start(t, withToken)
	t.Run("auth first", func(t *testing.T) {
		c := d.dial()
		require.Equal(t, 19, code(t, c.ask(`{command:'version'}`)))
		require.Equal(t, 19, code(t, c.ask(`{command:'auth'}`)))
		require.Equal(t, 19, code(t, c.ask(`{command:'auth',token:'battery staple'}`)))
		require.Equal(t, `{"command":"auth","reqId":"1","statusCode":0}`, c.ask(`{command:'auth',reqId:1,token:'correct horse'}`))
		require.Equal(t, 0, code(t, c.ask(`{command:'version'}`)))
	})
	t.Run("with each request", func(t *testing.T) {
		c := d.dial()
		require.Equal(t, 0, code(t, c.ask(`{command:'version',token:'correct horse'}`)))
		require.Equal(t, 19, code(t, c.ask(`{command:'version'}`)))
		require.Equal(t, 19, code(t, c.ask(`{command:'nonsense'}`)), "what commands there are is nobody's business")
	})
	t.Run("five failures", func(t *testing.T) {
		c := d.dial()
		c.send(strings.Repeat(`{command:'auth',token:'x'}`, 4))
		for range 4 {
			require.Equal(t, 19, code(t, c.line()))
		}
		c.send(strings.Repeat(`{command:'auth',token:'x'}`, 3))
		require.Equal(t, 1, strings.Count(c.rest(), `"statusCode":19`), "hung up after the fifth")
	})
	require.NotContains(t, d.log.String(), "horse")
	require.NotContains(t, d.log.String(), "battery")
}

func TestExposure(t *testing.T) {
	for name, tc := range map[string]struct {
		address string
		change  func(*Config)
		refused bool
	}{
		"loopback":                   {address: "127.0.0.1:0"},
		"another loopback":           {address: "127.0.0.2:0"},
		"localhost":                  {address: "localhost:0"},
		"all interfaces":             {address: ":0", refused: true},
		"0.0.0.0":                    {address: "0.0.0.0:0", refused: true},
		"with a token":               {address: ":0", change: func(c *Config) { c.HasToken = true }},
		"with TLS alone":             {address: ":0", change: func(c *Config) { c.TLS = &tls.Config{} }, refused: true},
		"with client certificates":   {address: ":0", change: func(c *Config) { c.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert} }},
		"with its eyes wide open":    {address: ":0", change: func(c *Config) { c.InsecureNoAuth = true }},
		"not even an address":        {address: "127.0.0.1", refused: true},
		"a name that does not exist": {address: "does-not-exist.invalid:0", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			config.Address = tc.address
			if tc.change != nil {
				tc.change(&config)
			}
			s := New(config, commands.New(signaltest.New(), commands.Options{}))
			err := s.Listen()
			s.Close()
			require.Equal(t, tc.refused, err != nil, "%v", err)
		})
	}
}

func TestUnixSocketFile(t *testing.T) {
	d := start(t, nil)
	info, err := os.Stat(d.unix)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	second := New(Config{UnixSocket: d.unix, MaxConnections: 1}, nil)
	require.ErrorIs(t, second.Listen(), ErrSocketInUse)
	require.Equal(t, 0, code(t, d.dialUnix().ask(`{command:'version'}`)), "the first is not disturbed")
	require.NoError(t, d.stop())
	require.NoFileExists(t, d.unix)

	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.unix, Net: "unix"})
	require.NoError(t, err)
	stale.SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	require.FileExists(t, d.unix)
	third := New(Config{UnixSocket: d.unix, MaxConnections: 1}, nil)
	require.NoError(t, third.Listen(), "a socket that nobody serves is replaced")
	third.Close()

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Error(t, New(Config{UnixSocket: file, MaxConnections: 1}, nil).Listen())
	require.FileExists(t, file)
}

// testCA makes certificates.
type testCA struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *testCA {
	ca := &testCA{t: t, dir: t.TempDir()}
	ca.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return ca
}

// issue writes NAME.pem and NAME.key.
func (ca *testCA) issue(name string, template *x509.Certificate) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(ca.t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	require.NoError(ca.t, err)
	if ca.cert == nil {
		ca.key = private
		ca.cert, err = x509.ParseCertificate(der)
		require.NoError(ca.t, err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	require.NoError(ca.t, err)
	cert, key = filepath.Join(ca.dir, name+".pem"), filepath.Join(ca.dir, name+".key")
	require.NoError(ca.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(ca.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	return cert, key
}

func TestTLS(t *testing.T) {
	ca := newCA(t)
	cert, key := ca.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	clientCert, clientKey := ca.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	pair, err := tls.LoadX509KeyPair(clientCert, clientKey)
	require.NoError(t, err)

	for name, clientCA := range map[string]string{"server only": "", "both sides": filepath.Join(ca.dir, "ca.pem")} {
		t.Run(name, func(t *testing.T) {
			config, err := LoadTLS(TLSFiles{Cert: cert, Key: key, ClientCA: clientCA})
			require.NoError(t, err)
			d := start(t, func(s *setup) { s.config.TLS = config })
			secure, err := tls.Dial("tcp", d.address, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}})
			require.NoError(t, err)
			c := &client{t: t, Conn: secure, in: nil}
			c.in = newBuffered(secure)
			defer c.Close()
			c.send(`{command:'receive_messages',timeout:-1}`)
			<-d.signal.Waiting()
			require.NoError(t, secure.CloseWrite())
			d.signal.Deliver(signaltest.Text("1", "x"))
			require.Contains(t, c.rest(), `"body":"x"`)
			eventually(t, "acknowledged", func() bool { all, _ := d.signal.Left(); return all == 0 })

			if clientCA != "" {
				bare, err := tls.Dial("tcp", d.address, &tls.Config{RootCAs: roots})
				if err == nil {
					_, err = io.ReadAll(bare)
					_ = bare.Close()
				}
				require.Error(t, err, "no certificate, no service")
			}
			plain := d.dial()
			plain.send("{command:'version'}\n")
			_ = plain.SetReadDeadline(time.Now().Add(patience))
			answer, _ := io.ReadAll(plain.in)
			require.NotContains(t, string(answer), "statusCode")
		})
	}
}

func TestLoadTLS(t *testing.T) {
	config, err := LoadTLS(TLSFiles{})
	require.NoError(t, err)
	require.Nil(t, config)
	ca := newCA(t)
	cert, key := ca.issue("server", &x509.Certificate{})
	for _, files := range []TLSFiles{
		{Cert: cert}, {Key: key}, {ClientCA: cert}, {Cert: key, Key: cert}, {Cert: cert, Key: key, ClientCA: "missing"},
		{Cert: cert, Key: key, ClientCA: key},
	} {
		_, err := LoadTLS(files)
		require.Error(t, err, "%+v", files)
	}
}
