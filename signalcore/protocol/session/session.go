// Package session encrypts and decrypts the messages between two devices: it opens sessions from prekey bundles and from
// first messages, keeps all sessions with one device in a Record, and finds the one that a message belongs to.
//
// Specifications: "The Sesame Algorithm" and PQXDH (signal.org/docs/specifications); libsignal
// rust/protocol/src/session.rs, session_management.rs and protocol.rs for message version 4 and what is accepted.
// The keys come from packages pqxdh and ratchet. Whom to trust, where prekeys and records are kept, padding and what the
// plaintext means are not here.
//
// All functions are pure: records are values, and what a caller has to save, or to remove, comes back in the result. On
// an error the caller keeps the record that it had.
package session

import (
	"errors"
	"fmt"
	"time"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/ratchet"
	"signalbox/signalcore/protocol/serviceid"
)

const (
	// MaxArchived is how many older sessions a record keeps (libsignal consts.rs).
	MaxArchived = 40
	// MaxUnacknowledgedAge is how long a session that the other side never answered may be used to send.
	MaxUnacknowledgedAge = 30 * 24 * time.Hour
)

var (
	// ErrNoSession means that there is no session to use; a bundle or a first message would open one.
	ErrNoSession = errors.New("no session")
	// ErrUnanswered comes with ErrNoSession: there is a session, but its unanswered first messages are too old.
	ErrUnanswered = errors.New("session was never answered and is too old")
	// ErrCorrupt means that a stored record is damaged.
	ErrCorrupt = errors.New("corrupt session record")
	// ErrDuplicate means that the message was decrypted before.
	ErrDuplicate = ratchet.ErrDuplicate
	// ErrMalformed means that the bytes are no message.
	ErrMalformed = errors.New("malformed message")
	// ErrVersion means that the message is of a version that is not spoken here: too old or too new.
	ErrVersion = errors.New("unsupported message version")
	// ErrInvalid means that no session decrypts the message.
	ErrInvalid = errors.New("message does not decrypt")
)

// MissingPreKeyError means that a first message names a prekey that the caller did not find.
type MissingPreKeyError struct {
	Kind PreKeyKind
	ID   uint32
}

func (e *MissingPreKeyError) Error() string {
	return fmt.Sprintf("message needs %s prekey %d, which is not here", e.Kind, e.ID)
}

// PreKeyKind names a kind of prekey.
type PreKeyKind string

const (
	OneTime PreKeyKind = "one-time"
	Signed  PreKeyKind = "signed"
	Kyber   PreKeyKind = "Kyber"
)

// Ends are the two ends of a session as this device sees them. Local is the identity, ACI or PNI, that the message is
// sent from or was addressed to.
type Ends struct {
	Local, Remote serviceid.Address
}

// Local is what an identity of this device brings into a session.
type Local struct {
	Identity       curve.KeyPair
	RegistrationID uint32
}
