package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"

	"signalbox/cli/caller"
)

// callingOptions are those of the commands that talk to a running daemon. Where it listens, and its token, are the
// options that the daemon itself has.
type callingOptions struct {
	TLS        bool   `long:"tls" env:"SIGNALBOX_TLS" description:"the daemon speaks TLS (implied by --tls-cert, whose certificate is then expected, --tls-ca and --client-cert)"`
	CA         string `long:"tls-ca" env:"SIGNALBOX_TLS_CA" value-name:"FILE" description:"expect a certificate from this CA of the daemon (PEM)"`
	ClientCert string `long:"client-cert" env:"SIGNALBOX_CLIENT_CERT" value-name:"FILE" description:"show this certificate to the daemon (PEM)"`
	ClientKey  string `long:"client-key" env:"SIGNALBOX_CLIENT_KEY" value-name:"FILE" description:"the key of --client-cert (PEM)"`
}

// errRefused is a reply that is no success: it has been printed, and says why.
var errRefused = errors.New("the daemon did not do it")

// dialDaemon connects to the daemon that the options describe.
func dialDaemon(ctx context.Context, opts *options) (*caller.Connection, error) {
	target, err := daemonTarget(opts)
	if err != nil {
		return nil, err
	}
	connection, err := caller.Dial(ctx, target)
	var nobody *caller.NobodyThereError
	switch {
	case errors.As(err, &nobody):
		return nil, fmt.Errorf("%w: start it with \"signalbox\" (or \"signalbox --sandbox\", to practise), or say with "+
			"--address and --port, or --unix-socket, where it listens", err)
	case errors.Is(err, caller.ErrTokenRefused):
		return nil, fmt.Errorf("%w in %s", err, opts.Listen.TokenFile)
	}
	return connection, err
}

// daemonTarget prefers the unix socket: it is there for this machine's programs.
func daemonTarget(opts *options) (caller.Target, error) {
	token, err := readToken(opts.Listen.TokenFile)
	if err != nil {
		return caller.Target{}, err
	}
	if opts.Listen.UnixSocket != "" {
		return caller.Target{Network: "unix", Address: opts.Listen.UnixSocket, Token: token}, nil
	}
	if opts.Listen.Port == 0 {
		return caller.Target{}, usagef("--port 0 is any port: name the one that the daemon has")
	}
	host := reachable(opts.Listen.Address)
	config, err := opts.clientTLS(host)
	if err != nil {
		return caller.Target{}, err
	}
	address := net.JoinHostPort(host, strconv.Itoa(opts.Listen.Port))
	return caller.Target{Network: "tcp", Address: address, TLS: config, Token: token}, nil
}

// reachable is an address of this machine for one that means all of them.
func reachable(address string) string {
	ip := net.ParseIP(address)
	switch {
	case address == "", ip != nil && ip.To4() != nil && ip.IsUnspecified():
		return "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		return "::1"
	}
	return address
}

// clientTLS is nil where the daemon speaks none.
func (o *options) clientTLS(host string) (*tls.Config, error) {
	config, err := o.trustedTLS(host)
	if err != nil {
		return nil, &usageError{err}
	}
	if o.Calling.ClientCert == "" && o.Calling.ClientKey == "" {
		return config, nil
	}
	if o.Calling.ClientCert == "" || o.Calling.ClientKey == "" {
		return nil, usagef("--client-cert and --client-key are needed together")
	}
	certificate, err := tls.LoadX509KeyPair(o.Calling.ClientCert, o.Calling.ClientKey)
	if err != nil {
		return nil, usagef("--client-cert: %w", err)
	}
	config.Certificates = []tls.Certificate{certificate}
	return config, nil
}

func (o *options) trustedTLS(host string) (*tls.Config, error) {
	switch {
	case o.Calling.CA != "":
		return caller.SignedBy(o.Calling.CA, host)
	case o.Listen.TLSCert != "":
		return caller.PinnedTo(o.Listen.TLSCert)
	case o.Calling.TLS, o.Calling.ClientCert != "", o.Calling.ClientKey != "":
		return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}, nil
	}
	return nil, nil
}
