package content

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

type storageVectors struct {
	Contacts struct {
		Stream string
		People []struct{ Aci, Number, Name string }
	}
}

func loadContacts(t testing.TB) (storageVectors, []byte) {
	t.Helper()
	file, err := os.ReadFile("../../testdata/vectors/storage.json")
	require.NoError(t, err)
	var v storageVectors
	require.NoError(t, json.Unmarshal(file, &v))
	stream, err := hex.DecodeString(v.Contacts.Stream)
	require.NoError(t, err)
	return v, stream
}

func collect(out *[]SyncedContact) func(SyncedContact) error {
	return func(c SyncedContact) error {
		*out = append(*out, c)
		return nil
	}
}

func TestReadContactsOfTheMockServer(t *testing.T) {
	v, stream := loadContacts(t)
	var got []SyncedContact
	require.NoError(t, ReadContacts(iotest.OneByteReader(bytes.NewReader(stream)), collect(&got)))
	require.Len(t, got, len(v.Contacts.People))
	for i, person := range v.Contacts.People {
		require.Equal(t, person.Aci, hex.EncodeToString(got[i].ACI.Binary()))
		require.Equal(t, person.Number, got[i].Number)
		require.Equal(t, person.Name, got[i].Name)
	}
}

// entry writes one entry, with the size of the avatar that it promises and the one that follows.
func entry(t testing.TB, d *servicepb.ContactDetails, avatar int) []byte {
	t.Helper()
	encoded, err := proto.Marshal(d)
	require.NoError(t, err)
	return append(append(protowire.AppendVarint(nil, uint64(len(encoded))), encoded...), make([]byte, avatar)...)
}

func TestReadContactsSkipsAvatars(t *testing.T) {
	withAvatar := &servicepb.ContactDetails{
		Number: proto.String("+1555"), Avatar: &servicepb.ContactDetails_Avatar{Length: proto.Uint32(5000)},
		ExpireTimer: proto.Uint32(60), ExpireTimerVersion: proto.Uint32(2), InboxPosition: proto.Uint32(4),
	}
	stream := entry(t, withAvatar, 5000)
	stream = append(stream, entry(t, &servicepb.ContactDetails{Name: proto.String("nobody")}, 0)...)
	stream = append(stream, entry(t, &servicepb.ContactDetails{Aci: proto.String(bob.String())}, 0)...)
	var got []SyncedContact
	require.NoError(t, ReadContacts(bytes.NewReader(stream), collect(&got)))
	require.Equal(t, []SyncedContact{
		{Number: "+1555", Timer: Timer{60, 2}, Position: 4}, {ACI: bob},
	}, got)

	for cut := 1; cut < len(stream); cut += 97 {
		err := ReadContacts(bytes.NewReader(stream[:cut]), collect(&got))
		var invalid *InvalidError
		require.ErrorAs(t, err, &invalid, "cut at %d", cut)
	}
}

func TestReadContactsBounds(t *testing.T) {
	huge := &servicepb.ContactDetails{Avatar: &servicepb.ContactDetails_Avatar{Length: proto.Uint32(1 << 31)}}
	for name, stream := range map[string][]byte{
		"entry":   protowire.AppendVarint(nil, maxContactEntry+1),
		"length":  bytes.Repeat([]byte{0xff}, 20),
		"avatar":  entry(t, huge, 0),
		"garbage": {3, 0xff, 0xff, 0xff},
	} {
		var invalid *InvalidError
		require.ErrorAs(t, ReadContacts(bytes.NewReader(stream), func(SyncedContact) error { return nil }), &invalid, name)
	}
	var invalid *InvalidError
	endless := bytes.Repeat(entry(t, &servicepb.ContactDetails{Number: proto.String("1")}, 0), maxContacts+1)
	require.ErrorAs(t, ReadContacts(bytes.NewReader(endless), func(SyncedContact) error { return nil }), &invalid)

	broken, stop := errors.New("broken"), errors.New("stop")
	require.ErrorIs(t, ReadContacts(iotest.ErrReader(broken), func(SyncedContact) error { return nil }), broken)
	require.ErrorIs(t, ReadContacts(bytes.NewReader(endless), func(SyncedContact) error { return stop }), stop)
}

