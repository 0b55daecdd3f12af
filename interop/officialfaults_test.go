package interop

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox/faults"
	"signalbox/sandbox/wire"
)

// says is how the library refused: what its callers can tell apart.
func (r *Refusal) says() string {
	if r == nil {
		return ""
	}
	words := []string{r.Code}
	switch {
	case r.Code == "ChatServiceInactive", strings.HasPrefix(r.Message, "transport error"):
		return "connection lost"
	case r.Code == "IoError":
		words = []string{r.Message}
	}
	if r.RetryAfterSeconds != nil {
		words = append(words, fmt.Sprint(*r.RetryAfterSeconds))
	}
	if r.Token != "" {
		words = append(words, r.Token, fmt.Sprint(r.Options))
	}
	for _, e := range r.Entries {
		words = append(words, fmt.Sprintf("missing %d extra %d stale %d", e.Missing, e.Extra, e.Stale))
	}
	return strings.Join(words, " ")
}

// officialFault is a fault that befalls sends: what the official library says of one by its sender, sealed, unsealed
// and to a group, and the status codes that signalbox answers before it gets through.
type officialFault struct {
	rule                    faults.Rule
	sealed, unsealed, group string
	codes                   []int
}

// What is wrong with every device that was written to.
const (
	allStale   = "MismatchedDevices missing [] extra [] stale *"
	allMissing = "MismatchedDevices missing * extra [] stale []"
)

// A 428 and a 429 without Retry-After are nothing that the library has a name for, where a sender is not named.
var officialFaults = []officialFault{
	{rule: faults.Rule{Kind: faults.Latency, LatencyMS: 20}},
	{faults.Rule{Kind: faults.Status, Status: 503}, "server-side error", "server-side error", "server-side error", nil},
	{faults.Rule{Kind: faults.Limited, RetryAfterSeconds: 7200}, "RateLimitedError 7200", "RateLimitedError 7200",
		"RateLimitedError 7200", []int{codeRateLimited}},
	{faults.Rule{Kind: faults.Limited}, "unexpected response status 429 Too Many Requests",
		"unexpected response status 429 Too Many Requests", "server-side error", []int{codeRateLimited}},
	{faults.Rule{Kind: faults.Challenge, RetryAfterSeconds: 60}, "unexpected response status 428 Precondition Required",
		"RateLimitChallengeError 60 sandbox-challenge [captcha]", "server-side error", []int{codeChallenge}},
	{faults.Rule{Kind: faults.Cut}, "connection lost", "connection lost", "connection lost", nil},
	{faults.Rule{Kind: faults.MidFrame}, "connection lost", "connection lost", "connection lost", nil},
	{faults.Rule{Kind: faults.Lost}, "connection lost", "connection lost", "connection lost", nil},
	{faults.Rule{Kind: faults.Stale}, allStale, allStale, allStale, nil},
	{faults.Rule{Kind: faults.Missing}, allMissing, allMissing, allMissing, nil},
	{faults.Rule{Kind: faults.Full, RetryAfterSeconds: 60}, "RateLimitedError 60", "RateLimitedError 60", "none",
		[]int{codeRateLimited}},
}

// against aims the fault at what is sent to an account, one by one or to a group.
func (f officialFault) against(to *Account, group bool) faults.Rule {
	rule := f.rule
	rule.Times = 1
	switch {
	case rule.Kind == faults.Stale || rule.Kind == faults.Missing || rule.Kind == faults.Full:
		rule.Recipient = to.Number
	case group:
		rule.Method, rule.Path = "GRPC", grpcUploads
	default:
		rule.Method, rule.Path = http.MethodPut, "/v1/messages/"+to.ACI
	}
	return rule
}

func (f officialFault) name() string {
	return fmt.Sprint(f.rule.Kind, f.rule.Status, f.rule.RetryAfterSeconds)
}

// faultRig is signalbox, whose person knows Anna and Ben, and what those two have said.
type faultRig struct {
	*Rig
	anna, ben, me *Account
	group         *Group
	c             *Conn
}

// TestOfficialFaults has people of the official library and signalbox write to each other under each fault. Everything
// arrives, once, and in order where that is promised.
func TestOfficialFaults(t *testing.T) {
	Require(t)
	t.Parallel()
	rig := NewRig(t, Sandbox, RigOptions{}, "anna", "ben")
	group := rig.Contact("anna").NewGroup("faulty", Changes{"members": []string{"ben"}})
	run := func(name string, test func(*testing.T, faultRig)) {
		t.Run(name, func(t *testing.T) {
			r := rig.on(t)
			g := *group
			g.mock = r.Mock
			test(t, faultRig{r, r.Contact("anna"), r.Contact("ben"), r.Me, &g, r.Daemon.Dial()})
		})
	}
	for _, f := range officialFaults {
		run(f.name(), func(_ *testing.T, r faultRig) {
			r.betweenThem(f)
			r.toUs(f)
			r.fromUs(f)
		})
	}
	for _, kind := range []faults.Kind{faults.Latency, faults.Cut, faults.MidFrame, faults.Lost} {
		run("delivery "+string(kind), func(_ *testing.T, r faultRig) { r.deliveries(kind) })
	}
	run("unacknowledged", func(_ *testing.T, r faultRig) { r.unacknowledged() })
	run("duplicate", func(_ *testing.T, r faultRig) { r.comesAgain(faults.Duplicate) })
	run("redelivery", func(_ *testing.T, r faultRig) { r.comesAgain(faults.Redelivery) })
	run("reorder", func(_ *testing.T, r faultRig) { r.reordered() })
}

