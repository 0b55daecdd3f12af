package session

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// typed are the errors that a message from outside may cause.
func typed(err error) bool {
	var missing *MissingPreKeyError
	for _, known := range []error{ErrMalformed, ErrVersion, ErrInvalid, ErrDuplicate, ErrNoSession} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &missing)
}

// FuzzDecrypt feeds messages to a recipient that has nothing yet, and to one in the middle of a conversation.
func FuzzDecrypt(f *testing.F) {
	alice, bob := pair(f)
	fresh := *bob
	first := alice.encrypt(bob.address, "first")
	_, err := bob.decrypt(alice.address, first)
	require.NoError(f, err)
	say(bob, alice, "answer")
	second := alice.encrypt(bob.address, "second")
	f.Add(uint8(TypePreKey), first.ciphertext)
	f.Add(uint8(TypeMessage), second.ciphertext)
	for _, s := range recordedStarts(f) {
		f.Add(uint8(s.Messages[0].Type), s.Messages[0].Ciphertext)
	}
	f.Fuzz(func(t *testing.T, kind uint8, message []byte) {
		for _, p := range []*party{&fresh, bob} {
			before := p.record.Serialize()
			_, err := p.try(alice.address, sent{Type(kind), bytes.Clone(message)})
			require.True(t, err == nil || typed(err), "%v", err)
			require.Equal(t, before, p.record.Serialize())
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	alice, bob := pair(f)
	f.Add(alice.record.Serialize())
	say(alice, bob, "first")
	alice.encrypt(bob.address, "lost")
	say(alice, bob, "second")
	alice.open(bob.address, bob.bundle())
	f.Add(alice.record.Serialize())
	f.Add(bob.record.Serialize())
	m := alice.encrypt(bob.address, "third")
	f.Fuzz(func(t *testing.T, stored []byte) {
		record, err := ParseRecord(stored)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		again, err := ParseRecord(record.Serialize())
		require.NoError(t, err)
		require.Equal(t, record.Serialize(), again.Serialize())
		_, _ = Encrypt(alice.rand, record, alice.ends(bob.address), start, []byte("text"))
		p := *bob
		p.record = record
		_, _ = p.try(alice.address, m)
		record.Archive().Serialize()
	})
}

func FuzzRetryRequest(f *testing.F) {
	for _, s := range recordedStarts(f) {
		f.Add(s.Messages[0].Retry)
	}
	f.Add((DecryptionError{Timestamp: 1, DeviceID: 2}).Plaintext())
	f.Fuzz(func(t *testing.T, message []byte) {
		request, err := DecryptionErrorIn(message)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		again, err := DecryptionErrorIn(request.Plaintext())
		require.NoError(t, err)
		require.Equal(t, request, again)
	})
}
