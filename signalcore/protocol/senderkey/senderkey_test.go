package senderkey

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kdfchain"
)

var distribution = uuid.MustParse("d1d1d1d1-7000-11eb-b32a-33b8a8a487a6")

func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// pair returns a sender's record and that of a receiver who has the key.
func pair(t testing.TB) (sender, receiver Record) {
	message, sender, err := NewDistribution(seeded(1), Record{}, distribution)
	require.NoError(t, err)
	id, receiver, err := ProcessDistribution(message, Record{})
	require.NoError(t, err)
	require.Equal(t, distribution, id)
	return sender, receiver
}

func say(t testing.TB, sender Record, text string) ([]byte, Record) {
	message, next, err := Encrypt(seeded(2), sender, distribution, []byte(text))
	require.NoError(t, err)
	return message, next
}

// at returns the record with its current chain advanced to an iteration.
func (r Record) at(iteration uint32) Record {
	s := r.states[0]
	for s.chain.Index < iteration {
		s.chain = s.chain.Next()
	}
	return r.with(0, s)
}

func TestMessagesAndTheirIds(t *testing.T) {
	sender, receiver := pair(t)
	require.True(t, sender.Owned())
	require.False(t, receiver.Owned())
	for i := range 40 {
		text := string(bytes.Repeat([]byte("x"), i))
		var message []byte
		message, sender = say(t, sender, text)
		id, err := DistributionIDOf(message)
		require.NoError(t, err)
		require.Equal(t, distribution, id)
		plaintext, next, err := Decrypt(receiver, message)
		require.NoError(t, err)
		require.Equal(t, text, string(plaintext))
		_, _, err = Decrypt(next, message)
		require.ErrorIs(t, err, ErrDuplicate)
		receiver = next
	}
}

func TestDistributionGivesTheKeyFromNowOn(t *testing.T) {
	sender, _ := pair(t)
	early, sender := say(t, sender, "early")
	message, same, err := NewDistribution(seeded(9), sender, distribution)
	require.NoError(t, err)
	require.Equal(t, sender.Serialize(), same.Serialize())
	_, receiver, err := ProcessDistribution(message, Record{})
	require.NoError(t, err)
	_, _, err = Decrypt(receiver, early)
	require.ErrorIs(t, err, ErrDuplicate)
	late, _ := say(t, sender, "late")
	plaintext, _, err := Decrypt(receiver, late)
	require.NoError(t, err)
	require.Equal(t, "late", string(plaintext))
}

func TestJumps(t *testing.T) {
	sender, receiver := pair(t)
	farthest, _ := say(t, sender.at(MaxJump), "farthest")
	tooFar, _ := say(t, sender.at(MaxJump+1), "too far")
	_, _, err := Decrypt(receiver, tooFar)
	require.ErrorIs(t, err, ErrTooFarAhead)
	_, receiver, err = Decrypt(receiver, farthest)
	require.NoError(t, err)
	_, _, err = Decrypt(receiver, tooFar)
	require.NoError(t, err)
	// The latest MaxSkipped of those before it are kept.
	dropped, _ := say(t, sender.at(MaxJump-MaxSkipped-1), "dropped")
	_, _, err = Decrypt(receiver, dropped)
	require.ErrorIs(t, err, ErrDuplicate)
	for _, iteration := range []uint32{MaxJump - MaxSkipped, MaxJump - 1} {
		kept, _ := say(t, sender.at(iteration), "kept")
		_, next, err := Decrypt(receiver, kept)
		require.NoError(t, err)
		_, _, err = Decrypt(next, kept)
		require.ErrorIs(t, err, ErrDuplicate)
	}
}

func TestSkippedKeysAreBounded(t *testing.T) {
	sender, receiver := pair(t)
	for _, iteration := range []uint32{1500, 2500, 2501, 5000} {
		message, _ := say(t, sender.at(iteration), "text")
		var err error
		_, receiver, err = Decrypt(receiver, message)
		require.NoError(t, err)
		require.LessOrEqual(t, len(receiver.states[0].chain.Skipped), MaxSkipped*kdfchain.SkippedSize)
		receiver = parse(t, receiver.Serialize())
	}
	require.Len(t, receiver.states[0].chain.Skipped, MaxSkipped*kdfchain.SkippedSize)
}

