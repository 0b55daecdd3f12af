package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/faults"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
)

// sends is Send with a text, with what it returns.
func (m *member) sends(t *testing.T, to model.Destination, text, key string) error {
	t.Helper()
	result, err := m.Send(contextOf(t), model.SendRequest{
		To: to, Event: content.Event{Message: &content.Message{Text: text}},
		SendOptions: model.SendOptions{IdempotencyKey: key},
	})
	if err == nil && len(result.Failures) > 0 {
		err = result.Failures[0].Err
	}
	return err
}

func toMember(m *member) model.Destination {
	return model.Destination{Recipients: []model.Recipient{recipient(m)}}
}

// insists repeats a send with a key until it has gone, and returns what it saw of the attempts that had not.
func (m *member) insists(t *testing.T, to model.Destination, text string) (saw []error) {
	t.Helper()
	for {
		err := m.sends(t, to, text, "key of "+text)
		if err == nil {
			return saw
		}
		saw = append(saw, err)
		require.Less(t, len(saw), enough, "the last failure: %v", err)
	}
}

// enough attempts get through whatever passes.
const enough = 20

// quiet waits until a member has told everybody what it owes them by itself: receipts, and what it sent, to its phone.
func (m *member) quiet(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return m.Status(context.Background()).OutboxDepth == 0
	}, soon, 5*time.Millisecond)
}

// hasNothing sees that no message waits for a member.
func (m *member) hasNothing(t *testing.T) {
	t.Helper()
	messages, err := m.Receive(contextOf(t), model.ReceiveOptions{
		Owner: 1, Max: 10, Types: []model.MessageType{model.TypeMessage},
	})
	require.NoError(t, err)
	require.Empty(t, messages)
}

// hearsAll hears these texts in this order, each once, and nothing else before what is sent after them.
func (m *member) hearsAll(t *testing.T, from *member, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.Equal(t, text, m.hears(t))
	}
	m.hearsNoMore(t, from, "after "+texts[len(texts)-1])
}

// hearsNoMore sees that nothing comes before what is sent now.
func (m *member) hearsNoMore(t *testing.T, from *member, last string) {
	t.Helper()
	from.insists(t, toMember(m), last)
	require.Equal(t, last, m.hears(t))
	m.hasNothing(t)
}

// linked is the device of a member's client.
func (m *member) linked() wire.Device { return wire.Device{Account: m.phone.ACI.UUID, ID: 2} }

// duo are two who know each other, on a service of their own.
type duo struct {
	*sandbox.Service
	anna, ben *member
}

func pair(t *testing.T) duo {
	t.Helper()
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
	acquainted(t, anna, ben)
	return duo{s, anna, ben}
}

// TestFaults shows what two clients see of each fault, and that nothing is lost or doubled under it. The tests share
// their clients, since it is the linking that takes long.
func TestFaults(t *testing.T) {
	t.Parallel()
	d := pair(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, duo)
	}{
		{"opening", faultsOfOpening}, // first: the pauses of who connects again and again grow
		{"sends", faultsOfSends}, {"final refusal", finalRefusal}, {"lost answers", lostAnswers},
		{"transfers", faultsOfTransfers}, {"duplicate", faultsOfQueues(faults.Duplicate)}, {"reorder", reorder},
		{"redelivery", faultsOfQueues(faults.Redelivery)}, {"deliveries", faultsOfDeliveries},
	} {
		if !t.Run(test.name, func(t *testing.T) { test.run(t, d) }) {
			return // the next one would find what this one has left behind
		}
	}
}

// awaitWaiting waits until so many messages wait for a member: a fault counts as one before its call is handled.
func (d duo) awaitWaiting(t *testing.T, m *member, count int, why string) {
	t.Helper()
	require.Eventually(t, func() bool { return d.Messages.Waiting(m.linked()) >= count }, soon, 5*time.Millisecond, why)
}

// under sets rules for the time of do, in which they have to befall somebody so often at least.
func under(t *testing.T, s *sandbox.Service, hits int, do func(), rules ...faults.Rule) {
	t.Helper()
	before := s.Faults.Hits()
	require.NoError(t, s.Faults.Set(rules...))
	do()
	require.NoError(t, s.Faults.Await(contextOf(t), before+hits))
	require.NoError(t, s.Faults.Set())
}

// What a client sees of the attempts to send that have failed.

