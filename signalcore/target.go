package signalcore

import (
	"context"
	"errors"
	"fmt"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/store"
)

// target is one recipient of a send, found or not.
type target struct {
	recipient model.Recipient
	id        serviceid.ServiceID
	number    string
	err       error // why it cannot be sent to
}

// resolve finds out who the recipients are. One that cannot be found has the reason in its target.
func (c *Client) resolve(recipients []model.Recipient) ([]target, error) {
	a, err := c.accounts.working()
	if err != nil {
		return nil, err
	}
	targets := make([]target, len(recipients))
	err = c.store.View(func(tx *store.Tx) error {
		for i, r := range recipients {
			var err error
			if targets[i], err = resolveOne(tx, a, r); err != nil {
				return err
			}
		}
		return nil
	})
	return targets, storageError(err)
}

// resolveOne looks a recipient up. The errors that it returns, rather than keeps in the target, are the store's.
func resolveOne(tx *store.Tx, a *account, r model.Recipient) (target, error) {
	t := target{recipient: r}
	switch r.Kind {
	case model.RecipientSelf:
		t.id, t.number = a.aci, a.number
		return t, nil
	case model.RecipientServiceID:
		return resolveServiceID(tx, a, t)
	case model.RecipientNumber:
		if r.Number == a.number {
			t.id, t.number = a.aci, a.number
			return t, nil
		}
		return resolveNumber(tx, t)
	}
	t.err = fmt.Errorf("%w: usernames cannot be looked up by this version", model.ErrUnknownRecipient)
	return t, nil
}

func resolveServiceID(tx *store.Tx, a *account, t target) (target, error) {
	t.id = t.recipient.ServiceID
	if a.isSelf(t.id) {
		t.id, t.number = a.aci, a.number
		return t, nil
	}
	known, err := tx.RecipientByServiceID(t.id)
	if errors.Is(err, store.ErrNotFound) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	t.number = known.GetNumber()
	// Whoever proved which account a PNI belongs to is written to under that account.
	if aci, ok := store.RecipientACI(known); ok && t.id.Kind == serviceid.PNI && known.GetPniSignatureVerified() {
		t.id = aci
	}
	return t, nil
}

func resolveNumber(tx *store.Tx, t target) (target, error) {
	known, err := tx.RecipientByNumber(t.recipient.Number)
	if errors.Is(err, store.ErrNotFound) {
		t.err = fmt.Errorf("%w: the number is not among the account's contacts", model.ErrUnknownRecipient)
		return t, nil
	}
	if err != nil {
		return t, err
	}
	t.number = t.recipient.Number
	if aci, ok := store.RecipientACI(known); ok {
		t.id = aci
	} else if pni, ok := store.RecipientPNI(known); ok {
		t.id = pni
	} else {
		t.err = fmt.Errorf("%w: the contact has no account", model.ErrUnknownRecipient)
	}
	return t, nil
}

// Resolve implements commands.Sender.
func (c *Client) Resolve(_ context.Context, recipients []model.Recipient) ([]serviceid.ServiceID, error) {
	targets, err := c.resolve(recipients)
	if err != nil {
		return nil, err
	}
	ids := make([]serviceid.ServiceID, len(targets))
	for i, t := range targets {
		if t.err != nil {
			return nil, t.err
		}
		ids[i] = t.id
	}
	return ids, nil
}

// storageError marks what the disk refused, for the commands to tell from a failure of the service.
func storageError(err error) error {
	var commit *store.CommitError
	var corrupt *store.CorruptError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrDiskFull), errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrClosed),
		errors.As(err, &commit), errors.As(err, &corrupt):
		return fmt.Errorf("%w: %w", model.ErrStorage, err)
	}
	return err
}

// Lookup implements commands.AccountInfo.
func (c *Client) Lookup(_ context.Context, id serviceid.ServiceID) (number, name string) {
	if a := c.accounts.get(); a != nil && a.isSelf(id) {
		number = a.number
	}
	err := c.store.View(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(id)
		if err != nil {
			return err
		}
		if number == "" {
			number = recipient.GetNumber()
		}
		name = displayName(recipient)
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		c.log.Warn().Err(err).Msg("a contact cannot be looked up")
	}
	return number, name
}
