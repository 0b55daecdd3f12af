package zkgroup

import (
	"fmt"
	"io"
	"math"
	"time"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkcredential"
)

// IssueAuthCredential issues the account's credential for a day, of which redemption is the begin in UTC.
func (p *ServerSecretParams) IssueAuthCredential(random io.Reader, aci, pni serviceid.ServiceID, redemption time.Time) (
	[]byte, error,
) {
	return p.issueAuth(random, authUserOf(aci), authUserOf(pni), secondsOf(redemption))
}

// IssueAuthCredentialWithoutPNI is IssueAuthCredential for an account that has no PNI. Its salt was made when it
// registered.
func (p *ServerSecretParams) IssueAuthCredentialWithoutPNI(
	random io.Reader, aci serviceid.ServiceID, salt []byte, redemption time.Time,
) ([]byte, error) {
	return p.issueAuth(random, authUserOf(aci), standInPNI(aci, salt), secondsOf(redemption))
}

func (p *ServerSecretParams) issueAuth(random io.Reader, aci, pni authUser, redemption uint64) ([]byte, error) {
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	proof, err := authIssuance(aci, pni, redemption).Issue(p.generic, randomness)
	if err != nil {
		return nil, fmt.Errorf("zkgroup: issue an auth credential: %w", err)
	}
	return proof.Append([]byte{authVersion}), nil
}

// VerifyAuthCredentialPresentation checks a presentation for the group of the serialised public parameters, and tells
// who the member is. A credential may be used from a day before its day until a day after it. ErrMalformed,
// ErrVerification.
func (p *ServerSecretParams) VerifyAuthCredentialPresentation(group, presentation []byte, now time.Time) (
	*AuthPresentation, error,
) {
	public, err := parseGroupPublicParams(group)
	if err != nil {
		return nil, err
	}
	s, err := parseAuthPresentation(presentation)
	if err != nil {
		return nil, err
	}
	if !inAuthWindow(s.redemption, secondsOf(now)) {
		return nil, fmt.Errorf("%w: auth credential presentation: for another day", ErrVerification)
	}
	err = zkcredential.NewPresentationCheck([]byte(authLabel)).
		Add(s.aci, public.users).Add(s.pni, public.users).AddPublicNumber(s.redemption).Verify(p.generic, s.proof)
	if err != nil {
		return nil, fmt.Errorf("%w: auth credential presentation: %w", ErrVerification, err)
	}
	return s, nil
}

// inAuthWindow is check_auth_credential_redemption_time of libsignal rust/zkgroup/src/api/server_params.rs.
func inAuthWindow(redemption, now uint64) bool {
	if redemption < day || redemption > math.MaxUint64-2*day {
		return false
	}
	return now >= redemption-day && now <= redemption+2*day
}
