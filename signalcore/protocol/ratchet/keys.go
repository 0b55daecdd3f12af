package ratchet

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"signalbox/signalcore/protocol/curve"
)

// The inputs of HMAC on a chain key (libsignal ratchet/keys.rs).
var (
	messageSeedInput = []byte{0x01}
	nextChainInput   = []byte{0x02}
)

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

type chainKey struct {
	key   [32]byte
	index uint32
}

func (c chainKey) messageSeed() [32]byte { return hmacSHA256(c.key[:], messageSeedInput) }

func (c chainKey) next() chainKey {
	return chainKey{key: hmacSHA256(c.key[:], nextChainInput), index: c.index + 1}
}

func hmacSHA256(key, input []byte) [32]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(input)
	var out [32]byte
	mac.Sum(out[:0])
	return out
}

// nextRoot is KDF_RK of the specification.
func nextRoot(root [32]byte, ours curve.PrivateKey, theirs curve.PublicKey) ([32]byte, chainKey, error) {
	secret, err := ours.Agree(theirs)
	if err != nil {
		return [32]byte{}, chainKey{}, err
	}
	out, err := hkdf.Key(sha256.New, secret[:], root[:], rootLabel, 64)
	if err != nil {
		return [32]byte{}, chainKey{}, fmt.Errorf("deriving a root key: %w", err)
	}
	return [32]byte(out[:32]), chainKey{key: [32]byte(out[32:])}, nil
}

// deriveMessageKeys mixes the post-quantum key in as the salt; there is none before the first has been agreed.
func deriveMessageKeys(seed [32]byte, postQuantum []byte) (MessageKeys, error) {
	out, err := hkdf.Key(sha256.New, seed[:], postQuantum, messageLabel, 80)
	if err != nil {
		return MessageKeys{}, fmt.Errorf("deriving message keys: %w", err)
	}
	return MessageKeys{Cipher: [32]byte(out[:32]), MAC: [32]byte(out[32:64]), IV: [16]byte(out[64:])}, nil
}
