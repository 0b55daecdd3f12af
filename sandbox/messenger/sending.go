package messenger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/servicepb"
)

// sendRounds is how often a send is tried while the recipient's devices change.
const sendRounds = 4

// ErrGone is returned for a recipient who has no account.
var ErrGone = errors.New("the recipient has no account")

// Outgoing is something to send.
type Outgoing struct {
	// Timestamp is the message's identifier, of Timestamp.
	Timestamp uint64
	Content   *servicepb.Content
	Hint      sealedsender.ContentHint
	// Group is the id of the group that it belongs to, nil for none.
	Group []byte
	// Online sends it to those devices only that are there now.
	Online bool
}

// parcel is what goes to the devices of one recipient.
type parcel struct {
	timestamp uint64
	plaintext []byte // padded
	raw       []byte // travels in place of it, unencrypted: a retry request
	hint      sealedsender.ContentHint
	group     []byte
	online    bool
}

// Send encrypts a content for all devices of an account, and sends it: sealed where the account's profile key is known.
// To its own account it goes to all devices but this.
func (m *Messenger) Send(to serviceid.ServiceID, o Outgoing) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.send(to, o)
}

func (m *Messenger) send(to serviceid.ServiceID, o Outgoing) error {
	var err error
	if o.Content, err = m.signed(to, o.Content); err != nil {
		return err
	}
	serialized, err := proto.Marshal(o.Content)
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if !o.Online {
		m.keep(to, o, serialized)
	}
	return m.deliver(to, parcel{
		timestamp: o.Timestamp, plaintext: padding.Add(serialized), hint: o.Hint, group: o.Group, online: o.Online,
	})
}

// deliver sends, and again where the service says that something has changed.
func (m *Messenger) deliver(to serviceid.ServiceID, p parcel) error {
	var err error
	for range sendRounds {
		var refused *StatusError
		if err = m.deliverOnce(to, p); !errors.As(err, &refused) {
			return err
		}
		switch refused.Status {
		case http.StatusUnauthorized:
			m.refuse(to)
		case http.StatusConflict, http.StatusGone:
		case http.StatusNotFound:
			return fmt.Errorf("%w: %s", ErrGone, to.Short())
		default:
			return err
		}
	}
	return err
}

// outgoingList is IncomingMessageList of Signal-Server, as its sender sees it.
type outgoingList struct {
	Messages  []outgoingMessage `json:"messages"`
	Online    bool              `json:"online"`
	Urgent    bool              `json:"urgent"`
	Timestamp uint64            `json:"timestamp"`
}

type outgoingMessage struct {
	Type           int32  `json:"type"`
	DeviceID       uint32 `json:"destinationDeviceId"`
	RegistrationID uint32 `json:"destinationRegistrationId"`
	Content        string `json:"content"`
}

func (m *Messenger) deliverOnce(to serviceid.ServiceID, p parcel) error {
	account := m.world.Book.Find(to)
	if account == nil || to.Kind != serviceid.ACI {
		return fmt.Errorf("%w: %s", ErrGone, to.Short())
	}
	access, sealed := m.accessTo(to)
	list := outgoingList{Online: p.online, Urgent: p.hint != sealedsender.Implicit, Timestamp: p.timestamp}
	for _, device := range account.Devices {
		if to == m.self.ServiceID && device.ID == m.self.DeviceID {
			continue
		}
		one, err := m.address(account, device, p, sealed)
		if err != nil {
			return err
		}
		list.Messages = append(list.Messages, one)
	}
	if len(list.Messages) == 0 {
		return nil
	}
	call := m.own(http.MethodPut, "/v1/messages/"+to.String(), nil)
	if sealed {
		call.By = nil
		call.Header = http.Header{"Unidentified-Access-Key": {base64.StdEncoding.EncodeToString(access[:])}}
	}
	return m.callJSON(call, list, nil)
}

// address encrypts a parcel for one device.
func (m *Messenger) address(
	account *accounts.Account, device accounts.Device, p parcel, sealed bool,
) (outgoingMessage, error) {
	out := outgoingMessage{DeviceID: device.ID, RegistrationID: device.RegistrationID}
	kind, message, identity, err := m.wrap(account, device.ID, p)
	if err != nil {
		return out, err
	}
	out.Type = int32(envelopeTypes[kind])
	if sealed {
		out.Type = int32(servicepb.Envelope_UNIDENTIFIED_SENDER)
		if message, err = m.seal(p, kind, identity, message); err != nil {
			return out, err
		}
	}
	out.Content = base64.StdEncoding.EncodeToString(message)
	return out, nil
}

var envelopeTypes = map[session.Type]servicepb.Envelope_Type{
	session.TypeMessage:   servicepb.Envelope_DOUBLE_RATCHET,
	session.TypePreKey:    servicepb.Envelope_PREKEY_MESSAGE,
	session.TypePlaintext: servicepb.Envelope_PLAINTEXT_CONTENT,
}

// wrap is the inner layer of a message: of the session with the device, but for what travels unencrypted.
func (m *Messenger) wrap(
	account *accounts.Account, device uint32, p parcel,
) (session.Type, []byte, curve.PublicKey, error) {
	if p.raw != nil {
		return session.TypePlaintext, p.raw, account.Identity, nil
	}
	to := serviceid.Address{ServiceID: account.ACI, DeviceID: device}
	encrypted, err := m.encryptSession(to, account, p.plaintext)
	return encrypted.Type, encrypted.Ciphertext, encrypted.RemoteIdentity, err
}
