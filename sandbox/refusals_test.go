package sandbox_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
)

// call is one request to the chat host, as a device or as nobody.
type call struct {
	method, path string
	as           *phone.Phone
	header       map[string]string
	body         any
}

// ask returns the status and the body of the answer.
func ask(t *testing.T, s *sandbox.Service, c call) (int, string) {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range c.header {
		header.Set(name, value)
	}
	if c.as != nil {
		header.Set("Authorization", basic(c.as.ACI.String()+".1", c.as.Password))
	}
	var body []byte
	if text, ok := c.body.(string); ok {
		body = []byte(text)
	} else if c.body != nil {
		var err error
		body, err = json.Marshal(c.body)
		require.NoError(t, err)
	}
	response := roundTrip(t, s, c.method, s.Environment().ChatURL+c.path, header, body)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func basic(username, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

type fields = map[string]any

func phones(t *testing.T, s *sandbox.Service) (anna, ben *phone.Phone) {
	t.Helper()
	var err error
	anna, err = s.NewPhone("+12025550101", "Anna")
	require.NoError(t, err)
	ben, err = s.NewPhone("+12025550102", "Ben")
	require.NoError(t, err)
	return anna, ben
}

// message is a body of PUT /v1/messages with one message for a device.
func message(device, registration uint32, content []byte) fields {
	return fields{
		"messages": []fields{{
			"type": 1, "destinationDeviceId": device, "destinationRegistrationId": registration, "content": content,
		}},
		"timestamp": 1_700_000_000_000, "online": false, "urgent": true,
	}
}

// TestSendRefusals has the statuses and bodies of Signal-Server's MessageController.
// refused is the body of a refusal that an exception brings about, invalid that of one by an entity's annotations.
func refused(status int) string {
	return fmt.Sprintf(`{"code":%d,"message":"HTTP %d %s"}`, status, status, http.StatusText(status))
}

const (
	invalid = `{"errors":["The request body is not valid"]}`
	none    = "none"
)

func TestSendRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := phones(t, s)
	to := "/v1/messages/" + ben.ACI.String()
	text, registration := []byte("x"), ben.ACIKeys.RegistrationID
	good := message(1, registration, text)
	access := ben.ProfileKey.AccessKey()
	key := map[string]string{"Unidentified-Access-Key": base64.StdEncoding.EncodeToString(access[:])}
	wrongKey := map[string]string{"Unidentified-Access-Key": base64.StdEncoding.EncodeToString(make([]byte, 16))}
	token := map[string]string{"Group-Send-Token": base64.StdEncoding.EncodeToString(make([]byte, 33))}
	unknown := "/v1/messages/" + uuid.NewString()
	two := message(1, registration, text)
	two["messages"] = append(two["messages"].([]fields), message(2, 5, text)["messages"].([]fields)...)
	twice := message(1, registration, text)
	twice["messages"] = append(twice["messages"].([]fields), twice["messages"].([]fields)...)
	receipt := message(1, registration, text)
	receipt["messages"].([]fields)[0]["type"] = 5
	negative := message(1, registration, text)
	negative["timestamp"] = -1
	const accepted = `{"needsSync":false}`
	for _, c := range []struct {
		name   string
		call   call
		status int
		body   string
	}{
		{"identified", call{path: to, as: anna, body: good}, 200, accepted},
		{"sealed", call{path: to, header: key, body: good}, 200, accepted},
		{"sealed without access", call{path: to, body: good}, 401, ""},
		{"sealed, wrong key", call{path: to, header: wrongKey, body: good}, 401, ""},
		{"sealed to the PNI", call{path: "/v1/messages/" + ben.PNI.String(), header: key, body: good}, 401, ""},
		{"sealed, nobody there", call{path: unknown, header: key, body: good}, 401, ""},
		{"token that is none", call{path: to, header: token, body: good}, 401, ""},
		{"token as a device", call{path: to, as: anna, header: token, body: good}, 400, ""},
		{"story to nobody", call{path: unknown + "?story=true", body: good}, 200, accepted},
		{"story with token", call{path: to + "?story=true", header: token, body: good}, 400, ""},
		{"nobody there", call{path: unknown, as: anna, body: good}, 404, ""},
		{"not a service id", call{path: "/v1/messages/anna", as: anna, body: good}, 404, ""},
		{"a device more", call{path: to, as: anna, body: two}, 409, `{"extraDevices":[2],"missingDevices":[]}`},
		{"another device", call{path: to, as: anna, body: message(3, 5, text)}, 409,
			`{"extraDevices":[3],"missingDevices":[1]}`},
		{"stale device", call{path: to, as: anna, body: message(1, registration+1, text)}, 410, `{"staleDevices":[1]}`},
		{"to itself", call{path: "/v1/messages/" + anna.ACI.String(), as: anna,
			body: message(1, anna.ACIKeys.RegistrationID, text)}, 409, `{"extraDevices":[1],"missingDevices":[]}`},
		{"to its own PNI", call{path: "/v1/messages/" + anna.PNI.String(), as: anna, body: good}, 403, ""},
		{"largest", call{path: to, as: anna, body: message(1, registration, make([]byte, 96<<10))}, 200, accepted},
		{"too large", call{path: to, as: anna, body: message(1, registration, make([]byte, 96<<10+1))}, 413, ""},
		{"empty", call{path: to, as: anna, body: message(1, registration, nil)}, 422, invalid},
		{"no messages", call{path: to, as: anna, body: fields{"messages": []fields{}}}, 422, invalid},
		{"twice for a device", call{path: to, as: anna, body: twice}, 422, invalid},
		{"a receipt", call{path: to, as: anna, body: receipt}, 422, invalid},
		{"timestamp", call{path: to, as: anna, body: negative}, 422, invalid},
		{"device number", call{path: to, as: anna, body: message(200, 1, text)}, 422, none},
		{"no JSON", call{path: to, as: anna, body: "{"}, 400, `{"code":400,"message":"Unable to process JSON"}`},
		{"wrong password", call{path: to, header: map[string]string{
			"Authorization": basic(anna.ACI.String()+".1", "x")}, body: good}, 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.call.method = http.MethodPut
			status, body := ask(t, s, c.call)
			require.Equal(t, c.status, status, body)
			switch c.body {
			case "":
				c.body = refused(c.status)
			case none:
				c.body = ""
			}
			require.Equal(t, c.body, body)
		})
	}
}

func TestKeyRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := phones(t, s)
	other, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	signed := func(by curve.PrivateKey) fields {
		k, err := prekey.GenerateSigned(rand.Reader, by, 7, time.Now())
		require.NoError(t, err)
		return fields{"keyId": 7, "publicKey": k.Keys.Public.Serialize(), "signature": k.Signature[:]}
	}
	many := make([]fields, 101)
	for i := range many {
		many[i] = fields{"keyId": i + 1, "publicKey": other.Public.Serialize()}
	}
	set := func(body any) call {
		return call{method: http.MethodPut, path: "/v2/keys?identity=aci", as: anna, body: body}
	}
	get := func(path string, as *phone.Phone) call { return call{method: http.MethodGet, path: path, as: as} }
	for _, c := range []struct {
		name   string
		call   call
		status int
	}{
		{"signed by the identity", set(fields{"signedPreKey": signed(anna.ACIKeys.Keys.Private)}), 200},
		{"signed by another", set(fields{"signedPreKey": signed(other.Private)}), 422},
		{"a hundred", set(fields{"preKeys": many[:100]}), 200},
		{"more than a hundred", set(fields{"preKeys": many}), 422},
		{"not a key", set(fields{"preKeys": []fields{{"keyId": 1, "publicKey": "AAAA"}}}), 422},
		{"a Kyber key that is none", set(fields{"pqLastResortPreKey": signed(anna.ACIKeys.Keys.Private)}), 422},
		{"as nobody", call{method: http.MethodPut, path: "/v2/keys", body: fields{}}, 401},
		{"of all devices", get("/v2/keys/"+ben.ACI.String()+"/*", anna), 200},
		{"of a PNI", get("/v2/keys/"+ben.PNI.String()+"/1", anna), 200},
		{"of a device that is not there", get("/v2/keys/"+ben.ACI.String()+"/2", anna), 404},
		{"of a device that is no number", get("/v2/keys/"+ben.ACI.String()+"/x", anna), 422},
		{"of nobody", get("/v2/keys/"+uuid.NewString()+"/*", anna), 404},
		{"without access", get("/v2/keys/"+ben.ACI.String()+"/*", nil), 401},
		{"digest", call{method: http.MethodPost, path: "/v2/keys/check", as: anna, body: fields{
			"identityType": "aci", "digest": make([]byte, 32)}}, 409},
		{"digest of another length", call{method: http.MethodPost, path: "/v2/keys/check", as: anna, body: fields{
			"identityType": "aci", "digest": make([]byte, 31)}}, 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := ask(t, s, c.call)
			require.Equal(t, c.status, status, body)
		})
	}
}

