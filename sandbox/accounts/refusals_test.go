package accounts_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
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
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
)

// register is a book with its calls, and one account in it.
type register struct {
	*wire.Router
	book *accounts.Book
	anna *phone.Phone
	gone *[]string // avatars
}

func newRegister(t testing.TB) register {
	t.Helper()
	authority, err := accounts.NewAuthority(rand.Reader)
	require.NoError(t, err)
	r := register{Router: wire.NewRouter(zerolog.Nop()), gone: &[]string{}}
	r.book = accounts.NewBook(accounts.Options{
		Authority: authority, Now: time.Now, Rand: rand.Reader, Removed: func(wire.Device) {},
		AvatarForm: func(key string) (accounts.AvatarForm, error) { return accounts.AvatarForm{Key: key}, nil },
		AvatarGone: func(key string) { *r.gone = append(*r.gone, key) },
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

// Bodies of refusals: of JSON that has other things in it than the entity, of an entity's annotations, of JSON that is
// none, and of an exception with a status.
const (
	nothing  = ""
	invalid  = `{"errors":["The request body is not valid"]}`
	unformed = `{"code":400,"message":"Unable to process JSON"}`
)

func exception(status int) string {
	return fmt.Sprintf(`{"code":%d,"message":"HTTP %d %s"}`, status, status, http.StatusText(status))
}

// refusal is a call, and what is said to it.
type refusal struct {
	name, method, path string
	body               any
	status             int
	says               string
}

func (r register) check(t *testing.T, refusals []refusal) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			answer := r.ask(c.method, c.path, asJSON(t, c.body))
			require.Equal(t, c.status, answer.Status, string(answer.Body))
			if c.status >= 400 {
				require.Equal(t, c.says, string(answer.Body))
			}
		})
	}
}

// TestAccountRefusals is what AccountController, DeviceController and ProvisioningController say.
func TestAccountRefusals(t *testing.T) {
	r := newRegister(t)
	const attributes, name, capabilities = "/v1/accounts/attributes", "/v1/accounts/name", "/v1/devices/capabilities"
	const provisioning = "/v1/provisioning/nobody"
	r.check(t, []refusal{
		{"attributes", "PUT", attributes, with("", nil), 204, ""},
		{"attributes, unrestricted without a key", "PUT", attributes, fields{
			"registrationId": 7, "unrestrictedUnidentifiedAccess": true, "capabilities": fields{},
		}, 204, ""},
		{"attributes without a key", "PUT", attributes, with("unidentifiedAccessKey", nil), 422, invalid},
		{"attributes, short key", "PUT", attributes, with("unidentifiedAccessKey", make([]byte, 15)), 422, invalid},
		{"attributes, key of another kind", "PUT", attributes, with("unidentifiedAccessKey", 7), 422, nothing},
		{"attributes, key that is no base64", "PUT", attributes, with("unidentifiedAccessKey", "!"), 422, nothing},
		{"attributes, registration id 0", "PUT", attributes, with("registrationId", 0), 422, invalid},
		{"attributes, registration id too large", "PUT", attributes, with("registrationId", 0x4000), 422, invalid},
		{"attributes, PNI registration id", "PUT", attributes, with("pniRegistrationId", 0x4000), 422, invalid},
		{"attributes, name too long", "PUT", attributes, with("name", make([]byte, 226)), 422, invalid},
		{"attributes, lock", "PUT", attributes, with("registrationLock", "0"), 422, invalid},
		{"attributes, recovery password", "PUT", attributes, with("recoveryPassword", make([]byte, 31)), 422, invalid},
		{"attributes, a list", "PUT", attributes, "[]", 422, nothing},
		{"attributes, null", "PUT", attributes, "null", 422, invalid},
		{"attributes, no JSON", "PUT", attributes, "{", 400, unformed},
		{"name", "PUT", name, fields{"deviceName": []byte("n")}, 204, ""},
		{"no name", "PUT", name, fields{}, 422, invalid},
		{"name too long", "PUT", name, fields{"deviceName": make([]byte, 226)}, 422, invalid},
		{"name of nobody", "PUT", name + "?deviceId=3", fields{"deviceName": []byte("n")}, 404, exception(404)},
		{"name of no number", "PUT", name + "?deviceId=x", fields{"deviceName": []byte("n")}, 404, exception(404)},
		{"name of all", "PUT", name + "?deviceId=*", fields{"deviceName": []byte("n")}, 404, exception(404)},
		{"capabilities", "PUT", capabilities, fields{"spqr": true}, 204, ""},
		{"capabilities of another kind", "PUT", capabilities, fields{"spqr": 7}, 422, nothing},
		{"nobody waits", "PUT", provisioning, fields{"body": "AAAA"}, 404, exception(404)},
		{"nobody waits for lines", "PUT", provisioning, fields{"body": "AA\r\nAA=="}, 404, exception(404)},
		{"no envelope", "PUT", provisioning, fields{"body": ""}, 422, invalid},
		{"envelope too large", "PUT", provisioning, fields{"body": strings.Repeat("A", 256<<10+4)}, 400, exception(400)},
		{"devices", "GET", "/v1/devices", nil, 200, ""},
		{"device that is no number", "DELETE", "/v1/devices/x", nil, 404, exception(404)},
		{"device that is not there", "DELETE", "/v1/devices/-7", nil, 204, ""},
		{"the primary", "DELETE", "/v1/devices/1", nil, 403, exception(403)},
		{"link without a header", "PUT", "/v1/devices/link", fields{}, 400,
			`{"errors":["A parameter is not valid, or is missing"]}`},
		{"keep-alive", "GET", "/v1/keepalive", nil, 404, exception(404)},
		{"exists", "HEAD", "/v1/accounts/account/" + r.anna.ACI.String(), nil, 400, exception(400)},
		{"certificate", "GET", "/v1/certificate/delivery?includeE164=0", nil, 200, ""},
		{"credentials of no day", "GET", "/v1/certificate/auth/group", nil, 400, exception(400)},
		{"credentials from x", "GET", "/v1/certificate/auth/group?redemptionStartSeconds=x", nil, 404, exception(404)},
	})
	account := r.book.Find(r.anna.ACI)
	require.Equal(t, r.anna.ACIKeys.RegistrationID, account.Devices[0].RegistrationID, "attributes do not change it")
}

