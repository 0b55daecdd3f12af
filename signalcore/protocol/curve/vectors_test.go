package curve

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKnownAnswers checks what the official library computed (testdata/interop/vectors/session.mjs).
func TestKnownAnswers(t *testing.T) {
	data, err := os.ReadFile("../../../testdata/vectors/session.json")
	require.NoError(t, err)
	var vectors struct {
		Agreements []struct{ Private, Public, Other, Secret string }
		Signatures []struct {
			Public, Message, Signature, Spoiled, Other, Alternate string
			SpoiledValid                                          bool
		}
	}
	require.NoError(t, json.Unmarshal(data, &vectors))
	public := func(text string) PublicKey {
		key, err := ParsePublicKey(unhex(t, text))
		require.NoError(t, err)
		return key
	}
	require.NotEmpty(t, vectors.Agreements)
	for _, v := range vectors.Agreements {
		private, err := ParsePrivateKey(unhex(t, v.Private))
		require.NoError(t, err)
		require.Equal(t, public(v.Public), private.PublicKey())
		require.True(t, public(v.Public).IsCanonical())
		secret, err := private.Agree(public(v.Other))
		require.NoError(t, err)
		require.Equal(t, v.Secret, hex.EncodeToString(secret[:]))
	}
	require.NotEmpty(t, vectors.Signatures)
	for _, v := range vectors.Signatures {
		message := unhex(t, v.Message)
		require.True(t, public(v.Public).Verify(message, unhex(t, v.Signature)))
		require.Equal(t, v.SpoiledValid, public(v.Public).Verify(message, unhex(t, v.Spoiled)))
		require.True(t, public(v.Public).VerifyAlternateIdentity(public(v.Other), unhex(t, v.Alternate)))
	}
}
