package sandbox_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/faults"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
)

// sends is Send with a text, with what it returns.
func (m *member) sends(t *testing.T, to *member, text, key string) (model.SendResult, error) {
	t.Helper()
	return m.Send(contextOf(t), model.SendRequest{
		To:          model.Destination{Recipients: []model.Recipient{recipient(to)}},
		Event:       content.Event{Message: &content.Message{Text: text}},
		SendOptions: model.SendOptions{IdempotencyKey: key},
	})
}

func TestFaultsOfSends(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
	acquainted(t, anna, ben)
	failure := func(rule faults.Rule) error {
		t.Helper()
		rule.Method, rule.Path = http.MethodPut, "/v1/messages/"+ben.phone.ACI.String()
		require.NoError(t, s.Faults.Set(rule))
		defer func() { require.NoError(t, s.Faults.Set()) }()
		result, err := anna.sends(t, ben, "does not arrive", "")
		if err == nil {
			require.Len(t, result.Failures, 1)
			return result.Failures[0].Err
		}
		return err
	}
	var limited *service.RateLimitedError
	require.ErrorAs(t, failure(faults.Rule{Kind: faults.Limited, RetryAfterSeconds: 7200}), &limited)
	require.Equal(t, 7200.0, limited.RetryAfter.Seconds())
	var challenge *service.ChallengeError
	require.ErrorAs(t, failure(faults.Rule{Kind: faults.Challenge}), &challenge)
	require.Equal(t, "sandbox-challenge", challenge.Token)
	require.GreaterOrEqual(t, s.Faults.Hits(), 2, "these, and receipts meanwhile")

	anna.says(t, ben, "arrives")
	require.Equal(t, "arrives", ben.hears(t))
}

// TestLostAnswer has the answer to a send lost: a repeat with the same key doubles nothing.
func TestLostAnswer(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
	acquainted(t, anna, ben)
	require.NoError(t, s.Faults.Set(faults.Rule{
		Method: http.MethodPut, Path: "/v1/messages/" + ben.phone.ACI.String(), Kind: faults.Lost, Times: 1,
	}))
	if result, err := anna.sends(t, ben, "once", "key"); err != nil || len(result.Failures) > 0 {
		result, err = anna.sends(t, ben, "once", "key")
		require.NoError(t, err)
		require.Empty(t, result.Failures)
	}
	anna.says(t, ben, "after")
	require.Equal(t, "once", ben.hears(t))
	require.Equal(t, "after", ben.hears(t))
}

func TestControlEndpoint(t *testing.T) {
	s := start(t, sandbox.Options{})
	control := s.Environment().ChatURL + "/sandbox/faults"
	put := func(rules string) int {
		return roundTrip(t, s, http.MethodPut, control, nil, []byte(rules)).StatusCode
	}
	require.Equal(t, http.StatusNoContent, put(`[{"kind":"status","status":503,"path":"/v1/keepalive","times":1}]`))
	keepAlive := call{method: http.MethodGet, path: "/v1/keepalive"}
	status, _ := ask(t, s, keepAlive)
	require.Equal(t, http.StatusServiceUnavailable, status)
	status, _ = ask(t, s, keepAlive)
	require.Equal(t, http.StatusOK, status, "once")
	for _, bad := range []string{`{`, `[{"kind":"x"}]`, `[{"kind":"status"}]`, `[{"kind":"latency"}]`, `[{"unknown":1}]`} {
		require.Equal(t, http.StatusBadRequest, put(bad), bad)
	}
}

// TestCutConnections ends all connections again and again: everything arrives once, though a send has to be repeated.
func TestCutConnections(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
	acquainted(t, anna, ben)
	for _, text := range []string{"one", "two", "three"} {
		anna.insists(t, ben, text)
		s.CutConnections()
		require.Equal(t, text, ben.hears(t))
	}
}

// insists repeats a send with its key until it has gone.
func (m *member) insists(t *testing.T, to *member, text string) {
	t.Helper()
	for ctx := contextOf(t); ; {
		result, err := m.sends(t, to, text, text)
		if err == nil && len(result.Failures) == 0 {
			return
		}
		require.NoError(t, ctx.Err(), "the last failure: %v %v", err, result.Failures)
	}
}
