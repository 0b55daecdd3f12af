// Package ristretto is the prime-order group ristretto255 of RFC 9496, with what Signal's zero-knowledge proofs need of
// it beyond the RFC: the map from 32 bytes to a point and its inverse, and the Lizard encoding of 16 bytes in a point.
//
// Points and scalars are immutable values, and the zero values are the identity and 0. Everything is constant-time in
// points and scalars, except what has VarTime in its name, and parsing, which tells that it failed.
//
// Sources: RFC 9496; for Lizard, module lizard of signalapp/curve25519-dalek. The curve's arithmetic is that of
// filippo.io/edwards25519; proofs are in package poksho.
package ristretto

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// Size is the length of an encoded point and of an encoded scalar.
const Size = 32

// ErrMalformed is returned for bytes that are no canonical encoding.
var ErrMalformed = errors.New("malformed ristretto255 encoding")

// Point is an element of the group. Compare points with Equal: one element has several representations.
type Point struct {
	_       [0]func()
	inner   *edwards25519.Point // nil: the identity
	encoded *[Size]byte         // the encoding, if the point was parsed from it
}

var (
	identity = edwards25519.NewIdentityPoint()
	base     = edwards25519.NewGeneratorPoint()
)

// Base returns the group's generator, G in Signal's statements.
func Base() Point { return Point{inner: base} }

// ParsePoint reads the canonical encoding of a point (RFC 9496, section 4.3.1).
func ParsePoint(b []byte) (Point, error) {
	s, err := new(field.Element).SetBytes(b)
	if err != nil || [Size]byte(s.Bytes()) != [Size]byte(b) || s.IsNegative() == 1 {
		return Point{}, fmt.Errorf("%w: point", ErrMalformed)
	}
	var u1, u2, u2Sqr, v, root, denX, denY field.Element
	u2.Square(s)
	u1.Subtract(&one, &u2)
	u2.Add(&one, &u2)
	u2Sqr.Square(&u2)
	v.Square(&u1)
	v.Multiply(&v, &d)
	v.Negate(&v)
	v.Subtract(&v, &u2Sqr)

	denY.Multiply(&v, &u2Sqr)
	_, wasSquare := root.SqrtRatio(&one, &denY)
	denX.Multiply(&root, &u2)
	denY.Multiply(&root, &denX)
	denY.Multiply(&denY, &v)

	var x, y, t field.Element
	x.Add(s, s)
	x.Multiply(&x, &denX)
	x.Absolute(&x)
	y.Multiply(&u1, &denY)
	t.Multiply(&x, &y)
	if wasSquare == 0 || t.IsNegative() == 1 || y.Equal(&zero) == 1 {
		return Point{}, fmt.Errorf("%w: point", ErrMalformed)
	}
	p := fromCoordinates(&x, &y, &one, &t)
	encoded := [Size]byte(b)
	p.encoded = &encoded
	return p, nil
}

// Encode returns the canonical encoding (RFC 9496, section 4.3.2).
func (p Point) Encode() [Size]byte {
	if p.encoded != nil {
		return *p.encoded
	}
	return p.encode()
}

func (p Point) encode() [Size]byte {
	x, y, z, t := p.edwards().ExtendedCoordinates()
	var u1, u2, root, den1, den2, zInv, scratch field.Element
	u1.Add(z, y)
	u1.Multiply(&u1, scratch.Subtract(z, y))
	u2.Multiply(x, y)
	scratch.Square(&u2)
	scratch.Multiply(&scratch, &u1)
	root.SqrtRatio(&one, &scratch)
	den1.Multiply(&root, &u1)
	den2.Multiply(&root, &u2)
	zInv.Multiply(&den1, &den2)
	zInv.Multiply(&zInv, t)

	var rotatedX, rotatedY, enchanted field.Element
	rotatedX.Multiply(y, &sqrtM1)
	rotatedY.Multiply(x, &sqrtM1)
	enchanted.Multiply(&den1, &invSqrtAMinusD)
	rotate := scratch.Multiply(t, &zInv).IsNegative()
	x.Select(&rotatedX, x, rotate)
	y.Select(&rotatedY, y, rotate)
	den2.Select(&enchanted, &den2, rotate)

	negate(y, scratch.Multiply(x, &zInv).IsNegative())
	scratch.Subtract(z, y)
	scratch.Multiply(&scratch, &den2)
	return [Size]byte(scratch.Absolute(&scratch).Bytes())
}

// Append appends the canonical encoding to b.
func (p Point) Append(b []byte) []byte {
	encoded := p.Encode()
	return append(b, encoded[:]...)
}

// Equal reports whether p and q are the same element (RFC 9496, section 4.3.3).
func (p Point) Equal(q Point) bool { return p.equal(q) == 1 }

func (p Point) equal(q Point) int {
	x1, y1, _, _ := p.edwards().ExtendedCoordinates()
	x2, y2, _, _ := q.edwards().ExtendedCoordinates()
	var a, b field.Element
	straight := a.Multiply(x1, y2).Equal(b.Multiply(y1, x2))
	crossed := a.Multiply(y1, y2).Equal(b.Multiply(x1, x2))
	return straight | crossed
}

// IsIdentity reports whether p is the identity.
func (p Point) IsIdentity() bool { return p.Equal(Point{}) }

// Add returns p + q.
func (p Point) Add(q Point) Point {
	return Point{inner: new(edwards25519.Point).Add(p.edwards(), q.edwards())}
}

// Sub returns p - q.
func (p Point) Sub(q Point) Point {
	return Point{inner: new(edwards25519.Point).Subtract(p.edwards(), q.edwards())}
}

// Neg returns -p.
func (p Point) Neg() Point { return Point{inner: new(edwards25519.Point).Negate(p.edwards())} }

// Format prints a placeholder for every verb: a point may be a secret as well as a scalar.
func (p Point) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(ristretto255 point)") }

func (p Point) edwards() *edwards25519.Point {
	if p.inner == nil {
		return identity
	}
	return p.inner
}

// fromCoordinates takes coordinates that are on the curve by the formulas that made them.
func fromCoordinates(x, y, z, t *field.Element) Point {
	p, err := new(edwards25519.Point).SetExtendedCoordinates(x, y, z, t)
	if err != nil {
		panic("coordinates computed by ristretto255 formulas are off the curve: " + err.Error())
	}
	return Point{inner: p}
}

// negate sets e to -e if cond is 1.
func negate(e *field.Element, cond int) {
	var negated field.Element
	e.Select(negated.Negate(e), e, cond)
}
