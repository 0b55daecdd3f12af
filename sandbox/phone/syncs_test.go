package phone

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

func contactRecord(id uuid.UUID, number, name string, blocked bool) *servicepb.StorageRecord {
	return &servicepb.StorageRecord{Record: &servicepb.StorageRecord_Contact{Contact: &servicepb.ContactRecord{
		AciBinary: id[:], E164: &number, GivenName: &name, Blocked: &blocked,
	}}}
}

// parsed is how a linked device reads a sync message.
func parsed(t *testing.T, m *servicepb.SyncMessage) *content.Sync {
	t.Helper()
	out, err := content.Parse(&servicepb.Content{Content: &servicepb.Content_SyncMessage{SyncMessage: m}})
	require.NoError(t, err)
	return out.Sync
}

func TestSyncsOfWhatIsStored(t *testing.T) {
	anna, ben := uuid.UUID{1}, uuid.UUID{2}
	master := zkgroup.MasterKey{3}
	group := master.GroupID()
	stored := []*servicepb.StorageRecord{
		contactRecord(ben, "+12025550152", "Ben", true), contactRecord(anna, "", "Anna", false),
		{Record: &servicepb.StorageRecord_Contact{Contact: &servicepb.ContactRecord{}}}, // nobody
		{Record: &servicepb.StorageRecord_GroupV2{GroupV2: &servicepb.GroupV2Record{
			MasterKey: master[:], Blocked: proto.Bool(true),
		}}},
		GroupRecord(&content.Group{MasterKey: make([]byte, 32)}),
		{Record: &servicepb.StorageRecord_Account{Account: &servicepb.AccountRecord{LinkPreviews: proto.Bool(true)}}},
	}
	list, err := contactList(stored)
	require.NoError(t, err)
	var got []content.SyncedContact
	require.NoError(t, content.ReadContacts(bytes.NewReader(list), func(c content.SyncedContact) error {
		got = append(got, c)
		return nil
	}))
	require.Equal(t, []content.SyncedContact{
		{ACI: serviceid.NewACI(anna), Name: "Anna"}, {ACI: serviceid.NewACI(ben), Name: "Ben", Number: "+12025550152"},
	}, got)

	require.Equal(t, &content.Blocked{
		Numbers: []string{"+12025550152"}, ACIs: []serviceid.ServiceID{serviceid.NewACI(ben)}, Groups: [][]byte{group[:]},
	}, parsed(t, blockedSync(stored)).Blocked)

	configuration := parsed(t, configurationSync(stored)).Configuration
	require.True(t, *configuration.LinkPreviews)
	require.False(t, *configuration.ReadReceipts)
	require.Nil(t, parsed(t, configurationSync(nil)).Configuration.ReadReceipts, "where nothing is stored yet")
}

// FuzzCode reads linking codes.
func FuzzCode(f *testing.F) {
	f.Add("sgnl://linkdevice?uuid=a&pub_key=BQAA")
	f.Add("sgnl://linkdevice?uuid=a&pub_key=BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("https://signal.group/#")
	f.Fuzz(func(t *testing.T, uri string) {
		if _, key, err := parseCode(uri); err != nil {
			require.ErrorIs(t, err, ErrCode)
		} else {
			require.Len(t, key.Serialize(), 33)
		}
	})
}
