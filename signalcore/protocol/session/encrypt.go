package session

import (
	"fmt"
	"io"
	"time"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/sessionpb"
)

// Encrypted is a message to send, and what sending it changes.
type Encrypted struct {
	Record     Record // to save before the message leaves
	Type       Type   // TypeMessage, or TypePreKey until the other side has answered
	Ciphertext []byte

	RemoteIdentity       curve.PublicKey
	RemoteRegistrationID uint32
}

// Encrypt encrypts plaintext, which is padded already, with the current session. Without a usable one the error is
// ErrNoSession, joined by ErrUnanswered where there is a session that has become too old.
func Encrypt(rand io.Reader, record Record, ends Ends, now time.Time, plaintext []byte) (Encrypted, error) {
	if record.current == nil {
		return Encrypted{}, ErrNoSession
	}
	if record.current.unanswered(now) {
		return Encrypted{}, fmt.Errorf("%w: %w", ErrNoSession, ErrUnanswered)
	}
	next := *record.current
	ratchets, header, keys, err := next.ratchet.Send(rand)
	if err != nil {
		return Encrypted{}, fmt.Errorf("encrypting: %w", corruptState(err))
	}
	next.ratchet = ratchets
	ciphertext, err := encryptCBC(&keys, plaintext)
	if err != nil {
		return Encrypted{}, err
	}
	pb := &sessionpb.SignalMessage{
		RatchetKey: header.RatchetKey.Serialize(), Counter: &header.Counter, PreviousCounter: &header.PreviousCounter,
		Ciphertext: ciphertext,
	}
	if len(header.PostQuantum) > 0 {
		pb.PqRatchet = header.PostQuantum
	}
	if next.pending != nil {
		pb.Addresses = addressBytes(ends.Local, ends.Remote)
	}
	message, err := appendMessage(pb, &keys.MAC, identities{next.localIdentity, next.remoteIdentity})
	if err != nil {
		return Encrypted{}, err
	}
	out := Encrypted{
		Type: TypeMessage, Ciphertext: message,
		RemoteIdentity: next.remoteIdentity, RemoteRegistrationID: next.remoteRegistrationID,
	}
	if next.pending != nil {
		out.Type = TypePreKey
		if out.Ciphertext, err = serializePreKeyMessage(&next, message); err != nil {
			return Encrypted{}, err
		}
	}
	record.current = &next
	out.Record = record
	return out, nil
}
