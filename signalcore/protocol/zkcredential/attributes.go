package zkcredential

import (
	"fmt"
	"sync"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// Attribute is an attribute that can be hidden, or its encryption: two points. In the plain form the first should be a
// hash, and the second carry the information. Source of this file: libsignal rust/zkcredential/src/attributes.rs.
type Attribute [2]ristretto.Point

// Equal reports whether both points are the same.
func (a Attribute) Equal(b Attribute) bool { return a[0].Equal(b[0]) && a[1].Equal(b[1]) }

// Append appends both points, 64 bytes.
func (a Attribute) Append(b []byte) []byte { return a[1].Append(a[0].Append(b)) }

// ReadAttribute reads two points, and returns what follows them.
func ReadAttribute(b []byte) (Attribute, []byte, error) {
	r := &reader{rest: b}
	a := Attribute{r.point(), r.point()}
	rest, err := r.end()
	return a, rest, err
}

// Domain tells keys of one use from keys of another.
type Domain struct {
	id         string
	generators func() [2]ristretto.Point
}

// NewDomain returns the domain of that name with the generators that follow from the name. No two domains may share a
// name.
func NewDomain(id string) *Domain {
	return NewDomainWithGenerators(id, func() [2]ristretto.Point {
		sho := poksho.NewShoHmacSha256([]byte("Signal_ZKCredential_Domain_20231011"))
		sho.AbsorbAndRatchet([]byte(id))
		return [2]ristretto.Point{sho.Point(), sho.Point()}
	})
}

// NewDomainWithGenerators returns a domain with its own generators, which are asked for once, when first needed.
func NewDomainWithGenerators(id string, generators func() [2]ristretto.Point) *Domain {
	return &Domain{id: id, generators: sync.OnceValue(generators)}
}

// EncryptionPublicKey checks encrypted attributes: A = a1*G1 + a2*G2.
type EncryptionPublicKey struct {
	Domain *Domain
	A      ristretto.Point
}

// ReadEncryptionPublicKey reads a key of 32 bytes, and returns what follows it.
func ReadEncryptionPublicKey(domain *Domain, b []byte) (EncryptionPublicKey, []byte, error) {
	r := &reader{rest: b}
	key := EncryptionPublicKey{Domain: domain, A: r.point()}
	rest, err := r.end()
	return key, rest, err
}

// Append appends the key, 32 bytes.
func (k EncryptionPublicKey) Append(b []byte) []byte { return k.A.Append(b) }

// EncryptionKeyPair encrypts attributes: E1 = a1*M1, E2 = a2*E1 + M2 (Chase, Perrin, Zaverucha, section 4.1).
type EncryptionKeyPair struct {
	a1, a2  ristretto.Scalar
	inverse ristretto.Scalar // 1/a1
	public  EncryptionPublicKey
}

// DeriveEncryptionKeyPair takes the two scalars from sho.
func DeriveEncryptionKeyPair(domain *Domain, sho *poksho.ShoHmacSha256) EncryptionKeyPair {
	a1 := sho.Scalar()
	return NewEncryptionKeyPair(domain, a1, sho.Scalar())
}

// NewEncryptionKeyPair returns the key pair of two scalars.
func NewEncryptionKeyPair(domain *Domain, a1, a2 ristretto.Scalar) EncryptionKeyPair {
	g := domain.generators()
	a := ristretto.Sum(ristretto.Term{Scalar: a1, Point: g[0]}, ristretto.Term{Scalar: a2, Point: g[1]})
	return EncryptionKeyPair{a1: a1, a2: a2, inverse: a1.Invert(), public: EncryptionPublicKey{Domain: domain, A: a}}
}

// ReadEncryptionKeyPair reads a key pair of 96 bytes, and returns what follows it. A public key that is not that of the
// scalars is ErrMalformed.
func ReadEncryptionKeyPair(domain *Domain, b []byte) (EncryptionKeyPair, []byte, error) {
	r := &reader{rest: b}
	a1, a2, a := r.scalar(), r.scalar(), r.point()
	rest, err := r.end()
	if err != nil {
		return EncryptionKeyPair{}, nil, err
	}
	key := NewEncryptionKeyPair(domain, a1, a2)
	if !key.public.A.Equal(a) {
		return EncryptionKeyPair{}, nil, fmt.Errorf("%w: public key of other scalars", ErrMalformed)
	}
	return key, rest, nil
}

// Append appends both scalars and the public key, 96 bytes.
func (k EncryptionKeyPair) Append(b []byte) []byte {
	return k.public.Append(k.a2.Append(k.a1.Append(b)))
}

// Public returns the public key.
func (k EncryptionKeyPair) Public() EncryptionPublicKey { return k.public }

// Scalars returns the private key.
func (k EncryptionKeyPair) Scalars() (a1, a2 ristretto.Scalar) { return k.a1, k.a2 }

// Encrypt returns the encryption of plain.
func (k EncryptionKeyPair) Encrypt(plain Attribute) Attribute {
	e1 := plain[0].Mul(k.a1)
	return Attribute{e1, e1.Mul(k.a2).Add(plain[1])}
}

// FirstPoint undoes the encryption of the first point: 1/a1 * E1.
func (k EncryptionKeyPair) FirstPoint(encrypted Attribute) ristretto.Point {
	return encrypted[0].Mul(k.inverse)
}

// SecondPoint undoes the encryption of the second point: M2 = E2 - a2*E1. Whatever the input, something comes out: the
// caller has to decode it, and check that the first point that follows from it is FirstPoint, or that it encrypts to
// the same E1. An E1 that is the generator is ErrVerification, since that encrypts nothing.
func (k EncryptionKeyPair) SecondPoint(encrypted Attribute) (ristretto.Point, error) {
	if encrypted[0].Equal(ristretto.Base()) {
		return ristretto.Point{}, fmt.Errorf("%w: ciphertext of the generator", ErrVerification)
	}
	return encrypted[1].Sub(encrypted[0].Mul(k.a2)), nil
}