func seesNothing(t *testing.T, saw []error) {
	t.Helper()
	require.Empty(t, saw, "the client gets over it by itself")
}

func seesLimit(after time.Duration) func(*testing.T, []error) {
	return func(t *testing.T, saw []error) {
		t.Helper()
		require.Len(t, saw, 1)
		var limited *service.RateLimitedError
		require.ErrorAs(t, saw[0], &limited)
		require.Equal(t, after, limited.RetryAfter)
	}
}

func seesChallenge(t *testing.T, saw []error) {
	t.Helper()
	require.Equal(t, []error{&service.ChallengeError{
		Token: "sandbox-challenge", Options: []string{"captcha"}, RetryAfter: time.Minute,
	}}, saw)
}

// faultsOfSends has each fault befall a send once. What the client does not get over by itself is repeated with the
// send's key. The message arrives once, and in its place.
func faultsOfSends(t *testing.T, d duo) {
	s, anna, ben := d.Service, d.anna, d.ben
	for _, c := range []struct {
		rule faults.Rule
		sees func(*testing.T, []error)
	}{
		{faults.Rule{Kind: faults.Latency, LatencyMS: 20}, seesNothing},
		{faults.Rule{Kind: faults.Status, Status: 503}, seesNothing},
		{faults.Rule{Kind: faults.Limited, RetryAfterSeconds: 7200}, seesLimit(2 * time.Hour)},
		{faults.Rule{Kind: faults.Limited}, seesLimit(0)},
		{faults.Rule{Kind: faults.Challenge, RetryAfterSeconds: 60}, seesChallenge},
		{faults.Rule{Kind: faults.Cut}, seesNothing},
		{faults.Rule{Kind: faults.MidFrame}, seesNothing},
		{faults.Rule{Kind: faults.Lost}, seesNothing},
		{faults.Rule{Kind: faults.Stale}, seesNothing},
		{faults.Rule{Kind: faults.Missing}, seesNothing},
		{faults.Rule{Kind: faults.Full, RetryAfterSeconds: 60}, seesLimit(time.Minute)},
	} {
		text := fmt.Sprintf("%s %d %d", c.rule.Kind, c.rule.Status, c.rule.RetryAfterSeconds)
		t.Run(text, func(t *testing.T) {
			rule := c.rule
			switch rule.Times = 1; rule.Kind {
			case faults.Stale, faults.Missing, faults.Full:
				rule.Recipient = ben.phone.Number
			default:
				rule.Method, rule.Path = http.MethodPut, "/v1/messages/"+ben.phone.ACI.String()
			}
			anna.quiet(t) // so that it befalls no receipt
			var saw []error
			under(t, s, 1, func() { saw = anna.insists(t, toMember(ben), text) }, rule)
			c.sees(t, saw)
			ben.hearsAll(t, anna, text)
		})
	}
}

// finalRefusal has a send refused for good: a repeat with its key has the same outcome, and nothing arrives of it.
func finalRefusal(t *testing.T, d duo) {
	s, anna, ben := d.Service, d.anna, d.ben
	anna.quiet(t)
	rule := faults.Rule{Kind: faults.Status, Status: 418, Body: []byte(`{}`)}
	rule.Path, rule.Times = "/v1/messages/"+ben.phone.ACI.String(), 1
	refusal := &service.StatusError{Code: 418, Body: `{}`}
	under(t, s, 1, func() { require.Equal(t, refusal, anna.sends(t, toMember(ben), "refused", "key")) }, rule)
	var recorded *model.RecordedError
	require.ErrorAs(t, anna.sends(t, toMember(ben), "refused", "key"), &recorded)
	require.Equal(t, refusal.Error(), recorded.Error())
	anna.says(t, ben, "after the refusal")
	ben.hearsAll(t, anna, "after the refusal")
}