// TestKeyRefusals is what KeysController says, and TestProfileRefusals what ProfileController does.
func TestKeyRefusals(t *testing.T) {
	r := newRegister(t)
	const keys, check = "/v2/keys", "/v2/keys/check"
	good, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	oneTime := func(id int) fields {
		return fields{"preKeys": []fields{{"keyId": id, "publicKey": good.Public.Serialize()}}}
	}
	signed := fields{"signedPreKey": fields{
		"keyId": 1, "publicKey": good.Public.Serialize(), "signature": make([]byte, 64),
	}}
	digest := func(identity string) fields { return fields{"identityType": identity, "digest": make([]byte, 32)} }
	anna := keys + "/" + r.anna.ACI.String()
	r.check(t, []refusal{
		{"of no identity", "PUT", keys + "?identity=x", fields{}, 400, exception(400)},
		{"nothing", "PUT", keys + "?identity=Pni", fields{}, 200, ""},
		{"one", "PUT", keys, oneTime(0), 200, ""},
		{"a number below", "PUT", keys, oneTime(-1), 422, invalid},
		{"a number above", "PUT", keys, oneTime(1 << 31), 422, invalid},
		{"no key", "PUT", keys, fields{"preKeys": []fields{{"keyId": 1, "publicKey": "AAAA"}}}, 422, nothing},
		{"of another kind", "PUT", keys, fields{"preKeys": 7}, 422, nothing},
		{"null in the list", "PUT", keys, fields{"preKeys": []any{nil}}, 422, nothing},
		{"another's signature", "PUT", keys, signed, 422, exception(422)},
		{"count", "GET", keys + "?identity=pni", nil, 200, ""},
		{"count of no identity", "GET", keys + "?identity=x", nil, 400, exception(400)},
		{"digest that differs", "POST", check, digest("aci"), 409, nothing},
		{"digest of no identity", "POST", check, digest("x"), 422, invalid},
		{"all", "GET", anna + "/*", nil, 200, ""},
		{"device zero", "GET", anna + "/0", nil, 404, exception(404)},
		{"device below", "GET", anna + "/-1", nil, 404, exception(404)},
		{"device above", "GET", anna + "/128", nil, 422, exception(422)},
	})
}

