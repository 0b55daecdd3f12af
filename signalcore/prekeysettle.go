package signalcore

import (
	"errors"
	"slices"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/store"
)

// settle notes what the service has now and which keys that replaced, and forgets those that were replaced long ago.
// Where it breaks off, the next upload does the rest.
func (k *preKeys) settle(b *keyBatch, kind serviceid.Kind, ec, kyber int) error {
	if err := k.store.Update(func(tx *store.Tx) error { return b.noteState(tx, kind, ec, kyber) }); err != nil {
		return err
	}
	current := make(map[uint32]bool, len(b.ec))
	for _, key := range b.ec {
		current[key.ID] = true
	}
	if err := k.markOthers(kind, store.ECOneTime, current); err != nil {
		return err
	}
	current = make(map[uint32]bool, len(b.kyber))
	for _, key := range b.kyber {
		current[key.ID] = true
	}
	if err := k.markOthers(kind, store.KyberOneTime, current); err != nil {
		return err
	}
	return k.store.Update(func(tx *store.Tx) error {
		return forgetReplaced(tx, kind, tx.Now().Add(-keepReplaced).UnixMilli())
	})
}

func (b *keyBatch) noteState(tx *store.Tx, kind serviceid.Kind, ec, kyber int) error {
	state, err := tx.PreKeyState(kind)
	if err != nil {
		return err
	}
	now := tx.Now().UnixMilli()
	state.CheckedAt, state.ServiceEcCount, state.ServiceKyberCount = now, uint32(ec), uint32(kyber)
	if b.signed != nil {
		state.ActiveSignedId, state.SignedRotatedAt = b.signed.ID, now
		if err := tx.MarkPreKeysStale(kind, store.ECSigned, b.signed.ID); err != nil {
			return err
		}
	}
	if b.lastResort != nil {
		state.ActiveLastResortId, state.LastResortRotatedAt = b.lastResort.ID, now
		if err := tx.MarkPreKeysStale(kind, store.KyberLastResort, b.lastResort.ID); err != nil {
			return err
		}
	}
	return tx.PutPreKeyState(kind, state)
}

// markOthers marks the one-time keys that an upload of the given ones has replaced. No upload replaces nothing.
func (k *preKeys) markOthers(kind serviceid.Kind, of store.PreKeyKind, current map[uint32]bool) error {
	if len(current) == 0 {
		return nil
	}
	var keys []store.StoredPreKey
	err := k.store.View(func(tx *store.Tx) (err error) {
		keys, err = tx.PreKeys(kind, of)
		return err
	})
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(key store.StoredPreKey) bool { return key.StaleSince != 0 || current[key.ID] })
	for part := range slices.Chunk(keys, kyberPerTransaction) {
		if err := k.store.Update(func(tx *store.Tx) error { return markStale(tx, kind, of, part) }); err != nil {
			return err
		}
	}
	return nil
}

func markStale(tx *store.Tx, kind serviceid.Kind, of store.PreKeyKind, keys []store.StoredPreKey) error {
	for _, key := range keys {
		_, err := tx.PreKey(kind, of, key.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // a message has used it meanwhile
		}
		if err != nil {
			return err
		}
		key.StaleSince = tx.Now().UnixMilli()
		if err := tx.PutPreKey(kind, of, key.ID, key.PreKey); err != nil {
			return err
		}
	}
	return nil
}

// forgetReplaced removes what was replaced before a time, and with a last-resort key the notes of who has used it.
func forgetReplaced(tx *store.Tx, kind serviceid.Kind, before int64) error {
	lastResorts, err := tx.PreKeys(kind, store.KyberLastResort)
	if err != nil {
		return err
	}
	for _, key := range lastResorts {
		if key.StaleSince == 0 || key.StaleSince >= before {
			continue
		}
		if _, err := tx.ForgetBaseKeys(kind, key.ID); err != nil {
			return err
		}
	}
	for _, of := range []store.PreKeyKind{store.ECOneTime, store.ECSigned, store.KyberOneTime, store.KyberLastResort} {
		if _, err := tx.DeleteStalePreKeys(kind, of, before); err != nil {
			return err
		}
	}
	return nil
}
