package interop

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox/faults"
)

// What the official library's network client makes of the sandbox: nothing of ours speaks or listens on its side.

// officialRig is a sandbox with a person on it.
type officialRig struct {
	*Mock
	anna  *Account
	login Login // of a device of hers
	http  int
}

// TestOfficialConnections has that client open connections, and ask, over either version of HTTP.
func TestOfficialConnections(t *testing.T) {
	Require(t)
	t.Parallel()
	m := Start(t, Sandbox, Options{})
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			on := m.on(t)
			anna := on.NewAccount(fmt.Sprintf("anna%d", version))
			login := anna.NewLogin()
			for _, test := range []struct {
				name string
				run  func(*testing.T, officialRig)
			}{
				{"who am I", whoAmI}, {"anonymous", anonymousLine}, {"provisioning", provisioningLine},
				{"wrong password", wrongPassword}, {"connected elsewhere", connectedElsewhere},
				{"device removed", deviceRemoved}, {"account deleted", accountDeleted},
				{"refused at the opening", refusedOpenings}, {"broken at the opening", brokenOpenings},
				{"requests refused", refusedRequests}, {"requests broken", brokenRequests},
			} {
				t.Run(test.name, func(t *testing.T) {
					mock := on.on(t)
					test.run(t, officialRig{mock, anna.on(mock), login, version})
				})
			}
		})
	}
}

func whoAmI(t *testing.T, r officialRig) {
	line := r.OpenEarly(r.http, r.login)
	line.AwaitEmpty()
	answer := line.Fetch(http.MethodGet, "/v1/accounts/whoami")
	require.Equal(t, http.StatusOK, answer.Status)
	require.Contains(t, answer.Body, r.anna.ACI)
	require.NotEmpty(t, answer.Headers["x-signal-timestamp"])
	line.Close()
}

func anonymousLine(t *testing.T, r officialRig) {
	line := r.Open(r.http, Login{})
	require.Equal(t, http.StatusOK, line.Fetch(http.MethodGet, "/v1/keepalive").Status)
	require.Equal(t, http.StatusUnauthorized, line.Fetch(http.MethodGet, "/v1/accounts/whoami").Status)
	require.Equal(t, http.StatusNotFound, line.Fetch(http.MethodGet, "/v1/nothing").Status)
	line.Close()
}

func provisioningLine(t *testing.T, r officialRig) {
	var came struct{ Address, Envelope string }
	r.Call("netProvision", args{"http": r.http, "account": r.anna.Name}, &came)
	require.NotEmpty(t, came.Address)
	require.Equal(t, "from a phone", came.Envelope)
}

// refused is the library's name for who is turned away where he says whose connection it is.
const refused = "DeviceDelinked"

func wrongPassword(t *testing.T, r officialRig) {
	login := r.login
	login.Password = "another"
	_, refusal := r.TryOpen(r.http, login)
	require.NotNil(t, refusal)
	require.Equal(t, refused, refusal.Code, refusal.Message)
	_, refusal = r.TryOpen(r.http, Login{Login: r.anna.ACI + ".99", Password: r.login.Password})
	require.NotNil(t, refusal)
	require.Equal(t, refused, refusal.Code, refusal.Message)
}

func connectedElsewhere(t *testing.T, r officialRig) {
	first := r.Open(r.http, r.login)
	first.AwaitEmpty()
	second := r.Open(r.http, r.login)
	why := first.AwaitEnd()
	require.NotNil(t, why)
	require.Equal(t, "ConnectedElsewhere", why.Code)
	require.Equal(t, http.StatusOK, second.Fetch(http.MethodGet, "/v1/keepalive").Status)
	second.Close()
}

func deviceRemoved(t *testing.T, r officialRig) {
	login := r.anna.NewLogin()
	line := r.Open(r.http, login)
	line.AwaitEmpty() // it is settled, and not on its way any more
	r.anna.RemoveDevice(login.Device)
	r.isOut(t, line, login)
}

// isOut has the service end a connection, and refuse its device from then on.
func (r officialRig) isOut(t *testing.T, line *Line, login Login) {
	t.Helper()
	why := line.AwaitEnd()
	require.NotNil(t, why)
	require.Equal(t, "ConnectionInvalidated", why.Code)
	_, refusal := r.TryOpen(r.http, login)
	require.NotNil(t, refusal)
	require.Equal(t, refused, refusal.Code, refusal.Message)
}

func accountDeleted(t *testing.T, r officialRig) {
	leaver := r.NewAccount(fmt.Sprintf("leaver%d", r.http))
	login := leaver.NewLogin()
	line := r.Open(r.http, login)
	line.AwaitEmpty()
	r.Call("unregister", args{"account": leaver.Name}, nil)
	r.isOut(t, line, login)
}

// opening is where connections are opened.
const opening = "/v1/websocket/"

