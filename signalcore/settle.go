package signalcore

import (
	"context"
	"errors"
	"slices"
	"time"

	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// contactsPatience is how long the first list of contacts is waited for after linking: a phone that is away does
	// not send it.
	contactsPatience = 15 * time.Second
	contactsLook     = 50 * time.Millisecond
)

// Settle returns once this device is of use after linking: its one-time prekeys are with the service, and the contacts
// are here, unless the phone takes too long to send them.
func (c *Client) Settle(ctx context.Context) error {
	if _, err := c.connector.line(ctx, linePatience); err != nil {
		return err
	}
	if err := c.upkeep.do(ctx, &storepb.Job{Kind: storepb.JobKind_JOB_PREKEY_CHECK}); err != nil {
		return err
	}
	c.awaitContacts(ctx, func() bool { return false })
	return nil
}

// awaitContacts waits for the first list of contacts after linking, or for enough of them to have come
// otherwise.
func (c *Client) awaitContacts(ctx context.Context, enough func() bool) {
	ctx, cancel := context.WithTimeout(ctx, contactsPatience)
	defer cancel()
	ticker := time.NewTicker(contactsLook)
	defer ticker.Stop()
	for !c.contactsRead() && !enough() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// contactsRead reports whether the contacts' list has come since the account was linked, or is too late to wait for.
func (c *Client) contactsRead() bool {
	a := c.accounts.get()
	if a == nil || c.config.Now().Sub(a.linkedAt) > contactsPatience {
		return true
	}
	read := true
	err := c.store.View(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		read = settings.GetContactsSyncedAt() >= a.linkedAt.UnixMilli()
		return err
	})
	return read || err != nil
}

// resolvePatiently is resolve for a send: right after linking a number may be a contact's that has yet to come, with the
// list of contacts or from the storage service.
func (c *Client) resolvePatiently(ctx context.Context, recipients []model.Recipient) ([]target, error) {
	targets, err := c.resolve(recipients)
	if err != nil || !hasUnknown(targets) || c.contactsRead() {
		return targets, err
	}
	c.awaitContacts(ctx, func() bool {
		now, err := c.resolve(recipients)
		return err != nil || !hasUnknown(now)
	})
	return c.resolve(recipients)
}

func hasUnknown(targets []target) bool {
	return slices.ContainsFunc(targets, func(t target) bool { return errors.Is(t.err, model.ErrUnknownRecipient) })
}
