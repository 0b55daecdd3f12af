package ratchet

import (
	"encoding/binary"
	"slices"
)

// The keys of skipped messages are kept as they are stored, 36 bytes each: index (big-endian) and seed, oldest first.
// So a long list costs one copy, not thousands of small ones, for every message that does not need it.
const skippedSize = 4 + 32

// findSkipped returns the offset of the entry with the given index, or -1.
func findSkipped(skipped []byte, index uint32) int {
	for at := 0; at+skippedSize <= len(skipped); at += skippedSize {
		if binary.BigEndian.Uint32(skipped[at:]) == index {
			return at
		}
	}
	return -1
}

// skipTo advances the chain to counter and keeps the keys on the way, the oldest of them dropped beyond MaxSkipped.
func (c *receivingChain) skipTo(counter uint32) {
	count := int(counter - c.chain.index)
	if count == 0 {
		return
	}
	kept := min(count, MaxSkipped)
	old := c.skipped
	if excess := len(old)/skippedSize + kept - MaxSkipped; excess > 0 {
		old = old[excess*skippedSize:]
	}
	skipped := make([]byte, 0, len(old)+kept*skippedSize)
	skipped = append(skipped, old...)
	for c.chain.index < counter {
		if counter-c.chain.index <= uint32(kept) {
			seed := c.chain.messageSeed()
			skipped = binary.BigEndian.AppendUint32(skipped, c.chain.index)
			skipped = append(skipped, seed[:]...)
		}
		c.chain = c.chain.next()
	}
	c.skipped = skipped
}

// DropSkipped returns the state without the keys of missing messages that take that many bytes, or without all of
// them: those of the oldest chain first, and there the oldest.
func (s State) DropSkipped(bytes int) State {
	s.receiving = slices.Clone(s.receiving)
	for i := range s.receiving {
		if bytes <= 0 {
			break
		}
		c := &s.receiving[i]
		count := min((bytes+skippedSize-1)/skippedSize*skippedSize, len(c.skipped))
		c.skipped = c.skipped[count:]
		bytes -= count
	}
	return s
}
