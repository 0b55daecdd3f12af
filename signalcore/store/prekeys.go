package store

import (
	"encoding/binary"
	"errors"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// PreKeyKind tells our prekeys apart.
type PreKeyKind byte

// The values are on disk.
const (
	ECOneTime       PreKeyKind = 'e'
	ECSigned        PreKeyKind = 's'
	KyberOneTime    PreKeyKind = 'k'
	KyberLastResort PreKeyKind = 'l'
)

// MaxPreKeyID is the highest number of a prekey, 24 bits on the wire.
const MaxPreKeyID = 0xffffff

// StoredPreKey is a prekey and its number.
type StoredPreKey struct {
	ID uint32
	*storepb.PreKey
}

func preKeyPrefix(identity serviceid.Kind, k PreKeyKind) []byte {
	return kindPreKey.key(local(identity), []byte{byte(k)})
}

func preKeyKey(identity serviceid.Kind, k PreKeyKind, id uint32) []byte {
	return binary.BigEndian.AppendUint32(preKeyPrefix(identity, k), id)
}

// PreKey reads one of our prekeys.
func (tx *Tx) PreKey(identity serviceid.Kind, k PreKeyKind, id uint32) (*storepb.PreKey, error) {
	out := new(storepb.PreKey)
	return out, tx.read(preKeyKey(identity, k, id), out)
}

// KyberPreKey reads a Kyber prekey of either kind: a message names it by its number alone.
func (tx *Tx) KyberPreKey(identity serviceid.Kind, id uint32) (*storepb.PreKey, PreKeyKind, error) {
	key, err := tx.PreKey(identity, KyberOneTime, id)
	if errors.Is(err, ErrNotFound) {
		key, err = tx.PreKey(identity, KyberLastResort, id)
		return key, KyberLastResort, err
	}
	return key, KyberOneTime, err
}

// PutPreKey writes a prekey's record; CreatedAt is set where it is not. A Kyber prekey has about 5 KB: fifty of them are as
// much as one transaction should hold (Tx.Fill).
func (tx *Tx) PutPreKey(identity serviceid.Kind, k PreKeyKind, id uint32, p *storepb.PreKey) error {
	if p.CreatedAt == 0 {
		p.CreatedAt = tx.nowMillis()
	}
	return tx.write(preKeyKey(identity, k, id), p)
}

// DeletePreKey removes a used prekey.
func (tx *Tx) DeletePreKey(identity serviceid.Kind, k PreKeyKind, id uint32) error {
	return tx.delete(preKeyKey(identity, k, id))
}

// DeleteAllPreKeys removes the prekeys of one of our identities, which has new keys: as many as fit in a transaction. Call
// it in further ones until it returns 0.
func (tx *Tx) DeleteAllPreKeys(identity serviceid.Kind) (int, error) {
	return tx.deleteAll(scanRange{prefix: kindPreKey.key(local(identity))})
}

// PreKeys lists the prekeys of a kind by number, the stale ones among them.
func (tx *Tx) PreKeys(identity serviceid.Kind, k PreKeyKind) ([]StoredPreKey, error) {
	var out []StoredPreKey
	err := tx.scan(scanRange{prefix: preKeyPrefix(identity, k)}, func(suffix, value []byte) error {
		if len(suffix) != 4 {
			return &CorruptError{string(kindPreKey), errKey}
		}
		key := new(storepb.PreKey)
		out = append(out, StoredPreKey{binary.BigEndian.Uint32(suffix), key})
		return decode(kindPreKey, value, key)
	})
	return out, err
}

// CountPreKeys counts the prekeys of a kind, the stale ones among them.
func (tx *Tx) CountPreKeys(identity serviceid.Kind, k PreKeyKind) (int, error) {
	return tx.count(preKeyPrefix(identity, k))
}

// MarkPreKeysStale notes that the current prekeys of a kind were replaced on the service, except the given one. They
// are still good for messages on their way.
func (tx *Tx) MarkPreKeysStale(identity serviceid.Kind, k PreKeyKind, except uint32) error {
	keys, err := tx.PreKeys(identity, k)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key.StaleSince != 0 || key.ID == except {
			continue
		}
		key.StaleSince = tx.nowMillis()
		if err := tx.PutPreKey(identity, k, key.ID, key.PreKey); err != nil {
			return err
		}
	}
	return nil
}

// DeleteStalePreKeys removes those that were replaced before the given time (Unix milliseconds).
func (tx *Tx) DeleteStalePreKeys(identity serviceid.Kind, k PreKeyKind, before int64) (int, error) {
	keys, err := tx.PreKeys(identity, k)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, key := range keys {
		if key.StaleSince == 0 || key.StaleSince >= before {
			continue
		}
		count++
		if err := tx.DeletePreKey(identity, k, key.ID); err != nil {
			return count, err
		}
	}
	return count, nil
}

// NextPreKeyIDs hands out numbers that were not used lately: they count up from 1 and wrap around at MaxPreKeyID. Both
// kinds of Kyber prekey share theirs.
func (tx *Tx) NextPreKeyIDs(identity serviceid.Kind, k PreKeyKind, count int) ([]uint32, error) {
	state, err := tx.PreKeyState(identity)
	if err != nil {
		return nil, err
	}
	next := &state.NextKyberId
	switch k {
	case ECOneTime:
		next = &state.NextEcId
	case ECSigned:
		next = &state.NextSignedId
	}
	ids := make([]uint32, count)
	for i := range ids {
		if *next == 0 || *next > MaxPreKeyID {
			*next = 1
		}
		ids[i] = *next
		*next++
	}
	return ids, tx.PutPreKeyState(identity, state)
}

// UseLastResort notes that a base key came with a last-resort prekey, or fails with ErrBaseKeyReused where it had come
// before: a last-resort key is not deleted when it is used, so a recorded message could start a session again.
// (libsignal rust/protocol/src/storage/traits.rs, KyberPreKeyStore::mark_kyber_pre_key_used)
func (tx *Tx) UseLastResort(identity serviceid.Kind, kyberID, signedID uint32, baseKey []byte) error {
	key := kindBaseKey.key(local(identity), be32(kyberID), be32(signedID), baseKey)
	used, err := tx.has(key)
	if err != nil {
		return err
	}
	if used {
		return ErrBaseKeyReused
	}
	return tx.write(key, &storepb.UsedBaseKey{SeenAt: tx.nowMillis()})
}

// ForgetBaseKeys drops the notes of a last-resort prekey that was deleted.
func (tx *Tx) ForgetBaseKeys(identity serviceid.Kind, kyberID uint32) (int, error) {
	return tx.deleteAll(scanRange{prefix: kindBaseKey.key(local(identity), be32(kyberID))})
}
