package ristretto

import (
	"math/rand/v2"
	"testing"

	"filippo.io/edwards25519/field"
	"github.com/stretchr/testify/require"
)

// representations are the four Edwards points of p: (x, y), (-x, -y), (iy, ix) and (-iy, -ix).
func representations(p Point) []Point {
	x, y, z, t := p.edwards().ExtendedCoordinates()
	var minusT, ix, iy field.Element
	minusT.Negate(t)
	ix.Multiply(x, &sqrtM1)
	iy.Multiply(y, &sqrtM1)
	return []Point{
		fromCoordinates(x, y, z, t),
		fromCoordinates(negated(x), negated(y), z, t),
		fromCoordinates(&iy, &ix, z, &minusT),
		fromCoordinates(negated(&iy), negated(&ix), z, &minusT),
	}
}

// TestRepresentations shows that what this package says of a point does not depend on how it was computed. The corner
// cases of the inverse map are 0 and sqrt(i*d).
func TestRepresentations(t *testing.T) {
	r := rand.NewChaCha8([32]byte{9})
	elements := [][32]byte{{}, [32]byte(sqrtID.Bytes())}
	for range 200 {
		var b [32]byte
		_, _ = r.Read(b[:])
		b[0] &= 0xfe
		b[31] &= 0x3f
		elements = append(elements, b)
	}
	for _, b := range elements {
		p := MapToCurve(b)
		for _, q := range representations(p) {
			require.True(t, p.Equal(q))
			require.Equal(t, p.Encode(), q.Encode())
			require.Equal(t, EncodeDoubled([]Point{p}), EncodeDoubled([]Point{q}))
			found := 0
			for _, c := range InverseMap(q) {
				if c.Valid == 1 {
					require.True(t, MapToCurve(c.Bytes).Equal(p))
					if c.Bytes == b {
						found++
					}
				}
			}
			require.Positive(t, found)
		}
	}
	for _, q := range representations(Point{}) {
		require.True(t, q.IsIdentity())
		require.Equal(t, [Size]byte{}, q.Encode())
	}
}

// TestParsedPointsEncode computes the encodings that parsed points remember.
func TestParsedPointsEncode(t *testing.T) {
	r := rand.NewChaCha8([32]byte{10})
	for range 200 {
		var wide [64]byte
		_, _ = r.Read(wide[:])
		encoded := FromUniform(wide).Encode()
		p, err := ParsePoint(encoded[:])
		require.NoError(t, err)
		require.Equal(t, encoded, p.encode())
		require.Equal(t, encoded, p.Encode())
	}
}