// lostAnswers has the answers to a send lost until the client gives up: it knows that the message may have left. The
// service has it several times over; a repeat with the key adds one more, and the recipient takes one.
func lostAnswers(t *testing.T, d duo) {
	s, anna, ben := d.Service, d.anna, d.ben
	anna.quiet(t)
	ben.stop()
	waiting := s.Messages.Waiting(ben.linked())
	rule := faults.Rule{Method: http.MethodPut, Path: "/v1/messages/" + ben.phone.ACI.String(), Kind: faults.Lost}
	under(t, s, 1, func() {
		ctx, cancel := context.WithCancel(contextOf(t))
		defer cancel()
		before := s.Faults.Hits()
		go func() {
			_ = s.Faults.Await(ctx, before+2)
			cancel()
		}()
		_, err := anna.Send(ctx, model.SendRequest{
			To: toMember(ben), Event: content.Event{Message: &content.Message{Text: "once"}},
			SendOptions: model.SendOptions{IdempotencyKey: "key of once"},
		})
		var cut *model.CutShortError
		require.ErrorAs(t, err, &cut)
		require.Equal(t, model.MayHaveLeft, cut.Departure)
	}, rule)
	d.awaitWaiting(t, ben, waiting+2, "the service has what it did not answer for")
	require.Empty(t, anna.insists(t, toMember(ben), "once"))
	ben.run()
	ben.hearsAll(t, anna, "once")
}

// faultsOfDeliveries has faults befall what the service sends, one after the other. The client connects again, and takes
// each message once, in order.
func faultsOfDeliveries(t *testing.T, d duo) {
	rules := []faults.Rule{
		{Kind: faults.Latency, LatencyMS: 20}, {Kind: faults.MidFrame}, {Kind: faults.Lost}, {Kind: faults.Cut},
	}
	for i := range rules {
		rules[i].Path, rules[i].Times = "/api/v1/message", 1
	}
	var texts []string
	under(t, d.Service, len(rules), func() {
		for i := range 2 * len(rules) {
			texts = append(texts, fmt.Sprintf("delivery %d", i))
			d.anna.insists(t, toMember(d.ben), texts[i])
		}
	}, rules...)
	d.ben.hearsAll(t, d.anna, texts...)
}

// faultsOfQueues has what a device acknowledged come again: it takes each message once, and acknowledges again.
func faultsOfQueues(kind faults.Kind) func(*testing.T, duo) {
	return func(t *testing.T, d duo) {
		s, anna, ben := d.Service, d.anna, d.ben
		anna.quiet(t)
		one, two := string(kind)+" one", string(kind)+" two"
		under(t, s, 2, func() {
			anna.says(t, ben, one)
			anna.says(t, ben, two)
			require.Equal(t, one, ben.hears(t))
			require.Equal(t, two, ben.hears(t))
		}, faults.Rule{Kind: kind, Recipient: ben.phone.ACI.String(), Times: 2})
		if kind == faults.Redelivery {
			d.awaitWaiting(t, ben, 2, "what was acknowledged")
			s.CutConnections()
		}
		require.Eventually(t, func() bool { return s.Messages.Waiting(ben.linked()) == 0 }, soon, 5*time.Millisecond)
		ben.hearsNoMore(t, anna, "since "+string(kind))
	}
}

// reorder has all that waits for a device come in another order: none is lost.
func reorder(t *testing.T, d duo) {
	s, anna, ben := d.Service, d.anna, d.ben
	anna.quiet(t)
	ben.stop()
	sent := []string{"one", "two", "three", "four", "five"}
	for _, text := range sent {
		anna.says(t, ben, text)
	}
	var heard []string
	under(t, s, 4, func() {
		ben.run()
		for range sent {
			heard = append(heard, ben.hears(t))
		}
	}, faults.Rule{Kind: faults.Reorder, Recipient: ben.phone.PNI.String()})
	slices.Reverse(heard)
	require.Equal(t, sent, heard)
	anna.says(t, ben, "in order")
	ben.hearsAll(t, anna, "in order")
}

// faultsOfOpening has faults befall the opening of websockets, one after the other: both connect in the end, and what
// waits arrives.
func faultsOfOpening(t *testing.T, d duo) {
	rules := []faults.Rule{
		{Kind: faults.Latency, LatencyMS: 20}, {Kind: faults.Status, Status: 503},
		{Kind: faults.Limited, RetryAfterSeconds: 1}, {Kind: faults.Cut}, {Kind: faults.MidFrame},
	}
	for i := range rules {
		rules[i].Path, rules[i].Times = "/v1/websocket/", 1
	}
	under(t, d.Service, len(rules), func() {
		d.CutConnections()
		d.anna.insists(t, toMember(d.ben), "opening")
	}, rules...)
	d.ben.hearsAll(t, d.anna, "opening")
}
