package signalcore

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
	"signalbox/signalcore/store"
)

// turns counts a loop's signs of life.
type turns struct {
	t  testing.TB
	mu sync.Mutex
	n  int
	// one is for each turn that somebody waits for.
	one chan struct{}
}

func newTurns(t testing.TB) *turns { return &turns{t: t, one: make(chan struct{})} }

func (n *turns) turn() {
	n.mu.Lock()
	n.n++
	n.mu.Unlock()
	select {
	case n.one <- struct{}{}:
	default:
	}
}

func (n *turns) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.n
}

// awaitMore waits until the loop has turned some times more.
func (n *turns) awaitMore() {
	n.t.Helper()
	patience := time.After(soon)
	for range 5 {
		select {
		case <-n.one:
		case <-patience:
			n.t.Fatal("the loop shows no sign of life")
		}
	}
}

// follow has a party's loop show itself often.
func (p *party) follow() *turns {
	n := newTurns(p.t)
	p.progress.told, p.progress.every = n.turn, time.Millisecond
	return n
}

// run is Run until the test ends.
func (p *party) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	p.t.Cleanup(func() { cancel(); running.Wait() })
}

func TestProgressWithoutAnAccount(t *testing.T) {
	p := &party{t: t, world: newWorld(t), clock: &testClock{now: time.Now()}}
	p.open(t.TempDir())
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	n := p.follow()
	p.run()
	n.awaitMore()
	state, reason := p.Connection()
	require.EqualValues(t, "notLinked", state)
	require.NotEmpty(t, reason)
}

func TestProgressWhileOffline(t *testing.T) {
	w := newWorld(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, nobody.Close())
	w.env.ChatURL = "https://" + nobody.Addr().String()
	p := w.newParty(t, "+14155550100")
	n := p.follow()
	p.run()
	n.awaitMore()
	require.Eventually(t, func() bool { _, reason := p.Connection(); return reason != "" }, soon, time.Millisecond)
	n.awaitMore()
	state, _ := p.Connection()
	require.EqualValues(t, "connecting", state)
}

func TestProgressStopsWhileTheLoopHangs(t *testing.T) {
	alice, bob := pair(t)
	n := bob.follow()
	hung, release := make(chan struct{}), make(chan struct{})
	var free sync.Once
	t.Cleanup(func() { free.Do(func() { close(release) }) })
	bob.receiver.fault = func(*arrival) error {
		close(hung)
		<-release
		return nil
	}
	bob.online()
	n.awaitMore() // nothing arrives, and that is well

	alice.posts(bob, newLetter(alice, bob).text("one"))
	await(t, hung, func(struct{}) bool { return true })
	before := n.count()
	for range 100 {
		time.Sleep(bob.progress.every) // what would turn by itself has had the time to
	}
	require.Equal(t, before, n.count())
	free.Do(func() { close(release) })
	bob.awaitEmpty()
	n.awaitMore()
	require.False(t, bob.Status(t.Context()).LastLoopStep.IsZero())
}

func TestProgressWhileTheDiskIsFull(t *testing.T) {
	alice, bob := pair(t)
	n := bob.follow()
	bob.receiver.fault = func(*arrival) error { return store.ErrDiskFull }
	events := bob.watch()
	bob.online()
	alice.posts(bob, newLetter(alice, bob).text("one"))
	await(t, events, func(e model.Event) bool { return e.Connection != nil && e.Connection.State == "paused" })
	n.awaitMore()
	require.Equal(t, 1, bob.waiting())
}

func TestDuring(t *testing.T) {
	failure := errors.New("failure")
	for name, test := range map[string]struct{ result, want error }{
		"success":             {},
		"failure":             {failure, failure},
		"another's deadline":  {context.DeadlineExceeded, context.DeadlineExceeded},
		"a wait that goes on": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTurns(t)
			p := newProgress(Config{Progress: n.turn, Now: time.Now, ProgressEvery: time.Millisecond})
			calls := 0
			err := p.during(t.Context(), func(ctx context.Context) error {
				if calls++; calls <= 3 && name == "a wait that goes on" {
					<-ctx.Done()
					return ctx.Err()
				}
				return test.result
			})
			require.Equal(t, test.want, err)
			require.Equal(t, calls, n.count())
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := newProgress(Config{Now: time.Now})
	require.Equal(t, progressEvery, p.every)
	require.ErrorIs(t, p.during(ctx, func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}), context.Canceled)
}

func TestRest(t *testing.T) {
	p := newProgress(Config{Now: time.Now, ProgressEvery: time.Millisecond})
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	require.NoError(t, p.rest(t.Context(), wake, 0))
	require.NoError(t, p.rest(t.Context(), wake, 5*time.Millisecond))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.rest(ended, wake, time.Hour), context.Canceled)
}
