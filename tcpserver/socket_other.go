//go:build !linux

package tcpserver

import "net"

// socket knows nothing on systems other than Linux: a reply counts as delivered once it is written, a client that is
// gone is noticed when it is read from or written to, and a unix socket is guarded by its file's mode alone.
type socket struct{}

func newSocket(net.Conn) socket             { return socket{} }
func (socket) sameUser() bool               { return true }
func (socket) gone() bool                   { return false }
func (socket) unacknowledged() (int, error) { return 0, nil }
