package sealedsender

import (
	"bytes"
	"crypto/rand"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/testdata/interop/official"
)

// randomContent returns content by a sender of w, and what the official library must see in it.
func (w *world) randomContent(t *testing.T) (Content, contentVector) {
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	details := SenderDetails{
		Sender: address(1 + mathrand.Uint32N(127)), IdentityKey: w.sender.Public,
		Expires: time.UnixMilli(mathrand.Int64N(1 << 45)),
	}
	if mathrand.IntN(2) == 0 {
		details.E164 = "+15550001111"
	}
	content := Content{
		Type:        []MessageType{PreKeyMessage, Message, SenderKeyMessage, PlaintextContent}[mathrand.IntN(4)],
		Certificate: w.certify(t, details),
		Message:     bytesOf(mathrand.IntN(3000)),
		ContentHint: []ContentHint{DefaultHint, Resendable, Implicit, 99}[mathrand.IntN(4)],
	}
	if mathrand.IntN(2) == 0 {
		content.GroupID = bytesOf(32)
	}
	return content, contentVector{
		content.Type, content.Certificate.Serialize(), content.Message, content.ContentHint, content.GroupID,
	}
}

func (c contentVector) request(op string, identity curve.KeyPair) map[string]any {
	return map[string]any{
		"op": op, "identity": hexBytes(identity.Private[:]), "type": c.Type, "certificate": c.Certificate,
		"message": c.Message, "hint": c.Hint, "group": c.Group,
	}
}

func (c contentVector) requireSame(t *testing.T, other contentVector) {
	require.Equal(t, c.Type, other.Type)
	require.Equal(t, c.Hint, other.Hint)
	require.True(t, bytes.Equal(c.Certificate, other.Certificate))
	require.True(t, bytes.Equal(c.Message, other.Message))
	require.True(t, bytes.Equal(c.Group, other.Group))
}

func TestOfficialLibraryOpensOurV1(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	w := newWorld(t)
	for range interopCases {
		w.sender, w.recipient = newPair(t), newPair(t)
		content, want := w.randomContent(t)
		ours, err := Encrypt(rand.Reader, w.sender, w.recipient.Public, content)
		require.NoError(t, err)
		var got contentVector
		require.NoError(t, peer.Ask(map[string]any{
			"op": "open", "identity": hexBytes(w.recipient.Private[:]), "sealed": hexBytes(ours),
		}, &got))
		want.requireSame(t, got)
	}
}

func TestWeOpenTheOfficialLibrarysV1(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	w := newWorld(t)
	for range interopCases {
		w.sender, w.recipient = newPair(t), newPair(t)
		_, want := w.randomContent(t)
		request := want.request("seal", w.sender)
		request["recipient"] = hexBytes(w.recipient.Public.Serialize())
		var theirs struct{ Sealed hexBytes }
		require.NoError(t, peer.Ask(request, &theirs))
		got, err := Decrypt(w.recipient, theirs.Sealed)
		require.NoError(t, err)
		want.requireEqual(t, got)
	}
}

type multiRecipient struct {
	ServiceID                  string
	DeviceIDs, RegistrationIDs []uint32
	Received                   hexBytes
}

type multiAnswer struct {
	Sent       hexBytes
	Recipients []multiRecipient
	Excluded   []string
}

func randomRecipients(t *testing.T) (recipients []Recipient, pairs map[string]curve.KeyPair) {
	pairs = map[string]curve.KeyPair{}
	for range 1 + mathrand.IntN(5) {
		id := serviceid.ServiceID{Kind: serviceid.Kind(mathrand.IntN(2)), UUID: uuid.New()}
		r := Recipient{ServiceID: id}
		for device := range 1 + mathrand.Uint32N(3) {
			r.Devices = append(r.Devices, Device{1 + device, mathrand.Uint32N(maxRegistrationID + 1)})
		}
		pair := newPair(t)
		r.Identity, pairs[id.String()] = pair.Public, pair
		recipients = append(recipients, r)
	}
	return recipients, pairs
}

func TestOfficialLibraryOpensOurV2(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	w := newWorld(t)
	for range interopCases / 2 {
		w.sender = newPair(t)
		content, want := w.randomContent(t)
		recipients, pairs := randomRecipients(t)
		excluded := randomExcluded()
		sent, err := EncryptMulti(rand.Reader, w.sender, recipients, excluded, content)
		require.NoError(t, err)
		var cut multiAnswer
		require.NoError(t, peer.Ask(map[string]any{"op": "split", "sent": hexBytes(sent)}, &cut))
		requireSameCut(t, cut, recipients, excluded)
		require.Len(t, cut.Recipients, len(recipients))
		for i, r := range cut.Recipients {
			require.Equal(t, recipients[i].ServiceID.String(), r.ServiceID)
			for d, device := range recipients[i].Devices {
				require.Equal(t, device, Device{r.DeviceIDs[d], r.RegistrationIDs[d]})
			}
			private := pairs[r.ServiceID].Private
			var got contentVector
			require.NoError(t, peer.Ask(map[string]any{
				"op": "open", "identity": hexBytes(private[:]), "sealed": r.Received,
			}, &got))
			want.requireSame(t, got)
		}
	}
}

