package serviceid

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const sample = "9d0652a3-dcc3-4d11-975f-74d61598733f"

func TestFormsRoundTrip(t *testing.T) {
	id := uuid.MustParse(sample)
	for _, s := range []ServiceID{NewACI(id), NewPNI(id)} {
		parsed, err := Parse(s.String())
		require.NoError(t, err)
		require.Equal(t, s, parsed)
		parsed, err = ParseBinary(s.Binary())
		require.NoError(t, err)
		require.Equal(t, s, parsed)
		fixed := s.FixedWidth()
		parsed, err = ParseBinary(fixed[:])
		require.NoError(t, err)
		require.Equal(t, s, parsed)
	}
	require.Equal(t, "PNI:"+sample, NewPNI(id).String())
	require.Equal(t, "PNI:9d0652a3", NewPNI(id).Short())
	require.Equal(t, sample+".3", Address{NewACI(id), 3}.String())
}

func TestMalformedIsRefused(t *testing.T) {
	for _, text := range []string{"", "PNI:", "x", sample + "0", "ACI:" + sample, "{" + sample + "}", uuid.Nil.String()} {
		_, err := Parse(text)
		require.ErrorIs(t, err, ErrMalformed, text)
	}
	for _, b := range [][]byte{nil, make([]byte, 16), make([]byte, 15), append([]byte{2}, make([]byte, 16)...)} {
		_, err := ParseBinary(b)
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("PNI:" + sample)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := Parse(text); err == nil {
			again, err := Parse(s.String())
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
	})
}
