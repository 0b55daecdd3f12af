package spqr

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKnownAnswers pins every key derivation. The values come from a separate implementation of the same formulas.
func TestKnownAnswers(t *testing.T) {
	authKey := bytes.Repeat([]byte{41}, keySize)
	a, b := newChain(AToB, authKey, ChainParams{}), newChain(BToA, authKey, ChainParams{})
	check := func(want string, got []byte) {
		t.Helper()
		require.Equal(t, want, hex.EncodeToString(got))
	}
	sendKey := func(c *chain, epoch uint64) []byte {
		_, key, err := c.sendKey(epoch)
		require.NoError(t, err)
		return key
	}
	check("9bcdfae095d09aa8ab367dd231d1d271fe580b555bcc6f64ff079d53d9a9db5d", sendKey(a, 0))
	check("6af868be8ea72f8ca3bb819c9623c0c9ffebd6f8503937d8f4fac142ac42a48e", sendKey(a, 0))
	check("8ede114ee798830a3d35a383e72e96d82a9adca0ac699c12fdf99069220e2da8", sendKey(b, 0))

	secret := newEpochSecret(1, bytes.Repeat([]byte{7}, 32))
	check("c366490e03124b184dcb37192238cc16929720fded925a16c870c542eb30b653", secret.key)
	require.NoError(t, a.addEpoch(secret))
	require.NoError(t, b.addEpoch(secret))
	check("5c50ac0b3661775fa1678c91872e968fa2843bd5e5212c8d2c335289ab7b38ed", sendKey(a, 1))
	check("1c1cc582161201b59e722cfaef5de8b4b476caef20e5275404cfe689ac38677a", sendKey(b, 1))

	auth := newAuthenticator(authKey)
	check("afa0ed675f73a3200620d2ca20ea4c400d913ade678416f3fd6b2bddb6823f69", auth.headerMAC(1, []byte("header")))
	auth.update(1, secret.key)
	check("c88a91df1ed2edaf6ddb662aa51ac32204af6df8eb3000d31c88446a32e0b79a",
		auth.ciphertextMAC(1, []byte("ct1"), []byte("ct2")))
}

func TestDeriveIsHKDF(t *testing.T) {
	random := rand.New(newRandom(1))
	some := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	for i := range 600 {
		salt, secret, info := some(random.IntN(sha256.BlockSize+1)), some(random.IntN(300)), some(random.IntN(300))
		if i%3 == 0 {
			salt = zeroSalt[:]
		}
		length := 1 + random.IntN(200)
		want, err := hkdf.Key(sha256.New, secret, salt, string(info), length)
		require.NoError(t, err)
		require.Equal(t, want, derive(salt, secret, info, length))
	}
}

func BenchmarkDerive(b *testing.B) {
	secret, info := make([]byte, keySize), []byte("\x00\x00\x00\x01"+chainNextLabel)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			derive(zeroSalt[:], secret, info, 2*keySize)
		}
	})
	b.Run("standard", func(b *testing.B) {
		for b.Loop() {
			_, _ = hkdf.Key(sha256.New, secret, zeroSalt[:], string(info), 2*keySize)
		}
	})
}
