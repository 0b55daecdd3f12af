package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/faults"
)

func TestFaultControl(t *testing.T) {
	s := start(t, sandbox.Options{})
	control := s.Environment().ChatURL + "/sandbox"
	put := func(rules string) int {
		return roundTrip(t, s, http.MethodPut, control+"/faults", nil, []byte(rules)).StatusCode
	}
	list := func() (rules []faults.Rule) {
		answer := roundTrip(t, s, http.MethodGet, control+"/faults", nil, nil)
		require.Equal(t, http.StatusOK, answer.StatusCode)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(body, &rules))
		return rules
	}
	require.Empty(t, list())
	require.Equal(t, http.StatusNoContent, put(`[
		{"kind":"status","status":503,"path":"/v1/accounts/whoami","times":2,"body":{"why":"not"},"retryAfterSeconds":5},
		{"kind":"stale","recipient":"+12025550101"}
	]`))
	whoAmI := call{method: http.MethodGet, path: "/v1/accounts/whoami"}
	answer := roundTrip(t, s, http.MethodGet, s.Environment().ChatURL+whoAmI.path, nil, nil)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Equal(t, "5", answer.Header.Get("Retry-After"))
	require.JSONEq(t, `{"why":"not"}`, string(body))
	require.Equal(t, 1, list()[0].Hits)
	require.Equal(t, 1, list()[0].Times)
	status, _ := ask(t, s, whoAmI)
	require.Equal(t, http.StatusServiceUnavailable, status)
	status, _ = ask(t, s, whoAmI)
	require.Equal(t, http.StatusUnauthorized, status, "it befell as many as it was for")
	require.Len(t, list(), 1)

	deleted := roundTrip(t, s, http.MethodDelete, control+"/faults", nil, nil)
	require.Equal(t, http.StatusNoContent, deleted.StatusCode)
	require.Empty(t, list())
	refused := roundTrip(t, s, http.MethodPut, control+"/faults", nil, []byte(`[{"kind":"x"}]`))
	require.Equal(t, http.StatusBadRequest, refused.StatusCode)
	body, err = io.ReadAll(refused.Body)
	require.NoError(t, err)
	require.JSONEq(t, `{"error":"not a rule of faults: kind \"x\""}`, string(body))
	require.Equal(t, http.StatusRequestEntityTooLarge, put(string(make([]byte, 65<<10))))
}

// TestCutConnections ends all connections again and again: everything arrives once, though a send has to be repeated.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	d := pair(t)
	s, anna, ben := d.Service, d.anna, d.ben
	control := s.Environment().ChatURL + "/sandbox/cut"
	for _, text := range []string{"one", "two", "three"} {
		anna.insists(t, toMember(ben), text)
		answer := roundTrip(t, s, http.MethodPost, control, nil, nil)
		require.Equal(t, http.StatusNoContent, answer.StatusCode, "its own connection holds")
		ben.hearsAll(t, anna, text)
	}
}