func TestProfileRefusals(t *testing.T) {
	r := newRegister(t)
	const path = "/v1/profile"
	r.check(t, []refusal{
		{"nothing", "PUT", path, fields{}, 422, invalid},
		{"version", "PUT", path, profile("version", strings.Repeat("x", 64)), 422, invalid},
		{"name", "PUT", path, profile("name", make([]byte, 80)), 422, invalid},
		{"about", "PUT", path, profile("about", make([]byte, 1)), 422, invalid},
		{"no commitment", "PUT", path, profile("commitment", nil), 422, invalid},
		{"commitment that is none", "PUT", path, profile("commitment", make([]byte, 96)), 503, nothing},
		{"good", "PUT", path, profile("", nil), 200, ""},
		{"for profiles of the next kind", "PUT", "/v1/devices/capabilities", fields{"profiles_v2": true}, 204, ""},
		{"then", "PUT", path, profile("", nil), 412, nothing},
	})
}

// A picture that another takes the place of is gone.
func TestAvatars(t *testing.T) {
	r := newRegister(t)
	set := func(avatar, same bool) (key string) {
		p := profile("avatar", avatar)
		p["sameAvatar"] = same
		require.Equal(t, 200, r.ask("PUT", "/v1/profile", asJSON(t, p)).Status)
		var answer struct{ Avatar *string }
		shown := r.ask("GET", "/v1/profile/"+r.anna.ACI.String()+"/"+strings.Repeat("0", 64), nil)
		require.NoError(t, json.Unmarshal(shown.Body, &answer))
		if answer.Avatar != nil {
			key = *answer.Avatar
		}
		return key
	}
	first := set(true, false)
	require.Regexp(t, `^profiles/[\w-]{22}==$`, first)
	require.Equal(t, first, set(true, true))
	require.Empty(t, *r.gone)
	second := set(true, false)
	require.NotEqual(t, first, second)
	require.Empty(t, set(false, false))
	require.Equal(t, []string{first, second}, *r.gone)
}

// A profile has null for what is not there.
func TestProfileNulls(t *testing.T) {
	r := newRegister(t)
	ask := func(path string) fields {
		var answer fields
		require.NoError(t, json.Unmarshal(r.ask("GET", "/v1/profile/"+path, nil).Body, &answer))
		return answer
	}
	base := ask(serviceid.NewPNI(r.anna.PNI.UUID).String())
	require.Nil(t, base["unidentifiedAccess"])
	require.Len(t, base, 6)
	versioned := ask(r.anna.ACI.String() + "/unknown")
	require.Len(t, versioned, 12)
	require.Nil(t, versioned["name"])
	credential := ask(r.anna.ACI.String() + "/unknown/00?credentialType=expiringProfileKey")
	require.Len(t, credential, 13)
	require.Nil(t, credential["credential"])
}

// Whoever is removed between the check of credentials and the call is refused.
func TestRemovedCallers(t *testing.T) {
	r := newRegister(t)
	other, err := phone.New(r.book, phone.Options{
		Number: "+12025550102", Name: profilecipher.Name{Given: "Ben"}, Now: time.Now, Rand: rand.Reader,
	})
	require.NoError(t, err)
	r.book.Remove(r.anna.ACI)
	to := other.ACI.String()
	r.check(t, []refusal{
		{"whoami", "GET", "/v1/accounts/whoami", nil, 401, exception(401)},
		{"name", "PUT", "/v1/accounts/name", fields{"deviceName": []byte("n")}, 401, exception(401)},
		{"attributes", "PUT", "/v1/accounts/attributes", with("", nil), 401, exception(401)},
		{"capabilities", "PUT", "/v1/devices/capabilities", fields{}, 401, exception(401)},
		{"devices", "GET", "/v1/devices", nil, 403, exception(403)},
		{"code", "GET", "/v1/devices/provisioning/code", nil, 401, exception(401)},
		{"certificate", "GET", "/v1/certificate/delivery", nil, 401, exception(401)},
		{"keys", "PUT", "/v2/keys", fields{}, 401, exception(401)},
		{"count", "GET", "/v2/keys", nil, 401, exception(401)},
		{"keys of others", "GET", "/v2/keys/" + to + "/*", nil, 401, exception(401)},
		{"profile", "PUT", "/v1/profile", profile("", nil), 401, exception(401)},
		{"profile of others", "GET", "/v1/profile/" + to, nil, 401, exception(401)},
		{"version of others", "GET", "/v1/profile/" + to + "/00", nil, 401, exception(401)},
	})
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