// befall switches rules on for the time of do, in which each has to befall somebody as often as it is for.
func (m *Mock) befall(do func(), rules ...faults.Rule) {
	m.t.Helper()
	switches := m.sandbox.service.Faults
	before, wanted := switches.Hits(), 0
	for _, rule := range rules {
		wanted += max(rule.Times, 1)
	}
	require.NoError(m.t, switches.Set(rules...))
	do()
	require.NoError(m.t, switches.Await(m.t.Context(), before+wanted))
	require.NoError(m.t, switches.Set())
}

func refusedOpenings(t *testing.T, r officialRig) {
	for _, c := range []struct {
		rule  faults.Rule
		code  string
		after int
	}{
		{faults.Rule{Kind: faults.Status, Status: 499}, "AppExpired", 0},
		{faults.Rule{Kind: faults.Status, Status: 503}, "IoError", 0},
		{faults.Rule{Kind: faults.Limited, RetryAfterSeconds: 7}, "RateLimitedError", 7},
		{faults.Rule{Kind: faults.Status, Status: 508, RetryAfterSeconds: 9}, "RateLimitedError", 9},
	} {
		c.rule.Path = opening
		var refusal *Refusal
		r.befall(func() { _, refusal = r.TryOpen(r.http, r.login) }, c.rule)
		require.NotNil(t, refusal, "%+v", c.rule)
		require.Equal(t, c.code, refusal.Code, refusal.Message)
		if c.after > 0 {
			require.NotNil(t, refusal.RetryAfterSeconds)
			require.Equal(t, c.after, *refusal.RetryAfterSeconds)
		}
		r.Open(r.http, r.login).Close()
	}
}

func brokenOpenings(t *testing.T, r officialRig) {
	for _, kind := range []faults.Kind{faults.Cut, faults.MidFrame, faults.Lost} {
		var refusal *Refusal
		r.befall(func() { _, refusal = r.TryOpen(r.http, r.login) }, faults.Rule{Kind: kind, Path: opening})
		require.NotNil(t, refusal, kind)
		require.Equal(t, "IoError", refusal.Code, refusal.Message)
		r.Open(r.http, r.login).Close()
	}
	late := faults.Rule{Kind: faults.Latency, LatencyMS: 20, Path: opening, Times: 1}
	r.befall(func() { r.Open(r.http, r.login).Close() }, late)
}

// refusedRequests sees status, headers and body as they are: what they mean is for the library's callers.
func refusedRequests(t *testing.T, r officialRig) {
	line := r.Open(r.http, r.login)
	for _, c := range []struct {
		rule   faults.Rule
		status int
		after  string
		body   string
	}{
		{faults.Rule{Kind: faults.Latency, LatencyMS: 20}, 200, "", ""},
		{faults.Rule{Kind: faults.Status, Status: 500}, 500, "", ""},
		{faults.Rule{Kind: faults.Status, Status: 503, RetryAfterSeconds: 5, Body: []byte(`{"why":"not"}`)},
			503, "5", `{"why":"not"}`},
		{faults.Rule{Kind: faults.Limited, RetryAfterSeconds: 7200}, 429, "7200", ""},
		{faults.Rule{Kind: faults.Limited}, 429, "", ""},
		{faults.Rule{Kind: faults.Challenge, RetryAfterSeconds: 60}, 428, "60",
			`{"options":["captcha"],"token":"sandbox-challenge"}`},
	} {
		c.rule.Path, c.rule.Times = "/v1/keepalive", 1
		var answer Fetched
		r.befall(func() { answer = line.Fetch(http.MethodGet, "/v1/keepalive") }, c.rule)
		require.Nil(t, answer.Refused)
		require.Equal(t, []any{c.status, c.after, c.body},
			[]any{answer.Status, answer.Headers["retry-after"], strings.TrimSpace(answer.Body)}, "%+v", c.rule)
	}
	line.Close()
}

func brokenRequests(t *testing.T, r officialRig) {
	for _, kind := range []faults.Kind{faults.Cut, faults.MidFrame, faults.Lost} {
		line := r.Open(r.http, r.login)
		rule := faults.Rule{Kind: kind, Path: "/v1/keepalive", Times: 1}
		var answer Fetched
		r.befall(func() { answer = line.Fetch(http.MethodGet, "/v1/keepalive") }, rule)
		require.NotNil(t, answer.Refused, kind)
		require.Contains(t, []string{"IoError", "ChatServiceInactive"}, answer.Refused.Code, answer.Refused.Message)
		why := line.AwaitEnd()
		require.NotNil(t, why)
		require.Equal(t, "IoError", why.Code, why.Message)
	}
	line := r.Open(r.http, r.login)
	require.Equal(t, http.StatusOK, line.Fetch(http.MethodGet, "/v1/keepalive").Status)
	line.Close()
}
