package sandbox_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/service/environment"
)

func TestControlRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	_, err := s.NewPhone("+12025550101", "Anna")
	require.NoError(t, err)
	for _, test := range []struct {
		method, path string
		body         any
		status       int
		says         string
	}{
		{"POST", "/sandbox/accounts", fields{"number": "12025550102", "name": "Ben"}, 400, "+12025550123"},
		{"POST", "/sandbox/accounts", fields{"number": "+12025550102", "name": ""}, 400, "1 to 26 characters"},
		{"POST", "/sandbox/accounts", fields{"number": "+12025550102", "name": "Ben", "age": 7}, 400, "age"},
		{"POST", "/sandbox/accounts", fields{"number": "+12025550101", "name": "Ben"}, 409, "an account with this number"},
		{"POST", "/sandbox/accounts", `{"number":"+12025550102","name":"Ben"}{}`, 400, "something follows"},
		{"POST", "/sandbox/accounts", strings.Repeat(" ", 65<<10), 413, ""},
		{"POST", "/sandbox/scan", fields{"number": "+12025550101"}, 400, "uri"},
		{"POST", "/sandbox/scan", fields{"number": "+12025550199", "uri": "sgnl://"}, 404, "no phone"},
		{"POST", "/sandbox/scan", fields{"number": "+12025550101", "uri": "sgnl://"}, 400, "linking code"},
		{"GET", "/sandbox/scan", nil, 405, ""},
		{"GET", "/sandbox/nothing", nil, 404, ""},
	} {
		status, body := ask(t, s, call{method: test.method, path: test.path, body: test.body})
		require.Equal(t, test.status, status, "%s %s: %s", test.method, test.path, body)
		require.Contains(t, body, test.says)
	}
}

// Two signalboxes share a sandbox: the second knows it by its description, and its phone is played there.
func TestSharing(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")

	status, description := ask(t, s, call{method: "GET", path: "/sandbox/description"})
	require.Equal(t, http.StatusOK, status)
	env, err := environment.Parse([]byte(description))
	require.NoError(t, err)
	var ben struct{ Number, ACI, Name string }
	status, body := ask(t, s, call{
		method: "POST", path: "/sandbox/accounts", body: fields{"number": "+12025550102", "name": "Ben"},
	})
	require.Equal(t, http.StatusOK, status, body)
	require.NoError(t, json.Unmarshal([]byte(body), &ben))
	_, body = ask(t, s, call{method: "GET", path: "/sandbox/accounts"})
	require.Contains(t, body, ben.ACI)

	m := &member{Client: open(t, env, "Ben")}
	ctx := contextOf(t)
	uri, err := m.StartLink(ctx, model.LinkOptions{})
	require.NoError(t, err)
	status, body = ask(t, s, call{
		method: "POST", path: "/sandbox/scan", body: fields{"number": ben.Number, "uri": uri},
	})
	require.Equal(t, http.StatusNoContent, status, body)
	account, err := m.FinishLink(ctx, uri)
	require.NoError(t, err)
	require.Equal(t, ben.ACI, account.ACI.String())
	r, found := s.Resident(ben.Number)
	require.True(t, found)
	m.phone = r.Phone
	run(t, m.Client)
	anna.says(t, m, "Hello, Ben")
	require.Equal(t, "Hello, Ben", m.hears(t))
	m.says(t, anna, "Hello, Anna")
	require.Equal(t, "Hello, Anna", anna.hears(t))
}

// A contact writes when it is told to: to a number, to a service id, to the group.
func TestSayByCall(t *testing.T) {
	s := start(t, sandbox.Options{})
	account, err := s.Populate()
	require.NoError(t, err)
	m := linkTo(t, s, account, "Sandbox")
	id, _ := s.Everybody()
	for text, to := range map[string]string{
		"one": sandbox.AccountNumber, "two": account.ACI.String(), "three": base64.StdEncoding.EncodeToString(id),
	} {
		status, body := ask(t, s, call{
			method: "POST", path: "/sandbox/contacts/+12025550103/say", body: fields{"to": to, "text": text},
		})
		require.Equal(t, http.StatusOK, status, body)
		require.Equal(t, text, m.hears(t))
	}
	for _, test := range []struct {
		from, to, text string
		status         int
	}{
		{"+12025550199", sandbox.AccountNumber, "x", http.StatusNotFound},
		{sandbox.AccountNumber, sandbox.AccountNumber, "x", http.StatusConflict},
		{"+12025550103", "+12025550199", "x", http.StatusNotFound},
		{"+12025550103", sandbox.AccountNumber, "", http.StatusBadRequest},
	} {
		status, body := ask(t, s, call{
			method: "POST", path: "/sandbox/contacts/" + test.from + "/say", body: fields{"to": test.to, "text": test.text},
		})
		require.Equal(t, test.status, status, body)
	}
}

