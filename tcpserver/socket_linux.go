package tcpserver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// tableTCP is the kernel's table of sockets (proc(5)); with a 6 at the end, that of IPv6. It is named by way of the
// process itself: /proc/net is not there where the unit says ProcSubset=pid.
const tableTCP = "/proc/self/net/tcp"

// socket is the system's view of a connection. The zero value knows nothing, and assumes the best.
type socket struct {
	raw         syscall.RawConn
	unix        bool
	local, peer netip.AddrPort
}

func newSocket(client net.Conn) socket {
	system, ok := client.(syscall.Conn)
	if !ok {
		return socket{}
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return socket{}
	}
	s := socket{raw: raw}
	_, s.unix = client.(*net.UnixConn)
	if local, ok := client.LocalAddr().(*net.TCPAddr); ok {
		s.local = local.AddrPort()
	}
	if peer, ok := client.RemoteAddr().(*net.TCPAddr); ok {
		s.peer = peer.AddrPort()
	}
	return s
}

func (s socket) control(f func(fd int) error) error {
	if s.raw == nil {
		return nil
	}
	var err error
	if outer := s.raw.Control(func(fd uintptr) { err = f(int(fd)) }); outer != nil {
		return outer
	}
	return err
}

// sameUser reports whether the peer of a unix socket is this process's user.
func (s socket) sameUser() bool {
	same := false
	err := s.control(func(fd int) error {
		peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		same = err == nil && int(peer.Uid) == os.Getuid()
		return err
	})
	return err == nil && same
}

// events polls for errors, hang-ups, and the end of what the peer sends.
func (s socket) events() (int16, error) {
	var events int16
	err := s.control(func(fd int) error {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, err := unix.Poll(fds, 0)
		events = fds[0].Revents
		return err
	})
	if err == unix.EINTR {
		err = nil
	}
	return events, err
}

// gone reports whether nobody will read what is written: the connection was reset, or a unix socket's peer is closed.
// A TCP client that only ended its sending side looks like one that has exited, until something is written to it;
// where it is on this machine, the kernel's table tells whether a process still holds its socket.
func (s socket) gone() bool {
	events, err := s.events()
	switch {
	case err != nil:
		return true
	case events&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0:
		return true
	case events&unix.POLLRDHUP == 0 || !s.peer.IsValid():
		return false
	}
	return orphaned(tableTCP, s.peer, s.local) || orphaned(tableTCP+"6", s.peer, s.local)
}

// unacknowledged returns how many bytes the peer has not acknowledged (TCP) or read (unix). An error means that they
// will never be.
func (s socket) unacknowledged() (int, error) {
	left := 0
	err := s.control(func(fd int) (err error) {
		left, err = unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		return err
	})
	if err != nil {
		return 0, err
	}
	events, err := s.events()
	bad := int16(unix.POLLERR | unix.POLLNVAL)
	if !s.unix {
		bad |= unix.POLLHUP // a unix socket's peer may have read everything and closed
	}
	if err == nil && events&bad != 0 {
		err = errGone
	}
	return left, err
}

// orphaned reports whether a socket is in the kernel's table with no inode: no process has it
// open any more.
func orphaned(table string, local, remote netip.AddrPort) bool {
	file, err := os.Open(table)
	if err != nil {
		return false
	}
	defer file.Close()
	from, to := tableAddress(table, local), tableAddress(table, remote)
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if len(fields) > 9 && fields[1] == from && fields[2] == to {
			return fields[9] == "0"
		}
	}
	return false
}

// tableAddress writes an address as the table does: 32-bit words in the machine's order, and the port.
func tableAddress(table string, a netip.AddrPort) string {
	ip := a.Addr().Unmap().AsSlice()
	if strings.HasSuffix(table, "6") {
		long := a.Addr().As16()
		ip = long[:]
	}
	var out strings.Builder
	for ; len(ip) >= 4; ip = ip[4:] {
		fmt.Fprintf(&out, "%08X", binary.NativeEndian.Uint32(ip))
	}
	fmt.Fprintf(&out, ":%04X", a.Port())
	return out.String()
}
