package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"signalbox/sandbox/wire"
)

const captchaName = "captcha"

// Switches are the rules that are on. They are safe for concurrent use; nil has none.
type Switches struct {
	mu      sync.Mutex
	rules   []Rule
	hits    int
	changed chan struct{} // closed at the next hit; nil while nobody waits
}

// Set replaces all rules. ErrRule.
func (s *Switches) Set(rules ...Rule) error {
	if len(rules) > maxRules {
		return fmt.Errorf("%w: more than %d", ErrRule, maxRules)
	}
	rules = slices.Clone(rules)
	for i := range rules {
		if err := rules[i].check(); err != nil {
			return err
		}
		rules[i].Hits = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = rules
	return nil
}

// Rules are those that are on, without those that are used up.
func (s *Switches) Rules() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Rule{}, s.rules...)
}

// Hits is how often a fault has befallen somebody.
func (s *Switches) Hits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// Await waits until faults have befallen somebody so often, counted from the beginning.
func (s *Switches) Await(ctx context.Context, hits int) error {
	for {
		s.mu.Lock()
		if s.hits >= hits {
			s.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take returns the first rule that fits, and counts it.
func (s *Switches) take(fits func(*Rule) bool) (Rule, bool) {
	if s == nil {
		return Rule{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.rules {
		if !fits(&s.rules[i]) {
			continue
		}
		s.hits++
		s.rules[i].Hits++
		rule := s.rules[i]
		if rule.Times > 0 {
			if s.rules[i].Times--; s.rules[i].Times == 0 {
				s.rules = slices.Delete(s.rules, i, i+1)
			}
		}
		if s.changed != nil {
			close(s.changed)
			s.changed = nil
		}
		return rule, true
	}
	return Rule{}, false
}

// Befalls reports whether a fault of a recipient's befalls the one with these names (number, ACI, PNI), and counts that.
func (s *Switches) Befalls(kind Kind, names ...string) bool {
	_, found := s.take(func(r *Rule) bool { return r.recipient(kind, names) })
	return found
}

// Full is Befalls for a recipient who gets nothing more: the refusal of who sends.
func (s *Switches) Full(names ...string) *wire.Refusal {
	rule, found := s.take(func(r *Rule) bool { return r.recipient(Full, names) })
	if !found {
		return nil
	}
	return wire.Limited(time.Duration(rule.RetryAfterSeconds) * time.Second)
}

// Fate is the wire.Interceptor.
func (s *Switches) Fate(call *wire.Request) *wire.Fate {
	rule, found := s.take(func(r *Rule) bool { return r.call(call) })
	if !found {
		return nil
	}
	retry := http.Header{}
	if rule.RetryAfterSeconds > 0 {
		retry.Set("Retry-After", strconv.Itoa(rule.RetryAfterSeconds))
	}
	switch rule.Kind {
	case Latency:
		return &wire.Fate{Delay: time.Duration(rule.LatencyMS) * time.Millisecond}
	case Limited:
		return &wire.Fate{Refusal: &wire.Refusal{Status: http.StatusTooManyRequests, Header: retry}}
	case Challenge:
		return &wire.Fate{Refusal: &wire.Refusal{
			Status: http.StatusPreconditionRequired, Header: retry,
			Body: map[string]any{"token": "sandbox-challenge", "options": []string{captchaName}},
		}}
	case Status:
		refusal := &wire.Refusal{Status: rule.Status, Header: retry}
		if len(rule.Body) > 0 {
			refusal.Body = rule.Body
		}
		return &wire.Fate{Refusal: refusal}
	case MidFrame:
		return &wire.Fate{Break: wire.BreakMiddle}
	case Lost:
		return &wire.Fate{Break: wire.BreakAfter}
	}
	return &wire.Fate{Break: wire.BreakBefore}
}
