package messenger

import (
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// Receive is how an envelope is handled.
func (m *Messenger) Receive(e *servicepb.Envelope) (*Message, error) { return m.receive(e) }

// Read is how what an envelope held is handled.
func (m *Messenger) Read(from serviceid.Address, timestamp uint64, padded []byte) (*Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read(&arrival{from: from, timestamp: timestamp}, padded)
}

// Remembered is how much others have made the device remember.
func (m *Messenger) Remembered() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions) + len(m.senderKeys) + len(m.people) + len(m.asked) + len(m.sent) + len(m.groups.known)
}

// MaxRemembered is the most of that.
const MaxRemembered = maxSessions + maxSenderKeys + maxPeople + maxAskedFor + maxKept + maxGroups