func TestLastIteration(t *testing.T) {
	sender, receiver := pair(t)
	s := sender.states[0]
	s.chain.Index = math.MaxUint32
	_, _, err := Encrypt(seeded(1), sender.with(0, s), distribution, nil)
	require.ErrorIs(t, err, ErrExhausted)
	s.chain.Index = math.MaxUint32 - 1
	message, last := say(t, sender.with(0, s), "last")
	_, _, err = Encrypt(seeded(1), last, distribution, nil)
	require.ErrorIs(t, err, ErrExhausted)
	r := receiver.states[0]
	r.chain = s.chain
	_, receiver, err = Decrypt(receiver.with(0, r), message)
	require.NoError(t, err)
	m, err := parseMessage(message)
	require.NoError(t, err)
	m.iteration = math.MaxUint32
	message, err = m.seal(seeded(3), *s.private)
	require.NoError(t, err)
	_, _, err = Decrypt(receiver, message)
	require.ErrorIs(t, err, ErrTooFarAhead)
}

func TestFiveKeysAreKept(t *testing.T) {
	var receiver Record
	var messages [][]byte
	var senders []Record
	for i := range byte(7) {
		key, sender, err := NewDistribution(seeded(i), Record{}, distribution)
		require.NoError(t, err)
		_, receiver, err = ProcessDistribution(key, receiver)
		require.NoError(t, err)
		message, _ := say(t, sender, fmt.Sprint(i))
		messages, senders = append(messages, message), append(senders, sender)
	}
	for i, message := range messages {
		_, next, err := Decrypt(receiver, message)
		if i < 2 {
			require.ErrorIs(t, err, ErrNoSenderKey)
			continue
		}
		require.NoError(t, err)
		receiver = next
	}
	// A key that comes again becomes the latest, and stays as far as it was.
	again, _, err := NewDistribution(nil, senders[2], distribution)
	require.NoError(t, err)
	_, receiver, err = ProcessDistribution(again, receiver)
	require.NoError(t, err)
	require.Equal(t, senders[2].states[0].chainID, receiver.states[0].chainID)
	require.Len(t, receiver.states, MaxStates)
	_, _, err = Decrypt(receiver, messages[2])
	require.ErrorIs(t, err, ErrDuplicate)
}

func TestAnotherKeyWithTheSameChainIDReplacesIt(t *testing.T) {
	sender, receiver := pair(t)
	other, _, err := NewDistribution(seeded(50), Record{}, distribution)
	require.NoError(t, err)
	d, err := ParseDistribution(other)
	require.NoError(t, err)
	d.ChainID = sender.states[0].chainID
	forged, err := d.serialize()
	require.NoError(t, err)
	_, receiver, err = ProcessDistribution(forged, receiver)
	require.NoError(t, err)
	require.Len(t, receiver.states, 1)
	message, _ := say(t, sender, "text")
	_, _, err = Decrypt(receiver, message)
	require.ErrorIs(t, err, ErrSignature)
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	sender, receiver := pair(t)
	message, _ := say(t, sender, "text")
	before := receiver.Serialize()
	for i := range len(message) * 8 {
		changed := bytes.Clone(message)
		changed[i/8] ^= 1 << (i % 8)
		_, _, err := Decrypt(receiver, changed)
		require.Error(t, err, "bit %d", i)
		require.NotErrorIs(t, err, ErrCorrupt)
	}
	require.Equal(t, before, receiver.Serialize())
}

func TestSignedButNotDecryptable(t *testing.T) {
	sender, receiver := pair(t)
	message, _ := say(t, sender, "text")
	for _, ciphertext := range [][]byte{{}, make([]byte, 15), make([]byte, 16), make([]byte, 32)} {
		m, err := parseMessage(message)
		require.NoError(t, err)
		m.ciphertext = ciphertext
		forged, err := m.seal(seeded(3), *sender.states[0].private)
		require.NoError(t, err)
		_, _, err = Decrypt(receiver, forged)
		require.ErrorIs(t, err, ErrInvalid)
	}
	// It took no message key.
	_, _, err := Decrypt(receiver, message)
	require.NoError(t, err)
}

func TestRecordsThatCannotBeUsed(t *testing.T) {
	sender, receiver := pair(t)
	message, _ := say(t, sender, "text")
	_, _, err := Decrypt(Record{}, message)
	require.ErrorIs(t, err, ErrNoSenderKey)
	_, _, err = Encrypt(seeded(1), Record{}, distribution, nil)
	require.ErrorIs(t, err, ErrNoSenderKey)
	_, _, err = Encrypt(seeded(1), receiver, distribution, nil)
	require.ErrorIs(t, err, ErrCorrupt)
	_, _, err = NewDistribution(seeded(1), receiver, distribution)
	require.ErrorIs(t, err, ErrCorrupt)
	for length := range 4 + 32 + 32 {
		_, _, err = NewDistribution(bytes.NewReader(make([]byte, length)), Record{}, distribution)
		require.Error(t, err)
	}
	_, _, err = Encrypt(bytes.NewReader(nil), sender, distribution, nil)
	require.Error(t, err)
}

