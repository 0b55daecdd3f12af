// Package curve holds the elliptic-curve keys of the Signal protocol: X25519 agreement, and XEdDSA signatures made
// and checked with the same keys.
//
// Specifications: RFC 7748 and "The XEdDSA and VXEdDSA Signature Schemes" (signal.org/docs/specifications/xeddsa);
// libsignal rust/core/src/curve.rs and curve/curve25519.rs for the serialised form and for what deviates from the
// specification. Key encapsulation (package kem) and what keys mean to a session are not here.
package curve

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/edwards25519"
	"github.com/cloudflare/circl/dh/x25519"
)

const (
	// KeySize is the length of a key without its type byte.
	KeySize = 32
	// SerializedKeySize is the length of a public key on the wire.
	SerializedKeySize = 1 + KeySize
	// keyType is the type byte of Curve25519 public keys.
	keyType = 0x05
)

var (
	// ErrMalformedKey is returned for bytes that are no key.
	ErrMalformedKey = errors.New("malformed curve key")
	// ErrNoAgreement is returned where the other side's public key is a point of low order, so that the agreement
	// would give an all-zero secret.
	ErrNoAgreement = errors.New("curve key permits no agreement")
)

// PublicKey is the u coordinate of a Curve25519 point. It is comparable; no check of the point is implied.
type PublicKey [KeySize]byte

// PrivateKey is a clamped scalar. It prints as a placeholder, so that it does not end up in a log.
type PrivateKey [KeySize]byte

// KeyPair is a private key with its public key.
type KeyPair struct {
	Private PrivateKey
	Public  PublicKey
}

// ParsePublicKey reads the 33-byte form. As in libsignal (PublicKey::deserialize), bytes after it are ignored.
func ParsePublicKey(serialized []byte) (PublicKey, error) {
	if len(serialized) < SerializedKeySize {
		return PublicKey{}, fmt.Errorf("%w: %d bytes", ErrMalformedKey, len(serialized))
	}
	if serialized[0] != keyType {
		return PublicKey{}, fmt.Errorf("%w: type %#02x", ErrMalformedKey, serialized[0])
	}
	return PublicKey(serialized[1:SerializedKeySize]), nil
}

// Serialize returns the 33-byte form, type byte first.
func (k PublicKey) Serialize() []byte { return k.AppendTo(make([]byte, 0, SerializedKeySize)) }

// AppendTo appends the 33-byte form to b.
func (k PublicKey) AppendTo(b []byte) []byte { return append(append(b, keyType), k[:]...) }

// IsCanonical reports whether the key is the one encoding of a point in the prime-order subgroup. Keys that open a
// session must be (libsignal pqxdh.rs checks the base key so), since others let one message open many sessions.
func (k PublicKey) IsCanonical() bool {
	if k[31]&0x80 != 0 || (k[0] >= 256-19 && k[31] == 0x7f && bytes.Count(k[1:31], []byte{0xff}) == 30) {
		return false
	}
	point, ok := k.edwards(0)
	if !ok {
		return false
	}
	// The group order minus one, times the point, is the point's negative only where the point has no torsion.
	minusOne := new(edwards25519.Scalar).Negate(scalarOne())
	other := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(minusOne, point, edwards25519.NewScalar())
	return other.Negate(other).Equal(point) == 1
}

// ParsePrivateKey reads 32 bytes and clamps them.
func ParsePrivateKey(serialized []byte) (PrivateKey, error) {
	if len(serialized) != KeySize {
		return PrivateKey{}, fmt.Errorf("%w: %d bytes", ErrMalformedKey, len(serialized))
	}
	return clamp(PrivateKey(serialized)), nil
}

// GenerateKeyPair takes 32 bytes from rand for a new key pair.
func GenerateKeyPair(rand io.Reader) (KeyPair, error) {
	var private PrivateKey
	if _, err := io.ReadFull(rand, private[:]); err != nil {
		return KeyPair{}, fmt.Errorf("reading randomness for a key: %w", err)
	}
	private = clamp(private)
	return KeyPair{Private: private, Public: private.PublicKey()}, nil
}

func clamp(k PrivateKey) PrivateKey {
	k[0] &= 0xf8
	k[31] = k[31]&0x7f | 0x40
	return k
}

// Format prints a placeholder for every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(private key)") }

// PublicKey derives the public key. The fixed-base multiplication on the Edwards form gives the same u coordinate as
// the Montgomery ladder, in a third of the time.
func (k PrivateKey) PublicKey() PublicKey {
	point := new(edwards25519.Point).ScalarBaseMult(k.scalar())
	return PublicKey(point.BytesMontgomery())
}

// KeyPair returns the key with its public key.
func (k PrivateKey) KeyPair() KeyPair { return KeyPair{Private: k, Public: k.PublicKey()} }

// Agree computes the X25519 secret shared with the holder of the other key.
//
// It uses circl in place of crypto/ecdh, which derives our public key anew for each agreement and has no assembly: it
// takes four times as long.
func (k PrivateKey) Agree(other PublicKey) ([32]byte, error) {
	var secret x25519.Key
	private, public := x25519.Key(k), x25519.Key(other)
	if !x25519.Shared(&secret, &private, &public) {
		return [32]byte{}, ErrNoAgreement
	}
	return secret, nil
}
