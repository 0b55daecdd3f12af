package zkgroup

import (
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkcredential"
)

const authLabel = "20240222_Signal_AuthCredentialZkc"

// authVersion leads the credential and the response; earlier versions are no more in use.
const authVersion = 3

// authUser is an account in a credential. The UUID is stored and read by nobody; it is zero where the second identity
// is a stand-in.
type authUser struct {
	id     uuid.UUID
	points zkcredential.Attribute
}

func authUserOf(id serviceid.ServiceID) authUser { return authUser{id.UUID, userAttribute(id)} }

// standInPNI is what the credential of an account without a PNI has in its place (libsignal
// rust/zkgroup/src/crypto/uid_struct.rs, for_false_pni_derived_from_aci).
func standInPNI(aci serviceid.ServiceID, salt []byte) authUser {
	namespace := uuid.UUID{
		0x01, 0x9f, 0xaa, 0x2b, 0x7b, 0xcb, 0x70, 0xc2, 0xac, 0x7f, 0xcd, 0x77, 0x04, 0x14, 0x68, 0x9a,
	}
	hashed := sha256.Sum256(salt)
	id := uuid.NewSHA1(namespace, append(hashed[:], aci.UUID[:]...))
	return authUser{points: userAttribute(serviceid.NewPNI(id))}
}

// Append appends the serialised account.
func (u authUser) Append(out []byte) []byte { return u.points.Append(append(out, u.id[:]...)) }

func (r *reader) authUser() authUser {
	var u authUser
	copy(u.id[:], r.take(len(u.id)))
	u.points = r.ciphertext()
	return u
}

// AuthCredential lets an account act in its groups during one day (libsignal
// rust/zkgroup/src/api/auth/auth_credential_with_pni/zkc.rs). It prints as a placeholder.
type AuthCredential struct {
	credential zkcredential.Credential
	aci, pni   authUser
	redemption uint64
}

// Format prints a placeholder for every verb.
func (c *AuthCredential) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(auth credential)") }

// Redemption returns the begin of the UTC day for which the credential is.
func (c *AuthCredential) Redemption() time.Time { return timeOf(c.redemption) }

// Serialize returns the 265 bytes that ParseAuthCredential reads.
func (c *AuthCredential) Serialize() []byte {
	return appendUint64(appendAll([]byte{authVersion}, c.credential, c.aci, c.pni), c.redemption)
}

// ParseAuthCredential reads what Serialize wrote. ErrMalformed.
func ParseAuthCredential(b []byte) (*AuthCredential, error) {
	r := newReader("auth credential", b)
	r.version(authVersion)
	c := &AuthCredential{
		credential: read(r, zkcredential.ReadCredential), aci: r.authUser(), pni: r.authUser(), redemption: r.uint64(),
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	return c, nil
}

func authIssuance(aci, pni authUser, redemption uint64) *zkcredential.Issuance {
	return zkcredential.NewIssuance([]byte(authLabel)).Add(aci.points).Add(pni.points).AddPublicNumber(redemption)
}

// ReceiveAuthCredential checks the service's credential for the account, and for a day that the service named: its
// begin in UTC. ErrMalformed, ErrVerification.
func (p *ServerPublicParams) ReceiveAuthCredential(
	response []byte, aci, pni serviceid.ServiceID, redemption time.Time,
) (*AuthCredential, error) {
	return p.receiveAuth(response, authUserOf(aci), authUserOf(pni), secondsOf(redemption))
}

// ReceiveAuthCredentialWithoutPNI is ReceiveAuthCredential for an account that has no PNI, but a salt from the service.
func (p *ServerPublicParams) ReceiveAuthCredentialWithoutPNI(
	response []byte, aci serviceid.ServiceID, salt []byte, redemption time.Time,
) (*AuthCredential, error) {
	return p.receiveAuth(response, authUserOf(aci), standInPNI(aci, salt), secondsOf(redemption))
}

func (p *ServerPublicParams) receiveAuth(response []byte, aci, pni authUser, redemption uint64) (
	*AuthCredential, error,
) {
	r := newReader("auth credential response", response)
	r.version(authVersion)
	proof := read(r, zkcredential.ReadIssuanceProof)
	if err := r.done(); err != nil {
		return nil, err
	}
	if !isDayAligned(redemption) {
		return nil, fmt.Errorf("%w: auth credential: for %d s, which is not the begin of a day", ErrVerification, redemption)
	}
	credential, err := authIssuance(aci, pni, redemption).Verify(p.generic, proof)
	if err != nil {
		return nil, fmt.Errorf("%w: auth credential: %w", ErrVerification, err)
	}
	return &AuthCredential{credential: credential, aci: aci, pni: pni, redemption: redemption}, nil
}

// PresentAuthCredential returns a presentation of the credential to the service for a group, 633 bytes. Each one may be
// used once: else the service could tell that the uses are by one account.
func (p *ServerPublicParams) PresentAuthCredential(random io.Reader, group *GroupSecretParams, c *AuthCredential) (
	[]byte, error,
) {
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	proof, err := zkcredential.NewPresentation().Add(c.aci.points, group.users).Add(c.pni.points, group.users).
		Present(p.generic, c.credential, randomness)
	if err != nil {
		return nil, fmt.Errorf("zkgroup: present an auth credential: %w", err)
	}
	s := AuthPresentation{group.users.Encrypt(c.aci.points), group.users.Encrypt(c.pni.points), c.redemption, proof}
	return s.serialize(), nil
}

// AuthPresentation is how the service sees a credential that is presented to it.
type AuthPresentation struct {
	aci, pni   zkcredential.Attribute
	redemption uint64
	proof      zkcredential.PresentationProof
}

func (s *AuthPresentation) serialize() []byte {
	return appendUint64(appendAll([]byte{presentationV4}, s.proof, s.aci, s.pni), s.redemption)
}

func parseAuthPresentation(b []byte) (*AuthPresentation, error) {
	r := newReader("auth credential presentation", b)
	r.version(presentationV4)
	s := &AuthPresentation{
		proof: read(r, zkcredential.ReadPresentationProof), aci: r.ciphertext(), pni: r.ciphertext(), redemption: r.uint64(),
	}
	return s, r.done()
}

// ACI returns the encrypted ACI, 65 bytes: the member.
func (s *AuthPresentation) ACI() []byte { return serializeCiphertext(s.aci) }

// PNI returns the encrypted PNI, 65 bytes: by it the account may have been invited.
func (s *AuthPresentation) PNI() []byte { return serializeCiphertext(s.pni) }

// Redemption returns the begin of the UTC day for which the credential is.
func (s *AuthPresentation) Redemption() time.Time { return timeOf(s.redemption) }
