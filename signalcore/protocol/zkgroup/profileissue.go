package zkgroup

import (
	"fmt"
	"io"
	"sync"
	"time"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
)

// profileResponse is a credential that only the one who asked can unblind, with a proof that it is of his request
// (libsignal rust/zkgroup/src/api/profiles/expiring_profile_key_credential_response.rs).
type profileResponse struct {
	t         ristretto.Scalar
	u, s1, s2 ristretto.Point
	expires   uint64
	proof     []byte
}

func (a profileResponse) serialize() []byte {
	return appendBytes(appendUint64(appendAll([]byte{0}, a.t, a.u, a.s1, a.s2), a.expires), a.proof)
}

func parseProfileResponse(b []byte) (profileResponse, error) {
	r := newReader("profile key credential response", b)
	r.version(0)
	a := profileResponse{t: r.scalar(), u: r.point(), s1: r.point(), s2: r.point(), expires: r.uint64(), proof: r.bytes()}
	return a, r.done()
}

// expiryPoint is M5, the time at which a credential expires (libsignal rust/zkgroup/src/crypto/timestamp_struct.rs).
func expiryPoint(seconds uint64) ristretto.Point {
	sho := newSHO("Signal_ZKGroup_20220524_Timestamp_Calc_m", bigEndian(seconds))
	return macSystem().m[4].Mul(sho.Scalar())
}

// IssueExpiringProfileKeyCredential answers a request of the account aci, whose commitment the service has, with a
// credential that expires at a time, which clients want to be the begin of a UTC day within a week. ErrMalformed,
// ErrVerification.
func (p *ServerSecretParams) IssueExpiringProfileKeyCredential(
	random io.Reader, request []byte, aci serviceid.ServiceID, commitment []byte, expires time.Time,
) ([]byte, error) {
	q, err := parseProfileRequest(request)
	if err != nil {
		return nil, err
	}
	committed, err := parseCommitment(commitment)
	if err != nil {
		return nil, err
	}
	if err := q.verify(committed); err != nil {
		return nil, err
	}
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	const label = "Signal_ZKGroup_20220508_Random_ServerSecretParams_IssueExpiringProfileKeyCredential"
	answer, err := p.expiring.issueProfile(q, aci, secondsOf(expires), newSHO(label, randomness[:]))
	if err != nil {
		return nil, fmt.Errorf("zkgroup: issue a profile key credential: %w", err)
	}
	return answer.serialize(), nil
}

// issueProfile is create_blinded_expiring_profile_key_credential of libsignal rust/zkgroup/src/crypto/credentials.rs,
// with its proof.
func (k macKeys) issueProfile(q profileRequest, aci serviceid.ServiceID, expires uint64, sho *poksho.ShoHmacSha256) (
	profileResponse, error,
) {
	type term = ristretto.Term
	user := userAttribute(aci)
	core := k.sign(user[:], sho)
	blind := sho.Scalar()
	b := q.blinded
	a := profileResponse{
		t: core.t, u: core.u, expires: expires,
		s1: ristretto.BaseMul(blind).Add(ristretto.Sum(term{Scalar: k.y[2], Point: b.d1}, term{Scalar: k.y[3], Point: b.e1})),
		s2: core.v.Add(ristretto.Sum(term{Scalar: blind, Point: q.public}, term{Scalar: k.y[4], Point: expiryPoint(expires)},
			term{Scalar: k.y[2], Point: b.d2}, term{Scalar: k.y[3], Point: b.e2})),
	}
	var err error
	a.proof, err = profileIssueStatement().Prove(poksho.Scalars{
		"w": k.w, "wprime": k.wPrime, "x0": k.x0, "x1": k.x1,
		"y1": k.y[0], "y2": k.y[1], "y3": k.y[2], "y4": k.y[3], "y5": k.y[4], "rprime": blind,
	}, k.public.profileIssuePoints(q.public, b, aci, a), nil, [32]byte(sho.SqueezeAndRatchet(32)))
	return a, err
}

