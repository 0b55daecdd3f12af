package zkgroup

import (
	"encoding/binary"
	"fmt"

	"signalbox/signalcore/protocol/ristretto"
)

// reader takes a serialised value apart (libsignal rust/zkgroup/src/common/serialization.rs, which is bincode: integers
// of a fixed size in little-endian order, lengths of 8 bytes). The first error stays, and what is read after it is
// zero.
type reader struct {
	what string
	rest []byte
	err  error
}

func newReader(what string, b []byte) *reader { return &reader{what: what, rest: b} }

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: %s", ErrMalformed, r.what, why)
	}
	r.rest = nil
}

// take returns the next n bytes, or nil.
func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.rest) < n {
		r.fail("too short")
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

// version reads the leading byte, which has to be want.
func (r *reader) version(want byte) {
	if b := r.take(1); b != nil && b[0] != want {
		r.fail(fmt.Sprintf("version %d", b[0]))
	}
}

func (r *reader) point() ristretto.Point {
	b := r.take(ristretto.Size)
	if b == nil {
		return ristretto.Point{}
	}
	p, err := ristretto.ParsePoint(b)
	if err != nil {
		r.fail("invalid point")
	}
	return p
}

func (r *reader) scalar() ristretto.Scalar {
	b := r.take(ristretto.Size)
	if b == nil {
		return ristretto.Scalar{}
	}
	s, err := ristretto.ParseScalar(b)
	if err != nil {
		r.fail("invalid scalar")
	}
	return s
}

func (r *reader) uint64() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// bytes reads a length and as many bytes.
func (r *reader) bytes() []byte {
	n := r.uint64()
	if n > uint64(len(r.rest)) {
		r.fail("too short")
		return nil
	}
	return r.take(int(n))
}

// read reads a value of package zkcredential.
func read[T any](r *reader, parse func([]byte) (T, []byte, error)) T {
	var zero T
	if r.err != nil {
		return zero
	}
	value, rest, err := parse(r.rest)
	if err != nil {
		r.fail(err.Error())
		return zero
	}
	r.rest = rest
	return value
}

// done returns the first error; bytes that are left over are one.
func (r *reader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("trailing bytes")
	}
	return r.err
}

// encoder is a point or a scalar.
type encoder interface{ Append(b []byte) []byte }

func appendAll(out []byte, values ...encoder) []byte {
	for _, v := range values {
		out = v.Append(out)
	}
	return out
}

func appendBytes(out, b []byte) []byte {
	return append(appendUint64(out, uint64(len(b))), b...)
}

func appendUint64(out []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(out, n) }

// bigEndian is the form in which hashes take integers.
func bigEndian(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
