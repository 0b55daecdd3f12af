package fingerprint

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
)

type vector struct{ Local, LocalKey, Remote, RemoteKey, Digits, Scannable, Theirs, Stranger, Version1 string }

func load(t testing.TB) []vector {
	raw, err := os.ReadFile("../../../testdata/vectors/fingerprint.json")
	require.NoError(t, err)
	var v []vector
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v)
	return v
}

func unhex(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func party(t testing.TB, id, key string) Party {
	parsed, err := serviceid.Parse(id)
	require.NoError(t, err)
	public, err := curve.ParsePublicKey(unhex(t, key))
	require.NoError(t, err)
	return Party{parsed, public}
}

func (v vector) fingerprint(t testing.TB) Fingerprint {
	return New(party(t, v.Local, v.LocalKey), party(t, v.Remote, v.RemoteKey))
}

func TestVectors(t *testing.T) {
	for _, c := range load(t) {
		f := c.fingerprint(t)
		require.Equal(t, c.Digits, f.Digits())
		scannable, err := f.Scannable()
		require.NoError(t, err)
		require.Equal(t, c.Scannable, hex.EncodeToString(scannable))

		same, err := f.Matches(unhex(t, c.Theirs))
		require.NoError(t, err)
		require.True(t, same)
		for _, other := range []string{c.Stranger, c.Scannable} {
			same, err = f.Matches(unhex(t, other))
			require.NoError(t, err)
			require.False(t, same)
		}
		_, err = f.Matches(unhex(t, c.Version1))
		require.ErrorIs(t, err, ErrVersion)

		other := New(party(t, c.Remote, c.RemoteKey), party(t, c.Local, c.LocalKey))
		require.Equal(t, c.Digits, other.Digits())
	}
}

func TestMalformedIsRefused(t *testing.T) {
	f := load(t)[0].fingerprint(t)
	for _, scanned := range [][]byte{{0xff}, make([]byte, 5000), {8, 2}, {8, 2, 0x12, 0}, {8, 2, 0x12, 2, 0x0a, 0}} {
		_, err := f.Matches(scanned)
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err := f.Matches(nil)
	require.ErrorIs(t, err, ErrVersion)
}

func FuzzMatches(f *testing.F) {
	c := load(f)[0]
	number := c.fingerprint(f)
	f.Add(unhex(f, c.Theirs))
	f.Fuzz(func(t *testing.T, scanned []byte) { _, _ = number.Matches(scanned) })
}

func BenchmarkNew(b *testing.B) {
	c := load(b)[0]
	for b.Loop() {
		c.fingerprint(b)
	}
}
