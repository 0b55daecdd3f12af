package signalcore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
)

const (
	outdatedWait = time.Hour
	// displacedWait is how long to leave the service to another connection of this device before trying again.
	displacedWait = 10 * time.Minute
	// steadyAfter is how long a connection must hold for the next one to be tried at once.
	steadyAfter = 30 * time.Second
	// retryDigits is what a person wants to know of a wait.
	retryDigits = 100 * time.Millisecond
)

// line is one connection to the service: the account's own socket and, apart from it, one that names nobody.
type line struct {
	link      *service.Link
	auth      *service.Authenticated
	anonymous *anonymousLine
}

func (l *line) close() {
	l.anonymous.close()
	_ = l.link.Close()
}

// connector keeps a line open while an account is linked. run belongs to one goroutine; the rest is for any.
type connector struct {
	network  *service.Network
	accounts *accountHolder
	log      zerolog.Logger
	now      func() time.Time
	onState  func(model.ConnectionEvent)
	onReject func(reason string) error // the service does not know this device any more
	// onFailure hears why a line ended or could not be had.
	onFailure func(error)
	progress  *progress

	mu      sync.Mutex
	current *line
	ready   chan struct{} // closed while there is a line
	state   model.ConnectionState
	reason  string
	since   time.Time
	heard   time.Time // the last frame of former lines
}

func newConnector(network *service.Network, accounts *accountHolder, log zerolog.Logger, now func() time.Time) *connector {
	c := &connector{
		network: network, accounts: accounts, log: log, now: now,
		ready: make(chan struct{}), state: model.StateConnecting, since: now(),
	}
	// Commands may ask before run has had its first turn.
	if !accounts.get().working() {
		c.state, c.reason = model.StateNotLinked, c.unlinkedReason()
	}
	return c
}

// run connects, has serve use each line until it ends, and connects again. It returns when ctx ends.
func (c *connector) run(ctx context.Context, serve func(context.Context, *line) error) {
	policy := service.NewBackoff()
	for ctx.Err() == nil {
		if !c.accounts.get().working() {
			c.setState(model.StateNotLinked, c.unlinkedReason())
			_ = c.progress.rest(ctx, c.accounts.changed, 0)
			continue
		}
		c.setState(model.StateConnecting, "")
		c.progress.turn()
		began := c.now()
		err := c.once(ctx, serve)
		if ctx.Err() != nil {
			break
		}
		if c.now().Sub(began) > steadyAfter {
			policy.Reset()
		}
		_ = c.progress.rest(ctx, c.accounts.changed, c.after(err, policy))
	}
	c.setState(model.StateStopped, "")
}

// once makes one line and serves it to its end.
func (c *connector) once(ctx context.Context, serve func(context.Context, *line) error) error {
	l, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	c.publish(l)
	defer c.publish(nil)
	c.setState(model.StateConnected, "")
	return serve(ctx, l)
}

func (c *connector) open(ctx context.Context) (*line, error) {
	a := c.accounts.get()
	link, err := c.network.Dial(ctx)
	if err != nil {
		return nil, err
	}
	auth, err := link.OpenAuthenticated(ctx, service.DeviceCredentials(a.aci, a.deviceID, a.password))
	if err != nil {
		_ = link.Close()
		return nil, err
	}
	return &line{link: link, auth: auth, anonymous: &anonymousLine{network: c.network}}, nil
}

// after decides what the end of a line means, and how long to wait before the next.
func (c *connector) after(err error, policy *service.Backoff) time.Duration {
	switch {
	case errors.Is(err, service.ErrUnlinked):
		c.log.Warn().Msg("unlinked: the service does not accept this device any more")
		if err := c.onReject("the service does not accept this device any more; link it again"); err == nil {
			return 0
		}
	case errors.Is(err, service.ErrConnectedElsewhere):
		c.log.Warn().Msg("disconnected: this device has connected from elsewhere")
		c.setState(model.StateConnectedElsewhere, "another program is connected as this device")
		return displacedWait
	case errors.Is(err, service.ErrOutdated):
		c.log.Warn().Stringer("retry_in", outdatedWait).Msg("the service asks for a newer version of signalbox")
		c.setState(model.StateConnecting, "the service asks for a newer version of signalbox")
		return outdatedWait
	}
	if c.onFailure != nil {
		c.onFailure(err)
	}
	wait := policy.Next()
	message := "not connected"
	if before, _, _ := c.snapshot(); before == model.StateConnected || before == model.StatePaused {
		message = "disconnected"
	}
	c.setState(model.StateConnecting, errorText(err))
	c.log.Info().Err(err).Stringer("retry_in", wait.Round(retryDigits)).Msg(message)
	return wait
}

