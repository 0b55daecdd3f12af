package zkgroup

import (
	"fmt"
	"io"
	"sync"
	"time"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/zkcredential"
)

// Versions of presentations, the first byte (libsignal rust/zkgroup/src/common/constants.rs).
const (
	presentationV1 = 0
	presentationV2 = 1
	presentationV3 = 2
	presentationV4 = 3
)

// profilePresentation shows the service that one of its credentials is of what two ciphertexts hold (libsignal
// rust/zkgroup/src/api/profiles/profile_key_credential_presentation.rs).
type profilePresentation struct {
	x0, x1        ristretto.Point
	y             [5]ristretto.Point
	v             ristretto.Point
	proof         []byte
	user, profile zkcredential.Attribute
	expires       uint64
}

func (s profilePresentation) serialize() []byte {
	out := appendAll([]byte{presentationV4}, s.x0, s.x1, s.y[0], s.y[1], s.y[2], s.y[3], s.y[4], s.v)
	return appendUint64(appendAll(appendBytes(out, s.proof), s.user, s.profile), s.expires)
}

// parseProfilePresentation returns the version too: of those before the fourth, only the ciphertexts count.
func parseProfilePresentation(b []byte) (s profilePresentation, version byte, err error) {
	r := newReader("profile key credential presentation", b)
	first := r.take(1)
	if first == nil {
		return s, 0, r.done()
	}
	version = first[0]
	if version > presentationV4 {
		r.fail(fmt.Sprintf("version %d", version))
		return s, 0, r.done()
	}
	// The first two versions have a commitment to z in place of the one to the expiry. They are not verified, so it
	// does not matter where it goes.
	s.x0, s.x1 = r.point(), r.point()
	for i := range s.y {
		s.y[i] = r.point()
	}
	s.v, s.proof = r.point(), r.bytes()
	s.user, s.profile = r.ciphertext(), r.ciphertext()
	if version >= presentationV3 {
		s.expires = r.uint64()
	}
	return s, version, r.done()
}

// ProfileKeyPresentationCiphertexts returns the two ciphertexts of a presentation, of 65 bytes each: what the service
// stores of the member. It reads all four versions, and verifies nothing. ErrMalformed.
func ProfileKeyPresentationCiphertexts(presentation []byte) (userID, profileKey []byte, err error) {
	s, _, err := parseProfilePresentation(presentation)
	if err != nil {
		return nil, nil, err
	}
	return serializeCiphertext(s.user), serializeCiphertext(s.profile), nil
}

// profilePresentationStatement is of libsignal rust/zkgroup/src/crypto/proofs.rs,
// ExpiringProfileKeyCredentialPresentationProof.
var profilePresentationStatement = sync.OnceValue(func() *poksho.Statement {
	type p = poksho.Product
	return new(poksho.Statement).
		Add("Z", p{Scalar: "z", Point: "I"}).
		Add("C_x1", p{Scalar: "t", Point: "C_x0"}, p{Scalar: "z0", Point: "G_x0"}, p{Scalar: "z", Point: "G_x1"}).
		Add("A+B", p{Scalar: "a1", Point: "G_a1"}, p{Scalar: "a2", Point: "G_a2"},
			p{Scalar: "b1", Point: "G_b1"}, p{Scalar: "b2", Point: "G_b2"}).
		Add("C_y2-E_A2", p{Scalar: "z", Point: "G_y2"}, p{Scalar: "a2", Point: "-E_A1"}).
		Add("E_A1", p{Scalar: "a1", Point: "C_y1"}, p{Scalar: "z1", Point: "G_y1"}).
		Add("C_y4-E_B2", p{Scalar: "z", Point: "G_y4"}, p{Scalar: "b2", Point: "-E_B1"}).
		Add("E_B1", p{Scalar: "b1", Point: "C_y3"}, p{Scalar: "z2", Point: "G_y3"}).
		Add("0", p{Scalar: "z1", Point: "I"}, p{Scalar: "a1", Point: "Z"}).
		Add("0", p{Scalar: "z2", Point: "I"}, p{Scalar: "b1", Point: "Z"}).
		Add("C_y5", p{Scalar: "z", Point: "G_y5"})
})

