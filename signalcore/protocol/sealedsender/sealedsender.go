// Package sealedsender hides from the service who sent a message: the encrypted message, the sender's certificate and
// the type travel inside one more layer, which only the recipient's identity key opens.
//
// Version 1 is for one recipient: an ephemeral key hides the sender's identity key, and with that the message. Version 2
// is for many: one ciphertext and, per recipient, the key to it; the service cuts it into one received message each.
// Source: libsignal rust/protocol/src/sealed_sender.rs.
//
// The message within is opened elsewhere (packages session and senderkey), and whether a sender may be sealed to is the
// client's to know. Nothing here reads a clock or a store.
package sealedsender

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/sealedpb"
)

// MessageType is the kind of the message within.
type MessageType uint32

// The types that a sealed message can hold.
const (
	PreKeyMessage    MessageType = 1
	Message          MessageType = 2
	SenderKeyMessage MessageType = 7
	PlaintextContent MessageType = 8
)

func (t MessageType) known() bool {
	return t == PreKeyMessage || t == Message || t == SenderKeyMessage || t == PlaintextContent
}

// ContentHint tells the recipient what to do where it cannot decrypt the message within. Unknown hints are kept.
type ContentHint uint32

const (
	// DefaultHint: the sender will not send again; tell the person at once.
	DefaultHint ContentHint = 0
	// Resendable: the sender will try to send again; tell the person only if that fails.
	Resendable ContentHint = 1
	// Implicit: nothing that the person would miss, such as a receipt.
	Implicit ContentHint = 2
)

// Content is what a sealed message holds.
type Content struct {
	Type        MessageType
	Certificate *SenderCertificate
	// Message is the serialised message of the given type.
	Message     []byte
	ContentHint ContentHint
	// GroupID is set where the message belongs to a group.
	GroupID []byte
}

// ParseContent reads the form that Serialize writes. Nothing is verified yet.
func ParseContent(serialized []byte) (Content, error) {
	var m sealedpb.UnidentifiedSenderMessage_Message
	if proto.Unmarshal(serialized, &m) != nil || m.Content == nil || m.SenderCertificate == nil {
		return Content{}, fmt.Errorf("%w content", ErrMalformed)
	}
	if !MessageType(m.GetType()).known() {
		return Content{}, fmt.Errorf("%w content: type %d", ErrMalformed, m.GetType())
	}
	certificate, err := ParseSenderCertificate(m.SenderCertificate)
	if err != nil {
		return Content{}, err
	}
	return Content{
		Type:        MessageType(m.GetType()),
		Certificate: certificate,
		Message:     m.Content,
		ContentHint: ContentHint(m.GetContentHint()),
		GroupID:     m.GroupId,
	}, nil
}

// Serialize returns the form that is encrypted.
func (c Content) Serialize() ([]byte, error) {
	if c.Certificate == nil {
		return nil, ErrNoCertificate
	}
	m := &sealedpb.UnidentifiedSenderMessage_Message{
		Type:              proto.Uint32(uint32(c.Type)),
		SenderCertificate: c.Certificate.serialized,
		// An empty message must still be there to be read.
		Content: append([]byte{}, c.Message...),
	}
	if c.ContentHint != DefaultHint {
		m.ContentHint = proto.Uint32(uint32(c.ContentHint))
	}
	if len(c.GroupID) > 0 {
		m.GroupId = c.GroupID
	}
	serialized, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode sealed content: %w", err)
	}
	return serialized, nil
}

// Encrypt seals content for one recipient, in version 1. The certificate in content must be for our identity.
func Encrypt(random io.Reader, ours curve.KeyPair, recipient curve.PublicKey, content Content) ([]byte, error) {
	serialized, err := content.Serialize()
	if err != nil {
		return nil, err
	}
	return sealV1(random, ours, recipient, serialized)
}

// Receiver is who opens sealed messages, and whom they trust.
type Receiver struct {
	// Identity is that to which the message was addressed, which is mostly the account's ACI.
	Identity curve.KeyPair
	// Self is this device, whose own messages are refused. E164 is the account's number; it may be empty.
	Self  serviceid.Address
	E164  string
	Trust *Trust
}

// Open decrypts a sealed message of version 1 or 2, validates its certificate at the given time, which is that at which
// the service took the message, and refuses what this device itself sent. It does not open the message within.
func (r *Receiver) Open(sealed []byte, at time.Time) (Content, error) {
	content, err := Decrypt(r.Identity, sealed)
	if err != nil {
		return Content{}, err
	}
	if err := r.Trust.Validate(content.Certificate, at); err != nil {
		return Content{}, err
	}
	if r.sent(content.Certificate) {
		return Content{}, ErrSelfSend
	}
	return content, nil
}

func (r *Receiver) sent(c *SenderCertificate) bool {
	if c.Sender.DeviceID != r.Self.DeviceID {
		return false
	}
	return c.Sender.ServiceID == r.Self.ServiceID || (r.E164 != "" && c.E164 == r.E164)
}

// A version byte holds the version that a reader must know, and below it the writer's own.
const (
	version1        = 0x11
	version2Service = 0x23 // of a multi-recipient send; each recipient's part of it begins with 0x22
)

// Decrypt is the first step of Open alone: the sender is proved to hold the key of the certificate, which is not yet
// validated.
func Decrypt(ours curve.KeyPair, sealed []byte) (Content, error) {
	if len(sealed) == 0 {
		return Content{}, fmt.Errorf("%w: empty", ErrMalformed)
	}
	switch sealed[0] >> 4 {
	case 0, 1:
		return openV1(ours, sealed[1:])
	case 2:
		return openV2(ours, sealed[1:])
	default:
		return Content{}, fmt.Errorf("%w %#x", ErrVersion, sealed[0])
	}
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
