package session

import (
	"fmt"
	"io"
	"time"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
	"signalbox/signalcore/protocol/pqxdh"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/ratchet"
	"signalbox/signalcore/signalpb/sessionpb"
)

// Open starts a session from a bundle, after checking its signatures, and makes it the current one. The caller has
// decided to trust the bundle's identity, and saves it.
func Open(
	rand io.Reader, record Record, local Local, ends Ends, opening Opening,
) (Record, error) {
	bundle := opening.Bundle
	if err := bundle.Verify(); err != nil {
		return Record{}, err
	}
	base, err := curve.GenerateKeyPair(rand)
	if err != nil {
		return Record{}, err
	}
	p := pqxdh.Initiator{
		Identity: local.Identity.Private, Base: base.Private,
		TheirIdentity: bundle.Identity, TheirSigned: bundle.Signed.Key, TheirKyber: bundle.Kyber.Key,
	}
	pending := &sessionpb.Pending{
		SignedPreKeyId: bundle.Signed.ID, KyberPreKeyId: bundle.Kyber.ID,
		Created: uint64(max(opening.Now.Unix(), 0)),
	}
	if bundle.OneTime != nil {
		p.TheirOneTime = &bundle.OneTime.Key
		pending.PreKeyId = &bundle.OneTime.ID
	}
	keys, ciphertext, err := pqxdh.Initiate(rand, p)
	if err != nil {
		return Record{}, err
	}
	pending.KyberCiphertext = ciphertext
	s := &state{
		localIdentity: local.Identity.Public, remoteIdentity: bundle.Identity,
		localRegistrationID: local.RegistrationID, remoteRegistrationID: bundle.RegistrationID,
		baseKey: base.Public, pending: pending,
	}
	if s.ratchet, err = ratchet.NewInitiator(rand, keys, bundle.Signed.Key, s.self(ends)); err != nil {
		return Record{}, err
	}
	return record.promote(s), nil
}

// Opening is the bundle to open a session from, and when.
type Opening struct {
	Bundle prekey.Bundle
	Now    time.Time
}

// PreKeys are our keys that a message which opens a session names. What the caller did not find stays nil.
type PreKeys struct {
	OneTime *prekey.EC
	Signed  *prekey.Signed
	Kyber   *prekey.Kyber
}

// Used are the prekeys that opened a session. The caller removes the one-time ones. Of a last-resort key it records
// the pair of Kyber id and signed id with the base key, and refuses a message whose base key is recorded there already:
// it is a replay of one whose session is gone (libsignal mark_kyber_pre_key_used).
type Used struct {
	OneTimeID  *uint32
	SignedID   uint32
	KyberID    uint32
	LastResort bool // the Kyber key is the last resort
	BaseKey    curve.PublicKey
}

// accept opens the session that a message asks for.
func accept(m *PreKeyMessage, local Local, ends Ends, keys PreKeys) (*state, *Used, error) {
	secrets, err := pickKeys(m, keys)
	if err != nil {
		return nil, nil, err
	}
	secrets.Identity = local.Identity.Private
	agreed, err := pqxdh.Accept(secrets)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	s := &state{
		localIdentity: local.Identity.Public, remoteIdentity: m.Identity,
		localRegistrationID: local.RegistrationID, remoteRegistrationID: m.RegistrationID,
		baseKey: m.BaseKey,
	}
	if s.ratchet, err = ratchet.NewRecipient(agreed, keys.Signed.Keys, s.self(ends)); err != nil {
		return nil, nil, err
	}
	return s, &Used{
		OneTimeID: m.OneTimeID, SignedID: m.SignedID, KyberID: m.KyberID,
		LastResort: keys.Kyber.LastResort, BaseKey: m.BaseKey,
	}, nil
}

// pickKeys takes the secrets that the message names, and only those.
func pickKeys(m *PreKeyMessage, keys PreKeys) (pqxdh.Recipient, error) {
	if keys.Signed == nil || keys.Signed.ID != m.SignedID {
		return pqxdh.Recipient{}, &MissingPreKeyError{Signed, m.SignedID}
	}
	if keys.Kyber == nil || keys.Kyber.ID != m.KyberID {
		return pqxdh.Recipient{}, &MissingPreKeyError{Kyber, m.KyberID}
	}
	p := pqxdh.Recipient{
		Signed: keys.Signed.Keys.Private, Kyber: keys.Kyber.Keys.Secret,
		TheirIdentity: m.Identity, TheirBase: m.BaseKey, TheirCiphertext: m.KyberCiphertext,
	}
	if m.OneTimeID != nil {
		if keys.OneTime == nil || keys.OneTime.ID != *m.OneTimeID {
			return pqxdh.Recipient{}, &MissingPreKeyError{OneTime, *m.OneTimeID}
		}
		p.OneTime = &keys.OneTime.Keys.Private
	}
	if len(m.KyberCiphertext) != kem.CiphertextSize {
		return pqxdh.Recipient{}, fmt.Errorf("%w: Kyber ciphertext of %d bytes", ErrMalformed, len(m.KyberCiphertext))
	}
	return p, nil
}
