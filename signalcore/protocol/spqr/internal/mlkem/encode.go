package mlkem

const encodedSize = n * 12 / 8

// compress returns ⌈2^d/q · x⌋ mod 2^d (FIPS 203, section 4.2.1).
func compress(x fieldElement, d uint) uint16 {
	return uint16(divide(uint32(x)<<d+q/2)) & (1<<d - 1)
}

// appendCompressed10 appends ByteEncode_10(Compress_10(f)).
func (f *ringElement) appendCompressed10(b []byte) []byte {
	for i := 0; i < n; i += 4 {
		var bits uint64
		for j := range 4 {
			bits |= uint64(compress(f[i+j], 10)) << (10 * j)
		}
		b = append(b, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24), byte(bits>>32))
	}
	return b
}

// appendCompressed4 appends ByteEncode_4(Compress_4(f)).
func (f *ringElement) appendCompressed4(b []byte) []byte {
	for i := 0; i < n; i += 2 {
		b = append(b, byte(compress(f[i], 4)|compress(f[i+1], 4)<<4))
	}
	return b
}

// decompress1 returns Decompress_1(ByteDecode_1(m)): half of q where m has a one.
func decompress1(m *Message) (f ringElement) {
	for i := range f {
		f[i] = fieldElement((q + 1) / 2 & -uint16(m[i/8]>>(i%8)&1))
	}
	return f
}

// decodeNTT implements ByteDecode_12 (Algorithm 6); it reports whether all coefficients are reduced.
func decodeNTT(b []byte) (f nttElement, ok bool) {
	ok = true
	for i := 0; i < n; i += 2 {
		f[i] = fieldElement(uint16(b[0]) | uint16(b[1])&15<<8)
		f[i+1] = fieldElement(uint16(b[1])>>4 | uint16(b[2])<<4)
		ok = ok && f[i] < q && f[i+1] < q
		b = b[3:]
	}
	return f, ok
}
