package ristretto

import (
	"crypto/sha256"
	"crypto/subtle"

	"filippo.io/edwards25519/field"
)

// LizardSize is how many bytes the Lizard encoding puts in a point.
const LizardSize = 16

// LizardEncode returns the point that carries data: MapToCurve of the SHA-256 of data with data in its middle.
func LizardEncode(data [LizardSize]byte) Point { return MapToCurve(lizardElement(data)) }

// LizardDecode returns the bytes that LizardEncode put in p, and false for a point that carries none (or, which no
// encoding does, more than one).
func LizardDecode(p Point) ([LizardSize]byte, bool) {
	var out [LizardSize]byte
	found := 0
	for _, c := range InverseMap(p) {
		data := [LizardSize]byte(c.Bytes[8:24])
		expected := lizardElement(data)
		ok := c.Valid & subtle.ConstantTimeCompare(expected[:], c.Bytes[:])
		subtle.ConstantTimeCopy(ok, out[:], data[:])
		found += ok
	}
	if found != 1 {
		return [LizardSize]byte{}, false
	}
	return out, true
}

// lizardElement is non-negative and less than 2^254, so that it is among the candidates of its point.
func lizardElement(data [LizardSize]byte) [32]byte {
	b := sha256.Sum256(data[:])
	copy(b[8:24], data[:])
	b[0] &= 0xfe
	b[31] &= 0x3f
	return b
}

// Candidate is one preimage of a point under MapToCurve, if Valid is 1; else Valid is 0 and Bytes mean nothing. Valid
// is an integer so that candidates can be looked at in constant time.
type Candidate struct {
	Bytes [32]byte
	Valid int
}

// InverseMap returns the non-negative (even) field elements that MapToCurve maps to p, in canonical encoding: at most
// 8. Their negatives are mapped to p as well.
//
// An element becomes a point in two steps: Elligator 2 makes a point of the Jacobi quartic that belongs to the Edwards
// curve, and that becomes the Edwards point. A ristretto255 point has four Edwards points, each of those comes from two
// of the quartic, and each of those from at most one non-negative element. (signalapp/curve25519-dalek,
// lizard/lizard_ristretto.rs: elligator_ristretto_flavor_inverse.)
func InverseMap(p Point) [8]Candidate {
	var out [8]Candidate
	for i, q := range quarticPoints(p) {
		out[2*i] = q.inverse()
		out[2*i+1] = q.dual().inverse()
	}
	return out
}

// quarticPoint is a point (s, t) of the Jacobi quartic.
type quarticPoint struct{ s, t field.Element }

func (q *quarticPoint) dual() *quarticPoint {
	var out quarticPoint
	out.s.Negate(&q.s)
	out.t.Negate(&q.t)
	return &out
}

// inverse returns the element that Elligator 2 maps to q (lizard/jacobi_quartic.rs: elligator_inv).
func (q *quarticPoint) inverse() Candidate {
	// If s is 0, then t is 1 or -1, and the element is sqrt(i*d) or 0.
	sIsZero := q.s.Equal(&zero)
	var out field.Element
	out.Select(&sqrtID, &zero, q.t.Equal(&one))

	var a, a2, s2, y, x field.Element
	a.Add(&q.t, &one)
	a.Multiply(&a, &dPlusOverMinusOne)
	a2.Square(&a)
	s2.Square(&q.s)

	// y = 1/sqrt(i (s^4 - a^2)); there is no preimage where that is no square.
	x.Square(&s2)
	x.Subtract(&x, &a2)
	x.Multiply(&x, &sqrtM1)
	_, isSquare := y.SqrtRatio(&one, &x)

	// x = |(a + sign(s) s^2) y|
	negate(&s2, q.s.IsNegative())
	x.Add(&a, &s2)
	x.Multiply(&x, &y)
	x.Absolute(&x)
	out.Select(&x, &out, isSquare&(1^sIsZero))
	return Candidate{Bytes: [32]byte(out.Bytes()), Valid: sIsZero | isSquare}
}

// quarticPoints returns points of the quartic for the four Edwards points of p; the duals belong to the same four
// (lizard/lizard_ristretto.rs: to_jacobi_quartic_ristretto). For (0,-1) there is none, and one of (0,1) is repeated.
func quarticPoints(p Point) [4]quarticPoint {
	x, y, z, _ := p.edwards().ExtendedCoordinates()
	var y2, difference, gamma, scratch field.Element
	y2.Square(y)
	difference.Square(z)
	difference.Subtract(&difference, &y2) // Z^2 - Y^2

	// gamma = 1/sqrt(Y^4 X^2 (Z^2 - Y^2))
	scratch.Multiply(&y2, x)
	scratch.Square(&scratch)
	scratch.Multiply(&scratch, &difference)
	gamma.SqrtRatio(&one, &scratch)

	var out [4]quarticPoint
	var denominator, factor field.Element
	denominator.Multiply(&gamma, &y2)
	quarticPair(out[:2], &denominator, factor.Multiply(&minusTwoOverRoot, z), z, y, x)

	// The other two are the same with (Y, X, iZ) for (X, Y, Z), and the denominator -1/sqrt(1+d) (Y^2 - Z^2) gamma.
	var iz field.Element
	iz.Multiply(&sqrtM1, z)
	denominator.Multiply(&gamma, difference.Negate(&difference))
	denominator.Multiply(&denominator, &minusInvSqrtOnePlD)
	quarticPair(out[2:], &denominator, factor.Multiply(&minusTwoOverRoot, &iz), &iz, x, y)

	// If X or Y is 0, all of the above is 0, and the points are (0, 1), (1, -2i/sqrt(-d-1)) and (-1, -2i/sqrt(-d-1)).
	special := x.Equal(&zero) | y.Equal(&zero)
	var minusOne field.Element
	minusOne.Negate(&one)
	out[0].t.Select(&one, &out[0].t, special)
	out[1].t.Select(&one, &out[1].t, special)
	out[2].s.Select(&one, &out[2].s, special)
	out[2].t.Select(&minusTwoIOverRoot, &out[2].t, special)
	out[3].s.Select(&minusOne, &out[3].s, special)
	out[3].t.Select(&minusTwoIOverRoot, &out[3].t, special)
	return out
}

// quarticPair sets the points of (X, Y, Z) and (-X, -Y, Z): s = ±denominator (Z ∓ Y) X and
// t = factor denominator (Z ∓ Y).
func quarticPair(out []quarticPoint, denominator, factor, z, y, x *field.Element) {
	var minus, plus field.Element
	minus.Subtract(z, y)
	minus.Multiply(&minus, denominator)
	plus.Add(z, y)
	plus.Multiply(&plus, denominator)
	out[0].s.Multiply(&minus, x)
	out[1].s.Multiply(&plus, x)
	out[1].s.Negate(&out[1].s)
	out[0].t.Multiply(factor, &minus)
	out[1].t.Multiply(factor, &plus)
}