// registration is a body for POST /sandbox/register with keys of its own.
func registration(t *testing.T) fields {
	t.Helper()
	body := fields{"sessionId": "any", "skipDeviceTransfer": true, "accountAttributes": fields{
		"fetchesMessages": true, "registrationId": 7, "pniRegistrationId": 8,
		"capabilities": fields{"spqr": true, "storage": true}, "unidentifiedAccessKey": make([]byte, 16),
	}}
	for _, kind := range []string{"aci", "pni"} {
		identity, err := curve.GenerateKeyPair(rand.Reader)
		require.NoError(t, err)
		signed, err := prekey.GenerateSigned(rand.Reader, identity.Private, 1, time.Now())
		require.NoError(t, err)
		last, err := prekey.GenerateLastResort(rand.Reader, identity.Private, 2, time.Now())
		require.NoError(t, err)
		body[kind+"IdentityKey"] = identity.Public.Serialize()
		body[kind+"SignedPreKey"] = fields{
			"keyId": 1, "publicKey": signed.Public().Key.Serialize(), "signature": signed.Public().Signature,
		}
		body[kind+"PqLastResortPreKey"] = fields{
			"keyId": 2, "publicKey": last.Public().Key.Serialize(), "signature": last.Public().Signature,
		}
	}
	return body
}

func register(t *testing.T, s *sandbox.Service, number, password string, body any) (int, string) {
	t.Helper()
	return ask(t, s, call{
		method: "POST", path: "/sandbox/register", body: body,
		header: map[string]string{"Authorization": basic(number, password)},
	})
}

// TestRegister has the answers of Signal-Server's RegistrationController.
func TestRegister(t *testing.T) {
	s := start(t, sandbox.Options{})
	const number = "+12025550133"
	type answer struct {
		UUID, PNI, Number string
		StorageCapable    bool
		Reregistration    bool
	}
	var first, second answer
	status, body := register(t, s, number, "one", registration(t))
	require.Equal(t, http.StatusOK, status, body)
	require.NoError(t, json.Unmarshal([]byte(body), &first))
	require.Equal(t, number, first.Number)
	require.False(t, first.Reregistration)
	require.NotEqual(t, first.UUID, first.PNI)

	whoAmI := func(password string) int {
		header := map[string]string{"Authorization": basic(first.UUID, password)}
		status, _ := ask(t, s, call{method: "GET", path: "/v1/accounts/whoami", header: header})
		return status
	}
	require.Equal(t, http.StatusOK, whoAmI("one"))

	status, body = register(t, s, number, "two", registration(t))
	require.Equal(t, http.StatusOK, status, body)
	require.NoError(t, json.Unmarshal([]byte(body), &second))
	require.Equal(t, answer{first.UUID, first.PNI, number, true, true}, second)
	require.Equal(t, http.StatusUnauthorized, whoAmI("one"))
	require.Equal(t, http.StatusOK, whoAmI("two"))
}

func TestRegisterRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	_, err := s.NewPhone("+12025550101", "Anna")
	require.NoError(t, err)
	const number = "+12025550133"
	attribute := func(name string, value any) func(fields) {
		return func(f fields) { f["accountAttributes"].(fields)[name] = value }
	}
	for name, test := range map[string]struct {
		number string
		change func(fields)
		status int
	}{
		"a number that is played":  {"+12025550101", func(fields) {}, 403},
		"no number":                {"2025550133", func(fields) {}, 422},
		"no PNI identity":          {number, func(f fields) { delete(f, "pniIdentityKey") }, 422},
		"no PNI prekey":            {number, func(f fields) { delete(f, "pniSignedPreKey") }, 422},
		"a signature by another":   {number, func(f fields) { f["aciSignedPreKey"] = f["pniSignedPreKey"] }, 422},
		"no Kyber key":             {number, func(f fields) { f["aciPqLastResortPreKey"] = f["aciSignedPreKey"] }, 422},
		"no attributes":            {number, func(f fields) { delete(f, "accountAttributes") }, 422},
		"no way to be reached":     {number, attribute("fetchesMessages", false), 422},
		"registration id too high": {number, attribute("registrationId", 0x4000), 422},
		"a short access key":       {number, attribute("unidentifiedAccessKey", []byte{1}), 422},
		"no post-quantum ratchet":  {number, attribute("capabilities", fields{}), 499},
	} {
		body := registration(t)
		test.change(body)
		status, text := register(t, s, test.number, "secret", body)
		require.Equal(t, test.status, status, "%s: %s", name, text)
	}
	status, _ := register(t, s, number, "", registration(t))
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = register(t, s, number, "secret", "{")
	require.Equal(t, http.StatusBadRequest, status)
}
