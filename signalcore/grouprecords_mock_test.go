package signalcore

import (
	"crypto/rand"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop"
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// hookReader is randomness before which something happens, once.
type hookReader struct{ before func() }

func (r *hookReader) Read(b []byte) (int, error) {
	if before := r.before; before != nil {
		r.before = nil
		before()
	}
	return io.ReadFull(rand.Reader, b)
}

// publish has a group's record written, as the commands do.
func (p *phone) publish(g *interop.Group, edit func(*storepb.Group)) {
	p.t.Helper()
	known := p.group(g)
	require.NoError(p.t, p.store.Update(func(tx *store.Tx) error {
		edit(known.record)
		if err := tx.PutGroup(known.record); err != nil {
			return err
		}
		return p.groups.publish(tx, known)
	}))
	p.outbox.wakeJobs()
}

func (p *phone) awaitNoJobs() {
	p.t.Helper()
	p.await("all jobs to be done", func(tx *store.Tx) bool {
		jobs, err := tx.CountJobs()
		return err == nil && jobs == 0
	})
}

// What is decided here about a group reaches the phone: the record is made, changed, and removed again, beside those of
// the phone, also where both write at the same time.
func TestGroupRecordIsWritten(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		p.setContacts(false, "alice")
		g := alice.NewGroup("Ours", interop.Changes{"members": []string{"me"}})
		p.link()
		p.run()
		p.awaitNoJobs()
		_, err := p.groups.sync(p.timely(), masterKeyOf(t, g), 0)
		require.NoError(t, err)
		require.Empty(t, p.me.StorageGroups())
		p.publish(g, func(record *storepb.Group) { record.Whitelisted = true })
		p.awaitNoJobs()
		require.Equal(t, map[string]interop.StorageGroup{g.ID: {ID: g.ID, Whitelisted: true}}, p.me.StorageGroups())
		p.mock.Await("the phone to be told", p.me.Received(func(e interop.Event) bool {
			return e.Content.SyncMessage != nil && e.Content.SyncMessage.FetchLatest != nil &&
				e.Content.SyncMessage.FetchLatest.Type == "STORAGE_MANIFEST"
		}))

		phones := alice.NewGroup("The phone's", interop.Changes{"members": []string{"me"}})
		p.config.Rand = &hookReader{before: func() { // between the reading of the manifest and the writing of the next
			p.me.SetStorageGroup(phones, nil)
			p.me.SetStorageGroup(g, map[string]any{"archived": true})
		}}
		p.publish(g, func(record *storepb.Group) { record.Blocked = true })
		p.awaitNoJobs()
		records := p.me.StorageGroups()
		require.Len(t, records, 2)
		require.True(t, records[phones.ID].Whitelisted)
		require.True(t, records[g.ID].Archived, "the phone's change has not been lost")
		require.True(t, records[g.ID].Blocked, "neither has ours")
		p.awaitGroup(phones, storepb.GroupStanding_GROUP_MEMBER, 0)
		require.True(t, p.group(g).record.GetArchived())

		require.NoError(t, p.store.Update(func(tx *store.Tx) error {
			return p.groups.forget(tx, p.group(g))
		}))
		_, err = p.Group(p.timely(), groupIDOf(t, g), false)
		require.ErrorIs(t, err, model.ErrGroupNotFound)
		require.NoError(t, p.store.Update(func(tx *store.Tx) error { // all is read again
			settings, err := tx.AccountSettings()
			require.NoError(t, err)
			settings.StorageManifestVersion = 0
			return tx.PutAccountSettings(settings)
		}))
		require.NoError(t, p.upkeep.storage.sync(p.timely()))
		_, err = p.Group(p.timely(), groupIDOf(t, g), false)
		require.ErrorIs(t, err, model.ErrGroupNotFound, "its record does not bring it back")
		p.outbox.wakeJobs()
		p.awaitNoJobs()
		require.NotContains(t, p.me.StorageGroups(), g.ID)
		require.Contains(t, p.me.StorageGroups(), phones.ID)
		p.view(func(tx *store.Tx) error {
			_, err := tx.Group(groupIDOf(t, g))
			require.ErrorIs(t, err, store.ErrNotFound)
			return nil
		})
	})
}

// Who was deleted and is added again is known again, and so is the record.
func TestGroupForgottenAndBack(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, g := p.joined("Club")
		p.awaitNoJobs()
		g.Change(alice, interop.Changes{"remove": []string{"me"}})
		require.NoError(t, p.store.Update(func(tx *store.Tx) error {
			return p.groups.forget(tx, p.group(g))
		}))
		// A late message of a member who has not heard of it changes nothing.
		_, err := p.groups.sync(p.timely(), masterKeyOf(t, g), 0)
		require.NoError(t, err)
		listed, err := p.Groups(p.timely())
		require.NoError(t, err)
		require.Empty(t, listed)

		g.Change(alice, interop.Changes{"add": []string{"me"}})
		known, err := p.groups.sync(p.timely(), masterKeyOf(t, g), 0)
		require.NoError(t, err)
		require.True(t, known.isMember())
		listed, err = p.Groups(p.timely())
		require.NoError(t, err)
		require.Len(t, listed, 1)
	})
}

// A group whose record is gone from the storage service is still known.
func TestGroupRecordRemovedByThePhone(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		_, g := p.joined("Club")
		p.setContacts(false, "alice") // writes all anew
		require.NoError(t, p.upkeep.storage.sync(p.timely()))
		require.True(t, p.group(g).isMember())
	})
}
