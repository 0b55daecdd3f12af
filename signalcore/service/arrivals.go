package service

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

const (
	maxQueuedRequests = 1024
	maxQueuedBytes    = 4 << 20
)

// incoming is a request of the service to us.
type incoming struct {
	id         uint64
	path       string
	header     http.Header
	body       []byte
	queueEmpty bool
}

// arrivals holds what the reader got until the receiver takes it. When it is full the reader stops reading, and so,
// before long, the service writing. One goroutine pushes and one takes.
type arrivals struct {
	mu      sync.Mutex
	items   []incoming
	bytes   int
	arrived chan struct{}
	freed   chan struct{}

	// For the keepalive: whether the reader waits for room, and how often it has got some.
	blocked atomic.Bool
	resumed atomic.Uint64
}

func newArrivals() *arrivals {
	return &arrivals{arrived: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
}

// push adds an item as soon as there is room. It reports false when done is closed first.
func (a *arrivals) push(item incoming, done <-chan struct{}) bool {
	for {
		if a.tryPush(item) {
			signal(a.arrived)
			return true
		}
		a.blocked.Store(true)
		select {
		case <-a.freed:
		case <-done:
			return false
		}
		a.resumed.Add(1)
		a.blocked.Store(false)
	}
}

func (a *arrivals) tryPush(item incoming) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	full := len(a.items) >= maxQueuedRequests || a.bytes+len(item.body) > maxQueuedBytes
	if full && len(a.items) > 0 {
		return false
	}
	a.items = append(a.items, item)
	a.bytes += len(item.body)
	return true
}

// take waits until something has arrived, and returns up to count items of up to size bytes together (one at least). A
// queue-empty mark ends what is taken.
func (a *arrivals) take(ctx context.Context, done <-chan struct{}, count, size int) ([]incoming, error) {
	for {
		if items := a.tryTake(count, size); len(items) > 0 {
			signal(a.freed)
			return items, nil
		}
		select {
		case <-a.arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-done:
			return nil, ErrClosed
		}
	}
}

func (a *arrivals) tryTake(count, size int) []incoming {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, bytes := 0, 0
	for n < len(a.items) && n < count {
		if n > 0 && bytes+len(a.items[n].body) > size {
			break
		}
		bytes += len(a.items[n].body)
		n++
		if a.items[n-1].queueEmpty {
			break
		}
	}
	taken := make([]incoming, n)
	copy(taken, a.items)
	rest := copy(a.items, a.items[n:])
	clear(a.items[rest:])
	a.items = a.items[:rest]
	a.bytes -= bytes
	return taken
}

// signal wakes whoever waits on a channel of capacity one, or who will.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
