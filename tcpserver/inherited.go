package tcpserver

import (
	"fmt"
	"net"
	"os"
)

// inherit takes over a listener that the service manager opened (sd_listen_fds(3)). It is held to the rules of our own:
// TLS and a token beyond loopback, and the daemon's own user on a unix socket that everybody may open.
func (s *Server) inherit(inherited net.Listener) (*listener, error) {
	switch address := inherited.Addr().(type) {
	case *net.TCPAddr:
		if err := s.checkExposure(address.String()); err != nil {
			return nil, err
		}
		return &listener{Listener: inherited, tls: s.config.TLS}, nil
	case *net.UnixAddr:
		others := limitedByMode(address.Name)
		if !others {
			s.config.Log.Warn().Str("address", address.Name).
				Msg("everybody may open this unix socket, so only the daemon's own user is served: set SocketMode=0660")
		}
		return &listener{Listener: inherited, unix: true, others: others}, nil
	default:
		return nil, fmt.Errorf("cannot serve a %s socket: only TCP and unix sockets", address.Network())
	}
}

// limitedByMode reports whether a unix socket's file keeps some users out. Who may open it was then somebody's decision:
// with a daemon whose user is made up at each start, the mode and group are the only way to let a client in.
func limitedByMode(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0 && info.Mode().Perm()&0o002 == 0
}
