// Package ratchet turns the keys of a session's set-up into a new key for each message: Signal's Triple Ratchet, which
// is the Double Ratchet with the keys of the post-quantum ratchet (package spqr) mixed in.
//
// Specification: "The Double Ratchet Algorithm" (signal.org/docs/specifications/doubleratchet), sections 3 and 5;
// libsignal rust/protocol/src/double_ratchet.rs, triple_ratchet.rs and ratchet/keys.rs for constants and labels.
// It knows no identities, MACs, wire formats or other sessions: those are in package session.
//
// A State is a value that is never changed: Send and Receive return the next one, and the caller keeps the old one
// where the message then proves not to be authentic.
package ratchet

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kdfchain"
	"signalbox/signalcore/protocol/pqxdh"
	"signalbox/signalcore/protocol/spqr"
)

const (
	// MaxJump is how many messages of a chain may be missing before the next.
	MaxJump = kdfchain.MaxJump
	// MaxSelfJump bounds a session between two devices of one account, where nobody may ever answer. libsignal has no
	// bound there; this one keeps a forged counter from costing more than half a second.
	MaxSelfJump = 100_000
	// MaxSkipped is how many keys of missing messages are kept for a chain.
	MaxSkipped = kdfchain.MaxSkipped
	// MaxChains is how many receiving chains are kept.
	MaxChains = 5
)

var (
	// ErrDuplicate means that the message's key was used before, or that it is older than the keys that are kept.
	ErrDuplicate = kdfchain.ErrDuplicate
	// ErrTooFarAhead means that too many messages would be missing before this one.
	ErrTooFarAhead = kdfchain.ErrTooFarAhead
	// ErrMessage means that the message does not fit the state for another reason.
	ErrMessage = errors.New("message does not fit the session")
	// ErrExhausted means that a chain has no number left for another message.
	ErrExhausted = errors.New("sending chain is used up")
	// ErrCorrupt means that the stored state is damaged.
	ErrCorrupt = errors.New("corrupt ratchet state")
)

// State is one side's ratchets. The zero value is no state.
type State struct {
	root [32]byte
	// sending is nil between a new ratchet key of the other side and the next message to it: the new key pair is made
	// only then, as the specification's "Deferring new ratchet key generation" suggests. libsignal makes it at once;
	// the other side cannot tell.
	sending         *sendingChain
	receiving       []receivingChain // oldest first
	previousCounter uint32
	postQuantum     spqr.State
}

type sendingChain struct {
	keys  curve.KeyPair
	chain kdfchain.Chain
}

type receivingChain struct {
	theirs curve.PublicKey
	chain  kdfchain.Chain
}

// Header is what a message says about its keys.
type Header struct {
	RatchetKey      curve.PublicKey
	Counter         uint32
	PreviousCounter uint32
	PostQuantum     []byte // the post-quantum ratchet's message
}

// NewInitiator returns the state of the one who opened the session; theirs is the recipient's signed prekey.
func NewInitiator(rand io.Reader, keys pqxdh.Keys, theirs curve.PublicKey, self bool) (State, error) {
	postQuantum, err := newPostQuantum(keys, spqr.AToB, self)
	if err != nil {
		return State{}, err
	}
	s := State{root: keys.Root, postQuantum: postQuantum}
	s.receiving = []receivingChain{{theirs: theirs, chain: kdfchain.Chain{Key: keys.Chain}}}
	if err := s.startSending(rand); err != nil {
		return State{}, err
	}
	return s, nil
}

// NewRecipient returns the state of the one who received the first message; ours is our signed prekey.
func NewRecipient(keys pqxdh.Keys, ours curve.KeyPair, self bool) (State, error) {
	postQuantum, err := newPostQuantum(keys, spqr.BToA, self)
	if err != nil {
		return State{}, err
	}
	sending := &sendingChain{keys: ours, chain: kdfchain.Chain{Key: keys.Chain}}
	return State{root: keys.Root, sending: sending, postQuantum: postQuantum}, nil
}

// newPostQuantum requires version 1 of the other side, as libsignal's new sessions do (ratchet.rs).
func newPostQuantum(keys pqxdh.Keys, direction spqr.Direction, self bool) (spqr.State, error) {
	return spqr.InitialState(spqr.Params{
		Direction: direction, Version: spqr.V1, MinVersion: spqr.V1, AuthKey: keys.PostQuantum[:],
		Chain: spqr.ChainParams{MaxJump: maxJump(self), MaxOutOfOrderKeys: MaxSkipped},
	})
}

