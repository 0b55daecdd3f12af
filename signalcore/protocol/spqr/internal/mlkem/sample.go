package mlkem

import "crypto/sha3"

// sampleNTT implements SampleNTT (Algorithm 7). All of its input is public.
func sampleNTT(rho []byte, j, i byte) (a nttElement) {
	xof := sha3.NewSHAKE128()
	xof.Write(rho)
	xof.Write([]byte{j, i})
	var block [168]byte
	for filled := 0; filled < n; {
		xof.Read(block[:])
		for b := block[:]; len(b) > 0 && filled < n; b = b[3:] {
			d1 := uint16(b[0]) | uint16(b[1])&15<<8
			d2 := uint16(b[1])>>4 | uint16(b[2])<<4
			if d1 < q {
				a[filled] = fieldElement(d1)
				filled++
			}
			if d2 < q && filled < n {
				a[filled] = fieldElement(d2)
				filled++
			}
		}
	}
	return a
}

// samplePolyCBD implements SamplePolyCBD (Algorithm 8) with η = 2, over PRF(randomness, b).
func samplePolyCBD(randomness []byte, b byte) (f ringElement) {
	prf := sha3.NewSHAKE256()
	prf.Write(randomness)
	prf.Write([]byte{b})
	var noise [n / 2]byte
	prf.Read(noise[:])
	for i, v := range noise {
		pairs := v&0x55 + v>>1&0x55 // four sums of two bits
		f[2*i] = sub(fieldElement(pairs&3), fieldElement(pairs>>2&3))
		f[2*i+1] = sub(fieldElement(pairs>>4&3), fieldElement(pairs>>6))
	}
	return f
}
