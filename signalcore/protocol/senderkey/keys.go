package senderkey

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// messageLabel is that of a message's keys (libsignal sender_keys.rs).
const messageLabel = "WhisperGroup"

// messageKeys encrypt one message: AES-256-CBC. The signature is what authenticates it.
type messageKeys struct {
	iv     [16]byte
	cipher [32]byte
}

func deriveMessageKeys(seed [32]byte) (messageKeys, error) {
	out, err := hkdf.Key(sha256.New, seed[:], nil, messageLabel, 48)
	if err != nil {
		return messageKeys{}, fmt.Errorf("deriving group message keys: %w", err)
	}
	return messageKeys{iv: [16]byte(out[:16]), cipher: [32]byte(out[16:])}, nil
}
