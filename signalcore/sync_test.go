package signalcore

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/accountkeys"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// siblings are a phone and this device, of one account.
func siblings(t testing.TB) (phone, desk *party) {
	phone = newWorld(t).newParty(t, "+4915100000001")
	return phone, phone.otherDevice(2)
}

func syncOf(m *servicepb.SyncMessage) *servicepb.Content {
	m.Padding = []byte{1}
	return &servicepb.Content{Content: &servicepb.Content_SyncMessage{SyncMessage: m}}
}

func TestSyncOfKeys(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	pool, err := accountkeys.GenerateEntropyPool(rand.Reader)
	require.NoError(t, err)
	text := pool.Reveal()
	sync := syncOf(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Keys_{Keys: &servicepb.SyncMessage_Keys{
		AccountEntropyPool: &text,
	}}})
	desk.gets(newLetter(phone, desk).content(sync))
	master := pool.MasterKey()
	require.Equal(t, master[:], desk.accounts.get().masterKey)
	require.Len(t, desk.jobs(storepb.JobKind_JOB_STORAGE_SYNC), 1)
	desk.gets(newLetter(phone, desk).content(sync))
	require.Len(t, desk.jobs(storepb.JobKind_JOB_STORAGE_SYNC), 1, "nothing new")
	require.Empty(t, desk.entries())
}

func TestSyncOfBlocked(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	other, friend := phone.world.newParty(t, "+4915100000005"), phone.world.newParty(t, "+4915100000006")
	blocked := func(acis ...serviceid.ServiceID) *servicepb.Content {
		list := &servicepb.SyncMessage_Blocked{}
		for _, aci := range acis {
			list.AcisBinary = append(list.AcisBinary, aci.UUID[:])
		}
		return syncOf(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Blocked_{Blocked: list}})
	}
	desk.gets(newLetter(phone, desk).content(blocked(other.aci())))
	desk.gets(newLetter(other, desk).text("blocked"), newLetter(friend, desk).text("welcome"))
	desk.gets(newLetter(phone, desk).content(blocked(friend.aci())))
	desk.gets(newLetter(other, desk).text("again"), newLetter(friend, desk).text("not now"))
	require.Equal(t, []string{"welcome", "again"}, desk.texts())
}

func TestSyncOfConfiguration(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	desk.gets(newLetter(phone, desk).content(syncOf(&servicepb.SyncMessage{
		Content: &servicepb.SyncMessage_Configuration_{Configuration: &servicepb.SyncMessage_Configuration{
			ReadReceipts: proto.Bool(true), LinkPreviews: proto.Bool(false),
		}},
	})))
	desk.view(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		require.True(t, settings.GetReadReceipts())
		require.NotNil(t, settings.LinkPreviews)
		require.False(t, settings.GetLinkPreviews())
		require.Nil(t, settings.TypingIndicators)
		return err
	})
}

func TestSyncOfFetchLatest(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	for kind, job := range map[servicepb.SyncMessage_FetchLatest_Type]storepb.JobKind{
		servicepb.SyncMessage_FetchLatest_STORAGE_MANIFEST: storepb.JobKind_JOB_STORAGE_SYNC,
		servicepb.SyncMessage_FetchLatest_LOCAL_PROFILE:    storepb.JobKind_JOB_PROFILE_FETCH,
	} {
		desk.gets(newLetter(phone, desk).content(syncOf(&servicepb.SyncMessage{
			Content: &servicepb.SyncMessage_FetchLatest_{FetchLatest: &servicepb.SyncMessage_FetchLatest{Type: kind.Enum()}},
		})))
		require.Len(t, desk.jobs(job), 1)
	}
	require.Empty(t, desk.entries())
}

func TestSyncOfSent(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	friend := phone.world.newParty(t, "+4915100000006")
	desk.gets(newLetter(friend, desk).text("hello"))
	l := newLetter(phone, desk)
	sync, err := content.NewSentTranscript(rand.Reader, content.Transcript{
		Timestamp: l.timestamp, Destination: friend.aci(), DestinationNumber: "+4915100000006",
		Recipients: []content.SentRecipient{{ServiceID: friend.aci(), Sealed: true}},
	}, textContent(t, l.timestamp, "hello yourself"))
	require.NoError(t, err)
	desk.gets(l.content(sync))
	require.Equal(t, []string{"hello", "[ENTRY_SYNC]"}, desk.texts())
	require.Equal(t, l.timestamp, desk.entries()[1].GetTimestamp())
	require.True(t, desk.recipient(friend.aci()).GetWhitelisted())
	require.Equal(t, "+4915100000006", desk.recipient(friend.aci()).GetNumber())
	require.Len(t, desk.receipts(), 1, "our own devices are owed none")
}

