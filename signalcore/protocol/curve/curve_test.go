package curve

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// The key pairs and signature of libsignal's own tests (curve25519.rs).
const (
	alicePrivate   = "c806439dc9d2c476ffed8f2580c0888d58ab406bf7ae3698879021b96bb4bf59"
	alicePublic    = "1bb75966f2e93a3691dfff942bb2a466a1c08b8d78ca3f4d6df8b8bfa2e4ee28"
	bobPrivate     = "b03b34c33a1c44f225b662d2bf4859b8135411fa7b0386d45fb75dc5b91b4466"
	bobPublic      = "653614993d2b15ee9e5fd3d86ce719ef4ec1daae1886a87b3f5fa9565a27a22f"
	sharedSecret   = "325f239328941ced6e673b86ba41017448e99b649a9c3806c1dd7ca4c477e629"
	signerPrivate  = "c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865"
	signerPublic   = "ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64"
	signedMessage  = "05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a"
	knownSignature = "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb" +
		"ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
)

func TestAgreement(t *testing.T) {
	alice, err := ParsePrivateKey(unhex(t, alicePrivate))
	require.NoError(t, err)
	bob, err := ParsePrivateKey(unhex(t, bobPrivate))
	require.NoError(t, err)
	require.Equal(t, alicePublic, hex.EncodeToString(ptr(alice.PublicKey())[:]))
	require.Equal(t, bobPublic, hex.EncodeToString(ptr(bob.PublicKey())[:]))
	for _, pair := range []struct {
		private PrivateKey
		public  PublicKey
	}{{alice, bob.PublicKey()}, {bob, alice.PublicKey()}} {
		secret, err := pair.private.Agree(pair.public)
		require.NoError(t, err)
		require.Equal(t, sharedSecret, hex.EncodeToString(secret[:]))
	}
}

func ptr[T any](v T) *T { return &v }

func TestLowOrderKeyIsRefused(t *testing.T) {
	pair, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	for _, low := range []PublicKey{{}, {1}} {
		_, err := pair.Private.Agree(low)
		require.ErrorIs(t, err, ErrNoAgreement)
	}
}

func TestKnownSignature(t *testing.T) {
	private, err := ParsePrivateKey(unhex(t, signerPrivate))
	require.NoError(t, err)
	require.Equal(t, signerPublic, hex.EncodeToString(ptr(private.PublicKey())[:]))
	public, message, signature := private.PublicKey(), unhex(t, signedMessage), unhex(t, knownSignature)
	require.True(t, public.Verify(message, signature))
	for i := range signature {
		for _, bit := range []byte{0x01, 0x80} {
			spoiled := bytes.Clone(signature)
			spoiled[i] ^= bit
			require.False(t, public.Verify(message, spoiled), "byte %d", i)
		}
	}
	require.False(t, public.Verify(append(message, 0), signature))
	require.False(t, public.Verify(message, signature[:63]))
	require.False(t, public.Verify(message, append(signature, 0)))
}

func TestSignatures(t *testing.T) {
	signs := map[byte]int{}
	for i := range 64 {
		pair, err := GenerateKeyPair(rand.Reader)
		require.NoError(t, err)
		message := bytes.Repeat([]byte{byte(i)}, i)
		signature, err := pair.Private.Sign(rand.Reader, message)
		require.NoError(t, err)
		require.True(t, pair.Public.Verify(message, signature[:]))
		signs[signature[63]&0x80]++
		other, err := GenerateKeyPair(rand.Reader)
		require.NoError(t, err)
		require.False(t, other.Public.Verify(message, signature[:]))
	}
	require.Len(t, signs, 2, "both signs of the Edwards point occur")
}

// A scalar that is not reduced verifies in libsignal as long as it stays below 2^253.
func TestUnreducedScalarIsAccepted(t *testing.T) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	pair, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	signature, err := pair.Private.Sign(rand.Reader, []byte("m"))
	require.NoError(t, err)
	sign := signature[63] & 0x80
	signature[63] &= 0x7f
	for _, times := range []int64{1, 2} {
		s := new(big.Int).SetBytes(reversed(signature[32:]))
		s.Add(s, new(big.Int).Mul(order, big.NewInt(times)))
		spoiled := append(bytes.Clone(signature[:32]), reversed(s.FillBytes(make([]byte, 32)))...)
		accepted := s.BitLen() <= 253
		spoiled[63] |= sign
		require.Equal(t, accepted, pair.Public.Verify([]byte("m"), spoiled))
	}
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, v := range b {
		out[len(b)-1-i] = v
	}
	return out
}

