package ristretto

import "filippo.io/edwards25519/field"

// EncodeDoubled returns the encodings of 2*p for each p of points. It is much faster than encoding them one by one: the
// double's encoding takes an inverse where a point's takes a square root, and inverses can share their work. The
// method is that of curve25519-dalek, ristretto.rs: double_and_compress_batch.
func EncodeDoubled(points []Point) [][Size]byte {
	states := make([]doubled, len(points))
	inverses := make([]field.Element, len(points))
	for i := range points {
		states[i] = double(points[i])
		inverses[i].Multiply(&states[i].eg, &states[i].fh)
	}
	invertAll(inverses)
	out := make([][Size]byte, len(points))
	for i := range states {
		out[i] = states[i].encode(&inverses[i])
	}
	return out
}

// doubled are the factors that the coordinates of a double are made of.
type doubled struct{ e, f, g, h, eg, fh field.Element }

func double(p Point) doubled {
	x, y, z, t := p.edwards().ExtendedCoordinates()
	var out doubled
	var z2, dt2 field.Element
	dt2.Square(t)
	dt2.Multiply(&dt2, &d)
	z2.Square(z)
	out.e.Add(y, y)
	out.e.Multiply(&out.e, x)
	out.f.Add(&z2, &dt2)
	out.h.Subtract(&z2, &dt2)
	x.Square(x)
	y.Square(y)
	out.g.Add(x, y)
	out.eg.Multiply(&out.e, &out.g)
	out.fh.Multiply(&out.f, &out.h)
	return out
}

// encode takes the inverse of e*f*g*h.
func (s *doubled) encode(inverse *field.Element) [Size]byte {
	var zInv, tInv, scratch, rotatedG, rotatedH, magic field.Element
	zInv.Multiply(&s.eg, inverse)
	tInv.Multiply(&s.fh, inverse)
	rotate := scratch.Multiply(&s.eg, &zInv).IsNegative()
	rotatedG.Negate(&s.e)
	rotatedH.Multiply(&s.f, &sqrtM1)
	var e, g, h field.Element
	e.Select(&s.g, &s.e, rotate)
	g.Select(&rotatedG, &s.g, rotate)
	h.Select(&rotatedH, &s.h, rotate)
	magic.Select(&sqrtM1, &invSqrtAMinusD, rotate)

	scratch.Multiply(&h, &e)
	negate(&g, scratch.Multiply(&scratch, &zInv).IsNegative())
	scratch.Multiply(&g, &tInv)
	scratch.Multiply(&scratch, &magic)
	h.Subtract(&h, &g)
	scratch.Multiply(&scratch, &h)
	return [Size]byte(scratch.Absolute(&scratch).Bytes())
}

// invertAll inverts every element, with one inversion for all; the inverse of 0 is 0.
func invertAll(elements []field.Element) {
	products := make([]field.Element, len(elements))
	product := one
	for i := range elements {
		products[i] = product
		product.Multiply(&product, nonZero(&elements[i]))
	}
	product.Invert(&product)
	for i := len(elements) - 1; i >= 0; i-- {
		factor := nonZero(&elements[i])
		isZero := elements[i].Equal(&zero)
		elements[i].Multiply(&product, &products[i])
		elements[i].Select(&zero, &elements[i], isZero)
		product.Multiply(&product, factor)
	}
}

// nonZero returns e, or 1 if e is 0.
func nonZero(e *field.Element) *field.Element {
	var out field.Element
	return out.Select(&one, e, e.Equal(&zero))
}