// profileIssueStatement is of libsignal rust/zkgroup/src/crypto/proofs.rs, ExpiringProfileKeyCredentialIssuanceProof.
var profileIssueStatement = sync.OnceValue(func() *poksho.Statement {
	type p = poksho.Product
	return new(poksho.Statement).
		Add("C_W", p{Scalar: "w", Point: "G_w"}, p{Scalar: "wprime", Point: "G_wprime"}).
		Add("G_V-I", p{Scalar: "x0", Point: "G_x0"}, p{Scalar: "x1", Point: "G_x1"}, p{Scalar: "y1", Point: "G_y1"},
			p{Scalar: "y2", Point: "G_y2"}, p{Scalar: "y3", Point: "G_y3"}, p{Scalar: "y4", Point: "G_y4"},
			p{Scalar: "y5", Point: "G_y5"}).
		Add("S1", p{Scalar: "y3", Point: "D1"}, p{Scalar: "y4", Point: "E1"}, p{Scalar: "rprime", Point: "G"}).
		Add("S2", p{Scalar: "y3", Point: "D2"}, p{Scalar: "y4", Point: "E2"}, p{Scalar: "rprime", Point: "Y"},
			p{Scalar: "w", Point: "G_w"}, p{Scalar: "x0", Point: "U"}, p{Scalar: "x1", Point: "tU"},
			p{Scalar: "y1", Point: "M1"}, p{Scalar: "y2", Point: "M2"}, p{Scalar: "y5", Point: "M5"})
})

func (k macPublicKey) profileIssuePoints(
	public ristretto.Point, b blindedProfileKey, aci serviceid.ServiceID, a profileResponse,
) poksho.Points {
	g, user := macSystem(), userAttribute(aci)
	return poksho.Points{
		"C_W": k.cw, "G_w": g.w, "G_wprime": g.wPrime, "G_V-I": g.v.Sub(k.i), "G_x0": g.x0, "G_x1": g.x1,
		"G_y1": g.y[0], "G_y2": g.y[1], "G_y3": g.y[2], "G_y4": g.y[3], "G_y5": g.y[4],
		"S1": a.s1, "D1": b.d1, "E1": b.e1, "S2": a.s2, "D2": b.d2, "E2": b.e2, "Y": public,
		"U": a.u, "tU": a.u.Mul(a.t), "M1": user[0], "M2": user[1], "M5": expiryPoint(a.expires),
	}
}

// maxProfileCredentialDays is how long a credential may last: one that lasts longer could mark an account.
const maxProfileCredentialDays = 7

// ReceiveProfileKeyCredential checks the service's answer to the context's request, and returns the credential. It has
// to expire at the begin of a UTC day, after one day at the least and before eight. ErrMalformed, ErrVerification.
func (p *ServerPublicParams) ReceiveProfileKeyCredential(
	c *ProfileKeyCredentialRequestContext, response []byte, now time.Time,
) (*ProfileKeyCredential, error) {
	a, err := parseProfileResponse(response)
	if err != nil {
		return nil, err
	}
	points := p.expiring.profileIssuePoints(c.public, c.blinded, c.aci, a)
	if err := profileIssueStatement().Verify(a.proof, points, nil); err != nil {
		return nil, fmt.Errorf("%w: profile key credential", ErrVerification)
	}
	current := secondsOf(now)
	days := (max(a.expires, current) - current) / day
	if !isDayAligned(a.expires) || days == 0 || days > maxProfileCredentialDays {
		return nil, fmt.Errorf("%w: profile key credential: expires at %d s, %d days from now",
			ErrVerification, a.expires, days)
	}
	v := a.s2.Sub(a.s1.Mul(c.private))
	return &ProfileKeyCredential{mac: mac{t: a.t, u: a.u, v: v}, aci: c.aci, key: c.key, expires: a.expires}, nil
}
