// Package contacts are the people who live in the sandbox: accounts that answer by themselves. Each has a phone, reads
// what comes for it with sessions of its own, and behaves in one way.
//
// They speak in conversations of two and are seen by the service as senders; groups, sealed sends and attachments are
// not theirs yet. Sessions are kept in memory.
package contacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/messages"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content"
	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/servicepb"
)

// World is where a person lives.
type World struct {
	Book      *accounts.Book
	Messages  *messages.Hub
	TrustRoot curve.PublicKey
	Now       func() time.Time
	Rand      io.Reader
	Logger    zerolog.Logger
}

// Behaviour says what a person does with a message.
type Behaviour func(p *Person, m Message) error

// Message is what a person got.
type Message struct {
	From      serviceid.Address
	Timestamp uint64
	Content   *servicepb.Content
}

// Person is an account that answers. Run owns it; nothing else may be called meanwhile.
type Person struct {
	*phone.Phone
	world     World
	behaviour Behaviour
	receiver  sealedsender.Receiver
	sessions  map[serviceid.Address]session.Record
	last      uint64 // timestamp of the latest message
}

// New makes a person of a phone's account.
func New(p *phone.Phone, world World, behaviour Behaviour) *Person {
	return &Person{
		Phone: p, world: world, behaviour: behaviour, sessions: map[serviceid.Address]session.Record{},
		receiver: sealedsender.Receiver{
			Identity: p.ACIKeys.Keys, Self: serviceid.Address{ServiceID: p.ACI, DeviceID: accounts.PrimaryID},
			E164: p.Number, Trust: sealedsender.NewTrust(world.TrustRoot),
		},
	}
}

// Run reads and answers until ctx ends.
func (p *Person) Run(ctx context.Context) {
	consumer := p.world.Messages.Open(p.device())
	defer consumer.Close()
	for {
		d, err := consumer.Next(ctx)
		if err != nil {
			return
		}
		if d.QueueEmpty {
			continue
		}
		if err := p.receive(d.Envelope); err != nil {
			p.world.Logger.Info().Err(err).Str("contact", p.ACI.Short()).Msg("sandbox: a message without an answer")
		}
		p.world.Messages.Acknowledge(consumer, d)
	}
}

func (p *Person) device() wire.Device {
	return wire.Device{Account: p.ACI.UUID, ID: accounts.PrimaryID}
}

var errNotForUs = errors.New("not a message to this person's account")

// receive opens an envelope, and has the person behave.
func (p *Person) receive(e *servicepb.Envelope) error {
	if e.GetType() == servicepb.Envelope_SERVER_DELIVERY_RECEIPT {
		return nil
	}
	if to, err := serviceid.ParseBinary(e.GetDestinationServiceIdBinary()); err != nil || to != p.ACI {
		return errNotForUs
	}
	from, kind, message, err := p.unseal(e)
	if err != nil {
		return err
	}
	plaintext, err := p.decrypt(from, kind, message)
	if err != nil {
		return fmt.Errorf("decrypt: %w", err)
	}
	stripped, err := padding.Strip(plaintext)
	if err != nil {
		return err
	}
	m := Message{From: from, Timestamp: e.GetClientTimestamp(), Content: &servicepb.Content{}}
	if err := proto.Unmarshal(stripped, m.Content); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	return p.behaviour(p, m)
}

// unseal finds out who sent an envelope, and the message in it.
func (p *Person) unseal(e *servicepb.Envelope) (serviceid.Address, session.Type, []byte, error) {
	if e.GetType() != servicepb.Envelope_UNIDENTIFIED_SENDER {
		source, err := serviceid.ParseBinary(e.GetSourceServiceIdBinary())
		from := serviceid.Address{ServiceID: source, DeviceID: e.GetSourceDeviceId()}
		kind := session.TypeMessage
		if e.GetType() == servicepb.Envelope_PREKEY_MESSAGE {
			kind = session.TypePreKey
		}
		return from, kind, e.GetContent(), err
	}
	sealed, err := p.receiver.Open(e.GetContent(), p.world.Now())
	if err != nil {
		return serviceid.Address{}, 0, nil, fmt.Errorf("unseal: %w", err)
	}
	kind := session.TypeMessage
	switch sealed.Type {
	case sealedsender.PreKeyMessage:
		kind = session.TypePreKey
	case sealedsender.Message:
	default:
		return serviceid.Address{}, 0, nil, fmt.Errorf("a message of type %d: %w", sealed.Type, errNotForUs)
	}
	return sealed.Certificate.Sender, kind, sealed.Message, nil
}