// errorText is why there is no connection: without saying that there is none, which whoever shows it does.
func errorText(err error) string {
	var network *service.NetworkError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &network) && !network.MayHaveLeft:
		return network.Err.Error()
	}
	return err.Error()
}

func (c *connector) unlinkedReason() string {
	if a := c.accounts.get(); a != nil {
		return a.unlinkedWhy
	}
	return "no account is linked here: run signalbox link, or send start_link"
}

// publish makes a line known to those that wait for one, or takes it back.
func (c *connector) publish(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		c.heard = c.current.auth.LastFrame()
	}
	c.current = l
	if l != nil {
		close(c.ready)
		return
	}
	c.ready = make(chan struct{})
}

// line waits for a connection until patience or ctx ends, whichever is first. Nothing has left when it fails.
func (c *connector) line(ctx context.Context, patience time.Duration) (*line, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		c.mu.Lock()
		current, ready, reason := c.current, c.ready, c.reason
		c.mu.Unlock()
		if current != nil {
			return current, nil
		}
		if _, err := c.accounts.working(); err != nil {
			return nil, err
		}
		select {
		case <-ready:
		case <-timer.C:
			return nil, &service.NetworkError{Err: notConnectedError{reason}}
		case <-ctx.Done():
			return nil, &service.NetworkError{Err: ctx.Err()}
		}
	}
}

// notConnectedError says that there is no connection, and why the last one failed.
type notConnectedError struct{ reason string }

func (e notConnectedError) Error() string {
	if e.reason == "" {
		return "not connected to the service"
	}
	return "not connected to the service: " + e.reason
}

// setState records a change and tells it; a repeated state only updates its reason.
func (c *connector) setState(state model.ConnectionState, reason string) {
	c.mu.Lock()
	before := c.state
	changed := before != state
	if changed {
		c.state, c.since = state, c.now()
	}
	if changed || reason != "" {
		c.reason = reason
	}
	c.mu.Unlock()
	if !changed {
		return
	}
	c.note(before, state, reason)
	if c.onState != nil {
		c.onState(model.ConnectionEvent{State: state, Reason: reason, Timestamp: uint64(c.now().UnixMilli())})
	}
}

// note logs what a change of state means; why a line ended is logged where that is known.
func (c *connector) note(before, state model.ConnectionState, reason string) {
	switch {
	case state == model.StateConnected && before == model.StatePaused:
		c.log.Info().Msg("receiving again")
	case state == model.StateConnected:
		c.log.Info().Msg("connected")
	case state == model.StatePaused:
		c.log.Warn().Str("reason", reason).Msg("receiving is paused")
	case state == model.StateStopped && (before == model.StateConnected || before == model.StatePaused):
		c.log.Info().Msg("disconnected: signalbox is stopping")
	}
}

// connected reports whether there is a line now.
func (c *connector) connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current != nil
}

// pause tells that the connection stands but nothing is taken from it, or, with no reason, that it goes on.
func (c *connector) pause(reason string) {
	switch state, _, _ := c.snapshot(); {
	case reason != "" && (state == model.StateConnected || state == model.StatePaused):
		c.setState(model.StatePaused, reason)
	case reason == "" && state == model.StatePaused:
		c.setState(model.StateConnected, "")
	}
}

// lastFrame is when the service was last heard on the account's own socket.
func (c *connector) lastFrame() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		if at := c.current.auth.LastFrame(); !at.IsZero() {
			return at
		}
	}
	return c.heard
}

func (c *connector) snapshot() (model.ConnectionState, string, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.reason, c.since
}

// waitFor returns when woken, after a time, or when ctx ends. No time at all waits for the other two only where a
// wake-up channel is given.
func waitFor(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-after:
	}
}
