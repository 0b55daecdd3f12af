package spqr

import (
	"errors"
	"fmt"
)

var (
	// ErrState means that the stored state is corrupt; every other error of Recv is the message's fault.
	ErrState = errors.New("post-quantum ratchet: corrupt state")
	// ErrMessage means that the message cannot be parsed.
	ErrMessage = errors.New("post-quantum ratchet: malformed message")
	// ErrAuthentication means that a key or a ciphertext of the other side has a wrong MAC, or does not match its header.
	ErrAuthentication = errors.New("post-quantum ratchet: key agreement data is not authentic")
	// ErrVersion means that the other side speaks a lower version than was agreed.
	ErrVersion = errors.New("post-quantum ratchet: version changed after it was agreed")
	// ErrMinimumVersion means that the other side speaks a lower version than this side accepts.
	ErrMinimumVersion = errors.New("post-quantum ratchet: the other side's version is too low")
	// ErrParams means that InitialState was given something unusable.
	ErrParams = errors.New("post-quantum ratchet: bad parameters")
)

// EpochError means that a message belongs to an epoch that has not begun or is long over.
type EpochError struct{ Epoch uint64 }

func (e *EpochError) Error() string {
	return fmt.Sprintf("post-quantum ratchet: no keys for epoch %d", e.Epoch)
}

// DuplicateError means that the key of this message was used before: the message is a repetition.
type DuplicateError struct{ Index uint32 }

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("post-quantum ratchet: message %d was already received", e.Index)
}

// TooOldError means that the key of this message has been dropped.
type TooOldError struct{ Index uint32 }

func (e *TooOldError) Error() string {
	return fmt.Sprintf("post-quantum ratchet: message %d is too old", e.Index)
}

// JumpError means that a message is too far ahead of the last one.
type JumpError struct{ From, To uint32 }

func (e *JumpError) Error() string {
	return fmt.Sprintf("post-quantum ratchet: message %d is too far ahead of message %d", e.To, e.From)
}
