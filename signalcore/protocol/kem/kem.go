// Package kem holds the post-quantum keys of session set-up: Kyber-1024 as submitted in round 3, not the ML-KEM that
// was standardised from it.
//
// Source: libsignal rust/protocol/src/kem.rs and kem/kyber1024.rs. Keys and ciphertexts are serialised with a type byte
// in front. The incremental ML-KEM-768 of the post-quantum ratchet is in package spqr, not here.
package kem

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/cloudflare/circl/kem/kyber/kyber1024"
)

const (
	// keyType is the type byte of Kyber-1024.
	keyType = 0x08

	// PublicKeySize, SecretKeySize and CiphertextSize are serialised lengths, with the type byte.
	PublicKeySize  = 1 + kyber1024.PublicKeySize
	SecretKeySize  = 1 + kyber1024.PrivateKeySize
	CiphertextSize = 1 + kyber1024.CiphertextSize
)

var (
	// ErrMalformedKey is returned for bytes that are no Kyber-1024 key.
	ErrMalformedKey = errors.New("malformed Kyber-1024 key")
	// ErrMalformedCiphertext is returned for bytes that are no Kyber-1024 ciphertext.
	ErrMalformedCiphertext = errors.New("malformed Kyber-1024 ciphertext")
)

// PublicKey is a serialised public key. Its bytes are never changed; the zero value is no key.
type PublicKey struct{ serialized []byte }

// SecretKey is a serialised secret key. It prints as a placeholder, so that it does not end up in a log.
type SecretKey struct{ serialized []byte }

// KeyPair is a secret key with its public key.
type KeyPair struct {
	Secret SecretKey
	Public PublicKey
}

// GenerateKeyPair takes 64 bytes from rand for a new key pair.
func GenerateKeyPair(rand io.Reader) (KeyPair, error) {
	var seed [kyber1024.KeySeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return KeyPair{}, fmt.Errorf("reading randomness for a Kyber key: %w", err)
	}
	public, secret := kyber1024.NewKeyFromSeed(seed[:])
	pair := KeyPair{SecretKey{make([]byte, SecretKeySize)}, PublicKey{make([]byte, PublicKeySize)}}
	pair.Secret.serialized[0], pair.Public.serialized[0] = keyType, keyType
	secret.Pack(pair.Secret.serialized[1:])
	public.Pack(pair.Public.serialized[1:])
	return pair, nil
}

// ParsePublicKey copies and checks a serialised public key.
func ParsePublicKey(serialized []byte) (PublicKey, error) {
	if err := check(serialized, PublicKeySize, ErrMalformedKey); err != nil {
		return PublicKey{}, err
	}
	return PublicKey{bytes.Clone(serialized)}, nil
}

// ParseSecretKey copies and checks a serialised secret key.
func ParseSecretKey(serialized []byte) (SecretKey, error) {
	if err := check(serialized, SecretKeySize, ErrMalformedKey); err != nil {
		return SecretKey{}, err
	}
	return SecretKey{bytes.Clone(serialized)}, nil
}

func check(serialized []byte, size int, malformed error) error {
	switch {
	case len(serialized) != size:
		return fmt.Errorf("%w: %d bytes", malformed, len(serialized))
	case serialized[0] != keyType:
		return fmt.Errorf("%w: type %#02x", malformed, serialized[0])
	}
	return nil
}

// IsZero reports whether this is the zero value, no key.
func (k PublicKey) IsZero() bool { return len(k.serialized) == 0 }

// Serialize returns the wire form, type byte first.
func (k PublicKey) Serialize() []byte { return bytes.Clone(k.serialized) }

// Equal compares two keys.
func (k PublicKey) Equal(other PublicKey) bool { return bytes.Equal(k.serialized, other.serialized) }

// Encapsulate takes 32 bytes from rand for a new secret, and returns it with the serialised ciphertext from which the
// key's holder gets the same.
func (k PublicKey) Encapsulate(rand io.Reader) (ciphertext []byte, secret [32]byte, err error) {
	if err := check(k.serialized, PublicKeySize, ErrMalformedKey); err != nil {
		return nil, secret, err
	}
	var seed [kyber1024.EncapsulationSeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, secret, fmt.Errorf("reading randomness for an encapsulation: %w", err)
	}
	var public kyber1024.PublicKey
	public.Unpack(k.serialized[1:])
	ciphertext = make([]byte, CiphertextSize)
	ciphertext[0] = keyType
	public.EncapsulateTo(ciphertext[1:], secret[:], seed[:])
	return ciphertext, secret, nil
}

// Serialize returns the stored form, type byte first.
func (k SecretKey) Serialize() []byte { return bytes.Clone(k.serialized) }

// Equal compares two keys in constant time.
func (k SecretKey) Equal(other SecretKey) bool {
	return subtle.ConstantTimeCompare(k.serialized, other.serialized) == 1
}

// Format prints a placeholder for every verb.
func (k SecretKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(secret key)") }

// Decapsulate returns the secret in a serialised ciphertext. A ciphertext made for another key, or spoiled on the way,
// gives a secret that nobody else has, not an error.
func (k SecretKey) Decapsulate(ciphertext []byte) ([32]byte, error) {
	var shared [32]byte
	if err := check(k.serialized, SecretKeySize, ErrMalformedKey); err != nil {
		return shared, err
	}
	if err := check(ciphertext, CiphertextSize, ErrMalformedCiphertext); err != nil {
		return shared, err
	}
	var secret kyber1024.PrivateKey
	secret.Unpack(k.serialized[1:])
	secret.DecapsulateTo(shared[:], ciphertext[1:])
	return shared, nil
}
