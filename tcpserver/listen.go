package tcpserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrExposed is for an address beyond loopback, where nothing asks clients who they are.
var ErrExposed = errors.New("would let anyone on the network send as this account: give --token-file or " +
	"--tls-client-ca, or --insecure-no-auth to do it all the same")

// ErrSocketInUse is for a unix socket that another process serves.
var ErrSocketInUse = errors.New("another process listens there")

// listener is one of the server's listeners.
type listener struct {
	net.Listener
	tls    *tls.Config // nil for none
	unix   bool
	others bool // a unix socket that serves other users than the daemon's own
}

// Listen opens the listeners. After an error none is open.
func (s *Server) Listen() error {
	err := s.listen()
	if err != nil {
		s.Close()
		s.listeners = nil
		for _, inherited := range s.config.Inherited {
			_ = inherited.Close()
		}
	}
	return err
}

func (s *Server) listen() error {
	for _, open := range []func() (*listener, error){s.listenTCP, s.listenUnix} {
		l, err := open()
		if err != nil {
			return err
		}
		if l != nil {
			s.listeners = append(s.listeners, l)
		}
	}
	for _, inherited := range s.config.Inherited {
		l, err := s.inherit(inherited)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// Addrs returns what Listen opened: TCP first, inherited ones last.
func (s *Server) Addrs() []net.Addr {
	var out []net.Addr
	for _, l := range s.listeners {
		out = append(out, l.Addr())
	}
	return out
}

func (s *Server) listenTCP() (*listener, error) {
	address := s.config.Address
	if address == "" {
		return nil, nil
	}
	if err := s.checkExposure(address); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("cannot listen on %s: %w; another program, or another signalbox, has the port: stop it, or "+
			"name another --port", address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return &listener{Listener: l, tls: s.config.TLS}, nil
}

// checkExposure refuses an address that others than this machine reach, where anyone who does may command.
func (s *Server) checkExposure(address string) error {
	if s.config.HasToken || s.config.TLS != nil && s.config.TLS.ClientAuth == tls.RequireAndVerifyClientCert {
		return nil
	}
	loopback, err := isLoopback(address)
	switch {
	case err != nil:
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	case loopback:
		return nil
	case s.config.InsecureNoAuth:
		s.config.Log.Warn().Str("address", address).Msg("anyone who reaches this address can send as this account")
		return nil
	}
	return fmt.Errorf("listening on %s %w", address, ErrExposed)
}

// isLoopback reports whether every address behind host:port is this machine's own. No host means all interfaces.
func isLoopback(address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, err
	}
	if host == "" {
		return false, nil
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return false, err
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return false, nil
		}
	}
	return len(ips) > 0, nil
}

func (s *Server) listenUnix() (*listener, error) {
	path := s.config.UnixSocket
	if path == "" {
		return nil, nil
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	// Until here, another user may have connected: the check of each peer's user id refuses them.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return &listener{Listener: l, unix: true}, nil
}

// removeStale removes a socket that nobody serves, as a killed daemon leaves behind. Anything else is left alone.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return errors.New("there is a file that is no socket")
	}
	client, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = client.Close()
		return ErrSocketInUse
	}
	return os.Remove(path)
}