func FuzzReadContacts(f *testing.F) {
	_, stream := loadContacts(f)
	f.Add(stream[:150])
	f.Fuzz(func(t *testing.T, stream []byte) {
		count := 0
		_ = ReadContacts(bytes.NewReader(stream), func(c SyncedContact) error {
			count++
			require.True(t, c.Number != "" || !c.ACI.IsZero())
			return nil
		})
		require.LessOrEqual(t, count, len(stream))
	})
}

func TestStoredContacts(t *testing.T) {
	record := &servicepb.ContactRecord{
		Aci: proto.String(alice.String()), PniBinary: pni.UUID[:], E164: proto.String("+1555"),
		ProfileKey: filled(32, 1), IdentityKey: []byte("short"), GivenName: proto.String("Profile"),
		Blocked: proto.Bool(true), Hidden: proto.Bool(true), MutedUntilTimestamp: proto.Uint64(1<<63 - 1),
		IdentityState: servicepb.ContactRecord_VERIFIED.Enum(),
	}
	c, err := ParseStoredContact(record)
	require.NoError(t, err)
	require.Equal(t, StoredContact{
		ACI: alice, PNI: pni, Number: "+1555", ProfileKey: filled(32, 1), GivenName: "Profile", Blocked: true, Hidden: true,
		MutedUntil: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), IdentityState: "verified",
	}, c)
	require.Equal(t, "Profile", c.Name())

	record.Pni, record.PniBinary = proto.String(pni.UUID.String()), nil
	record.Aci, record.AciBinary = nil, alice.Binary()
	record.Nickname = &servicepb.ContactRecord_Name{Given: proto.String("Nick"), Family: proto.String("Name")}
	c, err = ParseStoredContact(record)
	require.NoError(t, err)
	require.Equal(t, pni, c.PNI)
	require.Equal(t, alice, c.ACI)
	require.Equal(t, "Nick Name", c.Name())

	_, err = ParseStoredContact(&servicepb.ContactRecord{GivenName: proto.String("nobody")})
	require.Error(t, err)
}

func TestStoredAccountAndGroup(t *testing.T) {
	account := ParseStoredAccount(&servicepb.AccountRecord{
		ProfileKey: filled(32, 1), GivenName: proto.String("G"), ReadReceipts: proto.Bool(true),
		UnlistedPhoneNumber: proto.Bool(true), UniversalExpireTimer: proto.Uint32(60), Username: proto.String("u.01"),
	})
	require.True(t, *account.Configuration.ReadReceipts)
	require.False(t, *account.Configuration.TypingIndicators)
	require.False(t, account.Discoverable)
	require.Equal(t, "u.01", account.Username)
	require.EqualValues(t, 60, account.DefaultTimer)

	_, err := ParseStoredGroup(&servicepb.GroupV2Record{})
	require.Error(t, err)
	group, err := ParseStoredGroup(&servicepb.GroupV2Record{MasterKey: filled(32, 1), Blocked: proto.Bool(true)})
	require.NoError(t, err)
	require.True(t, group.Blocked)
}

func FuzzStorageRecord(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x12, 0x00})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		record := &servicepb.StorageRecord{}
		if proto.Unmarshal(encoded, record) != nil {
			return
		}
		if c, err := ParseStoredContact(record.GetContact()); err == nil {
			require.False(t, c.ACI.IsZero() && c.PNI.IsZero() && c.Number == "")
			_ = c.Name()
		}
		ParseStoredAccount(record.GetAccount())
		if g, err := ParseStoredGroup(record.GetGroupV2()); err == nil {
			require.Len(t, g.MasterKey, masterKeySize)
		}
	})
}

