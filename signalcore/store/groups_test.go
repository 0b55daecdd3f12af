package store

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func groupID(n byte) []byte { return bytes.Repeat([]byte{n}, groupIDBytes) }

func TestGroups(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	big := bytes.Repeat([]byte("8 bytes "), MaxGroupStateBytes/8)
	first := &storepb.Group{GroupId: groupID(2), MasterKey: groupID(9), State: []byte("small"), Revision: 3}
	second := &storepb.Group{GroupId: groupID(1), State: big, Standing: storepb.GroupStanding_GROUP_LEFT}
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.PutGroup(first))
		require.NoError(t, tx.PutGroup(second))
		require.ErrorIs(t, tx.PutGroup(&storepb.Group{GroupId: []byte("a legacy group")}), errGroupID)
		require.ErrorIs(t, tx.Attempt(func() error {
			return tx.PutGroup(&storepb.Group{GroupId: groupID(3), State: append(big, '!')})
		}), ErrRecordTooBig)
		_, err := tx.Group([]byte("a legacy group"))
		require.ErrorIs(t, err, ErrNotFound)
	})
	s = reopenAfter(t, s)
	requireGroup := func(tx *Tx, want *storepb.Group) {
		t.Helper()
		got, err := tx.Group(want.GroupId)
		require.NoError(t, err)
		got.HasState = false
		require.True(t, proto.Equal(want, got))
	}
	update(t, s, func(tx *Tx) {
		requireGroup(tx, first)
		requireGroup(tx, second)
		var listed []*storepb.Group
		require.NoError(t, tx.Groups(func(g *storepb.Group) error {
			listed = append(listed, g)
			return nil
		}))
		require.Len(t, listed, 2)
		require.Equal(t, second.GroupId, listed[0].GroupId)
		require.Empty(t, listed[0].State)
		listed[0].Archived = true
		require.NoError(t, tx.PutGroup(listed[0]), "what was listed can be written")
		second.Archived = true
		requireGroup(tx, second)

		second.State = []byte("shrunk")
		require.NoError(t, tx.PutGroup(second))
		requireGroup(tx, second)
	})
	require.Error(t, s.Update(func(tx *Tx) error {
		if err := tx.delete(kindGroupState.key(first.GroupId)); err != nil {
			return err
		}
		_, err := tx.Group(first.GroupId)
		var corrupt *CorruptError
		require.ErrorAs(t, err, &corrupt)
		return errors.New("undone")
	}))
}

func TestDeleteGroupForgetsWhatBelongsToIt(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	one, other := groupID(1), groupID(2)
	update(t, s, func(tx *Tx) {
		for _, id := range [][]byte{one, other} {
			require.NoError(t, tx.PutGroup(&storepb.Group{GroupId: id, State: []byte("s")}))
			require.NoError(t, tx.PutGroupSender(id, &storepb.GroupSender{CreatedAt: 4}))
			require.NoError(t, tx.PutGroupEndorsements(id, &storepb.GroupEndorsements{ExpiresAt: 5}))
			require.NoError(t, tx.ParkMessage(&storepb.ParkedMessage{GroupId: id, Revision: 6}))
		}
	})
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.DeleteGroup(one))
		require.NoError(t, tx.DeleteGroup(one))
		require.NoError(t, tx.DeleteGroup([]byte("legacy")))
	})
	s = reopenAfter(t, s)
	update(t, s, func(tx *Tx) {
		_, err := tx.Group(one)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = tx.GroupSender(one)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = tx.GroupEndorsements(one)
		require.ErrorIs(t, err, ErrNotFound)
		sender, err := tx.GroupSender(other)
		require.NoError(t, err)
		require.EqualValues(t, 4, sender.CreatedAt)
		endorsements, err := tx.GroupEndorsements(other)
		require.NoError(t, err)
		require.EqualValues(t, 5, endorsements.ExpiresAt)
		for id, want := range map[string]int{string(one): 0, string(other): 1, "": 1} {
			count, err := tx.CountParked([]byte(id))
			require.NoError(t, err)
			require.Equal(t, want, count)
		}
		var ids [][]byte
		require.NoError(t, tx.GroupSenders(func(id []byte, s *storepb.GroupSender) error {
			require.EqualValues(t, 4, s.CreatedAt)
			ids = append(ids, id)
			return nil
		}))
		require.Equal(t, [][]byte{other}, ids)
		n, err := tx.DeleteGroupSenders()
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, tx.DeleteGroupSender(other))
		require.NoError(t, tx.DeleteGroupEndorsements(other))
	})
}

