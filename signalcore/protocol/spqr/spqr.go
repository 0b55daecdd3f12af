// Package spqr implements the Sparse Post-Quantum Ratchet, version 1: the third ratchet of a Signal session, which mixes
// ML-KEM-768 secrets into the message keys. Each message carries a chunk of a key agreement that spans many messages
// (the "ML-KEM Braid"), and each message has a key of the chain that the last agreed secret started.
//
// Specification: Signal's "ML-KEM Braid" and "The Double Ratchet Algorithm", section 5; source of the formats:
// SparsePostQuantumRatchet src/lib.rs, src/v1. How the keys are mixed into a session is not here (see package session).
package spqr

import "io"

// Version is the version of the ratchet, the first byte of its messages.
type Version uint8

const (
	// V0 means no ratchet: empty state, empty messages, no keys.
	V0 Version = 0
	// V1 is the ML-KEM Braid over ML-KEM-768.
	V1 Version = 1
)

// Direction tells the two parties apart. The initiator of a session has AToB, its recipient BToA.
type Direction uint8

const (
	AToB Direction = 0
	BToA Direction = 1
)

// ChainParams bound what a chain of message keys keeps and computes.
type ChainParams struct {
	// MaxJump is how far ahead of the last message an index may be; 0 means 25,000.
	MaxJump uint32
	// MaxOutOfOrderKeys is how far behind the last message an index may be; 0 means 2,000.
	MaxOutOfOrderKeys uint32
}

// Params start a ratchet.
type Params struct {
	Direction  Direction
	Version    Version
	MinVersion Version // the lowest version to accept when the other side speaks less than Version
	AuthKey    []byte  // a secret of both sides, 32 bytes out of the session's key agreement
	Chain      ChainParams
}

// State is a ratchet's serialised state. It holds secrets, survives a restart at any point, and is never changed in
// place: Send and Recv return a new one. The empty state is version 0.
type State []byte

// Sent is what Send returns.
type Sent struct {
	State   State
	Message []byte // to put into the session message; empty for version 0
	Key     []byte // 32 bytes to mix into this message's keys, or nil
}

// Received is what Recv returns.
type Received struct {
	State State
	Key   []byte // 32 bytes to mix into this message's keys, or nil
}

// InitialState returns the state to start a session with.
func InitialState(params Params) (State, error) { return initialState(params) }

// Send advances the ratchet by one outgoing message. On error the caller keeps the old state.
func Send(random io.Reader, state State) (Sent, error) { return send(random, state) }

// Recv advances the ratchet by one incoming message. The caller must discard the result unless the whole session
// message then proves authentic; on error it keeps the old state. An error other than ErrState is the message's fault.
func Recv(state State, message []byte) (Received, error) { return receive(state, message) }
