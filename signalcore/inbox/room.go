package inbox

import (
	"context"
	"time"
)

// Status is what `status` shows.
type Status struct {
	Depth    int
	Bytes    int64
	Leased   int
	Retained int       // acknowledged, and kept for subscribers
	Oldest   time.Time // when the oldest entry arrived; zero where there is none
	Full     bool
}

// Status looks at the inbox.
func (b *Inbox) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := Status{Depth: b.index.count, Bytes: b.index.bytes, Retained: len(b.index.consumed), Full: b.full()}
	for _, l := range b.leases {
		for _, r := range l.refs {
			if s := b.index.find(r); s != nil && s.lease != 0 && b.leases[s.lease] == l {
				st.Leased++
			}
		}
	}
	if at, ok := b.index.oldest(); ok {
		st.Oldest = time.Unix(int64(at), 0)
	}
	return st
}

// oldest is the arrival of the oldest entry that is not consumed, in Unix seconds.
func (x *index) oldest() (at uint32, ok bool) {
	for kind := range x.lanes {
		for _, s := range x.lanes[kind].slots {
			if s.gone || s.consumed {
				continue
			}
			if !ok || s.received < at {
				at, ok = s.received, true
			}
			break // they are in the order of arrival
		}
	}
	return at, ok
}

// full reports it. The caller holds mu.
func (b *Inbox) full() bool { return b.opts.MaxBytes > 0 && b.index.bytes >= b.opts.MaxBytes }

// Full reports whether the receiver should pause: nothing is dropped to make room.
func (b *Inbox) Full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full()
}

// WaitRoom returns once the inbox is not full, or with the context's error.
func (b *Inbox) WaitRoom(ctx context.Context) error {
	for {
		b.mu.Lock()
		full, changed := b.full(), b.changed
		b.mu.Unlock()
		if !full {
			return nil
		}
		if !await(ctx, changed, nil) {
			return ctx.Err()
		}
	}
}
