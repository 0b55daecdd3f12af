package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
)

func TestFirstSyncForPeople(t *testing.T) {
	for _, test := range []struct {
		sync            model.FirstSync
		syncing, synced string
	}{
		{model.FirstSync{}, "the phone's contacts are awaited", "the phone has not sent its contacts yet"},
		{
			model.FirstSync{ContactsRead: 120, Groups: 12, GroupsFetched: 2, GroupsRefused: 1, Messages: 340},
			"contacts: 120, groups: 3 of 12, messages that waited: 340",
			"120 contacts, 2 groups, 340 messages that waited, 1 group could not be read, the phone has not sent its contacts yet",
		},
		{
			model.FirstSync{Contacts: model.SyncThere, ContactsRead: 1, Storage: true, Groups: 3, GroupsFetched: 1},
			"contacts: 1, groups: 1 of 3", "1 contact, 1 group, 2 groups yet to come",
		},
		{model.FirstSync{Contacts: model.SyncThere, Drained: true}, "", "more is yet to come"},
		{model.FirstSync{Contacts: model.SyncThere, Storage: true, Drained: true}, "", "done"},
		{
			model.FirstSync{Contacts: model.SyncLost, Storage: true, Groups: 1, GroupsFetched: 1, Drained: true},
			"groups: 1 of 1", "1 group, the phone's list of contacts is lost: it sends another when a contact changes",
		},
	} {
		require.Equal(t, test.syncing, syncing(test.sync))
		require.Equal(t, test.synced, synced(test.sync))
	}
}

func TestTransfersForPeople(t *testing.T) {
	now := time.Unix(1000, 0)
	const mib = 1 << 20
	m := meter{outgoing: true}
	look := func(after time.Duration, under ...model.Transfer) string {
		now = now.Add(after)
		return m.line(under, now)
	}
	out := func(id uint64, done, size int64) model.Transfer {
		return model.Transfer{ID: id, Outgoing: true, Done: done, Size: size}
	}
	small, preparing := out(1, 1, largeTransfer-1), out(2, 0, 10*mib)
	preparing.Preparing = true
	incoming := model.Transfer{ID: 3, Size: 10 * mib}

	require.Empty(t, look(0))
	require.Empty(t, look(0, small, incoming))
	require.Equal(t, "Sending 10.0 MiB: encrypting", look(0, small, preparing))
	require.Equal(t, "Sending 2 files, 0.5 of 30.0 MiB, 1%", look(0, out(4, mib/2, 20*mib), preparing))
	require.Equal(t, "Sending 4.5 of 20.0 MiB, 22%, 2.0 MiB/s", look(2*time.Second, out(4, mib/2+4*mib, 20*mib)))
	require.Equal(t, "Sending 1.0 of 20.0 MiB, 5%, 1.0 MiB/s", look(2*time.Second, out(4, mib, 20*mib)), "again from there")
	require.Equal(t, "Sending 1.0 of 20.0 MiB, 5%, 0.0 MiB/s", look(4*time.Second, out(4, mib, 20*mib)), "nothing moves")
	require.Empty(t, look(0))
	require.Equal(t, "Sending 5.0 of 10.0 MiB, 50%", look(time.Hour, out(5, 5*mib, 10*mib)))
	m = meter{}
	require.Equal(t, "Receiving 0.0 of 10.0 MiB, 0%", look(0, incoming, preparing))
}

// busy is an account at some moment.
type busy struct {
	state model.ConnectionState
	sync  model.FirstSync
	err   error
}

func (b *busy) Connection() (model.ConnectionState, string) { return b.state, "" }
func (b *busy) FirstSync() (model.FirstSync, error)         { return b.sync, b.err }
func (b *busy) Transfers() []model.Transfer                 { return nil }

// TestWhenTheFirstSyncIsShown: not for an instant, not without a connection, and not for ever.
func TestWhenTheFirstSyncIsShown(t *testing.T) {
	client := &busy{err: model.ErrNotLinked}
	now := time.Unix(1000, 0)
	a := newActivity(client, &progress{})
	a.now = func() time.Time { return now }
	look := func(after time.Duration) string {
		now = now.Add(after)
		return a.look()
	}
	require.Empty(t, look(0), "no account")
	client.err, client.state = nil, model.StateConnecting
	require.Empty(t, look(time.Hour), "no connection")
	client.state = model.StateConnected
	require.Empty(t, look(0), "an instant")
	const awaited = "First sync ... the phone's contacts are awaited"
	require.Equal(t, awaited, look(noticeable))
	require.Empty(t, look(syncSilence), "the phone is away")
	require.Empty(t, look(time.Hour))
	client.sync.Messages = 1
	require.Equal(t, awaited+", messages that waited: 1", look(0))
	client.sync = model.FirstSync{Contacts: model.SyncThere, Storage: true, Messages: 1}
	require.Equal(t, "First sync ... messages that waited: 1", look(0))
	client.sync.Drained = true
	require.Empty(t, look(0))
	require.False(t, a.visible)

	client.sync.Drained = false
	require.Empty(t, look(0), "it has connected again")
	require.Equal(t, "Messages that waited: 1", look(noticeable))
}

func TestProgressElsewhere(t *testing.T) {
	require.Equal(t, "abc", cut("abcdef", 3))
	require.Equal(t, "äb", cut("äb", 3))
	require.Empty(t, cut("ab", -1))
}