// peerRecipients is the form of recipients that the peer takes.
func peerRecipients(recipients []Recipient, pairs map[string]curve.KeyPair) (out []map[string]any) {
	for _, r := range recipients {
		var devices []map[string]any
		for _, d := range r.Devices {
			devices = append(devices, map[string]any{"id": d.ID, "registrationId": d.RegistrationID})
		}
		private := pairs[r.ServiceID.String()].Private
		out = append(out, map[string]any{
			"serviceId": r.ServiceID.String(), "identityPrivate": hexBytes(private[:]), "devices": devices,
		})
	}
	return out
}

func TestWeOpenTheOfficialLibrarysV2(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	w := newWorld(t)
	for range interopCases / 2 {
		w.sender = newPair(t)
		_, want := w.randomContent(t)
		recipients, pairs := randomRecipients(t)
		excluded := randomExcluded()
		request := want.request("sealMulti", w.sender)
		request["recipients"], request["excluded"] = peerRecipients(recipients, pairs), texts(excluded)
		var cut multiAnswer
		require.NoError(t, peer.Ask(request, &cut))
		require.Len(t, cut.Recipients, len(recipients))
		for _, r := range cut.Recipients {
			got, err := Decrypt(pairs[r.ServiceID], r.Received)
			require.NoError(t, err)
			want.requireEqual(t, got)
		}
		requireSameCut(t, cut, recipients, excluded)
	}
}

func randomExcluded() (excluded []serviceid.ServiceID) {
	for range mathrand.IntN(4) {
		excluded = append(excluded, serviceid.ServiceID{Kind: serviceid.Kind(mathrand.IntN(2)), UUID: uuid.New()})
	}
	return excluded
}

func texts(ids []serviceid.ServiceID) []string {
	out := []string{}
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}

// requireSameCut has our service's side read what the official library sealed and cut.
func requireSameCut(t *testing.T, cut multiAnswer, recipients []Recipient, excluded []serviceid.ServiceID) {
	t.Helper()
	ours, err := ParseSent(cut.Sent)
	require.NoError(t, err)
	require.Equal(t, excluded, ours.Excluded)
	require.ElementsMatch(t, texts(excluded), cut.Excluded)
	require.Len(t, ours.Recipients, len(recipients))
	received := map[string]hexBytes{}
	for _, r := range cut.Recipients {
		received[r.ServiceID] = r.Received
	}
	for i, r := range ours.Recipients {
		require.Equal(t, recipients[i].ServiceID, r.ServiceID)
		require.Equal(t, recipients[i].Devices, r.Devices)
		require.Equal(t, []byte(received[r.ServiceID.String()]), ours.For(r))
	}
}

// TestOfficialLibraryValidatesOurCertificates has it judge chains that we signed, good ones and not.
func TestOfficialLibraryValidatesOurCertificates(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	w := newWorld(t)
	for range interopCases / 2 {
		content, _ := w.randomContent(t)
		c := content.Certificate
		at := c.Expires.Add(time.Duration(mathrand.IntN(3)-1) * time.Millisecond)
		roots := []curve.PublicKey{newPair(t).Public, w.root.Public}[:1+mathrand.IntN(2)]
		var serialized []hexBytes
		for _, root := range roots {
			serialized = append(serialized, root.Serialize())
		}
		var verdict certificateVerdict
		require.NoError(t, peer.Ask(map[string]any{
			"op": "certificate", "certificate": hexBytes(c.Serialize()), "trustRoots": serialized, "time": max(at.UnixMilli(), 0),
		}, &verdict))
		require.Equal(t, verdict.Valid, c.Validate(roots, at) == nil)
		require.Equal(t, c.Sender.ServiceID.String(), verdict.Sender)
		require.Equal(t, c.Sender.DeviceID, verdict.Device)
		require.Equal(t, c.E164, verdict.E164)
		require.Equal(t, c.Expires.UnixMilli(), verdict.Expires)
	}
}

// BenchmarkEncryptMulti seals for a group of a hundred with one device each, by our code and by the official library.
func BenchmarkEncryptMulti(b *testing.B) {
	w := newWorld(b)
	pairs := map[string]curve.KeyPair{}
	var recipients []Recipient
	for range 100 {
		id, pair := address(1).ServiceID, newPair(b)
		pairs[id.String()] = pair
		recipients = append(recipients, Recipient{id, pair.Public, []Device{{1, 1000}}})
	}
	content := w.content()
	content.Type, content.Message = SenderKeyMessage, make([]byte, 500)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			_, err := EncryptMulti(rand.Reader, w.sender, recipients, nil, content)
			require.NoError(b, err)
		}
	})
	b.Run("official", func(b *testing.B) {
		want := contentVector{
			content.Type, content.Certificate.Serialize(), content.Message, content.ContentHint, content.GroupID,
		}
		request := want.request("sealMulti", w.sender)
		request["recipients"], request["excluded"] = peerRecipients(recipients, pairs), []string{}
		request["rounds"] = max(b.N, 20)
		var took struct{ Microseconds float64 }
		require.NoError(b, official.Start(b, "sealed/peer.mjs").Ask(request, &took))
		b.ReportMetric(took.Microseconds*1000, "ns/op")
	})
}