// betweenThem has the fault befall Anna's message to Ben. What does not arrive at once she sends again, as the apps do:
// encrypted anew, with the same timestamp.
func (r faultRig) betweenThem(f officialFault) {
	for _, c := range []struct {
		name, says string
		o          SendOptions
	}{
		{"sealed", f.sealed, SendOptions{}}, {"unsealed", f.unsealed, SendOptions{Unsealed: true}},
		{"group", f.group, SendOptions{In: r.group}},
	} {
		if c.says == "none" {
			continue // it does not befall such messages
		}
		text := f.name() + " " + c.name
		c.o.Timestamp = r.timestamp()
		r.attempt(f.against(r.ben, c.o.In != nil), c.says, r.ben, text, c.o)
		r.anna.SendText(r.ben, "after "+text, SendOptions{})
		r.ben.AwaitText("after " + text)
		require.Equal(r.T, 1, r.ben.count(text), text)
	}
}

// attempt is Anna's, under a rule; she repeats it where it was refused.
func (r faultRig) attempt(rule faults.Rule, says string, to *Account, text string, o SendOptions) {
	var refusal *Refusal
	r.befall(func() { refusal = r.anna.Attempt(to, text, o) }, rule)
	says = strings.ReplaceAll(says, "*", fmt.Sprint(to.serviceDevices()))
	require.Equal(r.T, says, refusal.says(), "%+v", refusal)
	if refusal != nil {
		r.anna.SendText(to, text, o)
	}
}

// serviceDevices are the devices that the account has by now.
func (a *Account) serviceDevices() []int {
	var now Account
	a.mock.Call("describe", args{"account": a.Name}, &now)
	return now.Devices
}

// timestamp is one that nobody else gives a message.
func (r faultRig) timestamp() int64 { return time.Now().UnixMilli() }

// toUs has it befall Anna's message to signalbox.
func (r faultRig) toUs(f officialFault) {
	text := f.name() + " to us"
	r.attempt(f.against(r.me, false), f.sealed, r.me, text, SendOptions{Timestamp: r.timestamp()})
	r.hearWith(text)
}

// hearWith has signalbox hear these texts and one more, in that order, and no other.
func (r faultRig) hearWith(texts ...string) {
	last := "after " + texts[len(texts)-1]
	r.anna.SendText(r.me, last, SendOptions{})
	var heard []string
	wanted := append(slices.Clone(texts), last)
	for _, m := range r.c.Receive(last, len(wanted), []string{"message"}, func(Message) bool { return true }) {
		heard = append(heard, m.Body)
	}
	require.Equal(r.T, wanted, heard)
}

// fromUs has it befall signalbox's message to Ben, who answers nothing. Whoever sends repeats what has failed.
func (r faultRig) fromUs(f officialFault) {
	text := f.name() + " from us"
	request := sendText(r.ben.ACI, text)
	request["idempotencyKey"] = text
	var codes []int
	var reply Reply
	r.befall(func() {
		for reply = r.c.Do(request); reply.StatusCode != 0; reply = r.c.Do(request) {
			codes = append(codes, reply.StatusCode)
			require.Less(r.T, len(codes), 20, reply.Line)
		}
	}, f.against(r.ben, false))
	require.Equal(r.T, f.codes, codes)
	r.awaitTranscript(reply.Timestamp)
	r.awaitTranscript(r.c.SendText(r.ben.ACI, "after "+text))
	r.ben.AwaitText("after " + text)
	require.Equal(r.T, 1, r.ben.count(text), text)
}

// awaitTranscript waits until the phone has signalbox's word of what it sent: a later fault is not to befall that.
func (r faultRig) awaitTranscript(timestamp int64) {
	r.T.Helper()
	r.Await("the transcript", r.me.Received(func(e Event) bool {
		return e.Content.SyncMessage != nil && e.Content.SyncMessage.Sent != nil &&
			e.Content.SyncMessage.Sent.Timestamp == timestamp
	}))
}

// quiet waits until Ben and signalbox have acknowledged all that was for them.
func (r faultRig) quiet() {
	r.T.Helper()
	r.awaitEmptyQueue()
	device := wire.Device{Account: uuid.MustParse(r.ben.ACI), ID: 1}
	require.Eventually(r.T, func() bool {
		return r.sandbox.service.Messages.Waiting(device) == 0
	}, patience, 5*time.Millisecond)
}

