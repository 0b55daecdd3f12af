package wire

import (
	"crypto/x509"
	"fmt"
)

// AuthorityState is an Authority to be stored, in DER.
type AuthorityState struct{ Certificate, Key []byte }

// Snapshot is the authority as it is.
func (a *Authority) Snapshot() (AuthorityState, error) {
	key, err := x509.MarshalECPrivateKey(a.key)
	return AuthorityState{a.certificate.Raw, key}, err
}

// RestoreAuthority is the authority of a snapshot.
func RestoreAuthority(s AuthorityState) (*Authority, error) {
	certificate, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	key, err := x509.ParseECPrivateKey(s.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return &Authority{certificate, key}, nil
}
