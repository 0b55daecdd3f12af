package padding

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLengthsAreThoseOfTheApps(t *testing.T) {
	for length, want := range map[int]int{0: 79, 1: 79, 77: 79, 78: 79, 79: 159, 80: 159, 158: 159, 159: 239, 2000: 2079} {
		require.Equal(t, want, len(Add(make([]byte, length))), "message of %d bytes", length)
	}
}

func TestRoundTrip(t *testing.T) {
	for length := range 400 {
		for _, fill := range []byte{0x00, 0x80, 0xff} {
			message := bytes.Repeat([]byte{fill}, length)
			stripped, err := Strip(Add(message))
			require.NoError(t, err)
			require.True(t, bytes.Equal(message, stripped))
		}
	}
}

func TestStripTakesAnyNumberOfZeros(t *testing.T) {
	stripped, err := Strip([]byte{1, 2, 0x80})
	require.NoError(t, err)
	require.Equal(t, []byte{1, 2}, stripped)
	stripped, err = Strip([]byte{0x80, 0, 0})
	require.NoError(t, err)
	require.Empty(t, stripped)
}

func TestMalformedIsRefused(t *testing.T) {
	for _, padded := range [][]byte{nil, {}, {0}, {0, 0, 0}, {0x80, 1}, {0x80, 0, 7, 0}} {
		_, err := Strip(padded)
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func FuzzStrip(f *testing.F) {
	f.Add([]byte{1, 0x80, 0})
	f.Fuzz(func(t *testing.T, padded []byte) {
		message, err := Strip(padded)
		if err != nil {
			return
		}
		again, err := Strip(Add(message))
		require.NoError(t, err)
		require.True(t, bytes.Equal(message, again))
	})
}
