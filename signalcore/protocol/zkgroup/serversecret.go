package zkgroup

import (
	"fmt"
	"io"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/zkcredential"
)

// ServerSecretParams are the service's keys (libsignal rust/zkgroup/src/api/server_params.rs). They are safe for
// concurrent use, and print as a placeholder.
type ServerSecretParams struct {
	// Keys of credentials that are no more issued, or not here.
	auth, profileKey, receipt, pni, authWithPNI macKeys

	signature    signatureKeys
	expiring     macKeys
	generic      *zkcredential.CredentialKeyPair
	endorsements zkcredential.EndorsementRootKeyPair
}

type signatureKeys struct {
	private ristretto.Scalar
	public  ristretto.Point
}

// Append appends the serialised keys.
func (k signatureKeys) Append(out []byte) []byte { return appendAll(out, k.private, k.public) }

// Format prints a placeholder for every verb.
func (p *ServerSecretParams) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "(server secret params)")
}

// GenerateServerSecretParams makes the keys of a new service.
func GenerateServerSecretParams(random io.Reader) (*ServerSecretParams, error) {
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	sho := newSHO("Signal_ZKGroup_20200424_Random_ServerSecretParams_Generate", randomness[:])
	p := &ServerSecretParams{auth: generateMACKeys(sho, authShape), profileKey: generateMACKeys(sho, profileKeyShape)}
	p.signature.private = sho.Scalar()
	p.signature.public = ristretto.BaseMul(p.signature.private)
	p.receipt = generateMACKeys(sho, receiptShape)
	p.pni = generateMACKeys(sho, pniShape)
	p.expiring = generateMACKeys(sho, expiringShape)
	p.authWithPNI = generateMACKeys(sho, authWithPNIShape)
	p.generic = zkcredential.GenerateCredentialKeyPair(zkcredential.Legacy, randomness)
	p.endorsements = zkcredential.GenerateEndorsementRootKeyPair(randomness)
	return p, nil
}

// Serialize returns the 2,721 bytes that ParseServerSecretParams reads.
func (p *ServerSecretParams) Serialize() []byte {
	return appendAll([]byte{0}, p.auth, p.profileKey, p.signature, p.receipt, p.pni, p.expiring, p.authWithPNI,
		p.generic, p.endorsements)
}

// ParseServerSecretParams reads what Serialize wrote. Public keys that do not belong to the secret ones are refused.
// ErrMalformed.
func ParseServerSecretParams(b []byte) (*ServerSecretParams, error) {
	r := newReader("server secret params", b)
	r.version(0)
	p := &ServerSecretParams{auth: r.macKeys(authShape), profileKey: r.macKeys(profileKeyShape)}
	p.signature = signatureKeys{r.scalar(), r.point()}
	if !p.signature.public.Equal(ristretto.BaseMul(p.signature.private)) {
		r.fail("public key of another secret key")
	}
	p.receipt, p.pni = r.macKeys(receiptShape), r.macKeys(pniShape)
	p.expiring, p.authWithPNI = r.macKeys(expiringShape), r.macKeys(authWithPNIShape)
	p.generic = read(r, func(b []byte) (*zkcredential.CredentialKeyPair, []byte, error) {
		return zkcredential.ReadCredentialKeyPair(zkcredential.Legacy, b)
	})
	p.endorsements = read(r, zkcredential.ReadEndorsementRootKeyPair)
	if err := r.done(); err != nil {
		return nil, err
	}
	return p, nil
}

// PublicParams returns the public keys, for clients.
func (p *ServerSecretParams) PublicParams() *ServerPublicParams {
	return &ServerPublicParams{
		auth: p.auth.public, profileKey: p.profileKey.public, signature: p.signature.public, receipt: p.receipt.public,
		pni: p.pni.public, expiring: p.expiring.public, authWithPNI: p.authWithPNI.public,
		generic: p.generic.Public(), endorsements: p.endorsements.Public(),
	}
}

// Sign signs message, such as a change of a group, with 64 bytes.
func (p *ServerSecretParams) Sign(random io.Reader, message []byte) ([]byte, error) {
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	sho := newSHO("Signal_ZKGroup_20200424_Random_ServerSecretParams_Sign", randomness[:])
	signed, err := poksho.Sign(p.signature.private, p.signature.public, message, [32]byte(sho.SqueezeAndRatchet(32)))
	if err != nil {
		return nil, fmt.Errorf("zkgroup: sign: %w", err)
	}
	return signed, nil
}
