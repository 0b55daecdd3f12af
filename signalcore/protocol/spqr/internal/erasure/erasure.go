// Package erasure spreads a message over an endless row of 32-byte chunks, any n of which give the message back, where
// n is its number of chunks. The first n chunks are the message itself.
//
// The message is read as rows of 16 elements of GF(2^16); the columns are polynomials of degree n-1, given by their
// values at 0 to n-1, and chunk i holds their values at i. Source: SparsePostQuantumRatchet src/encoding/polynomial.rs,
// whose chunks are the same for messages of whole chunks, the only ones the ratchet has. Chunks are public: integrity
// and secrecy of the message are not here.
package erasure

import (
	"encoding/binary"
	"errors"
)

const (
	// ChunkSize is the size of a chunk's data.
	ChunkSize = 32
	// MaxChunks is the number of chunks of the longest message: the ratchet's largest is the 1152-byte ML-KEM vector.
	MaxChunks = 36
)

// ErrSize means that a message is not 1 to MaxChunks whole chunks long, or that a stored decoder has a wrong size.
var ErrSize = errors.New("erasure code: bad message size")

// Chunk is the values of the polynomials at Index.
type Chunk struct {
	Index uint16
	Data  [ChunkSize]byte
}

func checkSize(size int) error {
	if size <= 0 || size%ChunkSize != 0 || size > MaxChunks*ChunkSize {
		return ErrSize
	}
	return nil
}

func parseRow(data []byte) (r row) {
	for i := range r {
		r[i] = binary.BigEndian.Uint64(data[8*i:])
	}
	return r
}

func (r *row) bytes() (data [ChunkSize]byte) {
	for i, w := range r {
		binary.BigEndian.PutUint64(data[8*i:], w)
	}
	return data
}
