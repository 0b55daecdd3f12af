package senderkey

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kdfchain"
)

// Record is the keys of one sender for one distribution id, latest first. It is a value that is never changed; the zero
// value has no key.
type Record struct {
	states []state
}

// state is one key of a sender, from its chain's first message on.
type state struct {
	chainID uint32
	chain   kdfchain.Chain
	signing curve.PublicKey
	// private is nil but in our own key.
	private *curve.PrivateKey
}

// IsEmpty reports whether there is no key.
func (r Record) IsEmpty() bool { return len(r.states) == 0 }

// Format keeps the keys out of logs.
func (r Record) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "(sender keys: %d)", len(r.states))
}

// Owned reports whether the current key is our own, so that messages can be sent with it.
func (r Record) Owned() bool { return len(r.states) > 0 && r.states[0].private != nil }

// find returns the place of the state with that chain id, or -1.
func (r Record) find(chainID uint32) int {
	return slices.IndexFunc(r.states, func(s state) bool { return s.chainID == chainID })
}

// with returns the record with the state at a place replaced.
func (r Record) with(at int, s state) Record {
	r.states = slices.Clone(r.states)
	r.states[at] = s
	return r
}

// add makes s the latest state. A key that is there already stays as far as it has come, so that a message cannot be
// decrypted twice; another key with the same chain id is replaced.
func (r Record) add(s state) Record {
	if at := r.find(s.chainID); at >= 0 {
		if r.states[at].signing == s.signing {
			s = r.states[at]
		}
	}
	states := append(make([]state, 0, MaxStates), s)
	for _, old := range r.states {
		if old.chainID != s.chainID && len(states) < MaxStates {
			states = append(states, old)
		}
	}
	return Record{states: states}
}

// Fields of the stored form: sessionpb.SenderKeyRecord, SenderKeyState, SenderChainKey, SenderMessageKey and
// SenderSigningKey.
const (
	statesField protowire.Number = 1

	chainIDField     protowire.Number = 1
	chainKeyField    protowire.Number = 2
	signingKeyField  protowire.Number = 3
	messageKeysField protowire.Number = 4
	versionField     protowire.Number = 5

	iterationField protowire.Number = 1
	seedField      protowire.Number = 2

	publicField  protowire.Number = 1
	privateField protowire.Number = 2
)

// ParseRecord reads a stored record; no bytes are a record without a key.
func ParseRecord(b []byte) (Record, error) {
	var r Record
	err := fields(b, func(f field) error {
		if f.number != statesField {
			return nil
		}
		if len(r.states) == MaxStates {
			return fmt.Errorf("%w: more than %d keys", ErrCorrupt, MaxStates)
		}
		s, err := parseState(f.bytes)
		r.states = append(r.states, s)
		return err
	})
	if err != nil {
		return Record{}, err
	}
	return r, nil
}

// Serialize returns the stored form.
func (r Record) Serialize() []byte {
	out := make([]byte, 0, r.size())
	for _, s := range r.states {
		out = protowire.AppendTag(out, statesField, protowire.BytesType)
		out = protowire.AppendBytes(out, s.serialize())
	}
	return out
}

// Shrink returns a record whose stored form is no longer than limit, which has to be 1000 or more: without the oldest
// seeds of skipped messages, those of the oldest key first. Only someone who leaves out messages by the thousand makes
// a record that long, and only messages of theirs may become unreadable by it.
func (r Record) Shrink(limit int) Record {
	excess := r.size() - limit
	r.states = slices.Clone(r.states)
	for i := range slices.Backward(r.states) {
		if excess <= 0 {
			break
		}
		s := &r.states[i]
		var dropped int
		s.chain, dropped = s.chain.DropSkipped(excess)
		excess -= dropped // stored, a seed takes more than it does here
	}
	return r
}

// maxEntry is what a skipped message's seed takes at most: three tags, two lengths and an iteration beside the seed.
const maxEntry = 3 + 2 + 5 + 32

// size is an upper bound of the stored form's length.
func (r Record) size() (size int) {
	for _, s := range r.states {
		size += s.size()
	}
	return size
}

