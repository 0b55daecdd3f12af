// Package mlkem implements ML-KEM-768 with an encapsulation in two steps: the first ciphertext needs only a 64-byte
// header of the encapsulation key, the second the rest. Joined, keys and ciphertexts are those of the standard.
//
// Specification: FIPS 203; Signal's "ML-KEM Braid", section 2, for the split. The header's order of fields is that of
// libcrux-ml-kem src/ind_cca/incremental/types.rs. Key generation and decapsulation are those of crypto/mlkem: keys are
// kept as seeds. Other parameter sets are not here.
package mlkem

import (
	"crypto/mlkem"
	"crypto/sha3"
	"crypto/subtle"
	"errors"
)

const (
	// SeedSize is the size of a decapsulation key in its seed form (d, z).
	SeedSize = mlkem.SeedSize
	// HeaderSize is the size of a header: the seed ρ of the matrix, and H(ek).
	HeaderSize = 64
	// VectorSize is the size of the encoded vector t̂, the encapsulation key without ρ.
	VectorSize = mlkem.EncapsulationKeySize768 - 32
	// Ciphertext1Size is the size of the encoded vector u.
	Ciphertext1Size = 960
	// Ciphertext2Size is the size of the encoded polynomial v.
	Ciphertext2Size = mlkem.CiphertextSize768 - Ciphertext1Size
	// MessageSize is the size of m, the randomness of an encapsulation.
	MessageSize = 32
	// SharedSecretSize is the size of the shared secret.
	SharedSecretSize = mlkem.SharedKeySize
)

// ErrVector means that a vector does not belong to its header or is not reduced.
var ErrVector = errors.New("ML-KEM encapsulation key does not match its header")

// Seed is a decapsulation key.
type Seed [SeedSize]byte

// Header is ρ and H(ek) of an encapsulation key.
type Header [HeaderSize]byte

func (h *Header) rho() []byte  { return h[:32] }
func (h *Header) hash() []byte { return h[32:] }

// EncapsulationKey returns the two parts of the encapsulation key.
func (s *Seed) EncapsulationKey() (Header, []byte, error) {
	key, err := mlkem.NewDecapsulationKey768(s[:])
	if err != nil {
		return Header{}, nil, err
	}
	ek := key.EncapsulationKey().Bytes()
	hash := sha3.Sum256(ek)
	return Header(append(ek[VectorSize:len(ek):len(ek)], hash[:]...)), ek[:VectorSize:VectorSize], nil
}

// Decapsulate returns the shared secret of a ciphertext, both parts joined. A ciphertext that was tampered with gives
// an unrelated secret and no error.
func (s *Seed) Decapsulate(ciphertext []byte) ([]byte, error) {
	key, err := mlkem.NewDecapsulationKey768(s[:])
	if err != nil {
		return nil, err
	}
	return key.Decapsulate(ciphertext)
}

// Check returns an error unless vector is the key that the header announced, with all coefficients reduced.
func Check(header Header, vector []byte) error {
	if len(vector) != VectorSize {
		return ErrVector
	}
	ek := append(vector[:VectorSize:VectorSize], header.rho()...)
	hash := sha3.Sum256(ek)
	if subtle.ConstantTimeCompare(hash[:], header.hash()) != 1 {
		return ErrVector
	}
	if _, err := mlkem.NewEncapsulationKey768(ek); err != nil {
		return ErrVector
	}
	return nil
}
