package zkgroup

import (
	"fmt"
	"io"
	"sync"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
)

// blindedProfileKey is a profile key's attribute, encrypted to the one who asks for a credential of it (libsignal
// rust/zkgroup/src/crypto/profile_key_credential_request.rs).
type blindedProfileKey struct{ d1, d2, e1, e2 ristretto.Point }

// Append appends the serialised points.
func (b blindedProfileKey) Append(out []byte) []byte { return appendAll(out, b.d1, b.d2, b.e1, b.e2) }

func (r *reader) blindedProfileKey() blindedProfileKey {
	return blindedProfileKey{r.point(), r.point(), r.point(), r.point()}
}

// ProfileKeyCredentialRequestContext is what the one who asks for a credential keeps until the answer is there. It
// prints as a placeholder.
type ProfileKeyCredentialRequestContext struct {
	aci     serviceid.ServiceID
	key     profilekey.Key
	private ristretto.Scalar
	public  ristretto.Point
	r1, r2  ristretto.Scalar
	blinded blindedProfileKey
	proof   []byte
}

// Format prints a placeholder for every verb.
func (c *ProfileKeyCredentialRequestContext) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "(profile key credential request)")
}

// RequestProfileKeyCredential begins to ask the service for a credential of an account's profile key: the answer to the
// context's request goes to ReceiveProfileKeyCredential.
func (p *ServerPublicParams) RequestProfileKeyCredential(
	random io.Reader, aci serviceid.ServiceID, key profilekey.Key,
) (*ProfileKeyCredentialRequestContext, error) {
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	const label = "Signal_ZKGroup_20200424_Random_ServerPublicParams_CreateProfileKeyCredentialRequestContext"
	sho := newSHO(label, randomness[:])
	c := &ProfileKeyCredentialRequestContext{aci: aci, key: key, private: sho.Scalar()}
	c.public = ristretto.BaseMul(c.private)
	c.r1, c.r2 = sho.Scalar(), sho.Scalar()
	points := profileKeyAttribute(key, aci)
	c.blinded = blindedProfileKey{
		d1: ristretto.BaseMul(c.r1), d2: c.public.Mul(c.r1).Add(points[0]),
		e1: ristretto.BaseMul(c.r2), e2: c.public.Mul(c.r2).Add(points[1]),
	}
	if c.proof, err = c.prove([32]byte(sho.SqueezeAndRatchet(32))); err != nil {
		return nil, err
	}
	return c, nil
}

// Request returns the serialised request, 329 bytes. In the query of a profile it is written in hexadecimal.
func (c *ProfileKeyCredentialRequestContext) Request() []byte {
	return appendBytes(appendAll([]byte{0}, c.public, c.blinded), c.proof)
}

// profileRequestStatement is of libsignal rust/zkgroup/src/crypto/proofs.rs, ProfileKeyCredentialRequestProof: what is
// blinded is the key that the account has committed to.
var profileRequestStatement = sync.OnceValue(func() *poksho.Statement {
	type p = poksho.Product
	return new(poksho.Statement).
		Add("Y", p{Scalar: "y", Point: "G"}).
		Add("D1", p{Scalar: "r1", Point: "G"}).
		Add("E1", p{Scalar: "r2", Point: "G"}).
		Add("J3", p{Scalar: "j3", Point: "G_j3"}).
		Add("D2-J1", p{Scalar: "r1", Point: "Y"}, p{Scalar: "j3", Point: "-G_j1"}).
		Add("E2-J2", p{Scalar: "r2", Point: "Y"}, p{Scalar: "j3", Point: "-G_j2"})
})

func profileRequestPoints(public ristretto.Point, b blindedProfileKey, c commitment) poksho.Points {
	g := commitmentSystem()
	return poksho.Points{
		"Y": public, "D1": b.d1, "E1": b.e1, "J3": c.j3, "G_j3": g.j3,
		"D2-J1": b.d2.Sub(c.j1), "-G_j1": g.j1.Neg(), "E2-J2": b.e2.Sub(c.j2), "-G_j2": g.j2.Neg(),
	}
}

func (c *ProfileKeyCredentialRequestContext) prove(random [32]byte) ([]byte, error) {
	committed, j3 := commit(c.key, c.aci)
	proof, err := profileRequestStatement().Prove(
		poksho.Scalars{"y": c.private, "r1": c.r1, "r2": c.r2, "j3": j3},
		profileRequestPoints(c.public, c.blinded, committed), nil, random)
	if err != nil {
		return nil, fmt.Errorf("zkgroup: request a profile key credential: %w", err)
	}
	return proof, nil
}

// profileRequest is how the service sees a request.
type profileRequest struct {
	public  ristretto.Point
	blinded blindedProfileKey
	proof   []byte
}

func parseProfileRequest(b []byte) (profileRequest, error) {
	r := newReader("profile key credential request", b)
	r.version(0)
	q := profileRequest{public: r.point(), blinded: r.blindedProfileKey(), proof: r.bytes()}
	return q, r.done()
}

func (q profileRequest) verify(c commitment) error {
	if err := profileRequestStatement().Verify(q.proof, profileRequestPoints(q.public, q.blinded, c), nil); err != nil {
		return fmt.Errorf("%w: profile key credential request", ErrVerification)
	}
	return nil
}
