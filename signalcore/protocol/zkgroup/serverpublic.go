package zkgroup

import (
	"fmt"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/zkcredential"
)

// ServerPublicParams are the service's public keys, by which a client checks what the service issues and signs
// (libsignal rust/zkgroup/src/api/server_params.rs). They are safe for concurrent use.
type ServerPublicParams struct {
	// Keys of credentials that are no more issued, or not here; they are only parsed.
	auth, profileKey, receipt, pni, authWithPNI macPublicKey

	signature ristretto.Point
	expiring  macPublicKey
	// generic is the key of the credentials of package zkcredential.
	generic      *zkcredential.CredentialPublicKey
	endorsements zkcredential.EndorsementRootPublicKey
}

// ParseServerPublicParams reads the 673 bytes by which clients know a service. ErrMalformed.
func ParseServerPublicParams(b []byte) (*ServerPublicParams, error) {
	r := newReader("server public params", b)
	r.version(0)
	p := &ServerPublicParams{auth: r.macPublicKey(), profileKey: r.macPublicKey()}
	p.signature = r.point()
	p.receipt, p.pni, p.expiring, p.authWithPNI = r.macPublicKey(), r.macPublicKey(), r.macPublicKey(), r.macPublicKey()
	p.generic = read(r, readGenericPublicKey)
	p.endorsements = read(r, zkcredential.ReadEndorsementRootPublicKey)
	if err := r.done(); err != nil {
		return nil, err
	}
	return p, nil
}

// Serialize returns what ParseServerPublicParams reads.
func (p *ServerPublicParams) Serialize() []byte {
	return appendAll([]byte{0}, p.auth, p.profileKey, p.signature, p.receipt, p.pni, p.expiring, p.authWithPNI,
		p.generic, p.endorsements)
}

func readGenericPublicKey(b []byte) (*zkcredential.CredentialPublicKey, []byte, error) {
	return zkcredential.ReadCredentialPublicKey(zkcredential.Legacy, b)
}

// VerifySignature checks the service's signature of message, such as that of a group's change. ErrVerification.
func (p *ServerPublicParams) VerifySignature(message, signature []byte) error {
	if err := poksho.VerifySignature(signature, p.signature, message); err != nil {
		return fmt.Errorf("%w: signature of the service", ErrVerification)
	}
	return nil
}
