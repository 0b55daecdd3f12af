package gcmsiv

import (
	"encoding/binary"
	"math/bits"
)

// fieldElement is a polynomial over GF(2) of degree up to 127, the lowest coefficient first.
type fieldElement struct{ lo, hi uint64 }

func elementOf(b []byte) fieldElement {
	return fieldElement{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

// polyval is the hash of RFC 8452, section 3.
type polyval struct{ key, acc fieldElement }

// update takes whole blocks; zeros fill up the last.
func (p *polyval) update(data []byte) {
	for len(data) > 0 {
		var block [16]byte
		data = data[copy(block[:], data):]
		in := elementOf(block[:])
		p.acc = fieldElement{p.acc.lo ^ in.lo, p.acc.hi ^ in.hi}.dot(p.key)
	}
}

func (p *polyval) sum() [16]byte {
	var out [16]byte
	binary.LittleEndian.PutUint64(out[:], p.acc.lo)
	binary.LittleEndian.PutUint64(out[8:], p.acc.hi)
	return out
}

// dot returns a·b·x^-128 modulo x^128 + x^127 + x^126 + x^121 + 1.
func (a fieldElement) dot(b fieldElement) fieldElement {
	// Karatsuba: three products of 64 bits give the 256 bits w0 to w3.
	w1, w0 := multiply(a.lo, b.lo)
	w3, w2 := multiply(a.hi, b.hi)
	hi, lo := multiply(a.lo^a.hi, b.lo^b.hi)
	hi, lo = hi^w1^w3, lo^w0^w2
	w1, w2 = w1^lo, w2^hi
	// Adding a multiple of the modulus clears the lowest word, and then the next: that divides by x^128.
	w1 ^= w0<<57 ^ w0<<62 ^ w0<<63
	w2 ^= w0 ^ w0>>1 ^ w0>>2 ^ w0>>7
	w2 ^= w1<<57 ^ w1<<62 ^ w1<<63
	w3 ^= w1 ^ w1>>1 ^ w1>>2 ^ w1>>7
	return fieldElement{w2, w3}
}

// multiply is the carry-less product of two words.
func multiply(x, y uint64) (hi, lo uint64) {
	return bits.Reverse64(multiplyLow(bits.Reverse64(x), bits.Reverse64(y))) >> 1, multiplyLow(x, y)
}

// multiplyLow is the lower half of the carry-less product, in constant time: integer multiplication of words in which
// only every fourth bit is set, so that no carry reaches the next one that counts.
func multiplyLow(x, y uint64) uint64 {
	const m0, m1, m2, m3 uint64 = 0x1111111111111111, 0x2222222222222222, 0x4444444444444444, 0x8888888888888888
	x0, x1, x2, x3 := x&m0, x&m1, x&m2, x&m3
	y0, y1, y2, y3 := y&m0, y&m1, y&m2, y&m3
	return (x0*y0^x1*y3^x2*y2^x3*y1)&m0 |
		(x0*y1^x1*y0^x2*y3^x3*y2)&m1 |
		(x0*y2^x1*y1^x2*y0^x3*y3)&m2 |
		(x0*y3^x1*y2^x2*y1^x3*y0)&m3
}
