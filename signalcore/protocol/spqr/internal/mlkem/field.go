package mlkem

// Arithmetic in Z_q, and the rings R_q and T_q over it. Nothing here branches on or indexes by its operands.

const (
	n    = 256
	q    = 3329
	rank = 3 // k
)

// fieldElement is an integer modulo q, always reduced.
type fieldElement uint16

// reduceOnce reduces a value below 2q.
func reduceOnce(x uint16) fieldElement {
	x -= q
	x += q & -(x >> 15)
	return fieldElement(x)
}

// divide returns ⌊x/q⌋ for x below 2^26, by multiplication: a division could take a time that depends on x. The error of
// the multiplier is below q/2^38, so that of the product is too small to reach the next integer.
func divide(x uint32) uint32 {
	const shift, multiplier = 38, 1<<38/q + 1
	return uint32(uint64(x) * multiplier >> shift)
}

// reduce reduces a value below 2^26.
func reduce(x uint32) fieldElement { return fieldElement(x - divide(x)*q) }

func add(a, b fieldElement) fieldElement      { return reduceOnce(uint16(a + b)) }
func sub(a, b fieldElement) fieldElement      { return reduceOnce(uint16(a - b + q)) }
func multiply(a, b fieldElement) fieldElement { return reduce(uint32(a) * uint32(b)) }

// ringElement is a polynomial of R_q, by its coefficients.
type ringElement [n]fieldElement

// nttElement is an element of T_q, the image of R_q under the NTT.
type nttElement [n]fieldElement

func (f *ringElement) add(g *ringElement) {
	for i := range f {
		f[i] = add(f[i], g[i])
	}
}

// bitReversedPowers returns ζ^(scale·BitRev7(i)+offset) with ζ = 17.
func bitReversedPowers(scale, offset int) (powers [n / 2]fieldElement) {
	for i := range powers {
		exponent := offset
		for bit := range 7 {
			exponent += scale * (i >> bit & 1 << (6 - bit))
		}
		powers[i] = 1
		for range exponent {
			powers[i] = multiply(powers[i], 17)
		}
	}
	return powers
}

var (
	zetas  = bitReversedPowers(1, 0) // FIPS 203, appendix A, first table
	gammas = bitReversedPowers(2, 1) // second table
)

// ntt implements NTT (Algorithm 9).
func (f ringElement) ntt() nttElement {
	k := 1
	for length := n / 2; length >= 2; length /= 2 {
		for start := 0; start < n; start += 2 * length {
			zeta := zetas[k]
			k++
			low, high := f[start:start+length], f[start+length:start+2*length]
			for j, a := range low {
				t := multiply(zeta, high[j])
				low[j], high[j] = add(a, t), sub(a, t)
			}
		}
	}
	return nttElement(f)
}

// inverseNTT implements NTT⁻¹ (Algorithm 10).
func (f nttElement) inverseNTT() ringElement {
	const inverseOf128 = 3303
	k := n/2 - 1
	for length := 2; length <= n/2; length *= 2 {
		for start := 0; start < n; start += 2 * length {
			zeta := zetas[k]
			k--
			low, high := f[start:start+length], f[start+length:start+2*length]
			for j, a := range low {
				low[j], high[j] = add(a, high[j]), multiply(zeta, sub(high[j], a))
			}
		}
	}
	for i := range f {
		f[i] = multiply(f[i], inverseOf128)
	}
	return ringElement(f)
}

// addProduct adds a·b. It implements MultiplyNTTs and BaseCaseMultiply (Algorithms 11 and 12).
func (f *nttElement) addProduct(a, b *nttElement) {
	for i, gamma := range gammas {
		a0, a1 := uint32(a[2*i]), uint32(a[2*i+1])
		b0, b1 := uint32(b[2*i]), uint32(b[2*i+1])
		high := uint32(reduce(a1 * b1))
		f[2*i] = add(f[2*i], reduce(a0*b0+high*uint32(gamma)))
		f[2*i+1] = add(f[2*i+1], reduce(a0*b1+a1*b0))
	}
}
