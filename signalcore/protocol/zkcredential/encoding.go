package zkcredential

import (
	"encoding/binary"
	"fmt"

	"signalbox/signalcore/protocol/ristretto"
)

// reader takes a serialised value apart: points and scalars of 32 bytes, lengths of 8 in little-endian order (bincode,
// as libsignal rust/zkgroup/src/common/serialization.rs configures it). The first error stays, and what is read after
// it is zero.
type reader struct {
	rest []byte
	err  error
}

// take returns the next n bytes, or n zeros.
func (r *reader) take(n int) []byte {
	if r.err == nil && n > len(r.rest) {
		r.err = fmt.Errorf("%w: %d bytes missing", ErrMalformed, n-len(r.rest))
	}
	if r.err != nil {
		return make([]byte, n)
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) point() ristretto.Point {
	p, err := ristretto.ParsePoint(r.take(ristretto.Size))
	r.note(err)
	return p
}

func (r *reader) points(n int) []ristretto.Point {
	out := make([]ristretto.Point, n)
	for i := range out {
		out[i] = r.point()
	}
	return out
}

func (r *reader) scalar() ristretto.Scalar {
	s, err := ristretto.ParseScalar(r.take(ristretto.Size))
	r.note(err)
	return s
}

// length reads the length of a list whose elements have size bytes each; the elements are known to be there.
func (r *reader) length(size int) int {
	n := binary.LittleEndian.Uint64(r.take(8))
	if r.err == nil && n > uint64(len(r.rest)/size) {
		r.err = fmt.Errorf("%w: list of %d ends early", ErrMalformed, n)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// bytes reads a list of bytes, and copies them.
func (r *reader) bytes() []byte {
	return append([]byte{}, r.take(r.length(1))...)
}

func (r *reader) note(err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("%w: %w", ErrMalformed, err)
	}
}

// end returns what follows the value, for the caller to go on with, and the first error.
func (r *reader) end() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	return r.rest, nil
}

func appendBytes(b, list []byte) []byte {
	return append(appendLength(b, len(list)), list...)
}

func appendLength(b []byte, n int) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}
