package messenger

import (
	"io"

	"github.com/google/uuid"

	"signalbox/sandbox/accounts"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
)

// ownKey is the sender key with which the device writes to a group, and who has it: devices, by registration id.
type ownKey struct {
	id     uuid.UUID
	record senderkey.Record
	shared map[serviceid.Address]uint32
}

// due reports whether a new key is needed: there is none, or somebody has it who is not, or not the same, among the
// members any more.
func (k *ownKey) due(members []*accounts.Account) bool {
	if k.record.IsEmpty() {
		return true
	}
	now := map[serviceid.Address]uint32{}
	for _, account := range members {
		for _, device := range account.Devices {
			now[serviceid.Address{ServiceID: account.ACI, DeviceID: device.ID}] = device.RegistrationID
		}
	}
	for address, registration := range k.shared {
		if now[address] != registration {
			return true
		}
	}
	return false
}

// lacks reports whether a device of an account does not have the key.
func (k *ownKey) lacks(account *accounts.Account) bool {
	for _, device := range account.Devices {
		address := serviceid.Address{ServiceID: account.ACI, DeviceID: device.ID}
		if registration, ok := k.shared[address]; !ok || registration != device.RegistrationID {
			return true
		}
	}
	return false
}

func (k *ownKey) share(account *accounts.Account) {
	for _, device := range account.Devices {
		k.shared[serviceid.Address{ServiceID: account.ACI, DeviceID: device.ID}] = device.RegistrationID
	}
}

// renew makes a new key, which nobody has.
func (k *ownKey) renew(random io.Reader) error {
	id, err := uuid.NewRandomFromReader(random)
	if err != nil {
		return err
	}
	_, record, err := senderkey.NewDistribution(random, senderkey.Record{}, id)
	if err != nil {
		return err
	}
	*k = ownKey{id: id, record: record, shared: map[serviceid.Address]uint32{}}
	return nil
}

// distribution is the message that gives somebody the key, from its next message on.
func (k *ownKey) distribution(random io.Reader) ([]byte, error) {
	message, _, err := senderkey.NewDistribution(random, k.record, k.id)
	return message, err
}

// distribution is that of a group's key; nil where the device has none.
func (b *groupBook) distribution(random io.Reader, id []byte) []byte {
	if len(id) != zkgroup.KeySize {
		return nil
	}
	known := b.known[zkgroup.GroupID(id)]
	if known == nil || known.key.record.IsEmpty() {
		return nil
	}
	message, err := known.key.distribution(random)
	if err != nil {
		return nil
	}
	return message
}

// unshare has a device get all keys again.
func (b *groupBook) unshare(from serviceid.Address) {
	for _, known := range b.known {
		delete(known.key.shared, from)
	}
}

func (b *groupBook) forgetSenderKeys() {
	for _, known := range b.known {
		known.key = ownKey{}
	}
}
