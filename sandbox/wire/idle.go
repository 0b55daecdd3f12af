package wire

import "time"

// idleTimer ends a socket on which nothing was said for a while. Nil is one that never does.
type idleTimer struct {
	after time.Duration
	timer *time.Timer
}

// endWhenIdle begins to watch; before serve.
func (s *Socket) endWhenIdle(after time.Duration) {
	const never = 1 << 62 // until the socket knows its timer
	s.idle = &idleTimer{after, time.AfterFunc(never, func() { s.Close(CloseIdle, "Connection Idle Timeout") })}
	s.idle.stir()
}

func (t *idleTimer) stir() {
	if t != nil {
		t.timer.Reset(t.after)
	}
}

func (t *idleTimer) stop() {
	if t != nil {
		t.timer.Stop()
	}
}
