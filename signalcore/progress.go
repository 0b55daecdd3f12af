package signalcore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// progressEvery is how often a receive loop that waits shows that it does, unless the configuration says otherwise.
const progressEvery = 10 * time.Second

// progress is the receive loop's sign of life, for a watchdog. Only the loop's own goroutine calls turn and during, no
// timer beside it: so a loop that hangs gives no sign, whatever else still runs.
type progress struct {
	every time.Duration
	now   func() time.Time
	told  func()
	last  atomic.Int64
}

func newProgress(config Config) *progress {
	p := &progress{every: config.ProgressEvery, now: config.Now, told: config.Progress}
	if p.every <= 0 {
		p.every = progressEvery
	}
	return p
}

// turn is called on each turn of the loop.
func (p *progress) turn() {
	p.last.Store(p.now().UnixMilli())
	if p.told != nil {
		p.told()
	}
}

// during waits for what may rightly take long, such as the next message, and takes turns meanwhile. wait is called
// again and again, with a context that ends before long; it must lose nothing then.
func (p *progress) during(ctx context.Context, wait func(context.Context) error) error {
	for {
		p.turn()
		slice, cancel := context.WithTimeout(ctx, p.every)
		err := wait(slice)
		over := slice.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded)
		cancel()
		if !over {
			return err
		}
	}
}

// rest waits until woken, for a time, or for ctx to end. No time at all waits for the other two only.
func (p *progress) rest(ctx context.Context, wake <-chan struct{}, d time.Duration) error {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	return p.during(ctx, func(ctx context.Context) error {
		select {
		case <-wake:
		case <-after:
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	})
}
