package mlkem

import "crypto/sha3"

// Message is m, the randomness of an encapsulation. With the header it is all that the second step needs, and as secret
// as the shared secret.
type Message [MessageSize]byte

// prepare returns (K, r) = G(m ‖ H(ek)), as ML-KEM.Encaps_internal (Algorithm 17, line 1).
func (m *Message) prepare(header *Header) (secret, randomness []byte) {
	g := sha3.Sum512(append(m[:MessageSize:MessageSize], header.hash()...))
	return g[:SharedSecretSize], g[SharedSecretSize:]
}

// Encapsulate1 returns the first ciphertext and the shared secret. It implements K-PKE.Encrypt (Algorithm 14), lines 4
// to 19 and 22.
func Encapsulate1(header Header, m Message) (ciphertext1, secret []byte) {
	secret, randomness := m.prepare(&header)
	y := sampleY(randomness)
	ciphertext1 = make([]byte, 0, Ciphertext1Size)
	for i := range rank {
		var sum nttElement
		for j := range rank {
			// Row i of the transposed matrix: Â[j,i] = SampleNTT(ρ ‖ i ‖ j).
			a := sampleNTT(header.rho(), byte(i), byte(j))
			sum.addProduct(&a, &y[j])
		}
		u := sum.inverseNTT()
		e1 := samplePolyCBD(randomness, byte(rank+i))
		u.add(&e1)
		ciphertext1 = u.appendCompressed10(ciphertext1)
	}
	return ciphertext1, secret
}

// Encapsulate2 returns the second ciphertext. It implements K-PKE.Encrypt (Algorithm 14), lines 2, 17, 20, 21 and 23.
func Encapsulate2(header Header, m Message, vector []byte) (ciphertext2 []byte, err error) {
	if len(vector) != VectorSize {
		return nil, ErrVector
	}
	_, randomness := m.prepare(&header)
	y := sampleY(randomness)
	var sum nttElement
	for j := range rank {
		t, ok := decodeNTT(vector[j*encodedSize:][:encodedSize])
		if !ok {
			return nil, ErrVector
		}
		sum.addProduct(&t, &y[j])
	}
	v := sum.inverseNTT()
	e2 := samplePolyCBD(randomness, 2*rank)
	v.add(&e2)
	mu := decompress1(&m)
	v.add(&mu)
	return v.appendCompressed4(make([]byte, 0, Ciphertext2Size)), nil
}

// sampleY returns NTT(y), Algorithm 14, lines 9 to 12 and 18.
func sampleY(randomness []byte) (y [rank]nttElement) {
	for i := range y {
		p := samplePolyCBD(randomness, byte(i))
		y[i] = p.ntt()
	}
	return y
}
