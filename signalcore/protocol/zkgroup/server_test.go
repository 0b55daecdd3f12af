package zkgroup

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServerPublicParams(t *testing.T) {
	for _, c := range loadVectors(t).Servers {
		p, err := ParseServerPublicParams(c.Public)
		require.NoError(t, err)
		equalBytes(t, c.Public, p.Serialize())
		for _, s := range c.Signatures {
			require.NoError(t, p.VerifySignature(s.Message, s.Signature))
			require.ErrorIs(t, p.VerifySignature(append(bytes.Clone(s.Message), 0), s.Signature), ErrVerification)
			requireFlipsRefused(t, s.Signature, func(b []byte) error { return p.VerifySignature(s.Message, b) })
			requireFlipsRefused(t, c.Public, func(b []byte) error {
				changed, err := ParseServerPublicParams(b)
				if err == nil { // another point: other parameters
					require.False(t, bytes.Equal(c.Public, changed.Serialize()))
					return ErrMalformed
				}
				return err
			})
		}
	}
	v := loadVectors(t).Servers
	other, err := ParseServerPublicParams(v[1].Public)
	require.NoError(t, err)
	s := v[0].Signatures[0]
	require.ErrorIs(t, other.VerifySignature(s.Message, s.Signature), ErrVerification)
}

func TestServerSecretParams(t *testing.T) {
	for _, c := range loadVectors(t).Servers {
		generated, err := GenerateServerSecretParams(c.Random.reader())
		require.NoError(t, err)
		equalBytes(t, c.Secret, generated.Serialize())
		equalBytes(t, c.Public, generated.PublicParams().Serialize())
		parsed, public := c.params(t)
		equalBytes(t, c.Secret, parsed.Serialize())
		equalBytes(t, c.Public, parsed.PublicParams().Serialize())
		for _, s := range c.Signatures {
			signature, err := parsed.Sign(s.Random.reader(), s.Message)
			require.NoError(t, err)
			equalBytes(t, s.Signature, signature)
			require.NoError(t, public.VerifySignature(s.Message, signature))
		}
	}
	// Some keys have a scalar that is not used, and nothing tells whether it was changed.
	secret := loadVectors(t).Servers[0].Secret
	next := 0
	requireFlipsRefused(t, secret, func(b []byte) error {
		if next++; len(b) == len(secret) && next%16 > 0 {
			return ErrMalformed // each takes 2 ms
		}
		changed, err := ParseServerSecretParams(b)
		if err == nil && !bytes.Equal(changed.Serialize(), secret) {
			return ErrMalformed
		}
		return err
	})
}

func FuzzServerSecretParams(f *testing.F) {
	f.Add([]byte(loadVectors(f).Servers[0].Secret))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseServerSecretParams(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.True(t, bytes.Equal(b, p.Serialize()))
	})
}

func FuzzServerPublicParams(f *testing.F) {
	f.Add([]byte(loadVectors(f).Servers[0].Public))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseServerPublicParams(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.True(t, bytes.Equal(b, p.Serialize()))
	})
}
