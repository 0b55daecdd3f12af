package spqr

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var someKey = bytes.Repeat([]byte{41}, keySize)

// TestHalfChainModel compares a chain, asked for random indices, with a list of all keys and of those that were taken.
func TestHalfChainModel(t *testing.T) {
	const length = 400
	params := ChainParams{MaxJump: 20, MaxOutOfOrderKeys: 30}
	reference := halfChain{next: someKey}
	keys := make([][]byte, length)
	for i := range keys[1:] {
		keys[i+1] = reference.advance()
	}
	for seed := range 20 {
		random := rand.New(newRandom(byte(seed)))
		h := halfChain{next: someKey}
		taken := map[uint32]bool{}
		for h.counter < length-30 {
			index := uint32(max(0, int(h.counter)+random.IntN(80)-50))
			counter := h.counter
			key, err := h.key(index, params)
			switch {
			case index > counter && index-counter > params.MaxJump:
				require.Equal(t, &JumpError{counter, index}, err)
			case index < counter && counter-index > params.MaxOutOfOrderKeys:
				require.Equal(t, &TooOldError{index}, err)
			case index == 0 || taken[index]:
				require.Equal(t, &DuplicateError{index}, err)
			default:
				require.NoError(t, err)
				require.Equal(t, keys[index], key)
				taken[index] = true
			}
			require.LessOrEqual(t, h.skipped.len(), int(params.MaxOutOfOrderKeys))
		}
	}
}

func TestHalfChainLimits(t *testing.T) {
	tests := map[string]struct {
		params ChainParams
		index  uint32
		want   error
	}{
		"default jump":       {ChainParams{}, defaultMaxJump, nil},
		"beyond the default": {ChainParams{}, defaultMaxJump + 1, &JumpError{0, defaultMaxJump + 1}},
		"highest index":      {ChainParams{}, math.MaxUint32, &JumpError{0, math.MaxUint32}},
		"own jump":           {ChainParams{MaxJump: 3}, 4, &JumpError{0, 4}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := halfChain{next: someKey}
			_, err := h.key(test.index, test.params)
			if test.want != nil {
				require.Equal(t, test.want, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, defaultMaxOutOfOrderKeys, h.skipped.len(), "only keys that can still be asked for are kept")
			_, err = h.key(test.index-defaultMaxOutOfOrderKeys, test.params)
			require.NoError(t, err)
			_, err = h.key(test.index-defaultMaxOutOfOrderKeys-1, test.params)
			require.Equal(t, &TooOldError{test.index - defaultMaxOutOfOrderKeys - 1}, err)
		})
	}
}

func TestChainEpochs(t *testing.T) {
	c := newChain(AToB, someKey, ChainParams{})
	require.ErrorIs(t, c.addEpoch(epochSecret{2, someKey}), ErrState, "epochs follow one another")
	for epoch := uint64(1); epoch <= 4; epoch++ {
		require.NoError(t, c.addEpoch(epochSecret{epoch, someKey}))
	}
	for epoch := range uint64(5) {
		_, err := c.receiveKey(epoch, 2)
		require.NoError(t, err)
	}
	_, _, err := c.sendKey(3)
	require.NoError(t, err)
	require.Len(t, c.epochs, 3, "the epoch to send in, one before and one after")

	var outOfRange *EpochError
	for _, epoch := range []uint64{0, 1, 5, math.MaxUint64} {
		_, err = c.receiveKey(epoch, 1)
		require.ErrorAs(t, err, &outOfRange)
	}
	_, err = c.receiveKey(2, 1)
	require.NoError(t, err, "a late message of the epoch before")
	_, _, err = c.sendKey(2)
	require.ErrorAs(t, err, &outOfRange, "sending in an epoch ends when sending in the next begins")
	c.epochs[1].send.counter = math.MaxUint32
	_, _, err = c.sendKey(3)
	require.ErrorAs(t, err, &outOfRange, "an index is never used twice")
}
