package session

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"signalbox/signalcore/protocol/curve"
)

// Fields of sessionpb.Record, which is read and written by hand: archived sessions, of which there may be forty, stay
// the bytes that they are until one is needed.
const (
	currentField  = 1
	previousField = 2
)

// Record is all sessions with one device. It is a value that is never changed; the zero value has no session.
type Record struct {
	current  *state
	previous [][]byte // stored sessions, latest first
}

// ParseRecord reads a stored record; no bytes are a record without a session. It keeps b, which must not change
// afterwards. An archived session that is damaged shows only where it is needed, and is passed over then.
func ParseRecord(b []byte) (Record, error) {
	var r Record
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Record{}, fmt.Errorf("%w: %w", ErrCorrupt, protowire.ParseError(n))
		}
		b = b[n:]
		value, n := protowire.ConsumeBytes(b)
		if kind != protowire.BytesType || n < 0 {
			return Record{}, fmt.Errorf("%w: field %d", ErrCorrupt, number)
		}
		b = b[n:]
		switch {
		case number == currentField && r.current == nil:
			current, err := parseState(value)
			if err != nil {
				return Record{}, err
			}
			r.current = current
		case number == previousField && len(r.previous) < MaxArchived:
			r.previous = append(r.previous, value)
		default:
			return Record{}, fmt.Errorf("%w: field %d too many", ErrCorrupt, number)
		}
	}
	return r, nil
}

// Serialize returns the stored form.
func (r Record) Serialize() []byte {
	var current []byte
	size := 0
	if r.current != nil {
		current = r.current.serialize()
		size += len(current) + 6
	}
	for _, p := range r.previous {
		size += len(p) + 6
	}
	b := make([]byte, 0, size)
	if r.current != nil {
		b = protowire.AppendTag(b, currentField, protowire.BytesType)
		b = protowire.AppendBytes(b, current)
	}
	for _, p := range r.previous {
		b = protowire.AppendTag(b, previousField, protowire.BytesType)
		b = protowire.AppendBytes(b, p)
	}
	return b
}

// HasCurrent reports whether there is a session to send with, however old.
func (r Record) HasCurrent() bool { return r.current != nil }

// IsEmpty reports whether there is no session at all, not even an archived one.
func (r Record) IsEmpty() bool { return r.current == nil && len(r.previous) == 0 }

// CanSend reports whether Encrypt would find a usable session at that time (libsignal has_usable_sender_chain).
func (r Record) CanSend(now time.Time) bool { return r.current != nil && !r.current.unanswered(now) }

// Answered reports whether the other side is known to have the current session.
func (r Record) Answered() bool { return r.current != nil && r.current.pending == nil }

// RemoteIdentity returns the other side's identity in the current session.
func (r Record) RemoteIdentity() (curve.PublicKey, error) {
	if r.current == nil {
		return curve.PublicKey{}, ErrNoSession
	}
	return r.current.remoteIdentity, nil
}

// LocalIdentity returns our identity in the current session.
func (r Record) LocalIdentity() (curve.PublicKey, error) {
	if r.current == nil {
		return curve.PublicKey{}, ErrNoSession
	}
	return r.current.localIdentity, nil
}

// RemoteRegistrationID returns the registration id that the other side had when the current session was opened; the
// service wants it with each message.
func (r Record) RemoteRegistrationID() (uint32, error) {
	if r.current == nil {
		return 0, ErrNoSession
	}
	return r.current.remoteRegistrationID, nil
}

// BaseKey returns the key that tells the current session from others.
func (r Record) BaseKey() (curve.PublicKey, error) {
	if r.current == nil {
		return curve.PublicKey{}, ErrNoSession
	}
	return r.current.baseKey, nil
}

// RatchetKeyMatches reports whether messages are now sent with the ratchet key that a decryption-error message names.
// If so the other side cannot read the current session, and it should be archived.
func (r Record) RatchetKeyMatches(key curve.PublicKey) bool {
	return r.current != nil && r.current.ratchet.RatchetKeyMatches(key)
}

// HasSessionOf reports whether the session that the message opens is here already, so that no prekeys are needed.
func (r Record) HasSessionOf(m *PreKeyMessage) bool {
	_, found := r.promoteMatching(m.BaseKey)
	return found
}

// Archive sets the current session aside, so that sending needs a new one while late messages still decrypt.
func (r Record) Archive() Record {
	if r.current == nil {
		return r
	}
	old := *r.current
	old.pending = nil
	kept := r.previous[:min(len(r.previous), MaxArchived-1)]
	return Record{previous: slices.Concat([][]byte{old.serialize()}, kept)}
}

// promote makes s the current session.
func (r Record) promote(s *state) Record {
	r = r.Archive()
	r.current = s
	return r
}

// promoteMatching makes the session with that base key the current one.
func (r Record) promoteMatching(baseKey curve.PublicKey) (Record, bool) {
	if r.current != nil && r.current.baseKey == baseKey {
		return r, true
	}
	for i, stored := range r.previous {
		if key, ok := baseKeyOf(stored); !ok || key != baseKey {
			continue
		}
		if s, err := parseState(stored); err == nil {
			return r.without(i).promote(s), true
		}
	}
	return r, false
}

// without returns the record without an archived session.
func (r Record) without(i int) Record {
	return Record{current: r.current, previous: slices.Concat(r.previous[:i], r.previous[i+1:])}
}

// Shrink returns a record whose stored form is no longer than limit: without the oldest archived sessions, and where
// that is not enough without the oldest keys of missing messages. Only someone who leaves out messages by the thousand
// makes a record that long, and only messages of theirs may become unreadable by it.
func (r Record) Shrink(limit int) Record {
	r.previous = slices.Clone(r.previous)
	for len(r.previous) > 0 && len(r.Serialize()) > limit {
		r.previous = r.previous[:len(r.previous)-1]
	}
	if excess := len(r.Serialize()) - limit; excess > 0 && r.current != nil {
		current := *r.current
		// Some bytes more: the lengths before the lists are written with fewer or more.
		current.ratchet = current.ratchet.DropSkipped(excess + shrinkMargin)
		r.current = &current
	}
	return r
}

const shrinkMargin = 64
