package zkcredential

import (
	"encoding/binary"
	"fmt"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// PresentationProof shows a verifying server that the client holds a credential. Source of this file: libsignal
// rust/zkcredential/src/presentation.rs; the paper's sections 3.2 and 4.1.
type PresentationProof struct {
	cX0, cX1, cV ristretto.Point
	cY           []ristretto.Point
	proof        []byte
}

// ReadPresentationProof reads a proof, and returns what follows it.
func ReadPresentationProof(b []byte) (PresentationProof, []byte, error) {
	r := &reader{rest: b}
	p := PresentationProof{cX0: r.point(), cX1: r.point(), cV: r.point()}
	n := r.length(ristretto.Size)
	if r.err == nil && n > maxPoints {
		r.err = fmt.Errorf("%w: presentation of %d points", ErrMalformed, n)
		n = 0
	}
	p.cY = r.points(n)
	p.proof = r.bytes()
	rest, err := r.end()
	if err != nil {
		return PresentationProof{}, nil, err
	}
	return p, rest, nil
}

// Append appends the proof.
func (p PresentationProof) Append(b []byte) []byte {
	b = p.cV.Append(p.cX1.Append(p.cX0.Append(b)))
	b = appendLength(b, len(p.cY))
	for _, c := range p.cY {
		b = c.Append(b)
	}
	return appendBytes(b, p.proof)
}

// Presentation is what a client presents of a credential: its attributes but for the public ones, in the order of the
// issuance. End with Present.
type Presentation struct {
	attributes attributeList
	keys       []EncryptionKeyPair // as attributes.keys
}

// NewPresentation returns a presentation of nothing.
func NewPresentation() *Presentation { return new(Presentation) }

// Message binds message to the proof.
func (p *Presentation) Message(message []byte) *Presentation {
	p.attributes.message = message
	return p
}

// Add adds an attribute, of which the server will see the encryption with key.
func (p *Presentation) Add(attribute Attribute, key EncryptionKeyPair) *Presentation {
	return p.add(attribute, key, encryptionKey{id: key.public.Domain.id, public: &key.public})
}

// AddWithoutKey adds an attribute, of which the server will see the encryption, but not by which key.
func (p *Presentation) AddWithoutKey(attribute Attribute, key EncryptionKeyPair) *Presentation {
	return p.add(attribute, key, encryptionKey{id: key.public.Domain.id})
}

func (p *Presentation) add(attribute Attribute, key EncryptionKeyPair, listed encryptionKey) *Presentation {
	p.attributes.encrypted(attribute, listed)
	if len(p.keys) < len(p.attributes.keys) {
		p.keys = append(p.keys, key)
	}
	return p
}

// AddRevealed adds a blinded attribute that the server will see, and adds itself.
func (p *Presentation) AddRevealed() *Presentation {
	p.attributes.revealed(ristretto.Point{})
	return p
}

// Present makes the proof. Each use of a credential should have a presentation of its own, with its own randomness.
func (p *Presentation) Present(
	key *CredentialPublicKey, credential Credential, random [RandomSize]byte,
) (PresentationProof, error) {
	// Point 0 stays the identity: the server adds the public attributes.
	points, err := p.attributes.points(ristretto.Point{})
	if err != nil {
		return PresentationProof{}, err
	}
	sho := poksho.NewShoHmacSha256([]byte("Signal_ZKCredential_Presentation_20230410"))
	sho.AbsorbAndRatchet(random[:])
	z := sho.Scalar()
	out := commitments(credential, points, z)

	i := key.pointI(len(points))
	args := p.attributes.pointArgs(i, i.Mul(z), &out)
	visible := make([]ristretto.Point, len(points))
	for _, a := range p.attributes.list {
		if a.key < 0 {
			continue
		}
		e := p.keys[a.key].Encrypt(Attribute{points[a.first], points[a.first+1]})
		visible[a.first], visible[a.first+1] = e[0], e[1]
	}
	authenticated := p.attributes.addEncrypted(args, visible, &out)
	proof, err := p.attributes.statement().Prove(
		p.scalarArgs(credential, z), args, p.attributes.associated(key.mode, authenticated),
		[32]byte(sho.SqueezeAndRatchet(32)))
	if err := proven("presentation", err); err != nil {
		return PresentationProof{}, err
	}
	out.proof = proof
	return out, nil
}

// commitments hide the credential and the points by z.
func commitments(c Credential, points []ristretto.Point, z ristretto.Scalar) PresentationProof {
	s := system()
	out := PresentationProof{
		cX0: s.x0.Mul(z).Add(c.u),
		cV:  s.v.Mul(z).Add(c.v),
		cX1: s.x1.Mul(z).Add(c.u.Mul(c.t)),
	}
	for n, m := range points {
		out.cY = append(out.cY, s.y[n].Mul(z).Add(m))
	}
	return out
}

func (p *Presentation) scalarArgs(c Credential, z ristretto.Scalar) poksho.Scalars {
	args := poksho.Scalars{"z": z, "t": c.t, "z0": z.Mul(c.t).Neg()}
	for _, key := range p.keys {
		id := key.public.Domain.id
		args["a1_"+id], args["z1_"+id] = key.a1, z.Mul(key.a1).Neg()
		args["a2_"+id] = key.a2
	}
	return args
}

// PresentationCheck is what a verifying server expects of a presentation: label, public attributes and message as at
// the issuance, the encryptions of the other attributes in the same order. End with Verify.
type PresentationCheck struct {
	public     *poksho.ShoHmacSha256
	attributes attributeList
}

// NewPresentationCheck returns a check for the label.
func NewPresentationCheck(label []byte) *PresentationCheck {
	return &PresentationCheck{public: poksho.NewShoHmacSha256(label)}
}

// Message is what the presentation has to be bound to.
func (c *PresentationCheck) Message(message []byte) *PresentationCheck {
	c.attributes.message = message
	return c
}

// AddPublic adds an attribute that is known to everybody.
func (c *PresentationCheck) AddPublic(attribute []byte) *PresentationCheck {
	c.public.AbsorbAndRatchet(attribute)
	return c
}

// AddPublicNumber adds a number, as 8 bytes, that is known to everybody.
func (c *PresentationCheck) AddPublicNumber(attribute uint64) *PresentationCheck {
	return c.AddPublic(binary.BigEndian.AppendUint64(nil, attribute))
}

// Add adds the encryption of an attribute with the key of that public key.
func (c *PresentationCheck) Add(encrypted Attribute, key EncryptionPublicKey) *PresentationCheck {
	c.attributes.encrypted(encrypted, encryptionKey{id: key.Domain.id, public: &key})
	return c
}

// AddWithoutKey adds the encryption of an attribute with some key of the domain.
func (c *PresentationCheck) AddWithoutKey(encrypted Attribute, domain *Domain) *PresentationCheck {
	c.attributes.encrypted(encrypted, encryptionKey{id: domain.id})
	return c
}

// AddRevealed adds an attribute that was hidden from the issuing server only.
func (c *PresentationCheck) AddRevealed(point ristretto.Point) *PresentationCheck {
	c.attributes.revealed(point)
	return c
}

// Verify returns ErrVerification if the proof does not show that its maker holds a credential over the attributes.
func (c *PresentationCheck) Verify(key *CredentialKeyPair, proof PresentationProof) error {
	points, err := c.attributes.points(c.public.Clone().Point())
	if err != nil {
		return err
	}
	if len(proof.cY) != len(points) {
		return fmt.Errorf("%w: presentation of %d points, not of %d", ErrVerification, len(proof.cY), len(points))
	}
	y := key.yFor(len(points))
	terms := []ristretto.Term{{Scalar: key.x0, Point: proof.cX0}, {Scalar: key.x1, Point: proof.cX1}}
	for n, commitment := range proof.cY {
		terms = append(terms, ristretto.Term{Scalar: y[n], Point: commitment})
	}
	// What is not hidden in the commitments: the public attributes, and those that are revealed.
	terms = append(terms, ristretto.Term{Scalar: y[0], Point: points[0]})
	for _, a := range c.attributes.list {
		if a.key < 0 {
			terms = append(terms, ristretto.Term{Scalar: y[a.first], Point: points[a.first]})
		}
	}
	z := proof.cV.Sub(key.wPoint).Sub(ristretto.Sum(terms...))

	args := c.attributes.pointArgs(key.public.pointI(len(points)), z, &proof)
	authenticated := c.attributes.addEncrypted(args, points, &proof)
	return checked("presentation", c.attributes.statement().
		Verify(proof.proof, args, c.attributes.associated(key.public.mode, authenticated)))
}
