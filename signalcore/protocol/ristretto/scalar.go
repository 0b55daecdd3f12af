package ristretto

import (
	"fmt"
	"io"

	"filippo.io/edwards25519"
)

// Scalar is an integer modulo the group's order. It prints as a placeholder: most scalars are secret.
type Scalar struct {
	_     [0]func()
	inner edwards25519.Scalar
}

// ParseScalar reads the canonical little-endian encoding of a scalar.
func ParseScalar(b []byte) (Scalar, error) {
	var s Scalar
	if _, err := s.inner.SetCanonicalBytes(b); err != nil {
		return Scalar{}, fmt.Errorf("%w: scalar", ErrMalformed)
	}
	return s, nil
}

// ScalarFromWide reduces 64 uniform bytes, little-endian, to a scalar.
func ScalarFromWide(b [64]byte) Scalar {
	var s Scalar
	if _, err := s.inner.SetUniformBytes(b[:]); err != nil {
		panic("64 bytes reduce to a scalar: " + err.Error())
	}
	return s
}

// ScalarFromUint64 returns the scalar n.
func ScalarFromUint64(n uint64) Scalar {
	var wide [64]byte
	for i := range 8 {
		wide[i] = byte(n >> (8 * i))
	}
	return ScalarFromWide(wide)
}

// Encode returns the canonical little-endian encoding.
func (s Scalar) Encode() [Size]byte { return [Size]byte(s.inner.Bytes()) }

// Append appends the canonical encoding to b.
func (s Scalar) Append(b []byte) []byte { return append(b, s.inner.Bytes()...) }

// Equal reports whether s and t are the same scalar.
func (s Scalar) Equal(t Scalar) bool { return s.inner.Equal(&t.inner) == 1 }

// IsZero reports whether s is 0.
func (s Scalar) IsZero() bool { return s.Equal(Scalar{}) }

// Add returns s + t.
func (s Scalar) Add(t Scalar) Scalar {
	var out Scalar
	out.inner.Add(&s.inner, &t.inner)
	return out
}

// Sub returns s - t.
func (s Scalar) Sub(t Scalar) Scalar {
	var out Scalar
	out.inner.Subtract(&s.inner, &t.inner)
	return out
}

// Mul returns s * t.
func (s Scalar) Mul(t Scalar) Scalar {
	var out Scalar
	out.inner.Multiply(&s.inner, &t.inner)
	return out
}

// Neg returns -s.
func (s Scalar) Neg() Scalar {
	var out Scalar
	out.inner.Negate(&s.inner)
	return out
}

// Invert returns 1/s, and 0 for 0.
func (s Scalar) Invert() Scalar {
	var out Scalar
	out.inner.Invert(&s.inner)
	return out
}

// Format prints a placeholder for every verb.
func (s Scalar) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(ristretto255 scalar)") }
