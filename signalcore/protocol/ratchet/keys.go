package ratchet

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kdfchain"
)

// Labels of libsignal ratchet/keys.rs.
const (
	rootLabel    = "WhisperRatchet"
	messageLabel = "WhisperMessageKeys"
)

// MessageKeys encrypt and authenticate one message: AES-256-CBC and HMAC-SHA256.
type MessageKeys struct {
	Cipher [32]byte
	MAC    [32]byte
	IV     [16]byte
}

// nextRoot is KDF_RK of the specification.
func nextRoot(root [32]byte, ours curve.PrivateKey, theirs curve.PublicKey) ([32]byte, kdfchain.Chain, error) {
	secret, err := ours.Agree(theirs)
	if err != nil {
		return [32]byte{}, kdfchain.Chain{}, err
	}
	out, err := hkdf.Key(sha256.New, secret[:], root[:], rootLabel, 64)
	if err != nil {
		return [32]byte{}, kdfchain.Chain{}, fmt.Errorf("deriving a root key: %w", err)
	}
	return [32]byte(out[:32]), kdfchain.Chain{Key: [32]byte(out[32:])}, nil
}

// deriveMessageKeys mixes the post-quantum key in as the salt; there is none before the first has been agreed.
func deriveMessageKeys(seed [32]byte, postQuantum []byte) (MessageKeys, error) {
	out, err := hkdf.Key(sha256.New, seed[:], postQuantum, messageLabel, 80)
	if err != nil {
		return MessageKeys{}, fmt.Errorf("deriving message keys: %w", err)
	}
	return MessageKeys{Cipher: [32]byte(out[:32]), MAC: [32]byte(out[32:64]), IV: [16]byte(out[64:])}, nil
}
