package signalcore

import (
	"sync/atomic"

	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// firstSync counts, for whoever shows it, what comes to a device that was just linked. What is there already and what is
// yet to come is in the store.
type firstSync struct {
	contacts atomic.Int64
	messages atomic.Int64 // that waited with the service
	drained  atomic.Bool  // none waits there any more
	complete atomic.Pointer[completeSync]
}

// completeSync is what the store had of a link of the device once all was there.
type completeSync struct {
	linked int64 // the time of linking
	found  model.FirstSync
}

// received counts messages, while there are any that waited.
func (f *firstSync) received(messages int) {
	if messages > 0 && !f.drained.Load() {
		f.messages.Add(int64(messages))
	}
}

// FirstSync says what has come to this device since it was linked, of what the account had before, and which messages
// waited. It may be asked often. model.ErrNotLinked; model.ErrStorage.
func (c *Client) FirstSync() (model.FirstSync, error) {
	a, err := c.accounts.working()
	if err != nil {
		return model.FirstSync{}, err
	}
	f := c.firstSync
	out, err := f.inStore(c.store, a)
	// They are counted before the store says that they are there.
	out.ContactsRead, out.Messages, out.Drained = int(f.contacts.Load()), int(f.messages.Load()), f.drained.Load()
	return out, storageError(err)
}

// inStore reads what is in the store, until all is there.
func (f *firstSync) inStore(st *store.Store, a *account) (out model.FirstSync, err error) {
	linked := a.linkedAt.UnixMilli()
	if complete := f.complete.Load(); complete != nil && complete.linked == linked {
		return complete.found, nil
	}
	err = st.View(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		if err != nil {
			return err
		}
		out = model.FirstSync{Contacts: contactsOf(settings, a), Storage: settings.GetStorageSyncedAt() >= linked}
		return countGroups(tx, &out)
	})
	if err == nil && out.InStore() {
		f.complete.Store(&completeSync{linked, out})
	}
	return out, err
}

// contactsOf says how it stands with the list of contacts that the primary device sends after linking.
func contactsOf(settings *storepb.AccountSettings, a *account) model.SyncState {
	linked := a.linkedAt.UnixMilli()
	switch {
	case settings.GetContactsSyncedAt() >= linked:
		return model.SyncThere
	case settings.GetContactsLostAt() >= linked:
		return model.SyncLost
	}
	return model.SyncAwaited
}

func countGroups(tx *store.Tx, into *model.FirstSync) error {
	return tx.Groups(func(g *storepb.Group) error {
		switch {
		case g.GetForgotten():
			return nil
		case g.GetRefreshedAt() != 0:
			into.GroupsFetched++
		case g.GetFailures() > 0:
			into.GroupsRefused++
		}
		into.Groups++
		return nil
	})
}
