package signalcore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// linkedNow makes a party one that was linked just now.
func (p *party) linkedNow() {
	p.t.Helper()
	p.update(func(tx *store.Tx) error {
		record, err := tx.Account()
		require.NoError(p.t, err)
		record.LinkedAt = p.clock.Now().UnixMilli()
		return tx.PutAccount(record)
	})
	require.NoError(p.t, p.reloadAccount())
}

func (p *party) settings(change func(*storepb.AccountSettings)) {
	p.t.Helper()
	p.update(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		require.NoError(p.t, err)
		change(settings)
		return tx.PutAccountSettings(settings)
	})
}

// TestFirstSync: what has come since the device was linked, each in its turn.
func TestFirstSync(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.linkedNow()
	now := bob.clock.Now().UnixMilli()
	var want model.FirstSync
	same := func() {
		t.Helper()
		sync, err := bob.FirstSync()
		require.NoError(t, err)
		require.Equal(t, want, sync)
		require.Equal(t, want.Contacts != model.SyncAwaited && want.Storage && want.Groups == 2, sync.InStore() && want.Drained)
	}
	same()
	bob.gets(newLetter(alice, bob).text("one"), newLetter(alice, bob).text("two"))
	want.Messages = 2
	same()
	bob.queueDrained()
	bob.gets(newLetter(alice, bob).text("three"))
	want.Drained = true
	same()
	group := func(id byte, change func(*storepb.Group)) {
		g := &storepb.Group{GroupId: bytes.Repeat([]byte{id}, 32), MasterKey: bytes.Repeat([]byte{id}, 32)}
		change(g)
		bob.update(func(tx *store.Tx) error { return tx.PutGroup(g) })
	}
	group(1, func(g *storepb.Group) { g.Failures = 1 })
	group(2, func(g *storepb.Group) { g.RefreshedAt = now })
	group(3, func(g *storepb.Group) { g.Forgotten = true })
	want.Groups, want.GroupsFetched, want.GroupsRefused = 2, 1, 1
	same()
	bob.settings(func(s *storepb.AccountSettings) { s.StorageSyncedAt = now })
	want.Storage = true
	same()
	bob.settings(func(s *storepb.AccountSettings) { s.ContactsLostAt = now })
	want.Contacts = model.SyncLost
	same()
	bob.settings(func(s *storepb.AccountSettings) { s.ContactsSyncedAt = now })
	group(4, func(*storepb.Group) {})
	sync, err := bob.FirstSync()
	require.NoError(t, err)
	require.Equal(t, 2, sync.Groups, "it is complete once")

	require.NoError(t, bob.markUnlinked("gone"))
	_, err = bob.FirstSync()
	require.ErrorIs(t, err, model.ErrNotLinked)
}

// TestContactsThatCannotBeHad: whoever waits for the list learns that it does not come.
func TestContactsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	desk.linkedNow()
	state := func() model.SyncState {
		sync, err := desk.FirstSync()
		require.NoError(t, err)
		return sync.Contacts
	}
	require.False(t, desk.contactsRead())
	shelf := phone.world.newShelf()
	desk.connect()
	list := shelf.put(t, "list", []byte("no list"))
	pointer, err := proto.Marshal(list.Pointer())
	require.NoError(t, err)
	require.NoError(t, desk.upkeep.syncContacts(t.Context(), pointer), "damaged")
	require.Equal(t, model.SyncLost, state())
	require.True(t, desk.contactsRead())

	for _, lost := range []func(){
		func() {
			list.CDNKey = "gone"
			pointer, err := proto.Marshal(list.Pointer())
			require.NoError(t, err)
			require.NoError(t, desk.upkeep.syncContacts(t.Context(), pointer))
		},
		func() {
			list.CDNKey, list.Digest = "list", bytes.Repeat([]byte{1}, 32)
			pointer, err := proto.Marshal(list.Pointer())
			require.NoError(t, err)
			require.Error(t, desk.upkeep.syncContacts(t.Context(), pointer))
		},
		func() {
			desk.gets(newLetter(phone, desk).content(syncOf(&servicepb.SyncMessage{
				Content: &servicepb.SyncMessage_Contacts_{Contacts: &servicepb.SyncMessage_Contacts{
					Blob: &servicepb.AttachmentPointer{}, Complete: proto.Bool(true),
				}},
			})))
		},
	} {
		desk.settings(func(s *storepb.AccountSettings) { s.ContactsLostAt = 0 })
		desk.firstSync.complete.Store(nil)
		require.Equal(t, model.SyncAwaited, state())
		lost()
		require.Equal(t, model.SyncLost, state())
	}
}

// TestTransfers: what is on its way is listed, with what is done of it, and is gone afterwards.
func TestTransfers(t *testing.T) {
	t.Parallel()
	_, bob := pair(t)
	out := bob.transfers.begin(model.Transfer{Outgoing: true, Size: 8, Preparing: true})
	require.Equal(t, []model.Transfer{{ID: 1, Outgoing: true, Size: 8, Preparing: true}}, bob.Transfers())
	out.moves()
	source := sentFrom{strings.NewReader("0123456789"), out}
	piece := make([]byte, 4)
	for _, step := range []struct{ at, done int64 }{{0, 4}, {4, 8}, {8, 8}, {2, 6}} {
		_, _ = source.ReadAt(piece, step.at)
		require.Equal(t, []model.Transfer{{ID: 1, Outgoing: true, Size: 8, Done: step.done}}, bob.Transfers())
	}
	out.end()
	in := bob.transfers.begin(model.Transfer{Size: 8})
	var target bytes.Buffer
	into := receivedInto{&target, in}
	for range 2 {
		_, err := into.Write(piece[:3])
		require.NoError(t, err)
	}
	require.Equal(t, []model.Transfer{{ID: 2, Size: 8, Done: 6}}, bob.Transfers())
	in.end()
	require.Empty(t, bob.Transfers())
}
