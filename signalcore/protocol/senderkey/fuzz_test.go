package senderkey

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// typed are the errors that a message from outside may cause.
func typed(err error) bool {
	for _, known := range []error{ErrNoSenderKey, ErrDuplicate, ErrTooFarAhead, ErrMalformed, ErrSignature, ErrInvalid} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

func FuzzDecrypt(f *testing.F) {
	sender, receiver := pair(f)
	first, sender := say(f, sender, "first")
	second, _ := say(f, sender, "second")
	_, receiver, err := Decrypt(receiver, first)
	require.NoError(f, err)
	f.Add(first)
	f.Add(second)
	for _, c := range recorded(f) {
		f.Add([]byte(c.Steps[1].Message))
	}
	before := receiver.Serialize()
	f.Fuzz(func(t *testing.T, message []byte) {
		_, _, err := Decrypt(receiver, bytes.Clone(message))
		require.True(t, err == nil || typed(err), "%v", err)
		require.Equal(t, before, receiver.Serialize())
	})
}

func FuzzDistribution(f *testing.F) {
	_, receiver := pair(f)
	for _, c := range recorded(f) {
		f.Add([]byte(c.Steps[0].Message))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		d, err := ParseDistribution(message)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		serialized, err := d.serialize()
		require.NoError(t, err)
		again, err := ParseDistribution(serialized)
		require.NoError(t, err)
		require.Equal(t, d, again)
		id, next, err := ProcessDistribution(message, receiver)
		require.NoError(t, err)
		require.Equal(t, d.ID, id)
		parse(t, next.Serialize())
	})
}

func FuzzParseRecord(f *testing.F) {
	sender, _ := pair(f)
	f.Add(sender.Serialize())
	for _, c := range recorded(f) {
		f.Add([]byte(c.Steps[len(c.Steps)-1].Record))
	}
	message, _ := say(f, sender, "text")
	f.Fuzz(func(t *testing.T, stored []byte) {
		record, err := ParseRecord(stored)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		again := parse(t, record.Serialize())
		require.Equal(t, record.Serialize(), again.Serialize())
		require.LessOrEqual(t, len(record.Serialize()), record.size())
		_, _, _ = Encrypt(seeded(1), record, distribution, nil)
		_, _, _ = Decrypt(record, message)
		require.LessOrEqual(t, len(record.Shrink(1000).Serialize()), 1000)
	})
}
