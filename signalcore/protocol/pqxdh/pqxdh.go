// Package pqxdh is the key agreement that opens a session: up to four X25519 agreements and one Kyber-1024
// encapsulation, hashed into the first keys of the ratchets.
//
// Specification: PQXDH (signal.org/docs/specifications/pqxdh), sections 3.3 and 3.4; libsignal rust/protocol/src/pqxdh.rs
// for the three keys that it derives. Checking the bundle's signatures, and what becomes of the keys, is not here.
package pqxdh

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
)

// label is the "info" of the specification, which names the curve, the hash and the KEM.
const label = "WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"

// ErrBaseKey is returned for an initiator's base key that is not the canonical form of a point of prime order.
var ErrBaseKey = errors.New("base key is not canonical")

// Keys are what both sides derive.
type Keys struct {
	Root        [32]byte
	Chain       [32]byte // of the recipient's first sending chain, whose ratchet key is the signed prekey
	PostQuantum [32]byte // authenticates the post-quantum ratchet
}

// Initiator is what the one who opens a session knows.
type Initiator struct {
	Identity curve.PrivateKey
	Base     curve.PrivateKey // new for each session

	TheirIdentity curve.PublicKey
	TheirSigned   curve.PublicKey
	TheirOneTime  *curve.PublicKey // nil where the bundle had none
	TheirKyber    kem.PublicKey
}

// Initiate derives the keys, and the Kyber ciphertext that the recipient needs to derive the same.
func Initiate(rand io.Reader, p Initiator) (Keys, []byte, error) {
	agreements := []agreement{
		{p.Identity, p.TheirSigned}, {p.Base, p.TheirIdentity}, {p.Base, p.TheirSigned},
	}
	if p.TheirOneTime != nil {
		agreements = append(agreements, agreement{p.Base, *p.TheirOneTime})
	}
	secrets, err := agreeAll(agreements)
	if err != nil {
		return Keys{}, nil, err
	}
	ciphertext, shared, err := p.TheirKyber.Encapsulate(rand)
	if err != nil {
		return Keys{}, nil, fmt.Errorf("opening a session: %w", err)
	}
	keys, err := derive(append(secrets, shared[:]...))
	return keys, ciphertext, err
}

// Recipient is what the one who receives the first message knows.
type Recipient struct {
	Identity curve.PrivateKey
	Signed   curve.PrivateKey
	OneTime  *curve.PrivateKey // nil where the message names none
	Kyber    kem.SecretKey

	TheirIdentity   curve.PublicKey
	TheirBase       curve.PublicKey
	TheirCiphertext []byte
}

// Accept derives the initiator's keys.
func Accept(p Recipient) (Keys, error) {
	if !p.TheirBase.IsCanonical() {
		return Keys{}, ErrBaseKey
	}
	agreements := []agreement{
		{p.Signed, p.TheirIdentity}, {p.Identity, p.TheirBase}, {p.Signed, p.TheirBase},
	}
	if p.OneTime != nil {
		agreements = append(agreements, agreement{*p.OneTime, p.TheirBase})
	}
	secrets, err := agreeAll(agreements)
	if err != nil {
		return Keys{}, err
	}
	shared, err := p.Kyber.Decapsulate(p.TheirCiphertext)
	if err != nil {
		return Keys{}, fmt.Errorf("accepting a session: %w", err)
	}
	return derive(append(secrets, shared[:]...))
}

type agreement struct {
	private curve.PrivateKey
	public  curve.PublicKey
}

// agreeAll returns the secrets one after the other, behind the 32 bytes 0xff that the specification puts in front of
// the key material for X25519.
func agreeAll(agreements []agreement) ([]byte, error) {
	secrets := make([]byte, 0, 32*6)
	secrets = append(secrets, bytes.Repeat([]byte{0xff}, 32)...)
	for _, a := range agreements {
		secret, err := a.private.Agree(a.public)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret[:]...)
	}
	return secrets, nil
}

func derive(secrets []byte) (Keys, error) {
	out, err := hkdf.Key(sha256.New, secrets, nil, label, 96)
	if err != nil {
		return Keys{}, fmt.Errorf("deriving session keys: %w", err)
	}
	return Keys{Root: [32]byte(out[:32]), Chain: [32]byte(out[32:64]), PostQuantum: [32]byte(out[64:])}, nil
}