// points returns those of the statement: z is Z, i the issuer's I, ab the sum of the group's public keys.
func (s profilePresentation) points(z, i, ab ristretto.Point) poksho.Points {
	g, users, profiles := macSystem(), userGenerators(), profileKeyGenerators()
	return poksho.Points{
		"Z": z, "I": i, "C_x1": s.x1, "C_x0": s.x0, "G_x0": g.x0, "G_x1": g.x1,
		"A+B": ab, "G_a1": users[0], "G_a2": users[1], "G_b1": profiles[0], "G_b2": profiles[1],
		"C_y2-E_A2": s.y[1].Sub(s.user[1]), "G_y2": g.y[1], "-E_A1": s.user[0].Neg(),
		"E_A1": s.user[0], "C_y1": s.y[0], "G_y1": g.y[0],
		"C_y4-E_B2": s.y[3].Sub(s.profile[1]), "G_y4": g.y[3], "-E_B1": s.profile[0].Neg(),
		"E_B1": s.profile[0], "C_y3": s.y[2], "G_y3": g.y[2], "0": {}, "C_y5": s.y[4], "G_y5": g.y[4],
	}
}

// PresentProfileKeyCredential returns a presentation of the credential to the service for a group, 721 bytes. Each one
// may be used once: else the service could tell that the uses are by one account.
func (p *ServerPublicParams) PresentProfileKeyCredential(
	random io.Reader, group *GroupSecretParams, c *ProfileKeyCredential,
) ([]byte, error) {
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	const label = "Signal_ZKGroup_20220508_Random_ServerPublicParams_CreateExpiringProfileKeyCredentialPresentation"
	sho := newSHO(label, randomness[:])
	z := sho.Scalar()
	g, user, profile := macSystem(), userAttribute(c.aci), profileKeyAttribute(c.key, c.aci)
	s := profilePresentation{
		x0: g.x0.Mul(z).Add(c.mac.u), x1: g.x1.Mul(z).Add(c.mac.u.Mul(c.mac.t)), v: g.v.Mul(z).Add(c.mac.v),
		user: group.users.Encrypt(user), profile: group.profileKeys.Encrypt(profile), expires: c.expires,
	}
	for i, m := range [5]ristretto.Point{user[0], user[1], profile[0], profile[1], {}} {
		s.y[i] = g.y[i].Mul(z).Add(m)
	}
	minus := z.Neg()
	a1, a2 := group.users.Scalars()
	b1, b2 := group.profileKeys.Scalars()
	s.proof, err = profilePresentationStatement().Prove(poksho.Scalars{
		"z": z, "t": c.mac.t, "z0": minus.Mul(c.mac.t),
		"a1": a1, "a2": a2, "b1": b1, "b2": b2, "z1": minus.Mul(a1), "z2": minus.Mul(b1),
	}, s.points(p.expiring.i.Mul(z), p.expiring.i, group.users.Public().A.Add(group.profileKeys.Public().A)), nil,
		[32]byte(sho.SqueezeAndRatchet(32)))
	if err != nil {
		return nil, fmt.Errorf("zkgroup: present a profile key credential: %w", err)
	}
	return s.serialize(), nil
}

// VerifyProfileKeyCredentialPresentation checks a presentation for the group of the serialised public parameters, as
// the service does: ErrVerification for one that is of another group or issuer, of an older version or expired,
// ErrMalformed.
func (p *ServerSecretParams) VerifyProfileKeyCredentialPresentation(group, presentation []byte, now time.Time) error {
	public, err := parseGroupPublicParams(group)
	if err != nil {
		return err
	}
	s, version, err := parseProfilePresentation(presentation)
	if err != nil {
		return err
	}
	if version != presentationV4 {
		return fmt.Errorf("%w: profile key credential presentation of version %d", ErrVerification, version)
	}
	z := p.expiring.unmask(s)
	points := s.points(z, p.expiring.public.i, public.users.A.Add(public.profileKeys.A))
	if err := profilePresentationStatement().Verify(s.proof, points, nil); err != nil {
		return fmt.Errorf("%w: profile key credential presentation", ErrVerification)
	}
	if s.expires <= secondsOf(now) {
		return fmt.Errorf("%w: profile key credential presentation: expired", ErrVerification)
	}
	return nil
}

// unmask returns Z, what of the presentation's commitments is left without the MAC that this key would make.
func (k macKeys) unmask(s profilePresentation) ristretto.Point {
	terms := []ristretto.Term{{Scalar: k.x0, Point: s.x0}, {Scalar: k.x1, Point: s.x1}}
	s.y[4] = s.y[4].Add(expiryPoint(s.expires))
	for i, y := range s.y {
		terms = append(terms, ristretto.Term{Scalar: k.y[i], Point: y})
	}
	return s.v.Sub(k.wPoint).Sub(ristretto.Sum(terms...))
}
