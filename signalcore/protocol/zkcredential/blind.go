package zkcredential

import (
	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// BlindedPoint is a point of an attribute that is hidden from the issuing server: D1 = r*G, D2 = r*Y + M.
type BlindedPoint struct{ D1, D2 ristretto.Point }

// ReadBlindedPoint reads two points, and returns what follows them.
func ReadBlindedPoint(b []byte) (BlindedPoint, []byte, error) {
	r := &reader{rest: b}
	p := BlindedPoint{D1: r.point(), D2: r.point()}
	rest, err := r.end()
	return p, rest, err
}

// Append appends both points, 64 bytes.
func (p BlindedPoint) Append(b []byte) []byte { return p.D2.Append(p.D1.Append(b)) }

// BlindingKeyPair hides attributes from the issuing server: Y = y*G. A client makes a new one for every request.
type BlindingKeyPair struct {
	y     ristretto.Scalar
	point ristretto.Point
}

// GenerateBlindingKeyPair takes the key from sho.
func GenerateBlindingKeyPair(sho *poksho.ShoHmacSha256) BlindingKeyPair {
	return blindingKeyPair(sho.Scalar())
}

func blindingKeyPair(y ristretto.Scalar) BlindingKeyPair {
	return BlindingKeyPair{y: y, point: ristretto.BaseMul(y)}
}

// ReadBlindingKeyPair reads the private key of 32 bytes, and returns what follows it.
func ReadBlindingKeyPair(b []byte) (BlindingKeyPair, []byte, error) {
	r := &reader{rest: b}
	y := r.scalar()
	rest, err := r.end()
	if err != nil {
		return BlindingKeyPair{}, nil, err
	}
	return blindingKeyPair(y), rest, nil
}

// Append appends the private key, 32 bytes.
func (k BlindingKeyPair) Append(b []byte) []byte { return k.y.Append(b) }

// Public returns the public key Y, which the issuing server needs.
func (k BlindingKeyPair) Public() ristretto.Point { return k.point }

// Blind hides a point with a nonce from sho, which is returned too for proofs about the point.
func (k BlindingKeyPair) Blind(point ristretto.Point, sho *poksho.ShoHmacSha256) (BlindedPoint, ristretto.Scalar) {
	nonce := sho.Scalar()
	return BlindedPoint{D1: ristretto.BaseMul(nonce), D2: k.point.Mul(nonce).Add(point)}, nonce
}

// BlindedIssuanceProof is an encrypted credential with the proof that it was issued honestly.
type BlindedIssuanceProof struct {
	t         ristretto.Scalar
	u, s1, s2 ristretto.Point
	proof     []byte
}

// ReadBlindedIssuanceProof reads a proof, and returns what follows it.
func ReadBlindedIssuanceProof(b []byte) (BlindedIssuanceProof, []byte, error) {
	r := &reader{rest: b}
	p := BlindedIssuanceProof{t: r.scalar(), u: r.point(), s1: r.point(), s2: r.point(), proof: r.bytes()}
	rest, err := r.end()
	return p, rest, err
}

// Append appends the proof.
func (p BlindedIssuanceProof) Append(b []byte) []byte {
	return appendBytes(p.s2.Append(p.s1.Append(p.u.Append(p.t.Append(b)))), p.proof)
}

// IssueBlinded makes a credential over the attributes, encrypted with blinding, the client's public key. The server has
// to know by other means, as from a proof in the request, that the client may have it over the blinded attributes.
func (i *Issuance) IssueBlinded(
	key *CredentialKeyPair, blinding ristretto.Point, random [RandomSize]byte,
) (BlindedIssuanceProof, error) {
	points, err := i.issuedPoints()
	if err != nil {
		return BlindedIssuanceProof{}, err
	}
	sho := poksho.NewShoHmacSha256([]byte("Signal_ZKCredential_BlindIssuance_20230410"))
	sho.AbsorbAndRatchet(random[:])
	rPrime := sho.Scalar()
	base := key.mac(points, len(points)+len(i.blinded), sho)
	s1 := []ristretto.Term{{Scalar: rPrime, Point: ristretto.Base()}}
	s2 := []ristretto.Term{{Scalar: rPrime, Point: blinding}}
	for n, d := range i.blinded {
		y := key.y[len(points)+n]
		s1 = append(s1, ristretto.Term{Scalar: y, Point: d.D1})
		s2 = append(s2, ristretto.Term{Scalar: y, Point: d.D2})
	}
	out := BlindedIssuanceProof{t: base.t, u: base.u, s1: ristretto.Sum(s1...), s2: base.v.Add(ristretto.Sum(s2...))}

	scalars := key.scalarArgs(len(points) + len(i.blinded))
	scalars["rprime"] = rPrime
	args := i.blindedPointArgs(key.public, blinding, points, &out)
	out.proof, err = i.blindedStatement(points).
		Prove(scalars, args, i.message, [32]byte(sho.SqueezeAndRatchet(32)))
	if err := proven("blinded issuance", err); err != nil {
		return BlindedIssuanceProof{}, err
	}
	return out, nil
}

// VerifyBlinded checks that the proof is over the attributes and by the key, and returns the decrypted credential, or
// ErrVerification.
func (i *Issuance) VerifyBlinded(
	key *CredentialPublicKey, blinding BlindingKeyPair, proof BlindedIssuanceProof,
) (Credential, error) {
	points, err := i.issuedPoints()
	if err != nil {
		return Credential{}, err
	}
	args := i.blindedPointArgs(key, blinding.point, points, &proof)
	verified := i.blindedStatement(points).Verify(proof.proof, args, i.message)
	if err := checked("blinded issuance", verified); err != nil {
		return Credential{}, err
	}
	return Credential{t: proof.t, u: proof.u, v: proof.s2.Sub(proof.s1.Mul(blinding.y))}, nil
}

// blindedStatement generalises that of section 5.9 of the paper. The blinded points come after all others.
func (i *Issuance) blindedStatement(points []ristretto.Point) *poksho.Statement {
	n, total := len(points), len(points)+len(i.blinded)
	s1 := numbered(nil, "y", "D1_", n, total)
	s2 := numbered(product(nil, "rprime", "Y", "w", "G_w", "x0", "U", "x1", "tU"), "y", "M", 0, n)
	return keyStatement(total).
		Add("S1", product(s1, "rprime", "G")...).
		Add("S2", numbered(s2, "y", "D2_", n, total)...)
}

func (i *Issuance) blindedPointArgs(
	key *CredentialPublicKey, blinding ristretto.Point, points []ristretto.Point, c *BlindedIssuanceProof,
) poksho.Points {
	args := i.pointArgs(key, points)
	for n, d := range i.blinded {
		args[name("D1_", len(points)+n)] = d.D1
		args[name("D2_", len(points)+n)] = d.D2
	}
	args["S1"], args["S2"], args["U"], args["tU"], args["Y"] = c.s1, c.s2, c.u, c.u.Mul(c.t), blinding
	return args
}
