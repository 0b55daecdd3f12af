package prekey

import (
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
)

var now = time.UnixMilli(1_700_000_000_123).UTC()

func identity(t testing.TB) curve.KeyPair {
	pair, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	return pair
}

func TestRecordsRoundTrip(t *testing.T) {
	id := identity(t)
	ec, err := GenerateEC(rand.Reader, MaxID-1, 3)
	require.NoError(t, err)
	require.Equal(t, []uint32{MaxID - 1, MaxID, 1}, []uint32{ec[0].ID, ec[1].ID, ec[2].ID})
	for _, key := range ec {
		got, err := ParseEC(key.Serialize())
		require.NoError(t, err)
		require.Equal(t, key, got)
	}

	signed, err := GenerateSigned(rand.Reader, id.Private, 5, now.Add(time.Microsecond))
	require.NoError(t, err)
	require.Equal(t, now, signed.Created)
	gotSigned, err := ParseSigned(signed.Serialize())
	require.NoError(t, err)
	require.Equal(t, signed, gotSigned)

	kyber, err := GenerateKyber(rand.Reader, id.Private, MaxID, 2, now)
	require.NoError(t, err)
	last, err := GenerateLastResort(rand.Reader, id.Private, 9, now)
	require.NoError(t, err)
	require.True(t, last.LastResort)
	require.Equal(t, uint32(1), kyber[1].ID)
	for _, key := range append(kyber, last) {
		got, err := ParseKyber(key.Serialize())
		require.NoError(t, err)
		require.Equal(t, key, got)
	}

	bundle := Bundle{Identity: id.Public, Signed: signed.Public(), Kyber: last.Public()}
	require.NoError(t, bundle.Verify())
	bundle.Kyber.Signature = signed.Signature[:]
	require.ErrorIs(t, bundle.Verify(), ErrSignature)
}

func TestShortRandomnessIsAnError(t *testing.T) {
	id := identity(t)
	for _, n := range []int64{0, 40, 100} {
		short := func() *limited { return &limited{n} }
		_, err := GenerateEC(short(), 1, 10)
		require.Error(t, err)
		_, err = GenerateKyber(short(), id.Private, 1, 10, now)
		require.Error(t, err)
	}
	_, err := GenerateSigned(&limited{40}, id.Private, 1, now)
	require.Error(t, err)
	_, err = GenerateLastResort(&limited{70}, id.Private, 1, now)
	require.Error(t, err)
}

// limited is randomness that ends.
type limited struct{ left int64 }

func (l *limited) Read(b []byte) (int, error) {
	if l.left -= int64(len(b)); l.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(b), nil
}

func TestCorruptRecordsAreRefused(t *testing.T) {
	for _, b := range [][]byte{nil, {0xff}, {0x08, 1}, {0x12, 1, 1}} {
		_, err := ParseEC(b)
		require.ErrorIs(t, err, ErrCorrupt)
		_, err = ParseSigned(b)
		require.ErrorIs(t, err, ErrCorrupt)
		_, err = ParseKyber(b)
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

func FuzzParse(f *testing.F) {
	id := identity(f)
	ec, err := GenerateEC(rand.Reader, 1, 1)
	require.NoError(f, err)
	signed, err := GenerateSigned(rand.Reader, id.Private, 2, now)
	require.NoError(f, err)
	kyber, err := GenerateLastResort(rand.Reader, id.Private, 3, now)
	require.NoError(f, err)
	f.Add(ec[0].Serialize())
	f.Add(signed.Serialize())
	f.Add(kyber.Serialize())
	f.Fuzz(func(t *testing.T, b []byte) {
		if key, err := ParseEC(b); err == nil {
			again, err := ParseEC(key.Serialize())
			require.NoError(t, err)
			require.Equal(t, key, again)
		}
		if key, err := ParseSigned(b); err == nil {
			_, err := ParseSigned(key.Serialize())
			require.NoError(t, err)
		}
		if key, err := ParseKyber(b); err == nil {
			_, err := ParseKyber(key.Serialize())
			require.NoError(t, err)
		}
	})
}
