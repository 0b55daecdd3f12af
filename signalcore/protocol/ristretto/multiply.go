package ristretto

import (
	"slices"

	"filippo.io/edwards25519"
)

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

// varTimeTerms is how many terms are summed up at once, which bounds the memory: each takes 1.5 KiB.
const varTimeTerms = 256

// VarTimeSum is Sum in a time that depends on the scalars (not on the points): for public scalars only.
func VarTimeSum(terms ...Term) Point {
	sum := edwards25519.NewIdentityPoint()
	var part edwards25519.Point
	for chunk := range slices.Chunk(terms, varTimeTerms) {
		scalars, points := split(chunk)
		sum.Add(sum, part.VarTimeMultiScalarMult(scalars, points))
	}
	return Point{inner: sum}
}

func split(terms []Term) ([]*edwards25519.Scalar, []*edwards25519.Point) {
	scalars := make([]*edwards25519.Scalar, len(terms))
	points := make([]*edwards25519.Point, len(terms))
	for i := range terms {
		scalars[i], points[i] = &terms[i].Scalar.inner, terms[i].Point.edwards()
	}
	return scalars, points
}