func TestEnvelopeIDs(t *testing.T) {
	guid := uuid.MustParse("dddddddd-0000-4000-8000-000000000004")
	text := &servicepb.Envelope{
		SourceServiceId: proto.String(alice.String()), DestinationServiceId: proto.String(pni.String()),
		ServerGuid: proto.String(guid.String()), UpdatedPni: proto.String(pni.UUID.String()),
	}
	binary := &servicepb.Envelope{
		SourceServiceIdBinary: alice.Binary(), DestinationServiceIdBinary: pni.Binary(), ServerGuidBinary: guid[:],
		UpdatedPniBinary: pni.UUID[:],
	}
	for _, e := range []*servicepb.Envelope{text, binary} {
		source, ok := EnvelopeSource(e)
		require.True(t, ok)
		require.Equal(t, alice, source)
		destination, ok := EnvelopeDestination(e)
		require.True(t, ok)
		require.Equal(t, pni, destination)
		got, ok := EnvelopeGUID(e)
		require.True(t, ok)
		require.Equal(t, guid, got)
		updated, ok := EnvelopeUpdatedPNI(e)
		require.True(t, ok)
		require.Equal(t, pni, updated)
	}
	require.Equal(t, EnvelopeKey(text), EnvelopeKey(binary))
	require.Len(t, EnvelopeKey(text), 17)
	require.True(t, (&servicepb.Envelope{}).GetUrgent(), "urgent unless it says otherwise")

	sealed := &servicepb.Envelope{}
	_, ok := EnvelopeSource(sealed)
	require.False(t, ok)
}

func TestEnvelopeKeyWithoutGUID(t *testing.T) {
	base := &servicepb.Envelope{
		Type: servicepb.Envelope_UNIDENTIFIED_SENDER.Enum(), ClientTimestamp: proto.Uint64(1), Content: []byte("abc"),
		DestinationServiceIdBinary: alice.Binary(), ServerTimestamp: proto.Uint64(5),
	}
	key := EnvelopeKey(base)
	again := proto.Clone(base).(*servicepb.Envelope)
	again.ServerTimestamp = proto.Uint64(9)
	again.DestinationServiceId, again.DestinationServiceIdBinary = proto.String(alice.String()), nil
	require.Equal(t, key, EnvelopeKey(again), "a second delivery")

	for name, change := range map[string]func(*servicepb.Envelope){
		"content":     func(e *servicepb.Envelope) { e.Content = []byte("abd") },
		"time":        func(e *servicepb.Envelope) { e.ClientTimestamp = proto.Uint64(2) },
		"type":        func(e *servicepb.Envelope) { e.Type = servicepb.Envelope_DOUBLE_RATCHET.Enum() },
		"source":      func(e *servicepb.Envelope) { e.SourceServiceIdBinary = bob.Binary() },
		"device":      func(e *servicepb.Envelope) { e.SourceDeviceId = proto.Uint32(2) },
		"destination": func(e *servicepb.Envelope) { e.DestinationServiceIdBinary = pni.Binary() },
		"guid":        func(e *servicepb.Envelope) { e.ServerGuid = proto.String("not a UUID") },
	} {
		other := proto.Clone(base).(*servicepb.Envelope)
		change(other)
		require.NotEqual(t, key, EnvelopeKey(other), name)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte{0x08, 0x06, 0x4a, 0x01, 0x41})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		e := &servicepb.Envelope{}
		if proto.Unmarshal(encoded, e) != nil {
			return
		}
		key := EnvelopeKey(e)
		require.Equal(t, key, EnvelopeKey(proto.Clone(e).(*servicepb.Envelope)))
		require.Contains(t, []int{17, 33}, len(key))
		EnvelopeSource(e)
		EnvelopeUpdatedPNI(e)
	})
}
