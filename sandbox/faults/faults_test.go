package faults

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox/wire"
)

func TestRulesThatCannotBe(t *testing.T) {
	for text, says := range map[string]string{
		`{`:                                "not JSON",
		`null`:                             "not a list",
		`{}`:                               "not a list",
		`[1]`:                              "rule 1",
		`[{}]`:                             "without a kind",
		`[{"kind":"x"}]`:                   `kind "x"`,
		`[{"kind":"cut"},{"unknown":1}]`:   "rule 2",
		`[{"kind":"status"}]`:              "status",
		`[{"kind":"status","status":200}]`: "status",
		`[{"kind":"cut","status":500}]`:    "status",
		`[{"kind":"latency"}]`:             "latencyMs",
		`[{"kind":"latency","latencyMs":600001}]`:             "latencyMs",
		`[{"kind":"cut","latencyMs":1}]`:                      "latencyMs",
		`[{"kind":"cut","times":-1}]`:                         "times",
		`[{"kind":"limited","retryAfterSeconds":-1}]`:         "retryAfterSeconds",
		`[{"kind":"cut","recipient":"+12025550101"}]`:         "path",
		`[{"kind":"stale","path":"/v1/messages/"}]`:           "recipient",
		`[{"kind":"cut","times":99999999999999999999999999}]`: "rule 1",
	} {
		rules, err := parse([]byte(text))
		if err == nil {
			err = (&Switches{}).Set(rules...)
		}
		require.ErrorIs(t, err, ErrRule, text)
		require.ErrorContains(t, err, says, text)
	}
	require.ErrorIs(t, (&Switches{}).Set(make([]Rule, maxRules+1)...), ErrRule)
}

func TestRulesStayAfterARefusedOne(t *testing.T) {
	var s Switches
	require.NoError(t, s.Set(Rule{Kind: Cut}))
	require.ErrorIs(t, s.Set(Rule{Kind: Lost}, Rule{Kind: "x"}), ErrRule)
	require.Equal(t, []Rule{{Kind: Cut}}, s.Rules())
}

// TestWhomARuleBefalls chooses calls by method and path, and what the service sends where the path names that.
func TestWhomARuleBefalls(t *testing.T) {
	send := wire.Request{Method: http.MethodPut, Path: "/v1/messages/x"}
	push := wire.Request{Method: http.MethodPut, Path: "/api/v1/message", Pushed: true}
	for _, c := range []struct {
		name    string
		rule    Rule
		request wire.Request
		hits    bool
	}{
		{"every call", Rule{Kind: Cut}, send, true},
		{"beginning of the path", Rule{Kind: Cut, Path: "/v1/messages/"}, send, true},
		{"another path", Rule{Kind: Cut, Path: "/v1/keys"}, send, false},
		{"method", Rule{Kind: Cut, Method: http.MethodPut}, send, true},
		{"another method", Rule{Kind: Cut, Method: http.MethodGet}, send, false},
		{"a push is no call", Rule{Kind: Cut}, push, false},
		{"a push by its path", Rule{Kind: Cut, Path: "/api/"}, push, true},
		{"a push is not refused", Rule{Kind: Status, Status: 500, Path: "/api/"}, push, false},
		{"a recipient's is none of a call", Rule{Kind: Stale}, send, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Switches
			require.NoError(t, s.Set(c.rule))
			require.Equal(t, c.hits, s.Fate(&c.request) != nil)
		})
	}
}

func TestRecipients(t *testing.T) {
	var s Switches
	require.NoError(t, s.Set(Rule{Kind: Stale, Recipient: "b", Times: 1}, Rule{Kind: Full, RetryAfterSeconds: 7}))
	require.False(t, s.Befalls(Stale, "a"))
	require.False(t, s.Befalls(Missing, "b"))
	require.True(t, s.Befalls(Stale, "a", "b"))
	require.False(t, s.Befalls(Stale, "b"), "once")
	require.Equal(t, wire.Limited(7*time.Second), s.Full("anybody"))
	require.Equal(t, 2, s.Hits())
	var none *Switches
	require.False(t, none.Befalls(Stale, "b"))
	require.Nil(t, none.Full("b"))
}

// TestOrder has the first rule that fits count, until it is used up.
func TestOrder(t *testing.T) {
	var s Switches
	require.NoError(t, s.Set(
		Rule{Kind: Lost, Path: "/v1/", Times: 2}, Rule{Kind: Limited, RetryAfterSeconds: 3}, Rule{Kind: Cut, Path: "/v1/"},
	))
	call := &wire.Request{Method: http.MethodGet, Path: "/v1/x"}
	limited := &wire.Fate{Refusal: &wire.Refusal{Status: 429, Header: http.Header{"Retry-After": {"3"}}}}
	for _, want := range []*wire.Fate{{Break: wire.BreakAfter}, {Break: wire.BreakAfter}, limited, limited} {
		require.Equal(t, want, s.Fate(call))
	}
	require.Equal(t, []Rule{{Kind: Limited, RetryAfterSeconds: 3, Hits: 2}, {Kind: Cut, Path: "/v1/"}}, s.Rules())
}

func TestFates(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want *wire.Fate
	}{
		{Rule{Kind: Latency, LatencyMS: 5}, &wire.Fate{Delay: 5 * time.Millisecond}},
		{Rule{Kind: Status, Status: 503, Body: json.RawMessage(`{}`)}, &wire.Fate{
			Refusal: &wire.Refusal{Status: 503, Header: http.Header{}, Body: json.RawMessage(`{}`)},
		}},
		{Rule{Kind: Challenge, RetryAfterSeconds: 9}, &wire.Fate{Refusal: &wire.Refusal{
			Status: 428, Header: http.Header{"Retry-After": {"9"}},
			Body: map[string]any{"token": "sandbox-challenge", "options": []string{"captcha"}},
		}}},
		{Rule{Kind: Cut}, &wire.Fate{Break: wire.BreakBefore}},
		{Rule{Kind: MidFrame}, &wire.Fate{Break: wire.BreakMiddle}},
		{Rule{Kind: Lost}, &wire.Fate{Break: wire.BreakAfter}},
	} {
		var s Switches
		require.NoError(t, s.Set(c.rule))
		require.Equal(t, c.want, s.Fate(&wire.Request{}))
	}
}

func TestAwait(t *testing.T) {
	var s Switches
	require.NoError(t, s.Set(Rule{Kind: Cut}))
	done := make(chan error)
	go func() { done <- s.Await(context.Background(), 2) }()
	for range 2 {
		s.Fate(&wire.Request{})
	}
	require.NoError(t, <-done)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.Await(over, 3), context.Canceled)
}

// FuzzRules reads whatever may be rules: those that are taken are the same once they are listed and set again.
func FuzzRules(f *testing.F) {
	f.Add([]byte(`[{"kind":"status","status":503,"body":{"a":[1]},"retryAfterSeconds":5,"times":2}]`))
	f.Add([]byte(`[{"kind":"stale","recipient":"+12025550101"},{"kind":"latency","latencyMs":9,"path":"/v1/"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := parse(text)
		var s Switches
		if err == nil {
			err = s.Set(rules...)
		}
		if err != nil {
			require.ErrorIs(t, err, ErrRule)
			return
		}
		listed, err := json.Marshal(s.Rules())
		require.NoError(t, err)
		again, err := parse(listed)
		require.NoError(t, err)
		require.NoError(t, s.Set(again...))
		s.Fate(&wire.Request{Method: http.MethodGet, Path: "/v1/"})
	})
}
