package kdfchain

import (
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDerivation has the numbers of libsignal's own test (ratchet/keys.rs).
func TestDerivation(t *testing.T) {
	unhex := func(text string) [32]byte {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		return [32]byte(b)
	}
	chain := Chain{Key: unhex("8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f")}
	next := chain.Next()
	require.Equal(t, unhex("28e8f8fee54b801eef7c5cfb2f17f32c7b334485bbb70fac6ec10342a246d15d"), next.Key)
	require.EqualValues(t, 1, next.Index)
	require.Zero(t, chain.Index)
}

func TestSkippedKeysAreKeptOnceAndBounded(t *testing.T) {
	var chain Chain
	seeds := map[uint32][32]byte{}
	for walk := chain; walk.Index < 6000; walk = walk.Next() {
		seeds[walk.Index] = walk.Seed()
	}
	take := func(index uint32) error {
		before := append([]byte{}, chain.Skipped...)
		next, seed, err := chain.Take(index, MaxJump)
		require.Equal(t, before, append([]byte{}, chain.Skipped...), "a chain is a value")
		if err == nil {
			require.Equal(t, seeds[index], seed)
			chain = next
		}
		return err
	}
	oldest := func() uint32 {
		for index, seed := range chain.AllSkipped() {
			require.Equal(t, seeds[index], [32]byte(seed))
			return index
		}
		return math.MaxUint32
	}
	require.NoError(t, take(1500))
	require.Len(t, chain.Skipped, 1500*SkippedSize)
	require.NoError(t, take(2500)) // 499 more than are kept
	require.Len(t, chain.Skipped, MaxSkipped*SkippedSize)
	require.EqualValues(t, 499, oldest())
	require.ErrorIs(t, take(498), ErrDuplicate)
	require.NoError(t, take(499))
	require.ErrorIs(t, take(499), ErrDuplicate)
	require.ErrorIs(t, take(1500), ErrDuplicate)
	require.NoError(t, take(1501))
	require.NoError(t, take(5999))
	require.Len(t, chain.Skipped, MaxSkipped*SkippedSize)
	require.ErrorIs(t, take(2499), ErrDuplicate)
	require.NoError(t, take(3999))
	require.NoError(t, take(5998))
	require.ErrorIs(t, take(6000+MaxJump+1), ErrTooFarAhead)
	require.ErrorIs(t, take(math.MaxUint32), ErrTooFarAhead)
}

func TestDropSkipped(t *testing.T) {
	chain, _, err := Chain{}.Take(3, MaxJump)
	require.NoError(t, err)
	for bytes, left := range map[int]int{
		-1: 3, 0: 3, 1: 2, SkippedSize: 2, SkippedSize + 1: 1, 3 * SkippedSize: 0, 100 * SkippedSize: 0,
	} {
		rest, dropped := chain.DropSkipped(bytes)
		require.Len(t, rest.Skipped, left*SkippedSize, bytes)
		require.Equal(t, (3-left)*SkippedSize, dropped, bytes)
		require.Equal(t, chain.Index, rest.Index)
	}
	require.Len(t, chain.Skipped, 3*SkippedSize)
}

func TestEnd(t *testing.T) {
	chain := Chain{Index: math.MaxUint32 - 1}
	require.False(t, chain.AtEnd())
	chain, _, err := chain.Take(math.MaxUint32-1, MaxJump)
	require.NoError(t, err)
	require.True(t, chain.AtEnd())
	_, _, err = chain.Take(math.MaxUint32, MaxJump)
	require.ErrorIs(t, err, ErrTooFarAhead)
}
