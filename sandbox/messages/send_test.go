package messages_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox/messenger"
	"signalbox/sandbox/messenger/messengertest"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/protocol/serviceid"
)

const multiType = "application/vnd.signal-messenger.mrm"

func register(t testing.TB, world messenger.World, number string) *phone.Phone {
	t.Helper()
	p, err := phone.New(world.Book, phone.Options{
		Number: number, Name: profilecipher.Name{Given: "Somebody"}, Now: world.Now, Rand: rand.Reader,
	})
	require.NoError(t, err)
	return p
}

// to is one recipient of a payload for many, with a device.
type to struct {
	id           serviceid.ServiceID
	device       byte
	registration uint32
}

// payload is a message for many as the service sees it: version, count, and for each recipient the service id, the
// devices with their registration ids, and 48 bytes of key material; then what is the same for all (libsignal
// rust/protocol/src/sealed_sender.rs, SealedSenderV2SentMessage).
func payload(size int, recipients ...to) []byte {
	out := binary.AppendUvarint([]byte{0x23}, uint64(len(recipients)))
	for _, r := range recipients {
		id := r.id.FixedWidth()
		out = append(out, id[:]...)
		out = append(out, r.device)
		out = binary.BigEndian.AppendUint16(out, uint16(r.registration))
		out = append(out, make([]byte, 48)...)
	}
	return append(out, make([]byte, size)...)
}

func put(world messenger.World, query map[string][]string, header http.Header, body []byte) *wire.Response {
	return world.Call(context.Background(), &wire.Request{
		Method: http.MethodPut, Path: "/v1/messages/multi_recipient", Query: query, Header: header, Body: body,
	})
}

// TestMultiRefusals is MessageController.sendMultiRecipientMessage: what is wrong is refused, and nothing of it arrives.
func TestMultiRefusals(t *testing.T) {
	world := messengertest.New(t)
	ben, cleo := register(t, world, "+12025550102"), register(t, world, "+12025550103")
	benIs := to{ben.ACI, 1, ben.ACIKeys.RegistrationID}
	cleoIs := to{cleo.ACI, 1, cleo.ACIKeys.RegistrationID}
	stale := to{ben.ACI, 1, ben.ACIKeys.RegistrationID ^ 1}
	key := func(phones ...*phone.Phone) string {
		var combined [16]byte
		for _, p := range phones {
			for i, b := range p.ProfileKey.AccessKey() {
				combined[i] ^= b
			}
		}
		return base64.StdEncoding.EncodeToString(combined[:])
	}
	token := base64.StdEncoding.EncodeToString(make([]byte, 41))
	const none = `{"uuids404":[]}`
	for _, c := range []struct {
		name       string
		key, token string
		ts, story  string
		mediaType  string
		body       []byte
		status     int
		answer     string
	}{
		{"good", key(ben, cleo), "", "1", "", multiType, payload(50, benIs, cleoIs), 200, none},
		{"another media type", key(ben), "", "1", "", "application/json", payload(50, benIs), 415, ""},
		{"without access", "", "", "1", "", multiType, payload(50, benIs), 401, ""},
		{"key of one of two", key(ben), "", "1", "", multiType, payload(50, benIs, cleoIs), 401, ""},
		{"key that is no base64", "!", "", "1", "", multiType, payload(50, benIs), 401, ""},
		{"to a PNI by key", key(ben), "", "1", "", multiType, payload(50, to{ben.PNI, 1, 1}), 401, ""},
		{"token that is none", "", token, "1", "", multiType, payload(50, benIs), 401, ""},
		{"key and token", key(ben), token, "1", "", multiType, payload(50, benIs), 400, ""},
		{"story with a token", "", token, "1", "true", multiType, payload(50, benIs), 400, ""},
		{"story", "", "", "1", "true", multiType, payload(50, benIs), 200, none},
		{"story to nobody", "", "", "1", "true", multiType, payload(50, to{serviceid.NewACI(uuid.New()), 1, 1}), 200, none},
		{"nobody there", key(ben), "", "1", "", multiType, payload(50, to{serviceid.NewACI(uuid.New()), 1, 1}), 404, ""},
		{"no timestamp", key(ben), "", "", "", multiType, payload(50, benIs), 200, none},
		{"timestamp that is none", key(ben), "", "x", "", multiType, payload(50, benIs), 404, ""},
		{"negative timestamp", key(ben), "", "-1", "", multiType, payload(50, benIs), 400, ""},
		{"no recipients", key(), "", "1", "", multiType, payload(50), 400, ""},
		{"a recipient twice", key(ben), "", "1", "", multiType, payload(50, benIs, benIs), 400, ""},
		{"another version", key(ben), "", "1", "", multiType, append([]byte{0x33}, payload(50, benIs)[1:]...), 400, ""},
		{"cut short", key(ben), "", "1", "", multiType, payload(50, benIs)[:20], 400, ""},
		{"another device", key(ben), "", "1", "", multiType, payload(50, to{ben.ACI, 3, 1}), 409,
			`[{"uuid":"` + ben.ACI.String() + `","devices":{"extraDevices":[3],"missingDevices":[1]}}]`},
		{"a stale device", key(ben), "", "1", "", multiType, payload(50, stale), 410,
			`[{"uuid":"` + ben.ACI.String() + `","devices":{"staleDevices":[1]}}]`},
		{"too large", key(ben), "", "1", "", multiType, payload(97<<10, benIs), 413, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{"Content-Type": {c.mediaType}}
			for name, value := range map[string]string{"Unidentified-Access-Key": c.key, "Group-Send-Token": c.token} {
				if value != "" {
					header.Set(name, value)
				}
			}
			device := wire.Device{Account: ben.ACI.UUID, ID: 1}
			before := world.Messages.Waiting(device)
			answer := put(world, map[string][]string{"ts": {c.ts}, "story": {c.story}}, header, c.body)
			require.Equal(t, c.status, answer.Status, string(answer.Body))
			if c.answer == "" {
				c.answer = fmt.Sprintf(`{"code":%d,"message":"HTTP %d %s"}`, c.status, c.status, http.StatusText(c.status))
			}
			require.Equal(t, c.answer, string(answer.Body))
			if c.status != http.StatusOK {
				require.Equal(t, before, world.Messages.Waiting(device))
			}
		})
	}
}

