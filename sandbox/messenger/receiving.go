package messenger

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/servicepb"
)

// Message is what the device got.
type Message struct {
	From      serviceid.Address
	Timestamp uint64
	// Sealed is set where the service was not told who sent it.
	Sealed bool
	content.Parsed
}

// arrival is an envelope, and what opening it has shown so far.
type arrival struct {
	from       serviceid.Address
	timestamp  uint64
	sealed     bool
	toPNI      bool
	group      []byte // the id of the group that the sealed layer names
	kind       session.Type
	ciphertext []byte
}

var (
	errNotForUs = errors.New("not a message that this device reads")
	errUnknown  = errors.New("a message of a kind that is unknown here")
	errNobody   = errors.New("a message that does not say who sent it")
)

// receive opens an envelope and applies what it changes. Nil is for what there is nothing to be said about.
func (m *Messenger) receive(e *servicepb.Envelope) (*Message, error) {
	if e.GetType() == servicepb.Envelope_SERVER_DELIVERY_RECEIPT {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	to, ok := content.EnvelopeDestination(e)
	toPNI := ok && m.readsPNI() && to == m.account.PNI
	if !toPNI && (!ok || to != m.self.ServiceID) {
		return nil, errNotForUs
	}
	a, err := m.open(e)
	if err != nil {
		return nil, err
	}
	if a.toPNI = toPNI; toPNI && (a.sealed || a.kind == session.TypePlaintext) {
		return nil, errNotForUs
	}
	padded, err := m.decrypt(a)
	switch {
	case errors.Is(err, session.ErrDuplicate), errors.Is(err, senderkey.ErrDuplicate):
		return nil, nil
	case err != nil && toPNI:
		return nil, fmt.Errorf("decrypt for the PNI: %w", err)
	case err != nil:
		return nil, errors.Join(fmt.Errorf("decrypt: %w", err), m.askAgain(a))
	}
	message, err := m.read(a, padded)
	if err == nil {
		m.prove(a)
	}
	return message, err
}

// open finds out who sent an envelope, and the message in it.
func (m *Messenger) open(e *servicepb.Envelope) (*arrival, error) {
	a := &arrival{timestamp: e.GetClientTimestamp(), ciphertext: e.GetContent()}
	source, _ := content.EnvelopeSource(e)
	a.from = serviceid.Address{ServiceID: source, DeviceID: e.GetSourceDeviceId()}
	switch e.GetType() {
	case servicepb.Envelope_DOUBLE_RATCHET:
		a.kind = session.TypeMessage
	case servicepb.Envelope_PREKEY_MESSAGE:
		a.kind = session.TypePreKey
	case servicepb.Envelope_PLAINTEXT_CONTENT:
		a.kind = session.TypePlaintext
	case servicepb.Envelope_UNIDENTIFIED_SENDER:
		inner, err := m.receiver.Open(e.GetContent(), time.UnixMilli(int64(e.GetServerTimestamp())))
		if err != nil {
			return nil, fmt.Errorf("unseal: %w", err)
		}
		m.unsealed(a, inner)
	default:
		return nil, errUnknown
	}
	if a.from.ServiceID.IsZero() || a.from.ServiceID.Kind != serviceid.ACI || a.from == m.self {
		return nil, errNobody
	}
	return a, nil
}

func (m *Messenger) unsealed(a *arrival, inner sealedsender.Content) {
	a.sealed, a.from, a.group = true, inner.Certificate.Sender, inner.GroupID
	a.kind, a.ciphertext = sealedKinds[inner.Type], inner.Message
}

func (m *Messenger) decrypt(a *arrival) ([]byte, error) {
	switch a.kind {
	case session.TypePreKey, session.TypeMessage:
		return m.decryptSession(a)
	case session.TypePlaintext:
		return session.ParsePlaintext(a.ciphertext)
	case session.TypeSenderKey:
		return m.decryptSenderKey(a)
	}
	return nil, errUnknown
}

// read parses a content, and applies its effects where it may come from there.
func (m *Messenger) read(a *arrival, padded []byte) (*Message, error) {
	parsed, err := parseContent(padded)
	if err != nil && parsed == nil {
		return nil, err
	}
	origin := content.Origin{
		Self: m.self.ServiceID, Sender: a.from.ServiceID, Timestamp: a.timestamp, Plaintext: a.kind == session.TypePlaintext,
	}
	if err := parsed.Check(origin); err != nil {
		return nil, err
	}
	if err := errors.Join(err, m.apply(a, parsed)); err != nil {
		return nil, err
	}
	return &Message{From: a.from, Timestamp: a.timestamp, Sealed: a.sealed, Parsed: *parsed}, nil
}

// parseContent reads what was decrypted. With an error beside it, a result has effects that count all the same.
func parseContent(padded []byte) (*content.Parsed, error) {
	stripped, err := padding.Strip(padded)
	if err != nil {
		return nil, err
	}
	var c servicepb.Content
	if err := proto.Unmarshal(stripped, &c); err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	parsed, err := content.Parse(&c)
	return &parsed, err
}

// apply does what a content asks of the device itself.
func (m *Messenger) apply(a *arrival, parsed *content.Parsed) error {
	effects := parsed.Effects
	if key, err := profilekey.Parse(effects.ProfileKey); err == nil && a.from.ServiceID != m.self.ServiceID {
		m.acquaint(a.from.ServiceID, key)
	}
	if effects.EndSession && !a.toPNI {
		m.putSession(a.from, m.sessions[a.from].Archive())
	}
	if effects.SenderKeyDistribution != nil {
		if err := m.takeSenderKey(a.from, effects.SenderKeyDistribution); err != nil {
			return err
		}
	}
	if effects.DecryptionError != nil {
		return m.sendAgain(a, effects.DecryptionError)
	}
	return nil
}
