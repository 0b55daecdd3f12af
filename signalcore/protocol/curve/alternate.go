package curve

import (
	"bytes"
	"io"
)

// The prefixes keep signatures between two identities of one account apart from signatures over other keys: no
// serialised key starts with 0xff.
var (
	alternateFill  = bytes.Repeat([]byte{0xff}, 32)
	alternateLabel = []byte("Signal_PNI_Signature")
)

// SignAlternateIdentity claims that other is an identity of the same account as this one: the PNI signature.
// Source: libsignal rust/protocol/src/identity_key.rs.
func (k PrivateKey) SignAlternateIdentity(rand io.Reader, other PublicKey) ([SignatureSize]byte, error) {
	return k.signParts(rand, alternateFill, alternateLabel, other.Serialize())
}

// VerifyAlternateIdentity checks the claim of the holder of k that other is an identity of the same account.
func (k PublicKey) VerifyAlternateIdentity(other PublicKey, signature []byte) bool {
	return k.verifyParts(signature, alternateFill, alternateLabel, other.Serialize())
}
