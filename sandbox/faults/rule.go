package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/sandbox/wire"
)

// ErrRule is returned for a rule that cannot be.
var ErrRule = errors.New("not a rule of faults")

// Kind is what a fault does.
type Kind string

// Faults of calls, which are chosen by method and path. Latency, Cut, MidFrame and Lost also befall what the service
// sends on a websocket by itself, such as PUT /api/v1/message, where the rule's path names that.
const (
	Latency   Kind = "latency"   // answered later, by LatencyMS
	Status    Kind = "status"    // refused with Status, and Body
	Limited   Kind = "limited"   // 429, with RetryAfterSeconds
	Challenge Kind = "challenge" // 428: wants a captcha
	Cut       Kind = "cut"       // the TCP connection ends before the call is handled
	MidFrame  Kind = "midframe"  // it ends in the middle of the answer's frame; of an upload, half of which arrives
	Lost      Kind = "lost"      // the call is handled, and the connection ends before the answer
)

// Faults of recipients, who are chosen by Recipient.
const (
	Stale      Kind = "stale"      // 410 to who sends: the devices that it wrote to were registered anew
	Missing    Kind = "missing"    // 409 to who sends: it lacks the devices that the account has
	Full       Kind = "full"       // 429 to who sends: more waits for the recipient than may
	Redelivery Kind = "redelivery" // what a device acknowledged stays in its queue, and comes again when it reconnects
	Duplicate  Kind = "duplicate"  // what a device acknowledged comes again at once
	Reorder    Kind = "reorder"    // of what waits for a device, the last comes first
)

var (
	ofCalls      = []Kind{Latency, Status, Limited, Challenge, Cut, MidFrame, Lost}
	ofPushes     = []Kind{Latency, Cut, MidFrame, Lost}
	ofRecipients = []Kind{Stale, Missing, Full, Redelivery, Duplicate, Reorder}
)

const (
	maxRules   = 100
	maxLatency = 10 * time.Minute
	maxTimes   = 1_000_000
	maxText    = 1024
	maxRetry   = 365 * 24 * 60 * 60
)

// Rule says what befalls whom.
type Rule struct {
	Kind Kind `json:"kind"`
	// Method is empty for all; a gRPC call has GRPC.
	Method string `json:"method,omitempty"`
	// Path is the beginning of the path, such as /v1/messages/, or /storage/v1/groups.
	Path string `json:"path,omitempty"`
	// Recipient is a phone number, an ACI or a PNI; empty for everybody.
	Recipient string `json:"recipient,omitempty"`
	// Times is how often; 0 is until the rule is taken back.
	Times int `json:"times,omitempty"`

	LatencyMS         int             `json:"latencyMs,omitempty"`
	Status            int             `json:"status,omitempty"`
	Body              json.RawMessage `json:"body,omitempty"`
	RetryAfterSeconds int             `json:"retryAfterSeconds,omitempty"`

	// Hits is how often it befell somebody; it is not for a new rule to say.
	Hits int `json:"hits,omitempty"`
}

func (r *Rule) check() error {
	call, recipient := slices.Contains(ofCalls, r.Kind), slices.Contains(ofRecipients, r.Kind)
	switch {
	case !call && !recipient:
		return fmt.Errorf("%w: kind %.20q", ErrRule, r.Kind)
	case call && r.Recipient != "":
		return fmt.Errorf("%w: a rule of kind %s has a path in place of a recipient", ErrRule, r.Kind)
	case recipient && r.Method+r.Path != "":
		return fmt.Errorf("%w: a rule of kind %s has a recipient in place of a path", ErrRule, r.Kind)
	case len(r.Method)+len(r.Path)+len(r.Recipient) > maxText:
		return fmt.Errorf("%w: a text of more than %d bytes", ErrRule, maxText)
	case r.Times < 0 || r.Times > maxTimes:
		return fmt.Errorf("%w: times has to be from 0 to %d", ErrRule, maxTimes)
	case r.RetryAfterSeconds < 0 || r.RetryAfterSeconds > maxRetry:
		return fmt.Errorf("%w: retryAfterSeconds has to be from 0 to %d", ErrRule, maxRetry)
	}
	return r.checkKind()
}

// checkKind checks what goes with one kind alone.
func (r *Rule) checkKind() error {
	late := time.Duration(r.LatencyMS) * time.Millisecond
	switch {
	case r.Kind == Latency && (r.LatencyMS <= 0 || late > maxLatency):
		return fmt.Errorf("%w: latencyMs has to be from 1 to %d", ErrRule, maxLatency.Milliseconds())
	case r.Kind != Latency && r.LatencyMS != 0:
		return fmt.Errorf("%w: latencyMs is for kind %s", ErrRule, Latency)
	case r.Kind == Status && (r.Status < 400 || r.Status > 599):
		return fmt.Errorf("%w: status has to be from 400 to 599", ErrRule)
	case r.Kind != Status && (r.Status != 0 || len(r.Body) > 0):
		return fmt.Errorf("%w: status and body are for kind %s", ErrRule, Status)
	}
	return nil
}

// call reports whether the rule is about a call, or about what the service sends.
func (r *Rule) call(c *wire.Request) bool {
	kinds := ofCalls
	if c.Pushed {
		kinds = ofPushes
	}
	return slices.Contains(kinds, r.Kind) && (r.Method == "" || r.Method == c.Method) &&
		strings.HasPrefix(c.Asked(), r.Path) && !(c.Pushed && r.Path == "")
}

// recipient reports whether the rule is of a kind, and about who has one of these names.
func (r *Rule) recipient(kind Kind, names []string) bool {
	return r.Kind == kind && (r.Recipient == "" || slices.Contains(names, r.Recipient))
}