func (s state) size() int { return 160 + len(s.chain.Skipped)/kdfchain.SkippedSize*maxEntry }

func parseState(b []byte) (state, error) {
	var s state
	var version uint64
	seen := 0
	err := fields(b, func(f field) (err error) {
		switch f.number {
		case chainIDField:
			s.chainID, err = f.uint32()
		case chainKeyField:
			seen |= 1
			s.chain.Index, s.chain.Key, err = parseSeed(f.bytes)
		case signingKeyField:
			seen |= 2
			s.signing, s.private, err = parseSigningKey(f.bytes)
		case messageKeysField:
			s.chain.Skipped, err = appendSkipped(s.chain.Skipped, f.bytes)
		case versionField:
			version = f.varint
		}
		return err
	})
	switch {
	case err != nil:
		return state{}, err
	case seen != 3:
		return state{}, fmt.Errorf("%w: key missing", ErrCorrupt)
	case version != 0 && version != messageVersion: // 0 stands for the first version, which is the only one
		return state{}, fmt.Errorf("%w: message version %d", ErrCorrupt, version)
	}
	return s, nil
}

func appendSkipped(skipped, b []byte) ([]byte, error) {
	if len(skipped) == MaxSkipped*kdfchain.SkippedSize {
		return nil, fmt.Errorf("%w: more than %d skipped messages", ErrCorrupt, MaxSkipped)
	}
	iteration, seed, err := parseSeed(b)
	if err != nil {
		return nil, err
	}
	return kdfchain.AppendSkipped(skipped, iteration, seed), nil
}

// parseSeed reads a SenderChainKey, or a SenderMessageKey, which looks the same.
func parseSeed(b []byte) (iteration uint32, seed [32]byte, err error) {
	var read []byte
	err = fields(b, func(f field) (err error) {
		switch f.number {
		case iterationField:
			iteration, err = f.uint32()
		case seedField:
			read = f.bytes
		}
		return err
	})
	if err == nil && len(read) != len(seed) {
		err = fmt.Errorf("%w: seed of %d bytes", ErrCorrupt, len(read))
	}
	copy(seed[:], read)
	return iteration, seed, err
}

func parseSigningKey(b []byte) (public curve.PublicKey, private *curve.PrivateKey, err error) {
	var parts struct{ public, private []byte }
	if err = fields(b, func(f field) error {
		switch f.number {
		case publicField:
			parts.public = f.bytes
		case privateField:
			parts.private = f.bytes
		}
		return nil
	}); err != nil {
		return public, nil, err
	}
	if public, err = curve.ParsePublicKey(parts.public); err != nil {
		return public, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if len(parts.private) == 0 {
		return public, nil, nil
	}
	key, err := curve.ParsePrivateKey(parts.private)
	if err != nil {
		return public, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return public, &key, nil
}

func (s state) serialize() []byte {
	out := make([]byte, 0, s.size())
	out = appendUint32(out, chainIDField, s.chainID)
	out = appendSeed(out, chainKeyField, s.chain.Index, s.chain.Key[:])
	signing := appendBytes(make([]byte, 0, 80), publicField, s.signing.Serialize())
	if s.private != nil {
		signing = appendBytes(signing, privateField, s.private[:])
	}
	out = appendBytes(out, signingKeyField, signing)
	for iteration, seed := range s.chain.AllSkipped() {
		out = appendSeed(out, messageKeysField, iteration, seed)
	}
	return appendUint32(out, versionField, messageVersion)
}

// appendSeed appends a SenderChainKey or a SenderMessageKey.
func appendSeed(out []byte, number protowire.Number, iteration uint32, seed []byte) []byte {
	var buffer [maxEntry]byte
	inner := appendUint32(buffer[:0], iterationField, iteration)
	inner = appendBytes(inner, seedField, seed)
	return appendBytes(out, number, inner)
}

func appendBytes(out []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), value)
}

// appendUint32 leaves out a zero, as the official library does.
func appendUint32(out []byte, number protowire.Number, value uint32) []byte {
	if value == 0 {
		return out
	}
	return protowire.AppendVarint(protowire.AppendTag(out, number, protowire.VarintType), uint64(value))
}
