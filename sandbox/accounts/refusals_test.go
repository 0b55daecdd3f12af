package accounts_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/protocol/serviceid"
)

// register is a book with its calls, and one account in it.
type register struct {
	*wire.Router
	book *accounts.Book
	anna *phone.Phone
}

func newRegister(t testing.TB) register {
	t.Helper()
	authority, err := accounts.NewAuthority(rand.Reader)
	require.NoError(t, err)
	r := register{Router: wire.NewRouter(zerolog.Nop())}
	r.book = accounts.NewBook(accounts.Options{
		Authority: authority, Now: time.Now, Rand: rand.Reader, Removed: func(wire.Device) {},
		AvatarForm: func(key string) (accounts.AvatarForm, error) { return accounts.AvatarForm{Key: key}, nil },
	})
	r.book.Routes(r.Router)
	r.anna, err = phone.New(r.book, phone.Options{
		Number: "+12025550101", Name: profilecipher.Name{Given: "Anna"}, Now: time.Now, Rand: rand.Reader,
	})
	require.NoError(t, err)
	return r
}

// ask is a call of Anna's phone, with a body in JSON.
func (r register) ask(method, path string, body []byte) *wire.Response {
	path, query, _ := strings.Cut(path, "?")
	request := &wire.Request{
		Method: method, Path: path, Query: map[string][]string{}, Body: body,
		Header: http.Header{"Content-Type": {wire.MediaTypeJSON}}, By: &wire.Device{Account: r.anna.ACI.UUID, ID: 1},
	}
	if name, value, ok := strings.Cut(query, "="); ok {
		request.Query.Set(name, value)
	}
	return r.Route(context.Background(), request)
}

type fields = map[string]any

func asJSON(t testing.TB, value any) []byte {
	t.Helper()
	if text, ok := value.(string); ok {
		return []byte(text)
	}
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return data
}

// with is attributes that are right, but for what is changed.
func with(name string, value any) fields {
	f := fields{
		"fetchesMessages": true, "registrationId": 7, "pniRegistrationId": 8, "unidentifiedAccessKey": make([]byte, 16),
		"capabilities": fields{"spqr": true}, "name": []byte("n"), "recoveryPassword": make([]byte, 32),
		"registrationLock": strings.Repeat("0", 64),
	}
	if f[name] = value; value == nil {
		delete(f, name)
	}
	return f
}

// TestRefusals is what AccountController, DeviceController, KeysController, ProvisioningController and ProfileController
// say to bodies that are not as their entities want them.
func TestRefusals(t *testing.T) {
	r := newRegister(t)
	const attributes, name, capabilities = "/v1/accounts/attributes", "/v1/accounts/name", "/v1/devices/capabilities"
	const provisioning = "/v1/provisioning/nobody"
	for _, c := range []struct {
		name, method, path string
		body               any
		status             int
	}{
		{"attributes", "PUT", attributes, with("", nil), 204},
		{"attributes, unrestricted without a key", "PUT", attributes, fields{
			"registrationId": 7, "unrestrictedUnidentifiedAccess": true, "capabilities": fields{},
		}, 204},
		{"attributes without a key", "PUT", attributes, with("unidentifiedAccessKey", nil), 422},
		{"attributes, short key", "PUT", attributes, with("unidentifiedAccessKey", make([]byte, 15)), 422},
		{"attributes, key of another kind", "PUT", attributes, with("unidentifiedAccessKey", 7), 422},
		{"attributes, key that is no base64", "PUT", attributes, with("unidentifiedAccessKey", "!"), 422},
		{"attributes, registration id 0", "PUT", attributes, with("registrationId", 0), 422},
		{"attributes, registration id too large", "PUT", attributes, with("registrationId", 0x4000), 422},
		{"attributes, PNI registration id", "PUT", attributes, with("pniRegistrationId", 0x4000), 422},
		{"attributes, name too long", "PUT", attributes, with("name", make([]byte, 226)), 422},
		{"attributes, lock", "PUT", attributes, with("registrationLock", "0"), 422},
		{"attributes, recovery password", "PUT", attributes, with("recoveryPassword", make([]byte, 31)), 422},
		{"attributes, a list", "PUT", attributes, "[]", 422},
		{"attributes, null", "PUT", attributes, "null", 422},
		{"attributes, no JSON", "PUT", attributes, "{", 400},
		{"name", "PUT", name, fields{"deviceName": []byte("n")}, 204},
		{"no name", "PUT", name, fields{}, 422},
		{"name too long", "PUT", name, fields{"deviceName": make([]byte, 226)}, 422},
		{"name of a device that is not there", "PUT", name + "?deviceId=3", fields{"deviceName": []byte("n")}, 404},
		{"name of a device that is no number", "PUT", name + "?deviceId=x", fields{"deviceName": []byte("n")}, 404},
		{"capabilities", "PUT", capabilities, fields{"spqr": true}, 204},
		{"capabilities of another kind", "PUT", capabilities, fields{"spqr": 7}, 422},
		{"nobody waits", "PUT", provisioning, fields{"body": "AAAA"}, 404},
		{"no envelope", "PUT", provisioning, fields{"body": ""}, 422},
		{"envelope too large", "PUT", provisioning, fields{"body": strings.Repeat("A", 256<<10+4)}, 400},
		{"keys, of no identity", "PUT", "/v2/keys?identity=x", fields{}, 404},
		{"keys, an id below", "PUT", "/v2/keys", fields{"preKeys": []fields{{"keyId": -1, "publicKey": "AAAA"}}}, 422},
		{"keys, of another kind", "PUT", "/v2/keys", fields{"preKeys": 7}, 422},
		{"keys, null in the list", "PUT", "/v2/keys", fields{"preKeys": []any{nil}}, 422},
		{"count", "GET", "/v2/keys?identity=pni", nil, 200},
		{"profile", "PUT", "/v1/profile", fields{}, 422},
		{"profile, version", "PUT", "/v1/profile", profile("version", strings.Repeat("x", 64)), 422},
		{"profile, name", "PUT", "/v1/profile", profile("name", make([]byte, 80)), 422},
		{"profile, about", "PUT", "/v1/profile", profile("about", make([]byte, 1)), 422},
		{"profile, no commitment", "PUT", "/v1/profile", profile("commitment", nil), 422},
		{"profile that is good", "PUT", "/v1/profile", profile("", nil), 200},
		{"devices", "GET", "/v1/devices", nil, 200},
		{"device that is no number", "DELETE", "/v1/devices/x", nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := r.ask(c.method, c.path, asJSON(t, c.body))
			require.Equal(t, c.status, answer.Status, string(answer.Body))
			if c.status >= 400 {
				require.Empty(t, answer.Body)
			}
		})
	}
	account := r.book.Find(r.anna.ACI)
	require.Equal(t, r.anna.ACIKeys.RegistrationID, account.Devices[0].RegistrationID, "attributes do not change it")
}