func TestOneTimeKeysAreHandedOutOnce(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := phones(t, s)
	keys, err := prekey.GenerateEC(rand.Reader, 50, 2)
	require.NoError(t, err)
	var upload []fields
	for _, k := range keys {
		upload = append(upload, fields{"keyId": k.ID, "publicKey": k.Keys.Public.Serialize()})
	}
	kyber, err := prekey.GenerateKyber(rand.Reader, ben.ACIKeys.Keys.Private, 60, 1, time.Now())
	require.NoError(t, err)
	public := kyber[0].Public()
	status, _ := ask(t, s, call{method: http.MethodPut, path: "/v2/keys", as: ben, body: fields{
		"preKeys": upload, "pqPreKeys": []fields{
			{"keyId": public.ID, "publicKey": public.Key.Serialize(), "signature": public.Signature},
		},
	}})
	require.Equal(t, 200, status)
	for _, want := range [][2]any{{float64(50), float64(60)}, {float64(51), float64(1)}, {nil, float64(1)}} {
		_, body := ask(t, s, call{method: http.MethodGet, path: "/v2/keys/" + ben.ACI.String() + "/1", as: anna})
		var answer struct {
			Devices []struct{ PreKey, PQPreKey map[string]any }
		}
		require.NoError(t, json.Unmarshal([]byte(body), &answer))
		require.Len(t, answer.Devices, 1)
		require.Equal(t, want[0], answer.Devices[0].PreKey["keyId"])
		require.Equal(t, want[1], answer.Devices[0].PQPreKey["keyId"], "the last resort is never used up")
	}
}

// linkFields is the request of a device that links to an account, with the prekeys of its phone.
func linkFields(account *phone.Phone, code string) fields {
	signed := func(id *phone.Identity) fields {
		k := id.Signed.Public()
		return fields{"keyId": k.ID, "publicKey": k.Key.Serialize(), "signature": k.Signature}
	}
	last := func(id *phone.Identity) fields {
		k := id.LastResort.Public()
		return fields{"keyId": k.ID, "publicKey": k.Key.Serialize(), "signature": k.Signature}
	}
	return fields{
		"verificationCode": code, "aciSignedPreKey": signed(&account.ACIKeys), "pniSignedPreKey": signed(&account.PNIKeys),
		"aciPqLastResortPreKey": last(&account.ACIKeys), "pniPqLastResortPreKey": last(&account.PNIKeys),
		"accountAttributes": fields{"fetchesMessages": true, "registrationId": 5, "pniRegistrationId": 6,
			"capabilities": fields{"spqr": true, "usernameChangeSyncMessage": true}},
	}
}

func TestDeviceRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, _ := phones(t, s)
	code := func() string {
		code, err := s.Accounts.NewLinkingCode(anna.ACI)
		require.NoError(t, err)
		return code
	}
	linking := func(change func(fields)) call {
		body := linkFields(anna, code())
		change(body)
		return call{method: http.MethodPut, path: "/v1/devices/link", body: body,
			header: map[string]string{"Authorization": basic("anybody", "secret")}}
	}
	attributes := func(f fields) fields { return f["accountAttributes"].(fields) }
	for _, c := range []struct {
		name   string
		call   call
		status int
	}{
		{"good", linking(func(fields) {}), 200},
		{"code", linking(func(f fields) { f["verificationCode"] = "x" }), 403},
		{"signature", linking(func(f fields) { f["aciSignedPreKey"] = f["pniSignedPreKey"] }), 422},
		{"no keys of the PNI", linking(func(f fields) { delete(f, "pniSignedPreKey") }), 422},
		{"registration id", linking(func(f fields) { attributes(f)["registrationId"] = 0x4000 }), 422},
		{"no way for messages", linking(func(f fields) { attributes(f)["fetchesMessages"] = false }), 422},
		{"no capabilities", linking(func(f fields) { delete(attributes(f), "capabilities") }), 422},
		{"lacks spqr", linking(func(f fields) { attributes(f)["capabilities"] = fields{} }), 409},
		{"lacks what all others have", linking(func(f fields) {
			attributes(f)["capabilities"] = fields{"spqr": true}
		}), 409},
		{"removing the primary", call{method: http.MethodDelete, path: "/v1/devices/1", as: anna}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := ask(t, s, c.call)
			require.Equal(t, c.status, status, body)
		})
	}
	t.Run("a code is good once", func(t *testing.T) {
		c := linking(func(fields) {})
		for _, want := range []int{200, 403} {
			status, _ := ask(t, s, c)
			require.Equal(t, want, status)
		}
	})
	t.Run("too many", func(t *testing.T) {
		for len(s.Accounts.Find(anna.ACI).Devices) < 6 {
			status, _ := ask(t, s, linking(func(fields) {}))
			require.Equal(t, 200, status)
		}
		status, body := ask(t, s, linking(func(fields) {}))
		require.Equal(t, 411, status)
		require.JSONEq(t, `{"current":6,"max":6}`, body)
	})
	t.Run("removed", func(t *testing.T) {
		status, _ := ask(t, s, call{method: http.MethodDelete, path: "/v1/devices/2", as: anna})
		require.Equal(t, 204, status)
		require.Len(t, s.Accounts.Find(anna.ACI).Devices, 5)
	})
}

func TestProfileRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := phones(t, s)
	base := "/v1/profile/" + ben.ACI.String()
	version := ben.ProfileKey.Version(ben.ACI)
	for _, c := range []struct {
		name, path string
		as         *phone.Phone
		status     int
	}{
		{"base", base, anna, 200},
		{"version", base + "/" + version, anna, 200},
		{"without access", base, nil, 401},
		{"of nobody", "/v1/profile/" + uuid.NewString(), anna, 404},
		{"version of a PNI", "/v1/profile/" + ben.PNI.String() + "/" + version, anna, 404},
		{"credential of another kind", base + "/" + version + "/00?credentialType=pni", anna, 400},
		{"credential request that is none", base + "/" + version + "/00?credentialType=expiringProfileKey", anna, 400},
		{"credential of another version", base + "/00/00?credentialType=expiringProfileKey", anna, 200},
		{"group credentials of a past day",
			"/v1/certificate/auth/group?redemptionStartSeconds=0&redemptionEndSeconds=0", anna, 400},
		{"certificate", "/v1/certificate/delivery?includeE164=true", anna, 200},
		{"certificate of nobody", "/v1/certificate/delivery", nil, 401},
		{"who am I", "/v1/accounts/whoami", anna, 200},
		{"no such call", "/v1/nothing", anna, 404},
		{"wrong method", "/v1/messages/x", anna, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := ask(t, s, call{method: http.MethodGet, path: c.path, as: c.as})
			require.Equal(t, c.status, status, body)
		})
	}
}
