package attachmentcipher

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
)

const (
	smallestChunk = 64 << 10
	largestChunk  = 2 << 20
	// targetChunks is how many MACs an incremental MAC holds at most, until the chunks cannot grow further.
	targetChunks = 8 << 10 / macSize
)

// ChunkSize returns the apps' choice of chunk for the incremental MAC of an encrypted attachment of the given size.
func ChunkSize(encryptedSize int64) uint32 {
	size := (encryptedSize + targetChunks - 1) / targetChunks
	return uint32(min(max(size, smallestChunk), largestChunk))
}

// incrementalMAC computes the MACs of all prefixes that are whole chunks, and then the MAC of everything; or it checks
// them against those that are expected.
type incrementalMAC struct {
	mac    hash.Hash
	chunk  int
	unused int // of the present chunk
	sums   []byte

	checking bool
	expected []byte
	bad      bool
}

func newIncrementalMAC(key Key, chunkSize uint32) *incrementalMAC {
	return &incrementalMAC{mac: hmac.New(sha256.New, key.mac()), chunk: int(chunkSize), unused: int(chunkSize)}
}

func newIncrementalCheck(key Key, chunkSize uint32, expected []byte) *incrementalMAC {
	m := newIncrementalMAC(key, chunkSize)
	m.checking, m.expected = true, expected
	m.bad = chunkSize == 0
	return m
}

func (m *incrementalMAC) write(p []byte) {
	for len(p) > 0 && !m.bad {
		n := min(len(p), m.unused)
		m.mac.Write(p[:n])
		p = p[n:]
		if m.unused -= n; m.unused == 0 {
			m.sum()
			m.unused = m.chunk
		}
	}
}

func (m *incrementalMAC) sum() {
	if !m.checking {
		m.sums = m.mac.Sum(m.sums)
		return
	}
	if len(m.expected) < macSize || !hmac.Equal(m.expected[:macSize], m.mac.Sum(nil)) {
		m.bad = true
		return
	}
	m.expected = m.expected[macSize:]
}

// finish adds or checks the MAC of everything, which is there even where the last chunk is whole.
func (m *incrementalMAC) finish() []byte {
	m.sum()
	m.bad = m.bad || len(m.expected) > 0
	return m.sums
}