// FuzzMulti sends whatever may be a payload for many, as a story, which needs no leave.
func FuzzMulti(f *testing.F) {
	world := messengertest.New(f)
	ben := register(f, world, "+12025550102")
	f.Add(payload(10, to{ben.ACI, 1, ben.ACIKeys.RegistrationID}), "1")
	f.Add(payload(10, to{ben.PNI, 1, 7}, to{ben.ACI, 127, 0}), "")
	f.Add([]byte{0x23, 0xff, 0xff, 0xff, 0xff, 0x0f}, "1")
	f.Fuzz(func(t *testing.T, body []byte, timestamp string) {
		header := http.Header{"Content-Type": {multiType}}
		answer := put(world, map[string][]string{"ts": {timestamp}, "story": {"true"}}, header, body)
		require.Contains(t, []int{200, 400, 404, 409, 410, 413}, answer.Status)
	})
}

// FuzzSend sends whatever may be a body to one recipient.
func FuzzSend(f *testing.F) {
	world := messengertest.New(f)
	ben := register(f, world, "+12025550102")
	f.Add(`{"messages":[{"type":1,"destinationDeviceId":1,"destinationRegistrationId":1,"content":"AAAA"}],"timestamp":1}`)
	f.Add(`{"messages":[null],"urgent":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		answer := world.Call(context.Background(), &wire.Request{
			Method: http.MethodPut, Path: "/v1/messages/" + ben.ACI.String(), Body: []byte(body),
			Header: http.Header{"Content-Type": {wire.MediaTypeJSON}}, Query: map[string][]string{"story": {"true"}},
		})
		require.Contains(t, []int{200, 400, 409, 410, 413, 422, 429}, answer.Status)
	})
}
