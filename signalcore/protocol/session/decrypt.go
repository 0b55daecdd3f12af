package session

import (
	"errors"
	"fmt"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/ratchet"
)

// Decrypted is a received message, and what receiving it changes.
type Decrypted struct {
	Record    Record // to save
	Plaintext []byte // still padded

	RemoteIdentity curve.PublicKey // to check and to save
	Used           *Used           // nil where no new session was opened
}

// Decrypt decrypts a message (TypeMessage) with the first session of the record that can, which becomes the current
// one. The error is ErrDuplicate for a message that came before, ErrInvalid where no session decrypts it, and
// ErrNoSession where there is none.
func Decrypt(record Record, ends Ends, message *Message) (Decrypted, error) {
	if record.IsEmpty() {
		return Decrypted{}, ErrNoSession
	}
	var cause error // why the current session does not decrypt it
	if record.current != nil {
		next, plaintext, err := record.current.decrypt(message, ends)
		if err == nil {
			record.current = next
			return Decrypted{Record: record, Plaintext: plaintext, RemoteIdentity: next.remoteIdentity}, nil
		}
		if errors.Is(err, ErrDuplicate) || errors.Is(err, ErrCorrupt) {
			return Decrypted{}, err
		}
		cause = err
	}
	for i, stored := range record.previous {
		old, err := parseState(stored)
		if err != nil {
			continue // damaged, and no use: the next one may fit
		}
		next, plaintext, err := old.decrypt(message, ends)
		if err == nil {
			record = record.without(i).promote(next)
			return Decrypted{Record: record, Plaintext: plaintext, RemoteIdentity: next.remoteIdentity}, nil
		}
		if errors.Is(err, ErrDuplicate) {
			return Decrypted{}, err
		}
	}
	if cause == nil {
		cause = ErrInvalid
	}
	return Decrypted{}, fmt.Errorf("none of %d sessions fits: %w", record.count(), cause)
}

// DecryptPreKey decrypts a message that opens a session (TypePreKey), which becomes the current one. Where the record
// has that session already (HasSessionOf), keys are not looked at. A key that the message names and that keys lacks is
// a MissingPreKeyError.
func DecryptPreKey(record Record, local Local, ends Ends, m *PreKeyMessage, keys PreKeys) (Decrypted, error) {
	if m.version != version {
		return Decrypted{}, fmt.Errorf("%w: message version %d", ErrInvalid, m.version)
	}
	var used *Used
	record, found := record.promoteMatching(m.BaseKey)
	if !found {
		opened, usedKeys, err := accept(m, local, ends, keys)
		if err != nil {
			return Decrypted{}, err
		}
		record, used = record.promote(opened), usedKeys
	}
	// The outer identity is not covered by the MAC: a session has the one that it was opened with.
	if record.current.remoteIdentity != m.Identity {
		return Decrypted{}, fmt.Errorf("%w: the session has another identity", ErrInvalid)
	}
	next, plaintext, err := record.current.decrypt(m.Message, ends)
	if err != nil {
		return Decrypted{}, err
	}
	record.current = next
	return Decrypted{Record: record, Plaintext: plaintext, RemoteIdentity: next.remoteIdentity, Used: used}, nil
}

func (r Record) count() int {
	if r.current == nil {
		return len(r.previous)
	}
	return 1 + len(r.previous)
}

// decrypt returns the state after the message, which counts as the other side's answer, and its plaintext. The error is
// ErrDuplicate, ErrCorrupt or ErrInvalid.
func (s *state) decrypt(m *Message, ends Ends) (*state, []byte, error) {
	if m.version != version {
		return nil, nil, fmt.Errorf("%w: message version %d", ErrInvalid, m.version)
	}
	ratchets, keys, err := s.ratchet.Receive(m.header, s.self(ends))
	switch {
	case errors.Is(err, ratchet.ErrDuplicate):
		return nil, nil, err
	case err != nil:
		return nil, nil, invalidMessage(err)
	}
	ids := identities{sender: s.remoteIdentity, recipient: s.localIdentity}
	if !m.authentic(&keys.MAC, ids, ends) {
		return nil, nil, fmt.Errorf("%w: not authentic", ErrInvalid)
	}
	plaintext, err := decryptCBC(&keys, m.ciphertext)
	if err != nil {
		return nil, nil, err
	}
	next := *s
	next.ratchet = ratchets
	next.pending = nil
	return &next, plaintext, nil
}

func invalidMessage(err error) error {
	if corrupt := corruptState(err); errors.Is(corrupt, ErrCorrupt) {
		return corrupt
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// corruptState marks the ratchet's errors about stored state as this package's.
func corruptState(err error) error {
	if errors.Is(err, ratchet.ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
