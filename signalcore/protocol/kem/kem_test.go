package kem

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoundTrip(t *testing.T) {
	pair, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	public, err := ParsePublicKey(pair.Public.Serialize())
	require.NoError(t, err)
	require.True(t, public.Equal(pair.Public))
	secret, err := ParseSecretKey(pair.Secret.Serialize())
	require.NoError(t, err)
	require.True(t, secret.Equal(pair.Secret))

	ciphertext, sent, err := public.Encapsulate(rand.Reader)
	require.NoError(t, err)
	require.Len(t, ciphertext, CiphertextSize)
	got, err := secret.Decapsulate(ciphertext)
	require.NoError(t, err)
	require.Equal(t, sent, got)

	ciphertext[100] ^= 1
	got, err = secret.Decapsulate(ciphertext)
	require.NoError(t, err)
	require.NotEqual(t, sent, got)
}

func TestSameSeedSameKey(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, 64)
	a, err := GenerateKeyPair(bytes.NewReader(seed))
	require.NoError(t, err)
	b, err := GenerateKeyPair(bytes.NewReader(seed))
	require.NoError(t, err)
	require.True(t, a.Public.Equal(b.Public))
	require.True(t, a.Secret.Equal(b.Secret))
}

func TestMalformedIsRefused(t *testing.T) {
	pair, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	wrongType := pair.Public.Serialize()
	wrongType[0] = 0x0a
	for _, b := range [][]byte{nil, {8}, wrongType, append(pair.Public.Serialize(), 0)} {
		_, err := ParsePublicKey(b)
		require.ErrorIs(t, err, ErrMalformedKey)
		_, err = ParseSecretKey(b)
		require.ErrorIs(t, err, ErrMalformedKey)
		_, err = pair.Secret.Decapsulate(b)
		require.ErrorIs(t, err, ErrMalformedCiphertext)
	}
	_, _, err = PublicKey{}.Encapsulate(rand.Reader)
	require.ErrorIs(t, err, ErrMalformedKey)
	_, _, err = pair.Public.Encapsulate(bytes.NewReader(nil))
	require.Error(t, err)
	_, err = SecretKey{}.Decapsulate(make([]byte, CiphertextSize))
	require.ErrorIs(t, err, ErrMalformedKey)
	require.Equal(t, "(secret key)", fmt.Sprintf("%x", pair.Secret))
}

func FuzzParse(f *testing.F) {
	pair, err := GenerateKeyPair(bytes.NewReader(make([]byte, 64)))
	require.NoError(f, err)
	f.Add(pair.Public.Serialize())
	f.Add(pair.Secret.Serialize())
	f.Fuzz(func(t *testing.T, b []byte) {
		if key, err := ParsePublicKey(b); err == nil {
			require.Equal(t, b, key.Serialize())
			_, _, err := key.Encapsulate(rand.Reader)
			require.NoError(t, err)
		}
		if key, err := ParseSecretKey(b); err == nil {
			_, err := key.Decapsulate(append([]byte{keyType}, make([]byte, CiphertextSize-1)...))
			require.NoError(t, err)
		}
		_, _ = pair.Secret.Decapsulate(b)
	})
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		_, _ = GenerateKeyPair(rand.Reader)
	}
}
