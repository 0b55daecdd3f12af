package prekey

import (
	"errors"
	"fmt"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
)

// ErrSignature is returned for a bundle whose prekeys the identity did not sign.
var ErrSignature = errors.New("prekey is not signed by the identity")

// Bundle is what the service hands out for one device, to open a session with it.
type Bundle struct {
	RegistrationID uint32
	DeviceID       uint32
	Identity       curve.PublicKey
	OneTime        *PublicEC // nil where the device has run out of them
	Signed         PublicSigned
	Kyber          PublicKyber
}

// PublicEC is the public half of a one-time prekey.
type PublicEC struct {
	ID  uint32
	Key curve.PublicKey
}

// PublicSigned is the public half of a signed prekey.
type PublicSigned struct {
	ID        uint32
	Key       curve.PublicKey
	Signature []byte
}

// PublicKyber is the public half of a Kyber prekey.
type PublicKyber struct {
	ID        uint32
	Key       kem.PublicKey
	Signature []byte
}

// Public returns the half of the key to upload.
func (k EC) Public() PublicEC { return PublicEC{k.ID, k.Keys.Public} }

// Public returns the half of the key to upload.
func (k Signed) Public() PublicSigned { return PublicSigned{k.ID, k.Keys.Public, k.Signature[:]} }

// Public returns the half of the key to upload.
func (k Kyber) Public() PublicKyber { return PublicKyber{k.ID, k.Keys.Public, k.Signature[:]} }

// Verify checks the signatures. Whether the identity is to be trusted is the caller's question.
func (b Bundle) Verify() error {
	if !b.Identity.Verify(b.Signed.Key.Serialize(), b.Signed.Signature) {
		return fmt.Errorf("%w: signed prekey %d", ErrSignature, b.Signed.ID)
	}
	if !b.Identity.Verify(b.Kyber.Key.Serialize(), b.Kyber.Signature) {
		return fmt.Errorf("%w: Kyber prekey %d", ErrSignature, b.Kyber.ID)
	}
	return nil
}
