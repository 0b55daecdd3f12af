package curve

import (
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"io"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// SignatureSize is the length of a signature.
const SignatureSize = 64

// noncePrefix is hash1 of the XEdDSA specification, section 2.5: 2^256 - 2, little-endian.
var noncePrefix = [32]byte{
	0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// Sign makes an XEdDSA signature with 64 bytes from rand.
//
// Unlike the specification, which fixes the sign of the Edwards point to zero, Signal keeps the point as it comes and
// carries its sign in the signature's top bit (libsignal curve25519.rs, calculate_signature).
func (k PrivateKey) Sign(rand io.Reader, message []byte) ([SignatureSize]byte, error) {
	return k.signParts(rand, message)
}

func (k PrivateKey) signParts(rand io.Reader, message ...[]byte) ([SignatureSize]byte, error) {
	var random [64]byte
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return [SignatureSize]byte{}, fmt.Errorf("reading randomness for a signature: %w", err)
	}
	a := k.scalar()
	public := new(edwards25519.Point).ScalarBaseMult(a).Bytes()
	nonceParts := append([][]byte{noncePrefix[:], k[:]}, message...)
	r := hashToScalar(append(nonceParts, random[:])...)
	commitment := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	h := hashToScalar(append([][]byte{commitment, public}, message...)...)

	var signature [SignatureSize]byte
	copy(signature[:], commitment)
	copy(signature[32:], h.MultiplyAdd(h, a, r).Bytes())
	signature[63] |= public[31] & 0x80
	return signature, nil
}

// Verify reports whether signature is one of the key's holder over message.
//
// Exactly what libsignal accepts is accepted: the scalar must be below 2^253, but need not be reduced, and points of
// low order are not refused (curve25519.rs, verify_signature).
func (k PublicKey) Verify(message, signature []byte) bool { return k.verifyParts(signature, message) }

func (k PublicKey) verifyParts(signature []byte, message ...[]byte) bool {
	if len(signature) != SignatureSize {
		return false
	}
	var wide [64]byte
	copy(wide[:], signature[32:])
	wide[31] &= 0x7f
	if wide[31]&0xe0 != 0 {
		return false
	}
	s, err := new(edwards25519.Scalar).SetUniformBytes(wide[:])
	if err != nil {
		return false
	}
	public, ok := k.edwards(signature[63] & 0x80)
	if !ok {
		return false
	}
	commitment := signature[:32]
	h := hashToScalar(append([][]byte{commitment, public.Bytes()}, message...)...)
	expected := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(h, public.Negate(public), s)
	return subtle.ConstantTimeCompare(expected.Bytes(), commitment) == 1
}

// edwards converts the key to its Edwards form, y = (u-1)/(u+1), with the given sign in bit 7.
func (k PublicKey) edwards(sign byte) (*edwards25519.Point, bool) {
	one := new(field.Element).One()
	u, err := new(field.Element).SetBytes(k[:])
	if err != nil {
		return nil, false
	}
	denominator := new(field.Element).Add(u, one)
	if denominator.Equal(new(field.Element)) == 1 {
		return nil, false
	}
	y := new(field.Element).Subtract(u, one)
	encoded := y.Multiply(y, denominator.Invert(denominator)).Bytes()
	encoded[31] |= sign
	point, err := new(edwards25519.Point).SetBytes(encoded)
	return point, err == nil
}

// scalar returns the key modulo the group order.
func (k PrivateKey) scalar() *edwards25519.Scalar {
	// The error is for a wrong length only, which the type excludes.
	s, _ := new(edwards25519.Scalar).SetBytesWithClamping(k[:])
	return s
}

func scalarOne() *edwards25519.Scalar {
	one, _ := new(edwards25519.Scalar).SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
	return one
}

func hashToScalar(parts ...[]byte) *edwards25519.Scalar {
	hash := sha512.New()
	for _, part := range parts {
		hash.Write(part)
	}
	var digest [sha512.Size]byte
	s, _ := new(edwards25519.Scalar).SetUniformBytes(hash.Sum(digest[:0]))
	return s
}
