package messenger

import (
	"fmt"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
)

// maxSenderKeyBytes bounds the record of one device's keys for one group.
const maxSenderKeyBytes = 128 << 10

type senderKeyName struct {
	sender       serviceid.Address
	distribution uuid.UUID
}

// decryptSenderKey opens a message that was encrypted once for a whole group.
func (m *Messenger) decryptSenderKey(a *arrival) ([]byte, error) {
	distribution, err := senderkey.DistributionIDOf(a.ciphertext)
	if err != nil {
		return nil, err
	}
	name := senderKeyName{a.from, distribution}
	plaintext, next, err := senderkey.Decrypt(m.senderKeys[name], a.ciphertext)
	if err != nil {
		return nil, err
	}
	m.putSenderKey(name, next)
	return plaintext, nil
}

// takeSenderKey keeps the key that somebody writes to a group with.
func (m *Messenger) takeSenderKey(from serviceid.Address, message []byte) error {
	distribution, err := senderkey.ParseDistribution(message)
	if err != nil {
		return fmt.Errorf("sender key: %w", err)
	}
	name := senderKeyName{from, distribution.ID}
	_, record, err := senderkey.ProcessDistribution(message, m.senderKeys[name])
	if err != nil {
		return fmt.Errorf("sender key: %w", err)
	}
	m.putSenderKey(name, record)
	return nil
}

func (m *Messenger) putSenderKey(name senderKeyName, record senderkey.Record) {
	if _, known := m.senderKeys[name]; !known {
		trim(m.senderKeys, maxSenderKeys)
	}
	m.senderKeys[name] = record.Shrink(maxSenderKeyBytes)
}