func maxJump(self bool) uint32 {
	if self {
		return MaxSelfJump
	}
	return MaxJump
}

// RatchetKeyMatches reports whether messages are now sent with this ratchet key.
func (s State) RatchetKeyMatches(key curve.PublicKey) bool {
	return s.sending != nil && s.sending.keys.Public == key
}

// Send returns the header and the keys of the next message to send.
func (s State) Send(rand io.Reader) (State, Header, MessageKeys, error) {
	if s.sending == nil {
		if err := s.startSending(rand); err != nil {
			return State{}, Header{}, MessageKeys{}, err
		}
	}
	sent, err := spqr.Send(rand, s.postQuantum)
	if err != nil {
		return State{}, Header{}, MessageKeys{}, postQuantumError(err)
	}
	current := s.sending.chain
	if current.AtEnd() {
		return State{}, Header{}, MessageKeys{}, ErrExhausted
	}
	keys, err := deriveMessageKeys(current.Seed(), sent.Key)
	if err != nil {
		return State{}, Header{}, MessageKeys{}, err
	}
	header := Header{s.sending.keys.Public, current.Index, s.previousCounter, sent.Message}
	s.sending = &sendingChain{keys: s.sending.keys, chain: current.Next()}
	s.postQuantum = sent.State
	return s, header, keys, nil
}

// startSending is the sending half of a Diffie-Hellman ratchet step. It changes its receiver, which callers own.
func (s *State) startSending(rand io.Reader) error {
	if len(s.receiving) == 0 {
		return fmt.Errorf("%w: neither chain is there", ErrCorrupt)
	}
	pair, err := curve.GenerateKeyPair(rand)
	if err != nil {
		return err
	}
	root, chain, err := nextRoot(s.root, pair.Private, s.receiving[len(s.receiving)-1].theirs)
	if err != nil {
		return err
	}
	s.root, s.sending = root, &sendingChain{keys: pair, chain: chain}
	return nil
}

// Receive returns the keys of a received message, and the state to keep once they have proved the message authentic.
func (s State) Receive(header Header, self bool) (State, MessageKeys, error) {
	s.receiving = slices.Clone(s.receiving)
	at := slices.IndexFunc(s.receiving, func(c receivingChain) bool { return c.theirs == header.RatchetKey })
	if at < 0 {
		if err := s.startReceiving(header.RatchetKey); err != nil {
			return State{}, MessageKeys{}, err
		}
		at = len(s.receiving) - 1
	}
	current := &s.receiving[at]
	var seed [32]byte
	var err error
	if current.chain, seed, err = current.chain.Take(header.Counter, maxJump(self)); err != nil {
		return State{}, MessageKeys{}, err
	}
	received, err := spqr.Recv(s.postQuantum, header.PostQuantum)
	if err != nil {
		return State{}, MessageKeys{}, postQuantumError(err)
	}
	s.postQuantum = received.State
	keys, err := deriveMessageKeys(seed, received.Key)
	return s, keys, err
}

// startReceiving is the receiving half of a Diffie-Hellman ratchet step. Without a sending chain there cannot be one:
// the other side takes a step only when it sees a key that we have sent.
func (s *State) startReceiving(theirs curve.PublicKey) error {
	if s.sending == nil {
		return fmt.Errorf("%w: unknown ratchet key", ErrMessage)
	}
	root, chain, err := nextRoot(s.root, s.sending.keys.Private, theirs)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	s.root = root
	s.previousCounter = max(s.sending.chain.Index, 1) - 1
	s.sending = nil
	s.receiving = append(s.receiving, receivingChain{theirs: theirs, chain: chain})
	if excess := len(s.receiving) - MaxChains; excess > 0 {
		s.receiving = s.receiving[excess:]
	}
	return nil
}

// DropSkipped returns the state without the keys of missing messages that take that many bytes, or without all of
// them: those of the oldest chain first, and there the oldest.
func (s State) DropSkipped(bytes int) State {
	s.receiving = slices.Clone(s.receiving)
	for i := range s.receiving {
		c := &s.receiving[i]
		var dropped int
		c.chain, dropped = c.chain.DropSkipped(bytes)
		bytes -= dropped
	}
	return s
}

func postQuantumError(err error) error {
	if errors.Is(err, spqr.ErrState) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %w", ErrMessage, err)
}
