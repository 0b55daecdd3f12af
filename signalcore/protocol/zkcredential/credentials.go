package zkcredential

import (
	"encoding/binary"
	"fmt"
	"sync"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// Mode is how a key pair issues credentials. Both servers and the client have to use the same for one key pair. Source
// of this file: libsignal rust/zkcredential/src/credentials.rs.
type Mode uint8

const (
	// Standard binds a presentation to the keys and points it is about, and the credential to its number of attributes.
	Standard Mode = iota
	// Legacy is what the credentials for groups have.
	Legacy
)

// systemParams are the points that everybody shares.
type systemParams struct {
	w, wPrime, x0, x1, v, z ristretto.Point
	y                       [maxPoints]ristretto.Point
}

var system = sync.OnceValue(func() *systemParams {
	sho := poksho.NewShoSha256([]byte("Signal_ZKCredential_ConstantSystemParams_generate_20230410"))
	s := new(systemParams)
	for _, p := range []*ristretto.Point{&s.w, &s.wPrime, &s.x0, &s.x1, &s.v, &s.z} {
		*p = nextSystemPoint(sho)
	}
	for i := range s.y {
		s.y[i] = nextSystemPoint(sho)
	}
	return s
})

// nextSystemPoint parses the point from its encoding, so that it knows that: every proof needs it.
func nextSystemPoint(sho *poksho.ShoSha256) ristretto.Point {
	p := ristretto.FromUniform([64]byte(sho.SqueezeAndRatchet(64)))
	encoded := p.Encode()
	if parsed, err := ristretto.ParsePoint(encoded[:]); err == nil {
		return parsed
	}
	return p
}

// Credential is a MAC over attributes (t, U, V). Get one from Issuance.
type Credential struct {
	t    ristretto.Scalar
	u, v ristretto.Point
}

// CredentialSize is the length of a serialised credential.
const CredentialSize = 96

// ReadCredential reads a credential, and returns what follows it.
func ReadCredential(b []byte) (Credential, []byte, error) {
	r := &reader{rest: b}
	c := r.credential()
	rest, err := r.end()
	return c, rest, err
}

func (r *reader) credential() Credential {
	return Credential{t: r.scalar(), u: r.point(), v: r.point()}
}

// Append appends the credential, 96 bytes.
func (c Credential) Append(b []byte) []byte { return c.v.Append(c.u.Append(c.t.Append(b))) }

// CredentialPublicKey is what clients verify credentials with.
type CredentialPublicKey struct {
	mode Mode
	cW   ristretto.Point
	// i has the point I for credentials of 2 to 7 points.
	i [maxPoints - 1]ristretto.Point
}

// ReadCredentialPublicKey reads a key of 224 bytes, and returns what follows it.
func ReadCredentialPublicKey(mode Mode, b []byte) (*CredentialPublicKey, []byte, error) {
	r := &reader{rest: b}
	k := &CredentialPublicKey{mode: mode, cW: r.point()}
	copy(k.i[:], r.points(len(k.i)))
	rest, err := r.end()
	if err != nil {
		return nil, nil, err
	}
	return k, rest, nil
}

// Append appends the key, 224 bytes.
func (k *CredentialPublicKey) Append(b []byte) []byte {
	b = k.cW.Append(b)
	for _, p := range k.i {
		b = p.Append(b)
	}
	return b
}

// pointI returns I for a credential with that many points, of which there are at least 2.
func (k *CredentialPublicKey) pointI(points int) ristretto.Point { return k.i[points-2] }

// CredentialKeyPair is what the issuing server makes credentials with, and the verifying server checks presentations.
type CredentialKeyPair struct {
	w, wPrime, x0, x1 ristretto.Scalar
	wPoint            ristretto.Point // w * G_w
	y                 [maxPoints]ristretto.Scalar
	public            *CredentialPublicKey
}

// GenerateCredentialKeyPair makes a key pair from randomness.
func GenerateCredentialKeyPair(mode Mode, random [RandomSize]byte) *CredentialKeyPair {
	sho := poksho.NewShoHmacSha256([]byte("Signal_ZKCredential_CredentialPrivateKey_generate_20230410"))
	sho.AbsorbAndRatchet(random[:])
	k := new(CredentialKeyPair)
	for _, s := range []*ristretto.Scalar{&k.w, &k.wPrime, &k.x0, &k.x1} {
		*s = sho.Scalar()
	}
	for i := range k.y {
		k.y[i] = sho.Scalar()
	}
	k.wPoint = system().w.Mul(k.w)
	k.public = k.publicKey(mode)
	return k
}

// ReadCredentialKeyPair reads a key pair of 384 bytes, and returns what follows it.
func ReadCredentialKeyPair(mode Mode, b []byte) (*CredentialKeyPair, []byte, error) {
	r := &reader{rest: b}
	k := &CredentialKeyPair{w: r.scalar(), wPrime: r.scalar(), wPoint: r.point(), x0: r.scalar(), x1: r.scalar()}
	for i := range k.y {
		k.y[i] = r.scalar()
	}
	rest, err := r.end()
	if err != nil {
		return nil, nil, err
	}
	if !k.wPoint.Equal(system().w.Mul(k.w)) {
		return nil, nil, fmt.Errorf("%w: key pair with the point of another scalar", ErrMalformed)
	}
	k.public = k.publicKey(mode)
	return k, rest, nil
}

// Append appends the private key, 384 bytes, from which the public one follows.
func (k *CredentialKeyPair) Append(b []byte) []byte {
	b = k.wPoint.Append(k.wPrime.Append(k.w.Append(b)))
	b = k.x1.Append(k.x0.Append(b))
	for _, y := range k.y {
		b = y.Append(b)
	}
	return b
}

// Public returns the public key.
func (k *CredentialKeyPair) Public() *CredentialPublicKey { return k.public }

func (k *CredentialKeyPair) publicKey(mode Mode) *CredentialPublicKey {
	s := system()
	public := &CredentialPublicKey{mode: mode, cW: k.wPoint.Add(s.wPrime.Mul(k.wPrime))}
	// The sum leaves out point 0, whose scalar depends on the number of points.
	partial := s.v.Sub(s.x0.Mul(k.x0)).Sub(s.x1.Mul(k.x1))
	for i := range public.i {
		partial = partial.Sub(s.y[i+1].Mul(k.y[i+1]))
		public.i[i] = partial.Sub(s.y[0].Mul(k.y0(mode, i+2)))
	}
	return public
}

// y0 returns the scalar of point 0 in a credential with that many points. In the standard mode it depends on the
// number, but for two.
func (k *CredentialKeyPair) y0(mode Mode, points int) ristretto.Scalar {
	if mode == Legacy || points == 2 {
		return k.y[0]
	}
	sho := poksho.NewShoHmacSha256([]byte("Signal_ZKCredential_SlotZeroBlinding_20260805"))
	sho.AbsorbAndRatchet(k.y[0].Append(nil))
	sho.AbsorbAndRatchet(binary.BigEndian.AppendUint64(nil, uint64(points)))
	return sho.Scalar()
}

// yFor returns the scalars of all points in a credential with that many of them.
func (k *CredentialKeyPair) yFor(points int) []ristretto.Scalar {
	out := append([]ristretto.Scalar(nil), k.y[:points]...)
	out[0] = k.y0(k.public.mode, points)
	return out
}

// mac makes the credential over the points, which are all, or the first of, total points.
func (k *CredentialKeyPair) mac(points []ristretto.Point, total int, sho *poksho.ShoHmacSha256) Credential {
	t := sho.Scalar()
	u := sho.Point()
	terms := []ristretto.Term{{Scalar: k.x0.Add(k.x1.Mul(t)), Point: u}}
	for i, y := range k.yFor(total)[:len(points)] {
		terms = append(terms, ristretto.Term{Scalar: y, Point: points[i]})
	}
	return Credential{t: t, u: u, v: k.wPoint.Add(ristretto.Sum(terms...))}
}
