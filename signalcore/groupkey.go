package signalcore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// senderKeyFor is how long one sender key serves (Signal-Android, RemoteConfig senderKeyMaxAge).
const senderKeyFor = 14 * 24 * time.Hour

// widestRegistrationID is the largest that a message for many can name (14 bits).
const widestRegistrationID = 1<<14 - 1

// groupKey is the sender key with which this device writes to a group, within one transaction. Who has it is on record:
// each member's devices, by device and registration id.
type groupKey struct {
	tx      *store.Tx
	account *account
	rand    io.Reader
	groupID []byte

	stored *storepb.GroupSender
	id     uuid.UUID
	record senderkey.Record // empty where a new one is due
}

// openGroupKey reads it. One that is missing or damaged is as one that is due.
func openGroupKey(tx *store.Tx, a *account, random io.Reader, groupID []byte) (*groupKey, error) {
	k := &groupKey{tx: tx, account: a, rand: random, groupID: groupID}
	var err error
	if k.stored, err = tx.GroupSender(groupID); errors.Is(err, store.ErrNotFound) {
		k.stored, err = &storepb.GroupSender{}, nil
	}
	if err != nil {
		return nil, err
	}
	if k.id, err = uuid.FromBytes(k.stored.GetDistributionId()); err != nil {
		return k, nil
	}
	serialized, err := tx.SenderKey(k.address(), k.id)
	if errors.Is(err, store.ErrNotFound) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	if record, err := senderkey.ParseRecord(serialized); err == nil && record.Owned() {
		k.record = record
	}
	return k, nil
}

func (k *groupKey) address() serviceid.Address { return k.account.address(k.account.aci) }

// due reports whether a new key is needed: because of its age, or because somebody has it who is not, or not the same,
// among the members any more.
func (k *groupKey) due(members map[serviceid.ServiceID]*memberView) bool {
	age := k.tx.Now().Sub(time.UnixMilli(k.stored.GetCreatedAt()))
	if k.record.IsEmpty() || age >= senderKeyFor || age < -senderKeyFor {
		return true
	}
	for _, shared := range k.stored.GetShared() {
		id, err := serviceid.ParseBinary(shared.GetServiceId())
		if err != nil || members[id] == nil || members[id].lost(shared) {
			return true
		}
	}
	return false
}

// renew makes a new key, which nobody has.
func (k *groupKey) renew() error {
	if !k.record.IsEmpty() {
		if err := k.tx.DeleteSenderKey(k.address(), k.id); err != nil {
			return err
		}
	}
	id, err := uuid.NewRandomFromReader(k.rand)
	if err != nil {
		return err
	}
	k.id, k.record = id, senderkey.Record{}
	k.stored = &storepb.GroupSender{DistributionId: id[:], CreatedAt: k.tx.Now().UnixMilli()}
	return nil
}

// encrypt encrypts a message for all, and returns it with the distribution message of the key as it was just before:
// who gets that later can still read this message. The key is saved.
func (k *groupKey) encrypt(plaintext []byte) (message, distribution []byte, err error) {
	distribution, record, err := senderkey.NewDistribution(k.rand, k.record, k.id)
	if err != nil {
		return nil, nil, err
	}
	message, k.record, err = senderkey.Encrypt(k.rand, record, k.id, plaintext)
	if errors.Is(err, senderkey.ErrExhausted) {
		if err := k.renew(); err != nil {
			return nil, nil, err
		}
		return k.encrypt(plaintext)
	}
	if err != nil {
		return nil, nil, err
	}
	return message, distribution, k.save()
}

func (k *groupKey) save() error {
	if err := k.tx.PutSenderKey(k.address(), k.id, k.record.Serialize()); err != nil {
		return err
	}
	return k.tx.PutGroupSender(k.groupID, k.stored)
}

// sharedWith is what is on record of a member, nil where nothing is.
func (k *groupKey) sharedWith(id serviceid.ServiceID) *storepb.SharedWith {
	name := id.Binary()
	for _, shared := range k.stored.GetShared() {
		if bytes.Equal(shared.GetServiceId(), name) {
			return shared
		}
	}
	return nil
}

