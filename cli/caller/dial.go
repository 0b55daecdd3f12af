// Package caller is a client of the command socket (docs/socket-protocol.md): it connects, presents a token, sends
// requests and hands on the replies. It does not know the commands beyond auth, and passes requests and replies on as
// they are: a reply with a large attachment is never whole in memory.
package caller

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// connecting bounds the time until a connection stands.
const connecting = 10 * time.Second

// Target is where a daemon listens, and what it wants of its clients.
type Target struct {
	Network string // "tcp" or "unix"
	Address string
	TLS     *tls.Config // nil for none
	Token   string      // empty for none
}

// NobodyThereError is a place where no daemon listens.
type NobodyThereError struct{ Target Target }

func (e *NobodyThereError) Error() string { return "no daemon listens on " + e.Target.Address }

// Connection is a connection to a daemon. It belongs to one goroutine at a time.
type Connection struct {
	conn    net.Conn
	replies *reader
}

// Dial connects and presents the token.
func Dial(ctx context.Context, target Target) (*Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, target.Network, target.Address)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil, &NobodyThereError{target}
	case err != nil:
		return nil, fmt.Errorf("cannot connect to the daemon: %w", err)
	}
	if target.TLS != nil && target.Network == "tcp" {
		secured := tls.Client(conn, target.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("TLS with the daemon at %s%s: %w", target.Address, doubt(err), err)
		}
		conn = secured
	}
	c := &Connection{conn: conn, replies: newReader(conn)}
	if err := c.authenticate(ctx, target.Token); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// doubt is for what a daemon does that speaks no TLS.
func doubt(err error) string {
	var header tls.RecordHeaderError
	if errors.Is(err, io.EOF) || errors.As(err, &header) {
		return " (does it speak TLS?)"
	}
	return ""
}

// Close ends the connection; whatever waits on it returns.
func (c *Connection) Close() error { return c.conn.Close() }

// PinnedTo trusts the certificate in a PEM file and no other, whatever names it has.
func PinnedTo(file string) (*tls.Config, error) {
	config, err := trusting(file)
	if err != nil {
		return nil, err
	}
	want := config.leaf
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		//nolint:gosec // the comparison below takes the place of the usual verification
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, want.Raw) {
				return fmt.Errorf("the daemon's certificate is not the one in %s", file)
			}
			return nil
		},
	}, nil
}

// SignedBy trusts certificates of the CA in a PEM file, for a host.
func SignedBy(file, host string) (*tls.Config, error) {
	config, err := trusting(file)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.pool, ServerName: host}, nil
}

type trust struct {
	pool *x509.CertPool
	leaf *x509.Certificate // the first
}

func trusting(file string) (trust, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return trust{}, err
	}
	certificates, err := parseCertificates(content)
	if err != nil {
		return trust{}, fmt.Errorf("%s: %w", file, err)
	}
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return trust{pool, certificates[0]}, nil
}
