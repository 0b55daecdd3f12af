// Package senderkey encrypts a message once for a whole group: a sender hands its key to every member in a distribution
// message, and advances it with each message that it sends and signs.
//
// Source: libsignal rust/protocol/src/{sender_keys,group_cipher,protocol,consts}.rs; the stored form is that of its
// proto/storage.proto, so that either side reads the other's records. Who the sender is, who may have the key, when a
// new one is due and where records are kept are not here, nor padding.
//
// All functions are pure: records are values, and on an error the caller keeps the record that it had.
package senderkey

import (
	"errors"
	"fmt"

	"signalbox/signalcore/protocol/kdfchain"
)

const (
	// MaxStates is how many keys of a sender a record keeps for one distribution id.
	MaxStates = 5
	// MaxSkipped is how many keys of skipped messages a state keeps.
	MaxSkipped = kdfchain.MaxSkipped
	// MaxJump is how many messages in a row may be missing.
	MaxJump = kdfchain.MaxJump
)

var (
	// ErrNoSenderKey means that the key of the message was never received, or was dropped; its sender can be asked for it.
	ErrNoSenderKey = errors.New("no sender key")
	// ErrDuplicate means that the message was decrypted before, or is older than the keys that are kept.
	ErrDuplicate = kdfchain.ErrDuplicate
	// ErrTooFarAhead means that more messages are missing than may be.
	ErrTooFarAhead = kdfchain.ErrTooFarAhead
	// ErrMalformed means that the bytes are no such message.
	ErrMalformed = errors.New("malformed group message")
	// ErrVersion comes with ErrMalformed: a version that is not spoken here.
	ErrVersion = fmt.Errorf("%w: unsupported version", ErrMalformed)
	// ErrSignature means that the message was not made by the holder of the key.
	ErrSignature = errors.New("group message is not signed with its sender's key")
	// ErrInvalid means that the message is its sender's, but does not decrypt.
	ErrInvalid = errors.New("group message does not decrypt")
	// ErrCorrupt means that a stored record is damaged, or is another's where our own is needed.
	ErrCorrupt = errors.New("corrupt sender key record")
	// ErrExhausted means that no more messages can be sent with the key.
	ErrExhausted = errors.New("sender key is used up")
)
