package signalcore

import (
	"errors"
	"fmt"
	"time"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/store"
)

// sessionBook is the sessions that one transaction works with: each is read once and written once, however many
// messages of a batch it decrypts. It belongs to the transaction and dies with it.
type sessionBook struct {
	tx    *store.Tx
	slots map[sessionName]*sessionSlot
	dirty int // slots that are changed and not written
	// lost are the devices that may have lost the sender keys that they had from us.
	lost []serviceid.Address
}

// damagedSessionError says which stored session cannot be used; it wraps session.ErrCorrupt.
type damagedSessionError struct {
	name sessionName
	err  error
}

func (e *damagedSessionError) Error() string {
	return fmt.Sprintf("session with %s.%d: %v", e.name.remote.ServiceID.Short(), e.name.remote.DeviceID, e.err)
}

func (e *damagedSessionError) Unwrap() error { return e.err }

// sessionName is one of our identities and a device of someone else's.
type sessionName struct {
	local  serviceid.Kind
	remote serviceid.Address
}

type sessionSlot struct {
	record  session.Record
	changed bool
}

func newSessionBook(tx *store.Tx) *sessionBook {
	return &sessionBook{tx: tx, slots: make(map[sessionName]*sessionSlot)}
}

// get returns the record of a name, empty where there is none. A damaged one is session.ErrCorrupt.
func (b *sessionBook) get(name sessionName) (session.Record, error) {
	if slot, ok := b.slots[name]; ok {
		return slot.record, nil
	}
	stored, err := b.tx.Session(name.local, name.remote)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return session.Record{}, err
	}
	record, err := session.ParseRecord(stored)
	if err != nil {
		return session.Record{}, &damagedSessionError{name, err}
	}
	b.slots[name] = &sessionSlot{record: record}
	return record, nil
}

func (b *sessionBook) put(name sessionName, record session.Record) {
	if slot := b.slots[name]; slot == nil || !slot.changed {
		b.dirty++
	}
	b.slots[name] = &sessionSlot{record: record, changed: true}
}

// renewed notes that a device could not go on with a session, and so may lack our sender keys, too.
func (b *sessionBook) renewed(device serviceid.Address) { b.lost = append(b.lost, device) }

// flush writes what changed. It is the last thing that a transaction does with the book.
func (b *sessionBook) flush() error {
	if len(b.lost) > 0 {
		if err := unshareAll(b.tx, b.lost); err != nil {
			return err
		}
		b.lost = nil
	}
	for name, slot := range b.slots {
		if !slot.changed {
			continue
		}
		stored := slot.record.Serialize()
		if len(stored) > store.MaxRecordBytes {
			slot.record = slot.record.Shrink(store.MaxRecordBytes)
			stored = slot.record.Serialize()
		}
		if err := b.tx.PutSession(name.local, name.remote, stored); err != nil {
			return err
		}
		slot.changed = false
	}
	b.dirty = 0
	return nil
}

// archive sets the current session with a device aside, so that the next send opens a new one.
func (b *sessionBook) archive(name sessionName) error {
	record, err := b.get(name)
	if errors.Is(err, session.ErrCorrupt) {
		return b.drop(name)
	}
	if err != nil || !record.HasCurrent() {
		return err
	}
	b.put(name, record.Archive())
	b.renewed(name.remote)
	return nil
}

// drop forgets all sessions with a device.
func (b *sessionBook) drop(name sessionName) error {
	b.forget(name)
	return b.tx.DeleteSession(name.local, name.remote)
}

func (b *sessionBook) forget(name sessionName) {
	if slot := b.slots[name]; slot != nil && slot.changed {
		b.dirty--
	}
	delete(b.slots, name)
}

// dropAll forgets all sessions of one of our identities, which has new keys.
func (b *sessionBook) dropAll(local serviceid.Kind) error {
	for name := range b.slots {
		if name.local == local {
			b.forget(name)
		}
	}
	_, err := b.tx.DeleteAllSessions(local)
	return err
}

// usable lists the devices of a service id with which a message can be encrypted now, in order.
func (b *sessionBook) usable(local serviceid.Kind, remote serviceid.ServiceID, now time.Time) ([]uint32, error) {
	if err := b.flush(); err != nil { // sessions opened in this transaction count too
		return nil, err
	}
	devices, err := b.tx.SessionDevices(local, remote)
	if err != nil {
		return nil, err
	}
	usable := devices[:0]
	for _, device := range devices {
		record, err := b.get(sessionName{local, serviceid.Address{ServiceID: remote, DeviceID: device}})
		if errors.Is(err, session.ErrCorrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if record.CanSend(now) {
			usable = append(usable, device)
		}
	}
	return usable, nil
}

// saveIdentity trusts a key on first use, and a changed one too. It reports a change, after which the sessions that
// were made with the former key, by either of our identities, are not used to send any more.
func (b *sessionBook) saveIdentity(remote serviceid.ServiceID, key curve.PublicKey) (bool, error) {
	change, err := b.tx.SaveIdentityKey(remote, key.Serialize())
	if err != nil || change != store.IdentityChanged {
		return false, err
	}
	for _, local := range []serviceid.Kind{serviceid.ACI, serviceid.PNI} {
		if err := b.archiveOthers(local, remote, key); err != nil {
			return true, err
		}
	}
	return true, nil
}

// archiveOthers sets aside the sessions with a contact that were made with another key.
func (b *sessionBook) archiveOthers(local serviceid.Kind, remote serviceid.ServiceID, key curve.PublicKey) error {
	devices, err := b.tx.SessionDevices(local, remote)
	if err != nil {
		return err
	}
	for _, device := range devices {
		name := sessionName{local, serviceid.Address{ServiceID: remote, DeviceID: device}}
		record, err := b.get(name)
		if err != nil && !errors.Is(err, session.ErrCorrupt) {
			return err
		}
		if with, err := record.RemoteIdentity(); err == nil && with != key {
			if err := b.archive(name); err != nil {
				return err
			}
		}
	}
	return nil
}
