// Package kdfchain is a KDF chain, which has a new key for each message, with the keys of messages that are missing: what
// the Double Ratchet (package ratchet) and sender keys (package senderkey) have in common.
//
// Specification: "The Double Ratchet Algorithm", section 2.2; libsignal rust/protocol/src/ratchet/keys.rs,
// sender_keys.rs and consts.rs. What becomes of a message's seed, and how a chain is stored, are not here.
package kdfchain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

const (
	// MaxSkipped is how many keys of missing messages are kept for a chain.
	MaxSkipped = 2_000
	// MaxJump is how many messages in a row may be missing.
	MaxJump = 25_000
	// SkippedSize is what Chain.Skipped holds of each key: index (big-endian) and seed.
	SkippedSize = 4 + 32
)

var (
	// ErrDuplicate means that the message's key was used before, or that it is older than the keys that are kept.
	ErrDuplicate = errors.New("message was decrypted before")
	// ErrTooFarAhead means that too many messages would be missing before this one.
	ErrTooFarAhead = errors.New("message is too far ahead of the last one")
)

// The inputs of HMAC on a chain's key.
var (
	seedInput = []byte{0x01}
	nextInput = []byte{0x02}
)

// Chain is a value that is never changed: its methods return the next one.
type Chain struct {
	Key   [32]byte
	Index uint32 // of the next message
	// Skipped are the seeds of missing messages, oldest first, SkippedSize bytes each. So a long list costs one copy, not
	// thousands of small ones, for every message that does not need it.
	Skipped []byte
}

// Seed is what the keys of the next message are derived from.
func (c Chain) Seed() [32]byte { return hmacSHA256(c.Key[:], seedInput) }

// Next is the chain after the next message.
func (c Chain) Next() Chain {
	c.Key, c.Index = hmacSHA256(c.Key[:], nextInput), c.Index+1
	return c
}

// AtEnd reports whether there is no message left: after that with the highest index there would be no next one.
func (c Chain) AtEnd() bool { return c.Index == math.MaxUint32 }

func hmacSHA256(key, input []byte) [32]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(input)
	var out [32]byte
	mac.Sum(out[:0])
	return out
}

// Take returns the seed of a received message, and the chain that has forgotten it. The error is ErrDuplicate or
// ErrTooFarAhead.
func (c Chain) Take(index, maxJump uint32) (Chain, [32]byte, error) {
	if index < c.Index {
		return c.takeSkipped(index)
	}
	if index-c.Index > maxJump || index == math.MaxUint32 {
		return Chain{}, [32]byte{}, fmt.Errorf("%w: number %d after %d", ErrTooFarAhead, index, c.Index)
	}
	c = c.skipTo(index)
	return c.Next(), c.Seed(), nil
}

func (c Chain) takeSkipped(index uint32) (Chain, [32]byte, error) {
	for at := 0; at+SkippedSize <= len(c.Skipped); at += SkippedSize {
		if binary.BigEndian.Uint32(c.Skipped[at:]) == index {
			seed := [32]byte(c.Skipped[at+4 : at+SkippedSize])
			c.Skipped = slices.Concat(c.Skipped[:at], c.Skipped[at+SkippedSize:])
			return c, seed, nil
		}
	}
	return Chain{}, [32]byte{}, fmt.Errorf("%w: number %d", ErrDuplicate, index)
}

// skipTo advances the chain and keeps the seeds on the way, the oldest of them dropped beyond MaxSkipped.
func (c Chain) skipTo(index uint32) Chain {
	count := int(index - c.Index)
	if count == 0 {
		return c
	}
	kept := min(count, MaxSkipped)
	old := c.Skipped
	if excess := len(old)/SkippedSize + kept - MaxSkipped; excess > 0 {
		old = old[excess*SkippedSize:]
	}
	c.Skipped = append(make([]byte, 0, len(old)+kept*SkippedSize), old...)
	for c.Index < index {
		if index-c.Index <= uint32(kept) {
			c.Skipped = AppendSkipped(c.Skipped, c.Index, c.Seed())
		}
		c = c.Next()
	}
	return c
}

// AppendSkipped appends a seed to a list of skipped ones.
func AppendSkipped(skipped []byte, index uint32, seed [32]byte) []byte {
	return append(binary.BigEndian.AppendUint32(skipped, index), seed[:]...)
}

// AllSkipped yields the index and the seed of each skipped message, oldest first.
func (c Chain) AllSkipped() iter.Seq2[uint32, []byte] {
	return func(yield func(uint32, []byte) bool) {
		for entry := range slices.Chunk(c.Skipped, SkippedSize) {
			if !yield(binary.BigEndian.Uint32(entry), entry[4:]) {
				return
			}
		}
	}
}

// DropSkipped returns the chain without the oldest seeds that take that many bytes, or without all, and how many bytes
// they were.
func (c Chain) DropSkipped(bytes int) (Chain, int) {
	dropped := min((max(bytes, 0)+SkippedSize-1)/SkippedSize*SkippedSize, len(c.Skipped))
	c.Skipped = c.Skipped[dropped:]
	return c, dropped
}
