package service

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Backoff says how long to wait before the next attempt: from half a second to a minute, with jitter, so that devices
// which lost the service together do not come back together. It waits for nobody itself.
type Backoff struct {
	policy *backoff.ExponentialBackOff
}

// NewBackoff starts a series of attempts.
func NewBackoff() *Backoff {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = 500 * time.Millisecond
	policy.MaxInterval = time.Minute
	policy.Multiplier = 2
	policy.RandomizationFactor = 0.5
	return &Backoff{policy}
}

// Next returns the wait before the next attempt, longer each time.
func (b *Backoff) Next() time.Duration { return b.policy.NextBackOff() }

// Reset starts over, after a success.
func (b *Backoff) Reset() { b.policy.Reset() }
