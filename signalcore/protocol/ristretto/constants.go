package ristretto

import "filippo.io/edwards25519/field"

// The constants of RFC 9496, section 4.1, and those of the Lizard inverse, computed from their definitions. All roots
// are the non-negative ones unless the RFC's value is the negative one.
var (
	zero field.Element
	one  = *new(field.Element).One()

	// d = -121665/121666, the curve's parameter; its other parameter, a, is -1.
	d = *quotient(negated(small(121665)), small(121666))
	// sqrtM1 is i, a square root of -1.
	sqrtM1         = *root(negated(&one))
	sqrtADMinusOne = *negated(root(negated(sum(&d, &one))))
	invSqrtAMinusD = *inverseRoot(negated(sum(&d, &one)))
	oneMinusDSq    = *sum(&one, negated(square(&d)))
	dMinusOneSq    = *square(sum(&d, negated(&one)))

	// The Jacobi quartic's, named by their formulas: sqrt(i*d), (d+1)/(d-1), -2/sqrt(a-d), -2i/sqrt(a-d), -1/sqrt(1+d).
	sqrtID             = *root(product(&sqrtM1, &d))
	dPlusOverMinusOne  = *quotient(sum(&d, &one), sum(&d, negated(&one)))
	minusTwoOverRoot   = *negated(sum(&invSqrtAMinusD, &invSqrtAMinusD))
	minusTwoIOverRoot  = *product(&minusTwoOverRoot, &sqrtM1)
	minusInvSqrtOnePlD = *negated(inverseRoot(sum(&one, &d)))
)

func small(n uint32) *field.Element              { return new(field.Element).Mult32(&one, n) }
func sum(a, b *field.Element) *field.Element     { return new(field.Element).Add(a, b) }
func product(a, b *field.Element) *field.Element { return new(field.Element).Multiply(a, b) }
func square(a *field.Element) *field.Element     { return new(field.Element).Square(a) }
func negated(a *field.Element) *field.Element    { return new(field.Element).Negate(a) }

func quotient(a, b *field.Element) *field.Element {
	return product(a, new(field.Element).Invert(b))
}

func root(a *field.Element) *field.Element {
	r, _ := new(field.Element).SqrtRatio(a, &one)
	return r
}

func inverseRoot(a *field.Element) *field.Element {
	r, _ := new(field.Element).SqrtRatio(&one, a)
	return r
}