// envelopes are the service's numbers of what Ben was handed with that timestamp, as often as he was.
func (r faultRig) envelopes(timestamp int64) []string {
	var numbers []string
	for _, e := range r.Events(func(e Event) bool {
		return e.Event == "envelope" && e.Account == "ben" && e.Timestamp == timestamp
	}) {
		numbers = append(numbers, e.GUID)
	}
	return numbers
}

// deliveries has the fault befall what the service hands to Ben, and to signalbox.
func (r faultRig) deliveries(kind faults.Kind) {
	rule := faults.Rule{Kind: kind, Path: "/api/v1/message", Times: 1}
	if kind == faults.Latency {
		rule.LatencyMS = 20
	}
	text := "delivery " + string(kind)
	for _, to := range []*Account{r.ben, r.me} {
		r.quiet()
		var sent Sent
		r.befall(func() { sent = r.anna.SendText(to, text, SendOptions{}) }, rule)
		if to == r.me {
			r.hearWith(text)
			continue
		}
		r.ben.AwaitText(text)
		r.anna.SendText(r.ben, "after "+text, SendOptions{})
		r.ben.AwaitText("after " + text)
		require.Equal(r.T, 1, r.ben.count(text))
		require.Len(r.T, slices.Compact(r.envelopes(sent.Timestamp)), 1, "it has one number, however often it comes")
	}
}

// unacknowledged has Ben acknowledge nothing until he connects again: it all comes once more, in order, by its numbers.
func (r faultRig) unacknowledged() {
	r.quiet()
	r.ben.Hold(true)
	var sent []int64
	for i := range 4 {
		sent = append(sent, r.anna.SendText(r.ben, fmt.Sprint("held ", i), SendOptions{}).Timestamp)
	}
	r.awaitHeld(4, sent[3])
	r.ben.Hold(false)
	r.ben.Reconnect()
	r.ben.AwaitText("held 3")
	for i, timestamp := range sent {
		require.Equal(r.T, 1, r.ben.count(fmt.Sprint("held ", i)))
		numbers := r.envelopes(timestamp)
		require.Len(r.T, numbers, 2)
		require.Equal(r.T, numbers[0], numbers[1])
	}
	require.Equal(r.T, []string{"held 0", "held 1", "held 2", "held 3"}, r.heardBy("held"))
}

func (r faultRig) awaitHeld(n int, last int64) {
	r.Await(fmt.Sprint("Ben to be handed ", n), func(e Event) bool {
		return e.Event == "envelope" && e.Account == "ben" && e.Timestamp == last
	})
}

// heardBy are the texts that Ben has read that begin so.
func (r faultRig) heardBy(prefix string) []string {
	var texts []string
	for _, e := range r.Events(r.ben.Received(func(e Event) bool { return strings.HasPrefix(e.Text(), prefix) })) {
		texts = append(texts, e.Text())
	}
	return texts
}

// comesAgain has what was acknowledged come again: at once, or on the next connection.
func (r faultRig) comesAgain(kind faults.Kind) {
	text := string(kind) + " once"
	r.quiet()
	var sent Sent
	r.befall(func() {
		sent = r.anna.SendText(r.ben, text, SendOptions{})
		r.ben.AwaitText(text)
	}, faults.Rule{Kind: kind, Recipient: r.ben.ACI, Times: 1})
	if kind == faults.Redelivery {
		r.ben.Reconnect()
	}
	r.quiet()
	numbers := r.envelopes(sent.Timestamp)
	require.Len(r.T, numbers, 2)
	require.Equal(r.T, numbers[0], numbers[1])
	require.Equal(r.T, 1, r.ben.count(text))

	r.befall(func() { r.anna.SendText(r.me, text, SendOptions{}) },
		faults.Rule{Kind: kind, Recipient: r.me.Number, Times: 1})
	if kind == faults.Redelivery {
		r.sandbox.network.drop()
	}
	r.quiet()
	r.hearWith(text)
}

// reordered has what waits come in another order. None of it is lost or doubled.
func (r faultRig) reordered() {
	r.quiet()
	r.ben.Hold(true)
	var last int64
	for i := range 4 {
		last = r.anna.SendText(r.ben, fmt.Sprint("turned ", i), SendOptions{}).Timestamp
	}
	r.awaitHeld(4, last)
	r.ben.Hold(false)
	turned := []string{"turned 3", "turned 2", "turned 1", "turned 0"}
	r.befall(func() {
		r.ben.Reconnect()
		r.ben.AwaitText("turned 0")
	}, faults.Rule{Kind: faults.Reorder, Recipient: r.ben.PNI, Times: 3})
	require.Equal(r.T, turned, r.heardBy("turned"))

	require.NoError(r.T, r.Daemon.Stop())
	for i := range 4 {
		r.anna.SendText(r.me, fmt.Sprint("turned ", i), SendOptions{})
	}
	r.befall(func() { r.Daemon.Start(); r.quiet() }, faults.Rule{Kind: faults.Reorder, Recipient: r.me.Number, Times: 3})
	r.c = r.Daemon.Dial()
	r.hearWith(turned...)
}