// profile is one that is right, but for what is changed.
func profile(name string, value any) fields {
	f := fields{
		"version": strings.Repeat("0", 64), "commitment": make([]byte, 97), "name": make([]byte, 81), "about": []byte{},
	}
	if f[name] = value; value == nil {
		delete(f, name)
	}
	return f
}

func TestMediaType(t *testing.T) {
	r := newRegister(t)
	for mediaType, status := range map[string]int{
		"application/json": 204, "Application/JSON; charset=utf-8": 204, "": 415, "text/plain": 415,
		"application/x-protobuf": 415,
	} {
		answer := r.Route(context.Background(), &wire.Request{
			Method: http.MethodPut, Path: "/v1/accounts/name", Body: []byte(`{"deviceName":"AAAA"}`),
			Header: http.Header{"Content-Type": {mediaType}}, By: &wire.Device{Account: r.anna.ACI.UUID, ID: 1},
		})
		require.Equal(t, status, answer.Status, mediaType)
	}
}

func TestAuthenticate(t *testing.T) {
	r := newRegister(t)
	aci := r.anna.ACI.UUID.String()
	for username, good := range map[string]bool{
		aci: true, aci + ".1": true, aci + ".2": false, aci + ".0": false, aci + ".128": false, aci + ".x": false,
		aci + ".": false, "": false, "x.1": false, r.anna.PNI.UUID.String() + ".1": false,
	} {
		_, ok := r.book.Authenticate(username, r.anna.Password)
		require.Equal(t, good, ok, username)
	}
	_, ok := r.book.Authenticate(aci+".1", r.anna.Password+"0")
	require.False(t, ok)
}

// FuzzCalls sends whatever may be a body to the calls that take one. None of them fails, and Anna stays who she is.
func FuzzCalls(f *testing.F) {
	r := newRegister(f)
	calls := []struct{ method, path string }{
		{"PUT", "/v1/accounts/attributes"}, {"PUT", "/v1/accounts/name"}, {"PUT", "/v1/devices/capabilities"},
		{"PUT", "/v1/provisioning/x"}, {"PUT", "/v2/keys"}, {"POST", "/v2/keys/check"}, {"PUT", "/v1/profile"},
		{"PUT", "/v1/devices/link"},
	}
	f.Add(uint8(0), asJSON(f, with("", nil)))
	f.Add(uint8(4), []byte(`{"preKeys":[{"keyId":1,"publicKey":"AAAA"}],"pqLastResortPreKey":{}}`))
	f.Add(uint8(5), []byte(`{"identityType":"aci","digest":"`+base64.StdEncoding.EncodeToString(make([]byte, 32))+`"}`))
	f.Add(uint8(6), asJSON(f, profile("", nil)))
	f.Add(uint8(7), []byte(`{"verificationCode":"x","accountAttributes":{"fetchesMessages":true,"registrationId":1}}`))
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		c := calls[int(which)%len(calls)]
		require.Less(t, r.ask(c.method, c.path, body).Status, 500)
		require.Equal(t, r.anna.ACIKeys.Keys.Public, r.book.Find(r.anna.ACI).Identity)
	})
}

// FuzzPaths asks for whatever may be a path, as nobody and as somebody.
func FuzzPaths(f *testing.F) {
	r := newRegister(f)
	f.Add("/v2/keys/"+r.anna.ACI.String()+"/*", "AAAA", "")
	f.Add("/v1/profile/"+serviceid.NewPNI(r.anna.PNI.UUID).String()+"/00/00", "", "AAAA")
	f.Add("/v1/accounts/account/%2f", "!", "!")
	f.Fuzz(func(t *testing.T, path, key, token string) {
		for _, by := range []*wire.Device{nil, {Account: r.anna.ACI.UUID, ID: 1}} {
			header := http.Header{}
			for name, value := range map[string]string{"Unidentified-Access-Key": key, "Group-Send-Token": token} {
				if value != "" {
					header.Set(name, value)
				}
			}
			answer := r.Route(context.Background(), &wire.Request{
				Method: http.MethodGet, Path: path, Query: map[string][]string{}, Header: header, By: by,
			})
			require.Less(t, answer.Status, 500)
		}
	})
}
