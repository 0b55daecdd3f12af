package ristretto

import "filippo.io/edwards25519/field"

// FromUniform maps 64 uniform bytes to a uniform point (RFC 9496, section 4.3.4).
func FromUniform(b [64]byte) Point {
	return MapToCurve([32]byte(b[:32])).Add(MapToCurve([32]byte(b[32:])))
}

// MapToCurve maps 32 bytes, of which the last bit is ignored, to a point: the MAP of RFC 9496, section 4.3.4, which is
// Elligator 2 once. Its points are not uniform. InverseMap inverts it.
func MapToCurve(b [32]byte) Point { return mapElement(element(b)) }

func element(b [32]byte) *field.Element {
	e, err := new(field.Element).SetBytes(b[:])
	if err != nil {
		panic("32 bytes reduce to a field element: " + err.Error())
	}
	return e
}

func mapElement(t *field.Element) Point {
	var r, u, v, s, alternative, c, n field.Element
	r.Square(t)
	r.Multiply(&r, &sqrtM1)
	u.Add(&r, &one)
	u.Multiply(&u, &oneMinusDSq)
	v.Multiply(&r, &d)
	v.Add(&v, &one)
	v.Negate(&v)
	v.Multiply(&v, n.Add(&r, &d))

	_, wasSquare := s.SqrtRatio(&u, &v)
	alternative.Multiply(&s, t)
	alternative.Absolute(&alternative)
	s.Select(&s, alternative.Negate(&alternative), wasSquare)
	c.Select(c.Negate(&one), &r, wasSquare)

	n.Subtract(&r, &one)
	n.Multiply(&n, &c)
	n.Multiply(&n, &dMinusOneSq)
	n.Subtract(&n, &v)

	var w0, w1, w2, w3 field.Element
	w0.Multiply(&s, &v)
	w0.Add(&w0, &w0)
	w1.Multiply(&n, &sqrtADMinusOne)
	s.Square(&s)
	w2.Subtract(&one, &s)
	w3.Add(&one, &s)
	var x, y, z, xy field.Element
	return fromCoordinates(x.Multiply(&w0, &w3), y.Multiply(&w2, &w1), z.Multiply(&w1, &w3), xy.Multiply(&w0, &w2))
}
