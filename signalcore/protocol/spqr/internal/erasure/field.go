package erasure

// The field GF(2^16), modulo x^16 + x^12 + x^3 + x + 1 (source: SparsePostQuantumRatchet src/encoding/gf.rs). Addition
// and subtraction are XOR. There are no tables: multiplication runs in constant time and leaves the cache alone.

const modulusTail = 0x100b // the modulus without x^16

// multiply returns a·b. It multiplies integers whose bits are spread four apart, so that carries never reach the next
// bit in use: four products at most meet in one place.
func multiply(a, b uint16) uint16 {
	const m0, m1, m2, m3 = 0x1111, 0x2222, 0x4444, 0x8888
	x0, x1, x2, x3 := uint32(a&m0), uint32(a&m1), uint32(a&m2), uint32(a&m3)
	y0, y1, y2, y3 := uint32(b&m0), uint32(b&m1), uint32(b&m2), uint32(b&m3)
	z0 := x0*y0 ^ x1*y3 ^ x2*y2 ^ x3*y1
	z1 := x0*y1 ^ x1*y0 ^ x2*y3 ^ x3*y2
	z2 := x0*y2 ^ x1*y1 ^ x2*y0 ^ x3*y3
	z3 := x0*y3 ^ x1*y2 ^ x2*y1 ^ x3*y0
	return reduce(z0&0x11111111 | z1&0x22222222 | z2&0x44444444 | z3&0x88888888)
}

// reduce folds the upper half of a product of degree 30 or less: first to degree 26, then 22, 18 and 14.
func reduce(product uint32) uint16 {
	for range 4 {
		high := product >> 16
		product = product&0xffff ^ high ^ high<<1 ^ high<<3 ^ high<<12
	}
	return uint16(product)
}

// invert returns 1/a = a^(2^16-2), and 0 for 0.
func invert(a uint16) uint16 {
	result, power := uint16(1), a
	for range 15 {
		power = multiply(power, power)
		result = multiply(result, power)
	}
	return result
}

// invertAll replaces each of values, none of them 0, by its inverse, with one inversion for all.
func invertAll(values []uint16) {
	prefix := make([]uint16, len(values))
	product := uint16(1)
	for i, v := range values {
		prefix[i] = product
		product = multiply(product, v)
	}
	inverse := invert(product)
	for i := len(values) - 1; i >= 0; i-- {
		values[i], inverse = multiply(inverse, prefix[i]), multiply(inverse, values[i])
	}
}

// A row is the content of one chunk: 16 field elements, big-endian, four in a word.
type row [ChunkSize / 8]uint64

// double multiplies all elements of the row by x.
func (r *row) double() {
	const top = 0x8000800080008000
	for i, w := range r {
		carries := w & top
		r[i] = (w^carries)<<1 ^ (carries>>15)*modulusTail
	}
}

// combine returns the sum of coefficient·row, for all rows at once from the coefficients' top bits down.
func combine(coefficients []uint16, rows []row) row {
	var sum row
	for bit := 15; bit >= 0; bit-- {
		sum.double()
		for j := range rows {
			mask := -uint64(coefficients[j] >> bit & 1)
			r := &rows[j]
			sum[0] ^= r[0] & mask
			sum[1] ^= r[1] & mask
			sum[2] ^= r[2] & mask
			sum[3] ^= r[3] & mask
		}
	}
	return sum
}
