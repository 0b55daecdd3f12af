package signalcore

import (
	"context"
	"errors"
	"io"
	"os"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/service/cdn"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/store"
)

// syncContacts fetches the contact list that the primary has sent, and keeps it. A list that is gone or damaged is
// given up: the primary sends another with its next change.
func (u *upkeep) syncContacts(ctx context.Context, pointer []byte) error {
	var p servicepb.AttachmentPointer
	if err := proto.Unmarshal(pointer, &p); err != nil {
		return nil //nolint:nilerr // nothing to fetch
	}
	file, err := u.store.CreateTemp()
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // the store clears leftovers
	defer file.Close()           //nolint:errcheck // only read from here on
	if err := u.downloadAttachment(ctx, &p, file); err != nil {
		if errors.Is(err, cdn.ErrNotFound) {
			u.log.Info().Msg("the contact list of the primary device is gone")
			return u.contactsLost()
		}
		if !mayPass(err) { // it is tried again all the same
			err = errors.Join(err, u.contactsLost())
		}
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	err = u.keepContacts(ctx, file)
	var invalid *content.InvalidError
	if errors.As(err, &invalid) {
		u.log.Warn().Err(err).Msg("the contact list of the primary device was read up to a fault")
		return u.contactsLost()
	}
	return err
}

// contactsLost remembers that the list is not to be waited for.
func (u *upkeep) contactsLost() error { return u.store.Update(noteContactsLost) }

func noteContactsLost(tx *store.Tx) error {
	settings, err := tx.AccountSettings()
	if err != nil {
		return err
	}
	settings.ContactsLostAt = tx.Now().UnixMilli()
	return tx.PutAccountSettings(settings)
}

// keepContacts saves the list a part at a time, so that receiving goes on meanwhile.
func (u *upkeep) keepContacts(ctx context.Context, list io.Reader) error {
	part := make([]content.SyncedContact, 0, recordsPerUpdate)
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := u.store.Update(func(tx *store.Tx) error {
			for _, contact := range part {
				if err := keepSynced(tx, contact); err != nil {
					return err
				}
			}
			return nil
		})
		part = part[:0]
		return err
	}
	count := 0
	err := content.ReadContacts(list, func(contact content.SyncedContact) error {
		count++
		u.firstSync.contacts.Store(int64(count))
		part = append(part, contact)
		if len(part) < recordsPerUpdate {
			return nil
		}
		return flush()
	})
	if err := errors.Join(err, flush()); err != nil {
		return err
	}
	u.log.Info().Int("contacts", count).Msg("contacts read")
	return u.store.Update(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		if err != nil {
			return err
		}
		settings.ContactsSyncedAt = tx.Now().UnixMilli()
		return tx.PutAccountSettings(settings)
	})
}

func keepSynced(tx *store.Tx, contact content.SyncedContact) error {
	r, err := tx.Associate(store.Identifiers{ACI: contact.ACI, Number: contact.Number})
	if err != nil {
		return err
	}
	if contact.Name != "" {
		r.ContactGivenName, r.ContactFamilyName = contact.Name, ""
	}
	if contact.Timer.Seconds > 0 || contact.Timer.Version > 0 {
		setTimer(r, &contact.Timer)
	}
	return tx.PutRecipient(r)
}