func TestSyncOfAStranger(t *testing.T) {
	t.Parallel()
	_, desk := siblings(t)
	stranger := desk.world.newParty(t, "+4915100000007")
	pool := "x"
	desk.gets(newLetter(stranger, desk).content(syncOf(&servicepb.SyncMessage{
		Content: &servicepb.SyncMessage_Keys_{Keys: &servicepb.SyncMessage_Keys{
			AccountEntropyPool: &pool, Master: make([]byte, 32),
		}},
	})))
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, desk.texts())
	require.Empty(t, desk.accounts.get().masterKey)
	require.Empty(t, desk.jobs(storepb.JobKind_JOB_STORAGE_SYNC))
	require.Empty(t, desk.jobs(storepb.JobKind_JOB_RETRY_REQUEST))
}

func TestOwnEchoIsSilent(t *testing.T) {
	t.Parallel()
	_, desk := siblings(t)
	friend := desk.world.newParty(t, "")
	l := newLetter(desk, friend)
	echo := l.text("mine")
	echo.DestinationServiceId = proto.String(desk.aci().String())
	desk.gets(echo)
	require.Empty(t, desk.entries())
}

func TestChangeOfNumber(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	friend := phone.world.newParty(t, "+4915100000006")
	old := newLetter(friend, desk)
	old.toPNI = true
	desk.gets(old.text("to the old number"))

	identity := newKeys(t)
	pni := uuid.New()
	change := changeOfNumber(t, identity, "+4915100000099")
	announcement := newLetter(phone, desk).content(change)
	announcement.UpdatedPni = proto.String(pni.String())

	late := newLetter(friend, desk)
	late.toPNI = true
	lateEnvelope := late.text("late, to the old number")
	desk.gets(announcement, lateEnvelope)
	a := desk.accounts.get()
	require.Equal(t, serviceid.NewPNI(pni), a.pni)
	require.Equal(t, "+4915100000099", a.number)
	require.Equal(t, identity.Public, a.pniIdentity.keys.Public)
	require.Len(t, desk.jobs(storepb.JobKind_JOB_PREKEY_CHECK), 1)
	desk.view(func(tx *store.Tx) error {
		count, err := tx.CountSessions(serviceid.PNI)
		require.Zero(t, count, "nothing of the former identity is written again")
		return err
	})
	fresh := newLetter(friend, desk)
	fresh.toPNI, fresh.keys = true, desk.newKeys(desk.pni()).bundles(desk)
	desk.gets(fresh.text("to the new number"))
	require.Equal(t, []string{"to the old number", "[ENTRY_UNREADABLE]", "to the new number"}, desk.texts())
}

// changeOfNumber holds the keys of a new PNI as libsignal writes them.
func changeOfNumber(t testing.TB, identity curve.KeyPair, number string) *servicepb.Content {
	t.Helper()
	signed, err := prekey.GenerateSigned(rand.Reader, identity.Private, 500, time.Now())
	require.NoError(t, err)
	last, err := prekey.GenerateLastResort(rand.Reader, identity.Private, 501, time.Now())
	require.NoError(t, err)
	bytesField := func(b []byte, number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
	}
	record := func(id uint32, public, private, signature []byte) []byte {
		b := protowire.AppendVarint(protowire.AppendTag(nil, signedIDField, protowire.VarintType), uint64(id))
		b = bytesField(bytesField(bytesField(b, signedPublicField, public), signedPrivateField, private), signedSignatureField, signature)
		return protowire.AppendFixed64(protowire.AppendTag(b, signedTimeField, protowire.Fixed64Type), 1700000000000)
	}
	pair := bytesField(bytesField(nil, identityPublicField, identity.Public.Serialize()), identityPrivateField, identity.Private[:])
	return syncOf(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_PniChangeNumber_{
		PniChangeNumber: &servicepb.SyncMessage_PniChangeNumber{
			IdentityKeyPair: pair, NewE164: &number, RegistrationId: proto.Uint32(77),
			SignedPreKey:          record(500, signed.Keys.Public.Serialize(), signed.Keys.Private[:], signed.Signature[:]),
			LastResortKyberPreKey: record(501, last.Keys.Public.Serialize(), last.Keys.Secret.Serialize(), last.Signature[:]),
		},
	}})
}