// share notes that a member has the key, on all of the account's devices. A device that had it and is none of these is
// gone with it: the next message gets a new key.
func (k *groupKey) share(id serviceid.ServiceID, identity []byte, devices []*storepb.SharedDevice) {
	shared := k.sharedWith(id)
	if shared == nil {
		shared = &storepb.SharedWith{ServiceId: id.Binary()}
		k.stored.Shared = append(k.stored.Shared, shared)
	}
	for _, had := range shared.GetDevices() {
		if !hasDevice(devices, had) {
			k.stored.CreatedAt = 0
		}
	}
	shared.IdentityKey, shared.Devices = identity, devices
}

func hasDevice(devices []*storepb.SharedDevice, wanted *storepb.SharedDevice) bool {
	for _, device := range devices {
		if device.GetDeviceId() == wanted.GetDeviceId() && device.GetRegistrationId() == wanted.GetRegistrationId() {
			return true
		}
	}
	return false
}

// memberView is what this device knows of a member's devices.
type memberView struct {
	identity []byte          // empty where it was never seen
	trusted  bool            // nobody has marked the key as not trusted
	known    map[uint32]bool // devices with a session of any kind
	usable   []*storepb.SharedDevice
}

// viewMember reads it.
func viewMember(tx *store.Tx, book *sessionBook, id serviceid.ServiceID) (*memberView, error) {
	v := &memberView{trusted: true, known: make(map[uint32]bool)}
	identity, err := tx.RemoteIdentity(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	v.identity = identity.GetKey()
	v.trusted = identity.GetTrust() != storepb.Trust_TRUST_UNTRUSTED
	devices, err := tx.SessionDevices(serviceid.ACI, id)
	if err != nil {
		return nil, err
	}
	for _, device := range devices {
		v.known[device] = true
		record, err := book.get(sessionName{serviceid.ACI, serviceid.Address{ServiceID: id, DeviceID: device}})
		if errors.Is(err, session.ErrCorrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		registration, err := record.RemoteRegistrationID()
		if err != nil || !record.CanSend(tx.Now()) {
			continue
		}
		v.usable = append(v.usable, &storepb.SharedDevice{DeviceId: device, RegistrationId: registration})
	}
	return v, nil
}

// lost reports whether a device that has the key is gone, was registered anew, or belongs to a former identity.
func (v *memberView) lost(shared *storepb.SharedWith) bool {
	if len(v.identity) > 0 && len(shared.GetIdentityKey()) > 0 && !bytes.Equal(v.identity, shared.GetIdentityKey()) {
		return true
	}
	for _, had := range shared.GetDevices() {
		if !v.known[had.GetDeviceId()] {
			return true
		}
		for _, has := range v.usable {
			if has.GetDeviceId() == had.GetDeviceId() && has.GetRegistrationId() != had.GetRegistrationId() {
				return true
			}
		}
	}
	return false
}

// holders returns the devices of a member that have the key, or nil where one lacks it or none is known.
func (v *memberView) holders(shared *storepb.SharedWith) []*storepb.SharedDevice {
	if len(v.identity) == 0 {
		return nil
	}
	for _, device := range v.usable {
		if !hasDevice(shared.GetDevices(), device) {
			return nil
		}
	}
	return shared.GetDevices()
}

// recipientOf is a member as the seal of a message for many names it.
func recipientOf(
	id serviceid.ServiceID, identity []byte, devices []*storepb.SharedDevice,
) (sealedsender.Recipient, error) {
	key, err := curve.ParsePublicKey(identity)
	if err != nil {
		return sealedsender.Recipient{}, fmt.Errorf("%w: identity key: %w", service.ErrProtocol, err)
	}
	r := sealedsender.Recipient{ServiceID: id, Identity: key}
	for _, device := range devices {
		registration := device.GetRegistrationId()
		if registration > widestRegistrationID {
			return sealedsender.Recipient{}, fmt.Errorf("%w: registration id %d", service.ErrProtocol, registration)
		}
		r.Devices = append(r.Devices, sealedsender.Device{ID: device.GetDeviceId(), RegistrationID: registration})
	}
	return r, nil
}

func untrusted(id serviceid.ServiceID) error { return &model.UntrustedIdentityError{ServiceID: id} }
