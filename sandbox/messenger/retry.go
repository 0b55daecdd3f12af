package messenger

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	// maxKept is how many messages are kept for those who could not read them.
	maxKept = 256
	// maxAsked is how often a message is asked for.
	maxAsked = 3
	// maxAskedFor bounds the counts of that.
	maxAskedFor = 1000
)

// kept is a message that somebody may ask for again.
type kept struct {
	timestamp uint64
	to        []serviceid.ServiceID
	content   []byte
	hint      sealedsender.ContentHint
	group     []byte
}

// keep remembers a message, the oldest goes for it.
func (m *Messenger) keep(to serviceid.ServiceID, o Outgoing, serialized []byte) {
	for i := range m.sent {
		if m.sent[i].timestamp == o.Timestamp && string(m.sent[i].content) == string(serialized) {
			m.sent[i].to = append(m.sent[i].to, to)
			return
		}
	}
	if len(m.sent) >= maxKept {
		m.sent = slices.Delete(m.sent, 0, 1)
	}
	m.sent = append(m.sent, kept{o.Timestamp, []serviceid.ServiceID{to}, serialized, o.Hint, o.Group})
}

type askedFor struct {
	from      serviceid.Address
	timestamp uint64
}

// askAgain sends a retry request for a message that did not decrypt (Signal-Android SendRetryReceiptJob).
func (m *Messenger) askAgain(a *arrival) error {
	if a.kind == session.TypePlaintext {
		return nil
	}
	failed, err := session.NewDecryptionError(a.ciphertext, a.kind, a.timestamp, a.from.DeviceID)
	if err != nil {
		return nil //nolint:nilerr // nothing in it can be named
	}
	name := askedFor{a.from, a.timestamp}
	if m.asked[name] >= maxAsked {
		return nil
	}
	trim(m.asked, maxAskedFor)
	m.asked[name]++
	err = m.deliver(a.from.ServiceID, parcel{timestamp: m.timestamp(), raw: failed.Plaintext(), group: a.group})
	if err != nil {
		return fmt.Errorf("ask again: %w", err)
	}
	return nil
}

// sendAgain answers a retry request: the session goes, if it is still the one that the other side cannot read, and the
// message is sent again, or, where it is not kept, one that says nothing (Signal-Android ResendMessageJob).
func (m *Messenger) sendAgain(a *arrival, serialized []byte) error {
	request, err := session.ParseDecryptionError(serialized)
	if err != nil || request.DeviceID != m.self.DeviceID {
		return err
	}
	archived := false
	record := m.sessions[a.from]
	switch {
	case request.RatchetKey == nil:
		m.groups.unshare(a.from)
	case record.RatchetKeyMatches(*request.RatchetKey):
		m.putSession(a.from, record.Archive())
		archived = true
	}
	for _, k := range m.sent {
		if k.timestamp == request.Timestamp && slices.Contains(k.to, a.from.ServiceID) {
			return m.resend(a.from, k)
		}
	}
	if !archived {
		return nil
	}
	null, err := content.NewNull(m.world.Rand)
	if err != nil {
		return err
	}
	return m.send(a.from.ServiceID, Outgoing{Timestamp: m.timestamp(), Content: null, Hint: sealedsender.Implicit})
}

// resend sends a kept message under its old timestamp. A group's brings the sender key that it was encrypted with.
func (m *Messenger) resend(to serviceid.Address, k kept) error {
	serialized := k.content
	if distribution := m.groups.distribution(m.world.Rand, k.group); distribution != nil {
		var c servicepb.Content
		if err := proto.Unmarshal(k.content, &c); err != nil {
			return err
		}
		c.SenderKeyDistributionMessage = distribution
		var err error
		if serialized, err = proto.Marshal(&c); err != nil {
			return err
		}
	}
	return m.deliver(to.ServiceID, parcel{
		timestamp: k.timestamp, plaintext: padding.Add(serialized), hint: k.hint, group: k.group,
	})
}
