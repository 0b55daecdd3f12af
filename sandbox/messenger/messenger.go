// Package messenger is the messaging half of a device that the sandbox plays, as a rule a phone: it reads the device's
// queue with sessions, sender keys and one-time prekeys of its own, sends sealed to whom it may, asks again for what it
// cannot read, and sends again what others could not.
//
// It speaks to the service by the service's own calls, in the same process: neither network nor faults stand between.
// Everything but the account's keys lives in memory. After a restart there are no sessions, and both sides make new
// ones, as after the loss of a device's database. What a message means, and what to answer, is the handler's.
//
// Sources: Signal-Android messages/MessageDecryptor, SignalServiceMessageSender and AutomaticSessionResetJob,
// Signal-Desktop ts/textsecure/MessageReceiver and OutgoingMessage.
package messenger

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/cdn"
	"signalbox/sandbox/messages"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/protocol/zkgroup"
)

// World is where a device lives.
type World struct {
	Book     *accounts.Book
	Messages *messages.Hub
	CDN      *cdn.Store
	// Call makes a call of the service: of the chat host or of the storage host.
	Call      func(context.Context, *wire.Request) *wire.Response
	TrustRoot curve.PublicKey
	ZK        *zkgroup.ServerPublicParams
	Now       func() time.Time
	Rand      io.Reader
	Logger    zerolog.Logger
}

// Identity is one of an account's two identities on its primary device.
type Identity struct {
	Keys           curve.KeyPair
	RegistrationID uint32
	Signed         prekey.Signed
	LastResort     prekey.Kyber
}

// Account is whose device it is.
type Account struct {
	// DeviceID is zero for the primary.
	DeviceID uint32
	ACI      serviceid.ServiceID
	PNI      serviceid.ServiceID
	Number   string
	Identity Identity // the ACI's
	// PNIIdentity is the zero value on a device that reads nothing that is for the PNI.
	PNIIdentity Identity
	ProfileKey  profilekey.Key
}

// Messenger reads and writes messages for a device. It is safe for concurrent use.
type Messenger struct {
	world World
	self  serviceid.Address

	mu          sync.Mutex
	account     Account
	consumer    *messages.Consumer // nil before Start
	receiver    sealedsender.Receiver
	stock       stock
	sessions    map[serviceid.Address]session.Record
	pniSessions map[serviceid.Address]session.Record // of those who wrote to the PNI
	unproven    map[serviceid.ServiceID]bool         // who wrote to the PNI, and does not know yet whose it is
	senderKeys  map[senderKeyName]senderkey.Record
	people      map[serviceid.ServiceID]person
	asked       map[askedFor]int
	sent        []kept
	certificate *sealedsender.SenderCertificate
	last        uint64 // timestamp of the latest message
	groups      groupBook
}

// Bounds on what others can make a device remember.
const (
	maxSessions   = 2000
	maxSenderKeys = 2000
	maxPeople     = 2000
)

// New returns the messenger of a device.
func New(account Account, world World) *Messenger {
	if account.DeviceID == 0 {
		account.DeviceID = accounts.PrimaryID
	}
	m := &Messenger{
		world: world, self: serviceid.Address{ServiceID: account.ACI, DeviceID: account.DeviceID}, account: account,
		sessions: map[serviceid.Address]session.Record{}, senderKeys: map[senderKeyName]senderkey.Record{},
		pniSessions: map[serviceid.Address]session.Record{}, unproven: map[serviceid.ServiceID]bool{},
		people: map[serviceid.ServiceID]person{}, asked: map[askedFor]int{}, groups: newGroupBook(),
	}
	m.receiver = sealedsender.Receiver{
		Identity: account.Identity.Keys, Self: m.self, E164: account.Number, Trust: sealedsender.NewTrust(world.TrustRoot),
	}
	return m
}

// Timestamp is one for a new message, later than all before it.
func (m *Messenger) Timestamp() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.timestamp()
}

// timestamp needs mu, as all that is not exported does.
func (m *Messenger) timestamp() uint64 {
	m.last = max(m.last+1, uint64(m.world.Now().UnixMilli()))
	return m.last
}

// Handler is told of a message.
type Handler func(Message) error

// Start turns the device on: it is there for whoever writes to it, and has one-time prekeys. Where it was on already,
// in another messenger, that one is displaced. Run comes next.
func (m *Messenger) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.consumer = m.world.Messages.Open(m.device())
	return m.restock()
}

// Run reads the device's queue until ctx ends, or the account is gone. What the handler is told of is read, and what
// asks for another copy is answered.
func (m *Messenger) Run(ctx context.Context, handle Handler) {
	m.mu.Lock()
	consumer := m.consumer
	m.mu.Unlock()
	if consumer == nil {
		return
	}
	defer consumer.Close()
	for {
		d, err := consumer.Next(ctx)
		if err != nil {
			return
		}
		if d.QueueEmpty {
			continue
		}
		message, err := m.receive(d.Envelope)
		if err == nil && message != nil {
			err = safely(func() error { return handle(*message) })
		}
		if err != nil {
			m.log(err, "a message without an answer")
		}
		m.world.Messages.Acknowledge(consumer, d)
	}
}

// safely keeps a panic to the message that brought it.
func safely(do func() error) (err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("panic: %v", recovered)
		}
	}()
	return do()
}

func (m *Messenger) log(err error, text string) {
	m.world.Logger.Debug().Err(err).Str("contact", m.self.ServiceID.Short()).Msg("sandbox: " + text)
}

func (m *Messenger) device() wire.Device {
	return wire.Device{Account: m.self.ServiceID.UUID, ID: m.self.DeviceID}
}

// Become replaces the identity, which the account has been registered with: nothing of what was is of use any more.
func (m *Messenger) Become(identity Identity) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account.Identity, m.receiver.Identity = identity, identity.Keys
	m.certificate, m.stock = nil, stock{}
	clear(m.sessions)
	clear(m.senderKeys)
	m.groups.forgetSenderKeys()
	return m.restock()
}

// trim makes room in a map for one more. What goes is anybody's: it is asked for again, or made anew.
func trim[K comparable, V any](from map[K]V, limit int) {
	for key := range from {
		if len(from) < limit {
			return
		}
		delete(from, key)
	}
}
