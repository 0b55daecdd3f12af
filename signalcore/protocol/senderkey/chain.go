package senderkey

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// The inputs of HMAC on a chain key, and the label of a message's keys (libsignal sender_keys.rs).
var (
	messageSeedInput = []byte{0x01}
	nextChainInput   = []byte{0x02}
)

const messageLabel = "WhisperGroup"

type chainKey struct {
	seed      [32]byte
	iteration uint32 // of the next message
}

func (c chainKey) messageSeed() [32]byte { return hmacSHA256(c.seed[:], messageSeedInput) }

func (c chainKey) next() chainKey {
	return chainKey{seed: hmacSHA256(c.seed[:], nextChainInput), iteration: c.iteration + 1}
}

func hmacSHA256(key, input []byte) [32]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(input)
	var out [32]byte
	mac.Sum(out[:0])
	return out
}

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

// The seeds of skipped messages are held 36 bytes each: iteration (big-endian) and seed, oldest first. So a long list
// costs one copy, not thousands of small ones.
const skippedSize = 4 + 32

func findSkipped(skipped []byte, iteration uint32) int {
	for at := 0; at+skippedSize <= len(skipped); at += skippedSize {
		if binary.BigEndian.Uint32(skipped[at:]) == iteration {
			return at
		}
	}
	return -1
}

// take returns the seed of a message's keys, which is then forgotten, and the state after that.
func (s state) take(iteration uint32) (state, [32]byte, error) {
	if iteration < s.chain.iteration {
		at := findSkipped(s.skipped, iteration)
		if at < 0 {
			return state{}, [32]byte{}, fmt.Errorf("%w: iteration %d", ErrDuplicate, iteration)
		}
		seed := [32]byte(s.skipped[at+4 : at+skippedSize])
		rest := make([]byte, 0, len(s.skipped)-skippedSize)
		s.skipped = append(append(rest, s.skipped[:at]...), s.skipped[at+skippedSize:]...)
		return s, seed, nil
	}
	// The chain ends before the highest number, after which there would be no next one.
	if iteration-s.chain.iteration > MaxJump || iteration == math.MaxUint32 {
		return state{}, [32]byte{}, fmt.Errorf("%w: iteration %d after %d", ErrTooFarAhead, iteration, s.chain.iteration)
	}
	s = s.skipTo(iteration)
	seed := s.chain.messageSeed()
	s.chain = s.chain.next()
	return s, seed, nil
}

// skipTo advances the chain and keeps the seeds on the way, the oldest of them dropped beyond MaxSkipped.
func (s state) skipTo(iteration uint32) state {
	count := int(iteration - s.chain.iteration)
	if count == 0 {
		return s
	}
	kept := min(count, MaxSkipped)
	old := s.skipped
	if excess := len(old)/skippedSize + kept - MaxSkipped; excess > 0 {
		old = old[excess*skippedSize:]
	}
	skipped := append(make([]byte, 0, len(old)+kept*skippedSize), old...)
	for s.chain.iteration < iteration {
		if iteration-s.chain.iteration <= uint32(kept) {
			seed := s.chain.messageSeed()
			skipped = binary.BigEndian.AppendUint32(skipped, s.chain.iteration)
			skipped = append(skipped, seed[:]...)
		}
		s.chain = s.chain.next()
	}
	s.skipped = skipped
	return s
}
