package ristretto

import "filippo.io/edwards25519"

// Term is one product of a sum: Scalar times Point.
type Term struct {
	Scalar Scalar
	Point  Point
}

// Mul returns s * p.
func (p Point) Mul(s Scalar) Point {
	if p.inner == base {
		return BaseMul(s)
	}
	return Point{inner: new(edwards25519.Point).ScalarMult(&s.inner, p.edwards())}
}

// BaseMul returns s * G.
func BaseMul(s Scalar) Point {
	return Point{inner: new(edwards25519.Point).ScalarBaseMult(&s.inner)}
}

// Sum returns the sum of the products.
func Sum(terms ...Term) Point {
	if len(terms) == 1 {
		return terms[0].Point.Mul(terms[0].Scalar)
	}
	scalars, points := split(terms)
	return Point{inner: new(edwards25519.Point).MultiScalarMult(scalars, points)}
}

// VarTimeSum is Sum in a time that depends on the scalars: for public values only.
func VarTimeSum(terms ...Term) Point {
	scalars, points := split(terms)
	return Point{inner: new(edwards25519.Point).VarTimeMultiScalarMult(scalars, points)}
}

func split(terms []Term) ([]*edwards25519.Scalar, []*edwards25519.Point) {
	scalars := make([]*edwards25519.Scalar, len(terms))
	points := make([]*edwards25519.Point, len(terms))
	for i := range terms {
		scalars[i], points[i] = &terms[i].Scalar.inner, terms[i].Point.edwards()
	}
	return scalars, points
}
