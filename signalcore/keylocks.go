package signalcore

import (
	"context"
	"sync"
)

// keyLocks lets one holder at a time work under a name.
type keyLocks struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

func newKeyLocks() *keyLocks { return &keyLocks{held: make(map[string]chan struct{})} }

// lock waits until the name is free, and returns what frees it again.
func (k *keyLocks) lock(ctx context.Context, name string) (release func(), err error) {
	for {
		k.mu.Lock()
		busy, taken := k.held[name]
		if !taken {
			mine := make(chan struct{})
			k.held[name] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, name)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
