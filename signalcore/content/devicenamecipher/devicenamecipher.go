// Package devicenamecipher hides a device's name from the service: only the account's own devices, which share the
// ACI identity key, can read it.
//
// The construction is a synthetic IV: the first 16 bytes of a MAC over the name give the key that encrypts it, and
// prove afterwards that it was decrypted right. Source: Signal-Desktop ts/Crypto.node.ts (encryptDeviceName).
package devicenamecipher

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
)

const ivSize = 16

var (
	// ErrMalformed is returned for bytes that are no encrypted device name.
	ErrMalformed = errors.New("malformed device name")
	// ErrNotOurs is returned for a name that was encrypted for another identity, or was changed.
	ErrNotOurs = errors.New("device name is not encrypted for this account")
)

// Encrypt returns the serialised DeviceName message which the service keeps for a device.
func Encrypt(random io.Reader, identity curve.PublicKey, name string) ([]byte, error) {
	pair, err := curve.GenerateKeyPair(random)
	if err != nil {
		return nil, err
	}
	secret, err := pair.Private.Agree(identity)
	if err != nil {
		return nil, fmt.Errorf("encrypt device name: %w", err)
	}
	iv := syntheticIV(secret[:], []byte(name))
	ciphertext, err := crypt(secret[:], iv, []byte(name))
	if err != nil {
		return nil, err
	}
	encoded, err := proto.Marshal(&servicepb.DeviceName{
		EphemeralPublic: pair.Public.Serialize(), SyntheticIv: iv, Ciphertext: ciphertext,
	})
	if err != nil {
		return nil, fmt.Errorf("encode device name: %w", err)
	}
	return encoded, nil
}

// Decrypt reads a name that was encrypted for the holder of identity.
func Decrypt(identity curve.PrivateKey, encrypted []byte) (string, error) {
	var message servicepb.DeviceName
	if err := proto.Unmarshal(encrypted, &message); err != nil {
		return "", fmt.Errorf("%w: not a DeviceName", ErrMalformed)
	}
	public, err := curve.ParsePublicKey(message.GetEphemeralPublic())
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	secret, err := identity.Agree(public)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	name, err := crypt(secret[:], message.GetSyntheticIv(), message.GetCiphertext())
	if err != nil {
		return "", err
	}
	if !hmac.Equal(syntheticIV(secret[:], name), message.GetSyntheticIv()) {
		return "", ErrNotOurs
	}
	return string(name), nil
}

func syntheticIV(secret, name []byte) []byte {
	return sum(sum(secret, []byte("auth")), name)[:ivSize]
}

func crypt(secret, iv, text []byte) ([]byte, error) {
	key := sum(sum(secret, []byte("cipher")), iv)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("device name cipher: %w", err)
	}
	out := make([]byte, len(text))
	// The key depends on the name, so the counter may start at zero.
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, text)
	return out, nil
}

func sum(key, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	return mac.Sum(nil)
}
