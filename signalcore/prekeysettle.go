package signalcore

import (
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/store"
)

// settle notes in one transaction what the service has now, which keys that replaced, and forgets those that were
// replaced long ago.
func (b *keyBatch) settle(tx *store.Tx, kind serviceid.Kind, ec, kyber int) error {
	state, err := tx.PreKeyState(kind)
	if err != nil {
		return err
	}
	now := tx.Now().UnixMilli()
	state.CheckedAt, state.ServiceEcCount, state.ServiceKyberCount = now, uint32(ec), uint32(kyber)
	if b.signed != nil {
		state.ActiveSignedId, state.SignedRotatedAt = b.signed.ID, now
	}
	if b.lastResort != nil {
		state.ActiveLastResortId, state.LastResortRotatedAt = b.lastResort.ID, now
	}
	if err := tx.PutPreKeyState(kind, state); err != nil {
		return err
	}
	if err := b.markReplaced(tx, kind); err != nil {
		return err
	}
	return forgetReplaced(tx, kind, tx.Now().Add(-keepReplaced).UnixMilli())
}

func (b *keyBatch) markReplaced(tx *store.Tx, kind serviceid.Kind) error {
	if b.signed != nil {
		if err := tx.MarkPreKeysStale(kind, store.ECSigned, b.signed.ID); err != nil {
			return err
		}
	}
	if b.lastResort != nil {
		if err := tx.MarkPreKeysStale(kind, store.KyberLastResort, b.lastResort.ID); err != nil {
			return err
		}
	}
	current := make(map[uint32]bool, len(b.ec))
	for _, key := range b.ec {
		current[key.ID] = true
	}
	if err := markOthers(tx, kind, store.ECOneTime, current); err != nil {
		return err
	}
	current = make(map[uint32]bool, len(b.kyber))
	for _, key := range b.kyber {
		current[key.ID] = true
	}
	return markOthers(tx, kind, store.KyberOneTime, current)
}

// markOthers marks the one-time keys that an upload of the given ones has replaced. No upload replaces nothing.
func markOthers(tx *store.Tx, kind serviceid.Kind, of store.PreKeyKind, current map[uint32]bool) error {
	if len(current) == 0 {
		return nil
	}
	keys, err := tx.PreKeys(kind, of)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key.StaleSince != 0 || current[key.ID] {
			continue
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
