package store

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/serviceid"
)

func sessionKey(identity serviceid.Kind, a serviceid.Address) []byte {
	return kindSession.key(local(identity), address(a))
}

// Session reads the session record that our identity has with a device.
func (tx *Tx) Session(identity serviceid.Kind, a serviceid.Address) ([]byte, error) {
	return tx.get(sessionKey(identity, a))
}

// PutSession writes it.
func (tx *Tx) PutSession(identity serviceid.Kind, a serviceid.Address, record []byte) error {
	return tx.put(sessionKey(identity, a), bytes.Clone(record))
}

// DeleteSession removes it; a session that is not there is no error.
func (tx *Tx) DeleteSession(identity serviceid.Kind, a serviceid.Address) error {
	return tx.delete(sessionKey(identity, a))
}

// DeleteSessions removes the sessions with all devices of a service id.
func (tx *Tx) DeleteSessions(identity serviceid.Kind, id serviceid.ServiceID) (int, error) {
	return tx.deleteAll(scanRange{prefix: kindSession.key(local(identity), fixed(id))})
}

// DeleteAllSessions removes the sessions of one of our identities, which has new keys: as many as fit in a transaction.
// Call it in further ones until it returns 0.
func (tx *Tx) DeleteAllSessions(identity serviceid.Kind) (int, error) {
	return tx.deleteAll(scanRange{prefix: kindSession.key(local(identity))})
}

// SessionDevices lists the devices of a service id with which there is a session, in order.
func (tx *Tx) SessionDevices(identity serviceid.Kind, id serviceid.ServiceID) ([]uint32, error) {
	var out []uint32
	prefix := kindSession.key(local(identity), fixed(id))
	for _, key := range tx.sessionKeys(prefix) {
		a, err := parseAddress(append(fixed(id), key[len(prefix):]...))
		if err != nil {
			return nil, &CorruptError{string(kindSession), err}
		}
		out = append(out, a.DeviceID)
	}
	return out, nil
}

// CountSessions counts the sessions of one of our identities.
func (tx *Tx) CountSessions(identity serviceid.Kind) (int, error) {
	return tx.count(kindSession.key(local(identity)))
}

func senderKeyKey(a serviceid.Address, distribution uuid.UUID) []byte {
	return kindSenderKey.key(address(a), distribution[:])
}

// SenderKey reads a group sender key's record.
func (tx *Tx) SenderKey(a serviceid.Address, distribution uuid.UUID) ([]byte, error) {
	return tx.get(senderKeyKey(a, distribution))
}

// PutSenderKey writes it.
func (tx *Tx) PutSenderKey(a serviceid.Address, distribution uuid.UUID, record []byte) error {
	return tx.put(senderKeyKey(a, distribution), bytes.Clone(record))
}

// TrimSenderKeys leaves at most that many sender keys of a device, those that were written last.
func (tx *Tx) TrimSenderKeys(a serviceid.Address, keep int) error {
	prefix := kindSenderKey.key(address(a))
	excess := len(tx.stagedKeys(prefix, prefix)) - keep // these are the latest; a deletion among them does no harm
	type stored struct {
		key     []byte
		version uint64
	}
	var olds []stored
	it := tx.storedKeys(prefix, prefix)
	for ; it.valid(); it.next() {
		if _, staged := tx.pending[string(it.Item().Key())]; !staged {
			olds = append(olds, stored{it.Item().KeyCopy(nil), it.Item().Version()})
		}
	}
	it.Close()
	if excess += len(olds); excess <= 0 {
		return nil
	}
	slices.SortFunc(olds, func(x, y stored) int { return cmp.Compare(x.version, y.version) })
	for _, old := range olds[:min(excess, len(olds))] {
		if err := tx.delete(old.key); err != nil {
			return err
		}
	}
	return nil
}

// DeleteSenderKey removes one.
func (tx *Tx) DeleteSenderKey(a serviceid.Address, distribution uuid.UUID) error {
	return tx.delete(senderKeyKey(a, distribution))
}

// DeleteSenderKeys removes all sender keys of a device.
func (tx *Tx) DeleteSenderKeys(a serviceid.Address) (int, error) {
	return tx.deleteAll(scanRange{prefix: kindSenderKey.key(address(a))})
}
