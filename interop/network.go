package interop

import (
	"io"
	"net"
	"sync"
)

// network is signalbox's way to the sandbox: connections pass through it unread, and it can be cut, or gone, while the
// people there go on.
type network struct {
	target, address string
	running         sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while it is gone
	conns    map[net.Conn]struct{}
}

func newNetwork(address, target string) (*network, error) {
	n := &network{target: target, address: address, conns: map[net.Conn]struct{}{}}
	return n, n.comeBack()
}

// comeBack lets connections through again.
func (n *network) comeBack() error {
	listener, err := net.Listen("tcp", n.address)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listener = listener
	n.running.Go(func() { n.accept(listener) })
	return nil
}

func (n *network) accept(listener net.Listener) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		n.running.Go(func() { n.carry(from) })
	}
}

func (n *network) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", n.target)
	if err != nil {
		return
	}
	defer to.Close()
	if !n.keep(from) {
		return
	}
	defer n.forget(from)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(from, to)
		_ = from.Close()
	})
	_, _ = io.Copy(to, from)
	_ = to.Close()
	back.Wait()
}

// keep tells whether the network is still there.
func (n *network) keep(conn net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[conn] = struct{}{}
	return n.listener != nil
}

func (n *network) forget(conn net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, conn)
}

// drop cuts all connections, and answers how many there were.
func (n *network) drop() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	for conn := range n.conns {
		_ = conn.Close()
	}
	return len(n.conns)
}

// goAway cuts all connections and takes no more, until comeBack.
func (n *network) goAway() {
	n.mu.Lock()
	if n.listener != nil {
		_ = n.listener.Close()
		n.listener = nil
	}
	n.mu.Unlock()
	n.drop()
}

// close ends it and waits.
func (n *network) close() {
	n.goAway()
	n.running.Wait()
}