func TestDamagedRecords(t *testing.T) {
	sender, _ := pair(t)
	state := sender.states[0].serialize()
	record := func(states ...[]byte) (out []byte) {
		for _, s := range states {
			out = appendBytes(out, statesField, s)
		}
		return out
	}
	seed := appendSeed(nil, messageKeysField, 7, make([]byte, 32))
	for name, stored := range map[string][]byte{
		"not a protobuf":     {0xff},
		"another wire type":  {byte(statesField<<3 | 1), 0, 0, 0, 0, 0, 0, 0, 0},
		"too many keys":      record(state, state, state, state, state, state),
		"too many skipped":   record(append(bytes.Clone(state), bytes.Repeat(seed, MaxSkipped+1)...)),
		"no chain":           record(appendBytes(nil, signingKeyField, sender.states[0].signing.Serialize())),
		"truncated":          record(state)[:60],
		"version":            record(append(bytes.Clone(state), byte(versionField<<3), 4)),
		"chain id":           record(append(bytes.Clone(state), byte(chainIDField<<3), 0xff, 0xff, 0xff, 0xff, 0x7f)),
		"chain's seed":       record(append(bytes.Clone(state), appendBytes(nil, chainKeyField, nil)...)),
		"skipped seed":       record(append(bytes.Clone(state), appendSeed(nil, messageKeysField, 7, make([]byte, 31))...)),
		"no public key":      record(append(bytes.Clone(state), appendBytes(nil, signingKeyField, nil)...)),
		"a short public key": record(append(bytes.Clone(state), appendBytes(nil, signingKeyField, []byte{10, 1, 5})...)),
		"a short private key": record(append(bytes.Clone(state), appendBytes(nil, signingKeyField,
			appendBytes(appendBytes(nil, publicField, sender.states[0].signing.Serialize()), privateField, []byte{1}))...)),
	} {
		_, err := ParseRecord(stored)
		require.ErrorIs(t, err, ErrCorrupt, name)
	}
}

func TestShrink(t *testing.T) {
	var receiver Record
	for i := range byte(MaxStates) {
		key, sender, err := NewDistribution(seeded(i), Record{}, distribution)
		require.NoError(t, err)
		_, receiver, err = ProcessDistribution(key, receiver)
		require.NoError(t, err)
		message, _ := say(t, sender.at(MaxSkipped), "text")
		_, receiver, err = Decrypt(receiver, message)
		require.NoError(t, err)
	}
	full := len(receiver.Serialize())
	require.LessOrEqual(t, full, receiver.size())
	require.Equal(t, receiver.Serialize(), receiver.Shrink(receiver.size()).Serialize())
	for _, limit := range []int{full - 1, full / 2, full / 5, 2000} {
		small := receiver.Shrink(limit)
		require.LessOrEqual(t, len(small.Serialize()), limit)
		require.Len(t, small.states, MaxStates)
		parse(t, small.Serialize())
	}
	require.Len(t, receiver.Shrink(full / 2).states[0].chain.Skipped, MaxSkipped*kdfchain.SkippedSize)
	require.Len(t, receiver.Serialize(), full)
}

func TestMalformedMessages(t *testing.T) {
	sender, _ := pair(t)
	message, _ := say(t, sender, "text")
	key, _, err := NewDistribution(nil, sender, distribution)
	require.NoError(t, err)
	for length := range len(key) {
		_, err := ParseDistribution(key[:length])
		require.ErrorIs(t, err, ErrMalformed)
	}
	for _, b := range [][]byte{nil, {versionByte}, message[:curve.SignatureSize], message[:curve.SignatureSize+1]} {
		_, err := DistributionIDOf(b)
		require.ErrorIs(t, err, ErrMalformed)
	}
	for _, first := range []byte{0, 0x23, 0x43, 0xff} {
		message[0], key[0] = first, first
		_, err := DistributionIDOf(message)
		require.ErrorIs(t, err, ErrVersion)
		_, err = ParseDistribution(key)
		require.ErrorIs(t, err, ErrVersion)
	}
}

func TestNoKeyIsPrinted(t *testing.T) {
	sender, _ := pair(t)
	key, _, err := NewDistribution(nil, sender, distribution)
	require.NoError(t, err)
	d, err := ParseDistribution(key)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, fmt.Sprintf("(distribution %s, chain %d from 0)", distribution, d.ChainID), fmt.Sprintf(verb, d))
		require.Equal(t, "(sender keys: 1)", fmt.Sprintf(verb, sender))
	}
}
