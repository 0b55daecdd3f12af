package session

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/sessionpb"
)

const (
	// plaintextMark is the first byte of content that travels unencrypted.
	plaintextMark = 0xc0
	// paddingBoundary ends the content, as in an encrypted message; such content has no padding after it.
	paddingBoundary = 0x80
)

// DecryptionError asks the sender of a message that did not decrypt to send it again: a retry request.
// Source: libsignal rust/protocol/src/protocol.rs.
type DecryptionError struct {
	RatchetKey *curve.PublicKey // of the failed message; nil for a sender-key message
	Timestamp  uint64           // of the failed message, in Unix milliseconds
	DeviceID   uint32           // the failed message's sender
}

// NewDecryptionError describes a message that failed, given its bytes, its type and its envelope's facts.
func NewDecryptionError(message []byte, kind Type, timestamp uint64, senderDevice uint32) (DecryptionError, error) {
	e := DecryptionError{Timestamp: timestamp, DeviceID: senderDevice}
	switch kind {
	case TypeMessage:
		m, err := ParseMessage(message)
		if err != nil {
			return DecryptionError{}, err
		}
		e.RatchetKey = &m.header.RatchetKey
	case TypePreKey:
		m, err := ParsePreKeyMessage(message)
		if err != nil {
			return DecryptionError{}, err
		}
		e.RatchetKey = &m.Message.header.RatchetKey
	case TypeSenderKey:
	default:
		return DecryptionError{}, fmt.Errorf("%w: type %d is not encrypted", ErrMalformed, kind)
	}
	return e, nil
}

// Serialize returns the protobuf form, which Content holds in its decryptionErrorMessage.
func (e DecryptionError) Serialize() []byte {
	pb := &sessionpb.DecryptionErrorMessage{Timestamp: &e.Timestamp, DeviceId: &e.DeviceID}
	if e.RatchetKey != nil {
		pb.RatchetKey = e.RatchetKey.Serialize()
	}
	// Marshalling fails on invalid UTF-8 and on missing required fields only, and there is neither.
	b, _ := proto.Marshal(pb)
	return b
}

// ParseDecryptionError reads what Serialize wrote.
func ParseDecryptionError(b []byte) (DecryptionError, error) {
	var pb sessionpb.DecryptionErrorMessage
	if err := proto.Unmarshal(b, &pb); err != nil {
		return DecryptionError{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if pb.Timestamp == nil {
		return DecryptionError{}, fmt.Errorf("%w: no timestamp", ErrMalformed)
	}
	e := DecryptionError{Timestamp: pb.GetTimestamp(), DeviceID: pb.GetDeviceId()}
	if pb.RatchetKey != nil {
		key, err := curve.ParsePublicKey(pb.RatchetKey)
		if err != nil {
			return DecryptionError{}, fmt.Errorf("%w: ratchet key: %w", ErrMalformed, err)
		}
		e.RatchetKey = &key
	}
	return e, nil
}

// Plaintext returns the message of TypePlaintext that carries the request. Nothing else may travel so.
func (e DecryptionError) Plaintext() []byte {
	b, _ := proto.Marshal(&sessionpb.PlaintextBody{DecryptionErrorMessage: e.Serialize()})
	return append(append([]byte{plaintextMark}, b...), paddingBoundary)
}

// ParsePlaintext returns the content of a message of TypePlaintext, padded like a decrypted one. It is not authentic:
// only a retry request in it may be believed.
func ParsePlaintext(message []byte) ([]byte, error) {
	switch {
	case len(message) == 0:
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	case message[0] != plaintextMark:
		return nil, fmt.Errorf("%w: plaintext starts with %#02x", ErrMalformed, message[0])
	}
	return message[1:], nil
}

// DecryptionErrorIn returns the request in a message of TypePlaintext.
func DecryptionErrorIn(message []byte) (DecryptionError, error) {
	content, err := ParsePlaintext(message)
	if err != nil {
		return DecryptionError{}, err
	}
	if len(content) == 0 || content[len(content)-1] != paddingBoundary {
		return DecryptionError{}, fmt.Errorf("%w: plaintext is not terminated", ErrMalformed)
	}
	var pb sessionpb.PlaintextBody
	if err := proto.Unmarshal(content[:len(content)-1], &pb); err != nil {
		return DecryptionError{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if pb.DecryptionErrorMessage == nil {
		return DecryptionError{}, fmt.Errorf("%w: no retry request", ErrMalformed)
	}
	return ParseDecryptionError(pb.DecryptionErrorMessage)
}