func (p *Person) ends(other serviceid.Address) session.Ends {
	return session.Ends{Local: p.receiver.Self, Remote: other}
}

func (p *Person) local() session.Local {
	return session.Local{Identity: p.ACIKeys.Keys, RegistrationID: p.ACIKeys.RegistrationID}
}

func (p *Person) decrypt(from serviceid.Address, kind session.Type, message []byte) ([]byte, error) {
	var out session.Decrypted
	if kind == session.TypePreKey {
		parsed, err := session.ParsePreKeyMessage(message)
		if err != nil {
			return nil, err
		}
		keys := session.PreKeys{Signed: &p.ACIKeys.Signed, Kyber: &p.ACIKeys.LastResort}
		if out, err = session.DecryptPreKey(p.sessions[from], p.local(), p.ends(from), parsed, keys); err != nil {
			return nil, err
		}
	} else {
		parsed, err := session.ParseMessage(message)
		if err != nil {
			return nil, err
		}
		if out, err = session.Decrypt(p.sessions[from], p.ends(from), parsed); err != nil {
			return nil, err
		}
	}
	p.sessions[from] = out.Record
	return out.Plaintext, nil
}

// Timestamp is one for a new message, later than all before it.
func (p *Person) Timestamp() uint64 {
	p.last = max(p.last+1, uint64(p.world.Now().UnixMilli()))
	return p.last
}

// Send encrypts a content for all devices of an account, and sends it.
func (p *Person) Send(to serviceid.ServiceID, timestamp uint64, c *servicepb.Content) error {
	serialized, err := proto.Marshal(c)
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	account := p.world.Book.Find(to)
	if account == nil {
		return fmt.Errorf("%s is not there", to.Short())
	}
	var outgoing []messages.Outgoing
	for _, d := range account.Devices {
		encrypted, err := p.encrypt(serviceid.Address{ServiceID: to, DeviceID: d.ID}, d, padding.Add(serialized))
		if err != nil {
			return fmt.Errorf("encrypt: %w", err)
		}
		kind := servicepb.Envelope_DOUBLE_RATCHET
		if encrypted.Type == session.TypePreKey {
			kind = servicepb.Envelope_PREKEY_MESSAGE
		}
		outgoing = append(outgoing, messages.Outgoing{
			DeviceID: d.ID, RegistrationID: d.RegistrationID, Type: int32(kind), Content: encrypted.Ciphertext,
		})
	}
	return p.world.Messages.Send(p.device(), to, timestamp, outgoing)
}

// encrypt opens a session where there is none with the device as it is registered now.
func (p *Person) encrypt(to serviceid.Address, d accounts.Device, plaintext []byte) (session.Encrypted, error) {
	record := p.sessions[to]
	registered, err := record.RemoteRegistrationID()
	if err != nil || registered != d.RegistrationID || !record.CanSend(p.world.Now()) {
		bundle, err := p.bundle(to)
		if err != nil {
			return session.Encrypted{}, err
		}
		opening := session.Opening{Bundle: bundle, Now: p.world.Now()}
		if record, err = session.Open(p.world.Rand, record, p.local(), p.ends(to), opening); err != nil {
			return session.Encrypted{}, err
		}
	}
	encrypted, err := session.Encrypt(p.world.Rand, record, p.ends(to), p.world.Now(), plaintext)
	if err == nil {
		p.sessions[to] = encrypted.Record
	}
	return encrypted, err
}

func (p *Person) bundle(of serviceid.Address) (prekey.Bundle, error) {
	bundles, err := p.world.Book.Bundles(of.ServiceID, of.DeviceID)
	if err != nil {
		return prekey.Bundle{}, err
	}
	if len(bundles) != 1 {
		return prekey.Bundle{}, fmt.Errorf("%s has no prekeys", of.ServiceID.Short())
	}
	return bundles[0], nil
}

// Silent never answers.
func Silent(*Person, Message) error { return nil }

// Echo says that a text has arrived, and sends it back.
func Echo(p *Person, m Message) error {
	data := m.Content.GetDataMessage()
	if data.GetBody() == "" {
		return nil
	}
	to := m.From.ServiceID
	receipt := content.NewReceipt(content.ReceiptDelivery, []uint64{m.Timestamp})
	if err := p.Send(to, p.Timestamp(), receipt); err != nil {
		return err
	}
	timestamp := p.Timestamp()
	answer, err := content.NewMessage(
		content.Common{Timestamp: timestamp, ProfileKey: p.ProfileKey[:]}, content.Message{Text: data.GetBody()})
	if err != nil {
		return err
	}
	return p.Send(to, timestamp, answer)
}
