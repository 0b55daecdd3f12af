// Package faults makes the sandbox fail on demand: calls that are slow, refused, or left without an answer, by rules
// that a test, or an HTTP request to the control endpoint, switches on.
//
// A rule names calls by method and the beginning of their path, and what befalls them, a number of times or until it is
// taken back. What the refusals look like is Signal-Server's: RateLimitExceededExceptionMapper for 429, and for 428
// spam.ChallengeResponse.
package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/sandbox/wire"
)

// ErrRule is returned for a rule that cannot be.
var ErrRule = errors.New("not a rule of faults")

// The kinds of faults.
const (
	Latency   = "latency"   // answered later, by LatencyMS
	Status    = "status"    // refused with Status, and Body
	Limited   = "limited"   // 429, with RetryAfterSeconds
	Challenge = "challenge" // 428: wants a captcha
	Cut       = "cut"       // the connection ends before the call is handled
	Lost      = "lost"      // the call is handled, and the connection ends before the answer
)

const (
	maxRules    = 100
	maxLatency  = 10 * time.Minute
	maxControl  = 64 << 10
	captchaName = "captcha"
)

// Rule says what befalls which calls.
type Rule struct {
	// Method is empty for all; a gRPC call has GRPC.
	Method string `json:"method,omitempty"`
	// Path is the beginning of the path, such as /v1/messages/.
	Path string `json:"path,omitempty"`
	Kind string `json:"kind"`
	// Times is how often; 0 is until the rule is taken back.
	Times int `json:"times,omitempty"`

	LatencyMS         int             `json:"latencyMs,omitempty"`
	Status            int             `json:"status,omitempty"`
	Body              json.RawMessage `json:"body,omitempty"`
	RetryAfterSeconds int             `json:"retryAfterSeconds,omitempty"`
}

func (r *Rule) check() error {
	switch r.Kind {
	case Latency:
		if r.LatencyMS <= 0 || time.Duration(r.LatencyMS)*time.Millisecond > maxLatency {
			return fmt.Errorf("%w: latencyMs has to be from 1 to %d", ErrRule, maxLatency.Milliseconds())
		}
	case Status:
		if r.Status < 400 || r.Status > 599 {
			return fmt.Errorf("%w: status has to be from 400 to 599", ErrRule)
		}
	case Limited, Challenge, Cut, Lost:
	default:
		return fmt.Errorf("%w: kind %.20q", ErrRule, r.Kind)
	}
	if r.Times < 0 || r.RetryAfterSeconds < 0 {
		return fmt.Errorf("%w: a negative number", ErrRule)
	}
	return nil
}

// Switches are the rules that are on. They are safe for concurrent use.
type Switches struct {
	mu    sync.Mutex
	rules []Rule
	hits  int
}

// Set replaces all rules. ErrRule.
func (s *Switches) Set(rules ...Rule) error {
	if len(rules) > maxRules {
		return fmt.Errorf("%w: more than %d", ErrRule, maxRules)
	}
	for i := range rules {
		if err := rules[i].check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = slices.Clone(rules)
	return nil
}

// Hits is how many calls a fault has befallen.
func (s *Switches) Hits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// match returns the first rule for a call, and counts it.
func (s *Switches) match(r *wire.Request) (Rule, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, rule := range s.rules {
		if rule.Method != "" && rule.Method != r.Method || !strings.HasPrefix(r.Path, rule.Path) {
			continue
		}
		s.hits++
		if rule.Times > 0 {
			if s.rules[i].Times--; s.rules[i].Times == 0 {
				s.rules = slices.Delete(s.rules, i, i+1)
			}
		}
		return rule, true
	}
	return Rule{}, false
}

// Intercept is the wire.Interceptor.
func (s *Switches) Intercept(ctx context.Context, r *wire.Request, next wire.Handler) (*wire.Response, error) {
	rule, found := s.match(r)
	if !found {
		return next(ctx, r)
	}
	retry := http.Header{}
	if rule.RetryAfterSeconds > 0 {
		retry.Set("Retry-After", strconv.Itoa(rule.RetryAfterSeconds))
	}
	switch rule.Kind {
	case Latency:
		select {
		case <-time.After(time.Duration(rule.LatencyMS) * time.Millisecond):
		case <-ctx.Done():
			return nil, wire.ErrCut
		}
		return next(ctx, r)
	case Limited:
		return nil, &wire.Refusal{Status: http.StatusTooManyRequests, Header: retry}
	case Challenge:
		return nil, &wire.Refusal{Status: http.StatusPreconditionRequired, Header: retry, Body: map[string]any{
			"token": "sandbox-challenge", "options": []string{captchaName},
		}}
	case Status:
		refusal := &wire.Refusal{Status: rule.Status, Header: retry}
		if len(rule.Body) > 0 {
			refusal.Body = rule.Body
		}
		return nil, refusal
	case Lost:
		if _, err := next(ctx, r); err != nil {
			return nil, err
		}
	}
	return nil, wire.ErrCut
}

// Handler is the control endpoint: GET lists the rules, PUT replaces them by a JSON list, DELETE takes them all back;
// POST /cut ends all connections.
func (s *Switches) Handler(cut func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		rules := append([]Rule{}, s.rules...)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(rules)
	})
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) {
		var rules []Rule
		decoder := json.NewDecoder(io.LimitReader(r.Body, maxControl))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&rules)
		if err == nil {
			err = s.Set(rules...)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		_ = s.Set()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /cut", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		cut()
	})
	return mux
}