func TestAlternateIdentity(t *testing.T) {
	aci, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	pni, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	signature, err := pni.Private.SignAlternateIdentity(rand.Reader, aci.Public)
	require.NoError(t, err)
	require.True(t, pni.Public.VerifyAlternateIdentity(aci.Public, signature[:]))
	require.False(t, aci.Public.VerifyAlternateIdentity(pni.Public, signature[:]))
	require.False(t, pni.Public.Verify(aci.Public.Serialize(), signature[:]))
}

func TestCanonical(t *testing.T) {
	pair, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	require.True(t, pair.Public.IsCanonical())
	topBit := pair.Public
	topBit[31] |= 0x80
	require.False(t, topBit.IsCanonical())
	tooLarge := PublicKey(append(append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f))
	require.False(t, tooLarge.IsCanonical())
	// u = 1 has order four; u = 0 order two.
	require.False(t, PublicKey{1}.IsCanonical())
	require.False(t, PublicKey{}.IsCanonical())
}

func TestMalformedKeys(t *testing.T) {
	for _, b := range [][]byte{nil, {5}, make([]byte, 33), make([]byte, 32)} {
		_, err := ParsePublicKey(b)
		require.ErrorIs(t, err, ErrMalformedKey)
	}
	for _, n := range []int{0, 31, 33} {
		_, err := ParsePrivateKey(make([]byte, n))
		require.ErrorIs(t, err, ErrMalformedKey)
	}
	_, err := GenerateKeyPair(bytes.NewReader(make([]byte, 31)))
	require.Error(t, err)
	_, err = PrivateKey{}.Sign(bytes.NewReader(make([]byte, 63)), nil)
	require.Error(t, err)
}

func TestPrivateKeyDoesNotPrint(t *testing.T) {
	pair, err := GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		require.Contains(t, fmt.Sprintf(verb, pair.Private), "(private key)")
		require.Contains(t, fmt.Sprintf(verb, pair), "(private key)")
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(unhex(f, "05"+alicePublic))
	f.Add(unhex(f, signedMessage))
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := ParsePublicKey(b)
		if err != nil {
			return
		}
		require.Equal(t, b[:SerializedKeySize], key.Serialize())
		key.IsCanonical()
	})
}

func FuzzVerify(f *testing.F) {
	f.Add(unhex(f, signerPublic), unhex(f, signedMessage), unhex(f, knownSignature))
	f.Fuzz(func(_ *testing.T, key, message, signature []byte) {
		var public PublicKey
		copy(public[:], key)
		public.Verify(message, signature)
	})
}

func BenchmarkAgree(b *testing.B) {
	pair, _ := GenerateKeyPair(rand.Reader)
	other, _ := GenerateKeyPair(rand.Reader)
	for b.Loop() {
		_, _ = pair.Private.Agree(other.Public)
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		_, _ = GenerateKeyPair(rand.Reader)
	}
}

func BenchmarkSign(b *testing.B) {
	pair, _ := GenerateKeyPair(rand.Reader)
	for b.Loop() {
		_, _ = pair.Private.Sign(rand.Reader, []byte("message"))
	}
}

func BenchmarkVerify(b *testing.B) {
	pair, _ := GenerateKeyPair(rand.Reader)
	signature, _ := pair.Private.Sign(rand.Reader, []byte("message"))
	for b.Loop() {
		pair.Public.Verify([]byte("message"), signature[:])
	}
}

func TestAgreementMatchesTheStandardLibrary(t *testing.T) {
	for range 64 {
		pair, err := GenerateKeyPair(rand.Reader)
		require.NoError(t, err)
		var other PublicKey // any bytes: on the curve, on its twist, or not reduced
		_, _ = rand.Read(other[:])
		private, err := ecdh.X25519().NewPrivateKey(pair.Private[:])
		require.NoError(t, err)
		require.Equal(t, private.PublicKey().Bytes(), pair.Public[:])
		public, err := ecdh.X25519().NewPublicKey(other[:])
		require.NoError(t, err)
		want, err := private.ECDH(public)
		require.NoError(t, err)
		got, err := pair.Private.Agree(other)
		require.NoError(t, err)
		require.Equal(t, want, got[:])
	}
}
