package signalcore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"signalbox/signalcore/service"
)

// anonymousLine is the connection for what must not name us: sealed sends, profiles by access key. It is opened at first
// use and again when it was lost, and it is a connection of its own: on the account's the service could tell whose
// requests they are. It is safe for concurrent use.
type anonymousLine struct {
	network *service.Network

	mu     sync.Mutex
	link   *service.Link
	conn   *service.Anonymous
	closed bool
}

// get returns the open socket. Nothing has left when it fails.
func (a *anonymousLine) get(ctx context.Context) (*service.Anonymous, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, &service.NetworkError{Err: service.ErrClosed}
	}
	if a.conn != nil && a.conn.Err() == nil {
		return a.conn, nil
	}
	a.drop()
	link, err := a.network.Dial(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := link.OpenAnonymous(ctx)
	if err != nil {
		_ = link.Close()
		return nil, anonymousLost(err)
	}
	a.link, a.conn = link, conn
	return conn, nil
}

// drop closes what there is. The caller holds mu.
func (a *anonymousLine) drop() {
	if a.link != nil {
		_ = a.link.Close()
	}
	a.link, a.conn = nil, nil
}

// close ends the line for good.
func (a *anonymousLine) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop()
	a.closed = true
}

// anonymousLost turns a refused socket into a lost one: whatever the service has against it says nothing about this
// device, nor about the one to whom something was to go.
func anonymousLost(err error) error {
	if errors.Is(err, service.ErrOutdated) {
		return err
	}
	return &service.NetworkError{Err: fmt.Errorf("the anonymous connection: %v", err)}
}
