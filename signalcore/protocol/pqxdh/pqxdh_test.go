package pqxdh

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
)

type sides struct {
	initiator Initiator
	recipient Recipient
}

func newSides(t *testing.T, withOneTime bool) sides {
	generate := func() curve.KeyPair {
		pair, err := curve.GenerateKeyPair(rand.Reader)
		require.NoError(t, err)
		return pair
	}
	alice, base, bob, signed, oneTime := generate(), generate(), generate(), generate(), generate()
	kyber, err := kem.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	s := sides{
		Initiator{
			Identity: alice.Private, Base: base.Private, TheirIdentity: bob.Public, TheirSigned: signed.Public,
			TheirKyber: kyber.Public,
		},
		Recipient{
			Identity: bob.Private, Signed: signed.Private, Kyber: kyber.Secret,
			TheirIdentity: alice.Public, TheirBase: base.Public,
		},
	}
	if withOneTime {
		s.initiator.TheirOneTime, s.recipient.OneTime = &oneTime.Public, &oneTime.Private
	}
	return s
}

func TestBothSidesAgree(t *testing.T) {
	for _, withOneTime := range []bool{true, false} {
		s := newSides(t, withOneTime)
		sent, ciphertext, err := Initiate(rand.Reader, s.initiator)
		require.NoError(t, err)
		s.recipient.TheirCiphertext = ciphertext
		got, err := Accept(s.recipient)
		require.NoError(t, err)
		require.Equal(t, sent, got)
		require.NotEqual(t, got.Root, got.Chain)
		require.NotEqual(t, got.Root, got.PostQuantum)
	}
}

func TestEveryKeyMatters(t *testing.T) {
	other := newSides(t, true)
	for i, change := range []func(*Recipient){
		func(r *Recipient) { r.Identity = other.recipient.Identity },
		func(r *Recipient) { r.Signed = other.recipient.Signed },
		func(r *Recipient) { r.OneTime = other.recipient.OneTime },
		func(r *Recipient) { r.OneTime = nil },
		func(r *Recipient) { r.Kyber = other.recipient.Kyber },
		func(r *Recipient) { r.TheirIdentity = other.recipient.TheirIdentity },
		func(r *Recipient) { r.TheirBase = other.recipient.TheirBase },
		func(r *Recipient) { r.TheirCiphertext[9] ^= 1 },
	} {
		s := newSides(t, true)
		sent, ciphertext, err := Initiate(rand.Reader, s.initiator)
		require.NoError(t, err)
		s.recipient.TheirCiphertext = ciphertext
		change(&s.recipient)
		got, err := Accept(s.recipient)
		require.NoError(t, err)
		require.NotEqual(t, sent, got, "change %d", i)
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	s := newSides(t, true)
	_, ciphertext, err := Initiate(rand.Reader, s.initiator)
	require.NoError(t, err)
	s.recipient.TheirCiphertext = ciphertext

	odd := s.recipient
	odd.TheirBase[31] |= 0x80
	_, err = Accept(odd)
	require.ErrorIs(t, err, ErrBaseKey)
	odd = s.recipient
	odd.TheirIdentity = curve.PublicKey{}
	_, err = Accept(odd)
	require.ErrorIs(t, err, curve.ErrNoAgreement)
	odd = s.recipient
	odd.TheirCiphertext = nil
	_, err = Accept(odd)
	require.ErrorIs(t, err, kem.ErrMalformedCiphertext)

	bad := s.initiator
	bad.TheirSigned = curve.PublicKey{}
	_, _, err = Initiate(rand.Reader, bad)
	require.ErrorIs(t, err, curve.ErrNoAgreement)
	_, _, err = Initiate(bytes.NewReader(nil), s.initiator)
	require.Error(t, err)
}