func TestParkedMessagesKeepTheirOrder(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	parked := func(tx *Tx, id []byte) (out []uint32) {
		require.NoError(t, tx.Parked(id, func(m *storepb.ParkedMessage) error {
			out = append(out, m.Revision)
			return nil
		}))
		return out
	}
	update(t, s, func(tx *Tx) {
		for n := range uint32(600) {
			m := &storepb.ParkedMessage{GroupId: groupID(byte(n % 2)), Revision: n, Entry: &storepb.InboxEntry{Timestamp: 7}}
			require.NoError(t, tx.ParkMessage(m))
		}
		require.ErrorIs(t, tx.ParkMessage(&storepb.ParkedMessage{GroupId: []byte("legacy")}), errGroupID)
	})
	s = reopenAfter(t, s)
	update(t, s, func(tx *Tx) {
		odd := parked(tx, groupID(1))
		require.Len(t, odd, 300)
		for i, n := range odd {
			require.EqualValues(t, 2*i+1, n)
		}
		require.Len(t, parked(tx, nil), 600)
		require.Empty(t, parked(tx, []byte("legacy")))
		require.NoError(t, tx.Parked(groupID(1), tx.DeleteParked))
		require.Empty(t, parked(tx, groupID(1)))
		require.Len(t, parked(tx, groupID(0)), 300)
	})
}

// A group has at most 1,001 members; their records must fit.
func TestTheBiggestGroupFits(t *testing.T) {
	const members = 1001
	endorsements := &storepb.GroupEndorsements{Combined: groupID(1)}
	sender := &storepb.GroupSender{}
	for n := range members {
		id := serviceid.NewPNI(aci(byte(n)).UUID).Binary()
		endorsements.Members = append(endorsements.Members,
			&storepb.MemberEndorsement{ServiceId: id, Endorsement: groupID(byte(n))})
		shared := &storepb.SharedWith{ServiceId: id}
		for device := range uint32(6) {
			shared.Devices = append(shared.Devices, &storepb.SharedDevice{DeviceId: device + 1, RegistrationId: 16000})
		}
		sender.Shared = append(sender.Shared, shared)
	}
	change := &storepb.GroupChangeEntry{Before: strings.Repeat("d", 8192), After: strings.Repeat("d", 8192)}
	for range members {
		change.Affected = append(change.Affected, serviceid.NewPNI(aci(1).UUID).Binary())
	}
	s := open(t, t.TempDir(), Options{})
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.PutGroupEndorsements(groupID(1), endorsements))
		require.NoError(t, tx.PutGroupSender(groupID(1), sender))
		require.NoError(t, tx.PutInboxEntry(&storepb.InboxEntry{Seq: 1, GroupChange: change}, &storepb.InboxMeta{}))
	})
	t.Logf("endorsements %d bytes, sender key's devices %d, change %d",
		proto.Size(endorsements), proto.Size(sender), proto.Size(change))
}

func TestGroupCredentials(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	want := &storepb.GroupCredentials{Pni: groupID(1)[:16], Days: []*storepb.GroupCredential{{Redemption: 86400}}}
	update(t, s, func(tx *Tx) {
		empty, err := tx.GroupCredentials()
		require.NoError(t, err)
		require.Empty(t, empty.Days)
		require.NoError(t, tx.PutGroupCredentials(want))
	})
	s = reopenAfter(t, s)
	view(t, s, func(tx *Tx) {
		got, err := tx.GroupCredentials()
		require.NoError(t, err)
		require.True(t, proto.Equal(want, got))
	})
}
