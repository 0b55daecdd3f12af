package store

import (
	"bytes"
	"errors"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// IdentityChange is what saving a contact's identity key found.
type IdentityChange int

const (
	IdentityUnchanged IdentityChange = iota
	IdentityNew
	IdentityChanged
)

// RemoteIdentity reads the identity key of a contact.
func (tx *Tx) RemoteIdentity(id serviceid.ServiceID) (*storepb.RemoteIdentity, error) {
	out := new(storepb.RemoteIdentity)
	return out, tx.read(kindIdentity.key(fixed(id)), out)
}

// PutRemoteIdentity writes the record as it is.
func (tx *Tx) PutRemoteIdentity(id serviceid.ServiceID, r *storepb.RemoteIdentity) error {
	return tx.write(kindIdentity.key(fixed(id)), r)
}

// SaveIdentityKey trusts a key on first use, and a changed one too, which it reports: the key before it is kept, and a
// verification is lost.
func (tx *Tx) SaveIdentityKey(id serviceid.ServiceID, key []byte) (IdentityChange, error) {
	now := tx.nowMillis()
	known, err := tx.RemoteIdentity(id)
	switch {
	case errors.Is(err, ErrNotFound):
		return IdentityNew, tx.PutRemoteIdentity(id, &storepb.RemoteIdentity{Key: key, FirstSeen: now})
	case err != nil:
		return IdentityUnchanged, err
	case bytes.Equal(known.Key, key):
		return IdentityUnchanged, nil
	}
	return IdentityChanged, tx.PutRemoteIdentity(id, &storepb.RemoteIdentity{
		Key: key, FirstSeen: now, ChangedAt: now, PreviousKey: known.Key, Trust: storepb.Trust_TRUST_ON_FIRST_USE,
	})
}

// RemoteIdentities calls fn for each known identity.
func (tx *Tx) RemoteIdentities(fn func(serviceid.ServiceID, *storepb.RemoteIdentity) error) error {
	return tx.scan(scanRange{prefix: kindIdentity.key()}, func(suffix, value []byte) error {
		id, err := parseFixed(suffix)
		if err != nil {
			return &CorruptError{string(kindIdentity), err}
		}
		record := new(storepb.RemoteIdentity)
		if err := decode(kindIdentity, value, record); err != nil {
			return err
		}
		return fn(id, record)
	})
}

// DeleteRemoteIdentity forgets a contact's key; the next one is a first use.
func (tx *Tx) DeleteRemoteIdentity(id serviceid.ServiceID) error {
	return tx.delete(kindIdentity.key(fixed(id)))
}
