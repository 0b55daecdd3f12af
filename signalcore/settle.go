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
	// syncPatience is how long the first sync is waited for after linking: a phone that is away does not send its
	// contacts.
	syncPatience = 15 * time.Second
	syncLook     = 50 * time.Millisecond
)

// Settle returns once this device is of use after linking: its one-time prekeys are with the service, and the first sync
// is complete, unless that takes too long: the result says how far it is.
func (c *Client) Settle(ctx context.Context) (model.FirstSync, error) {
	if _, err := c.connector.line(ctx, linePatience); err != nil {
		return model.FirstSync{}, err
	}
	if err := c.upkeep.do(ctx, &storepb.Job{Kind: storepb.JobKind_JOB_PREKEY_CHECK}); err != nil {
		return model.FirstSync{}, err
	}
	var sync model.FirstSync
	var err error
	awaitSync(ctx, func() bool {
		sync, err = c.FirstSync()
		return err != nil || sync.Complete()
	})
	return sync, err
}

// awaitSync waits for enough to have come after linking, and not for ever.
func awaitSync(ctx context.Context, enough func() bool) {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	ticker := time.NewTicker(syncLook)
	defer ticker.Stop()
	for !enough() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// contactsRead reports whether the contacts' list has come since the account was linked, is lost, or is too late to
// wait for.
func (c *Client) contactsRead() bool {
	a := c.accounts.get()
	if a == nil || c.config.Now().Sub(a.linkedAt) > syncPatience {
		return true
	}
	read := true
	err := c.store.View(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		read = contactsOf(settings, a) != model.SyncAwaited
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
	awaitSync(ctx, func() bool {
		now, err := c.resolve(recipients)
		return err != nil || !hasUnknown(now) || c.contactsRead()
	})
	return c.resolve(recipients)
}

func hasUnknown(targets []target) bool {
	return slices.ContainsFunc(targets, func(t target) bool { return errors.Is(t.err, model.ErrUnknownRecipient) })
}
