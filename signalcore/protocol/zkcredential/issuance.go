package zkcredential

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// Issuance is what a credential is issued over: a label, attributes, and a message that is bound to the proof only. The
// server and the client each make one, with the same content in the same order; then the server calls Issue and the
// client Verify, or the server IssueBlinded and the client VerifyBlinded if there are blinded attributes. Source:
// libsignal rust/zkcredential/src/issuance.rs and issuance/blind.rs.
type Issuance struct {
	public  *poksho.ShoHmacSha256
	points  []ristretto.Point // without the public attributes' point
	blinded []BlindedPoint
	message []byte
}

// NewIssuance returns an issuance with a label, which should tell this kind of credential from all others.
func NewIssuance(label []byte) *Issuance { return &Issuance{public: poksho.NewShoHmacSha256(label)} }

// Message binds message to the proof, without making it part of the credential.
func (i *Issuance) Message(message []byte) *Issuance {
	i.message = message
	return i
}

// AddPublic adds an attribute that is known to everybody.
func (i *Issuance) AddPublic(attribute []byte) *Issuance {
	i.public.AbsorbAndRatchet(attribute)
	return i
}

// AddPublicNumber adds a number, as 8 bytes, that is known to everybody.
func (i *Issuance) AddPublicNumber(attribute uint64) *Issuance {
	return i.AddPublic(binary.BigEndian.AppendUint64(nil, attribute))
}

// Add adds an attribute that the verifying server will see encrypted.
func (i *Issuance) Add(attribute Attribute) *Issuance {
	i.points = append(i.points, attribute[:]...)
	return i
}

// AddBlinded adds an attribute, of one or two points, that the issuing server cannot see.
func (i *Issuance) AddBlinded(attribute ...BlindedPoint) *Issuance {
	i.blinded = append(i.blinded, attribute...)
	return i
}

// issuedPoints returns the point of all public attributes, and those of the other attributes that are not blinded.
func (i *Issuance) issuedPoints() ([]ristretto.Point, error) {
	if n := 1 + len(i.points) + len(i.blinded); n < 2 || n > maxPoints {
		return nil, fmt.Errorf("%w: %d points, with that of the public attributes", ErrArguments, n)
	}
	return append([]ristretto.Point{i.public.Clone().Point()}, i.points...), nil
}

// IssuanceProof is a credential with the proof that it was issued honestly. Verify it to get the credential.
type IssuanceProof struct {
	credential Credential
	proof      []byte
}

// ReadIssuanceProof reads a proof, and returns what follows it.
func ReadIssuanceProof(b []byte) (IssuanceProof, []byte, error) {
	r := &reader{rest: b}
	p := IssuanceProof{credential: r.credential(), proof: r.bytes()}
	rest, err := r.end()
	return p, rest, err
}

// Append appends the proof.
func (p IssuanceProof) Append(b []byte) []byte { return appendBytes(p.credential.Append(b), p.proof) }

// Issue makes a credential over the attributes.
func (i *Issuance) Issue(key *CredentialKeyPair, random [RandomSize]byte) (IssuanceProof, error) {
	points, err := i.issuedPoints()
	if err != nil || len(i.blinded) > 0 {
		return IssuanceProof{}, refused(err)
	}
	sho := poksho.NewShoHmacSha256([]byte("Signal_ZKCredential_Issuance_20230410"))
	sho.AbsorbAndRatchet(random[:])
	credential := key.mac(points, len(points), sho)
	args := i.pointArgs(key.public, points)
	addCredential(args, credential)
	proof, err := i.statement(points).
		Prove(key.scalarArgs(len(points)), args, i.message, [32]byte(sho.SqueezeAndRatchet(32)))
	if err := proven("issuance", err); err != nil {
		return IssuanceProof{}, err
	}
	return IssuanceProof{credential: credential, proof: proof}, nil
}

// Verify checks that the proof is over the attributes and by the key, and returns the credential, or ErrVerification.
func (i *Issuance) Verify(key *CredentialPublicKey, proof IssuanceProof) (Credential, error) {
	points, err := i.issuedPoints()
	if err != nil || len(i.blinded) > 0 {
		return Credential{}, refused(err)
	}
	args := i.pointArgs(key, points)
	addCredential(args, proof.credential)
	if err := checked("issuance", i.statement(points).Verify(proof.proof, args, i.message)); err != nil {
		return Credential{}, err
	}
	return proof.credential, nil
}

func refused(err error) error {
	if err == nil {
		err = fmt.Errorf("%w: blinded attributes in an issuance without", ErrArguments)
	}
	return err
}

// statement is that of section 3.2 of the paper.
func (i *Issuance) statement(points []ristretto.Point) *poksho.Statement {
	v := product(nil, "w", "G_w", "x0", "U", "x1", "tU")
	return keyStatement(len(points)).Add("V", numbered(v, "y", "M", 0, len(points))...)
}

// keyStatement says that the scalars are those of the public key.
func keyStatement(points int) *poksho.Statement {
	return new(poksho.Statement).
		Add("C_W", product(nil, "w", "G_w", "wprime", "G_wprime")...).
		Add("G_V-I", numbered(product(nil, "x0", "G_x0", "x1", "G_x1"), "y", "G_y", 0, points)...)
}

// product appends products of the named scalars and points, in turn.
func product(to []poksho.Product, pairs ...string) []poksho.Product {
	for ; len(pairs) > 1; pairs = pairs[2:] {
		to = append(to, poksho.Product{Scalar: pairs[0], Point: pairs[1]})
	}
	return to
}

// numbered appends the products of scalars and points with the numbers from first up to end.
func numbered(to []poksho.Product, scalar, point string, first, end int) []poksho.Product {
	for n := first; n < end; n++ {
		to = product(to, name(scalar, n), name(point, n))
	}
	return to
}

func name(prefix string, n int) string { return prefix + strconv.Itoa(n) }

func (k *CredentialKeyPair) scalarArgs(points int) poksho.Scalars {
	args := poksho.Scalars{"w": k.w, "wprime": k.wPrime, "x0": k.x0, "x1": k.x1}
	for n, y := range k.yFor(points) {
		args[name("y", n)] = y
	}
	return args
}

// pointArgs has the points of everything but the credential.
func (i *Issuance) pointArgs(key *CredentialPublicKey, points []ristretto.Point) poksho.Points {
	s, total := system(), len(points)+len(i.blinded)
	args := poksho.Points{
		"C_W": key.cW, "G_w": s.w, "G_wprime": s.wPrime,
		"G_V-I": s.v.Sub(key.pointI(total)), "G_x0": s.x0, "G_x1": s.x1,
	}
	for n, g := range s.y[:total] {
		args[name("G_y", n)] = g
	}
	for n, m := range points {
		args[name("M", n)] = m
	}
	return args
}

func addCredential(args poksho.Points, c Credential) {
	args["V"], args["U"], args["tU"] = c.v, c.u, c.u.Mul(c.t)
}
