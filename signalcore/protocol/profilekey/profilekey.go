// Package profilekey derives what follows from a profile key: the access key that lets its holders send sealed to the
// account, that key's verifier, and the version under which the service keeps the profile.
//
// Sources: libsignal rust/zkgroup/src/api/profiles/profile_key.rs and profile_key_version.rs; the verifier:
// Signal-Desktop ts/Crypto.node.ts (getAccessKeyVerifier). The profile's fields are encrypted in package
// profilecipher; commitments and credentials, which take zero-knowledge proofs, are not here.
package profilekey

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/serviceid"
)

// Size is the length of a profile key.
const Size = 32

// AccessKeySize is the length of an unidentified-access key.
const AccessKeySize = 16

// ErrMalformed is returned for bytes that are no profile key.
var ErrMalformed = errors.New("malformed profile key")

// Key is an account's profile key. It prints as a placeholder, so that it does not end up in a log.
type Key [Size]byte

// Generate takes a new key from random.
func Generate(random io.Reader) (Key, error) {
	var key Key
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return Key{}, fmt.Errorf("generate profile key: %w", err)
	}
	return key, nil
}

// Parse reads a key of 32 bytes.
func Parse(b []byte) (Key, error) {
	if len(b) != Size {
		return Key{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	return Key(b), nil
}

// Format prints a placeholder for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(profile key)") }

// AccessKey lets whoever knows it send sealed messages to the account. It prints as a placeholder.
type AccessKey [AccessKeySize]byte

// Format prints a placeholder for every verb.
func (k AccessKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(access key)") }

// AccessKey derives the access key: the first block of AES-256-GCM's key stream under a nonce of zeros, which is the
// encryption of a block that counts 2.
func (k Key) AccessKey() AccessKey {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("32 bytes are an AES key: " + err.Error())
	}
	counter := [aes.BlockSize]byte{aes.BlockSize - 1: 2}
	var access AccessKey
	block.Encrypt(access[:], counter[:])
	return access
}

// Verifier is what the service publishes of an access key: the MAC of 32 zeros. Whoever has the profile key learns
// from it whether sealed sending to the account is on.
func (k AccessKey) Verifier() [sha256.Size]byte {
	mac := hmac.New(sha256.New, k[:])
	mac.Write(make([]byte, 32))
	return [sha256.Size]byte(mac.Sum(nil))
}

// Matches reports whether verifier is that of this access key.
func (k AccessKey) Matches(verifier []byte) bool {
	own := k.Verifier()
	return hmac.Equal(own[:], verifier)
}

const versionLabel = "Signal_ZKGroup_20200424_ProfileKeyAndUid_ProfileKey_GetProfileKeyVersion"

// Version names the pair of this key and the account towards the service, in 64 hexadecimal digits.
func (k Key) Version(aci serviceid.ServiceID) string {
	hash := poksho.NewShoHmacSha256([]byte(versionLabel))
	hash.AbsorbAndRatchet(k[:], aci.UUID[:])
	return hex.EncodeToString(hash.SqueezeAndRatchet(sha256.Size))
}
