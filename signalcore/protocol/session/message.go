package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/ratchet"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/sessionpb"
)

// Type tells the kinds of encrypted message apart, with libsignal's numbers (CiphertextMessageType).
type Type uint8

const (
	// TypeMessage is a message of a session that both sides have.
	TypeMessage Type = 2
	// TypePreKey is a message that also opens the session for the recipient.
	TypePreKey Type = 3
	// TypeSenderKey is a message to a group.
	TypeSenderKey Type = 7
	// TypePlaintext is not encrypted; see Plaintext.
	TypePlaintext Type = 8
)

const (
	// version is the one that is spoken.
	version = 4
	// preKyberVersion is parsed, so that its sender can be told to open a new session, but never decrypts.
	preKyberVersion = 3
	macSize         = 8
)

// Message is a parsed message of a session, not yet proved authentic.
type Message struct {
	version    byte
	header     ratchet.Header
	ciphertext []byte
	addresses  []byte
	serialized []byte
}

// RatchetKey is the key that a decryption-error message names.
func (m *Message) RatchetKey() curve.PublicKey { return m.header.RatchetKey }

// ParseMessage reads a message. It keeps serialized, which must not change afterwards.
func ParseMessage(serialized []byte) (*Message, error) {
	if len(serialized) < 1+macSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(serialized))
	}
	if err := checkVersion(serialized[0]); err != nil {
		return nil, err
	}
	var pb sessionpb.SignalMessage
	if err := proto.Unmarshal(serialized[1:len(serialized)-macSize], &pb); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if pb.Counter == nil || pb.Ciphertext == nil {
		return nil, fmt.Errorf("%w: field missing", ErrMalformed)
	}
	key, err := curve.ParsePublicKey(pb.GetRatchetKey())
	if err != nil {
		return nil, fmt.Errorf("%w: ratchet key: %w", ErrMalformed, err)
	}
	return &Message{
		version: serialized[0] >> 4,
		header: ratchet.Header{
			RatchetKey: key, Counter: pb.GetCounter(), PreviousCounter: pb.GetPreviousCounter(),
			PostQuantum: pb.GetPqRatchet(),
		},
		ciphertext: pb.Ciphertext, addresses: pb.Addresses, serialized: serialized,
	}, nil
}

// checkVersion looks at the message's version, in the upper half of the byte.
func checkVersion(b byte) error {
	if b>>4 < preKyberVersion || b>>4 > version {
		return fmt.Errorf("%w %d", ErrVersion, b>>4)
	}
	return nil
}

// identities are the sender's and the recipient's, in the order in which they enter the MAC.
type identities struct{ sender, recipient curve.PublicKey }

// appendMessage appends a message with its version byte and MAC to b.
func appendMessage(pb *sessionpb.SignalMessage, keys *[32]byte, ids identities) ([]byte, error) {
	options := proto.MarshalOptions{}
	b := make([]byte, 1, 1+options.Size(pb)+macSize)
	b[0] = version<<4 | version
	b, err := options.MarshalAppend(b, pb)
	if err != nil {
		return nil, fmt.Errorf("serialising a message: %w", err)
	}
	mac := ids.mac(keys, b)
	return append(b, mac[:macSize]...), nil
}

// mac covers both identities and all that precedes it in the message.
func (ids identities) mac(key *[32]byte, content []byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, key[:])
	var keys [2 * curve.SerializedKeySize]byte
	mac.Write(ids.recipient.AppendTo(ids.sender.AppendTo(keys[:0])))
	mac.Write(content)
	var out [sha256.Size]byte
	mac.Sum(out[:0])
	return out
}

// authentic checks the MAC, and the addresses where the sender gave them.
func (m *Message) authentic(key *[32]byte, ids identities, ends Ends) bool {
	split := len(m.serialized) - macSize
	mac := ids.mac(key, m.serialized[:split])
	if subtle.ConstantTimeCompare(mac[:macSize], m.serialized[split:]) != 1 {
		return false
	}
	return m.addresses == nil ||
		subtle.ConstantTimeCompare(m.addresses, addressBytes(ends.Remote, ends.Local)) == 1
}

// addressBytes names the sender and the recipient of a message that opens a session, so that it cannot be passed off as
// one between others (libsignal protocol.rs, serialize_addresses).
func addressBytes(sender, recipient serviceid.Address) []byte {
	b := make([]byte, 0, 2*18)
	for _, address := range []serviceid.Address{sender, recipient} {
		id := address.ServiceID.FixedWidth()
		b = append(append(b, id[:]...), byte(address.DeviceID))
	}
	return b
}
