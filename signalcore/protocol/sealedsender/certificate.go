package sealedsender

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/sealedpb"
)

// ServerCertificate says that a trust root lets the holder of Key sign sender certificates.
type ServerCertificate struct {
	ID  uint32
	Key curve.PublicKey

	certificate, signature, serialized []byte
}

// ParseServerCertificate reads a certificate. Nothing is verified yet.
func ParseServerCertificate(serialized []byte) (*ServerCertificate, error) {
	var outer sealedpb.ServerCertificate
	var inner sealedpb.ServerCertificate_Certificate
	if proto.Unmarshal(serialized, &outer) != nil || outer.Certificate == nil || outer.Signature == nil ||
		proto.Unmarshal(outer.Certificate, &inner) != nil || inner.Id == nil {
		return nil, fmt.Errorf("%w server certificate", ErrMalformed)
	}
	key, err := curve.ParsePublicKey(inner.GetKey())
	if err != nil {
		return nil, fmt.Errorf("%w server certificate: %w", ErrMalformed, err)
	}
	return &ServerCertificate{
		ID: inner.GetId(), Key: key,
		certificate: outer.Certificate, signature: outer.Signature, serialized: bytes.Clone(serialized),
	}, nil
}

// NewServerCertificate signs a certificate, as a service does.
func NewServerCertificate(
	random io.Reader, trustRoot curve.PrivateKey, id uint32, key curve.PublicKey,
) (*ServerCertificate, error) {
	certificate, err := proto.Marshal(&sealedpb.ServerCertificate_Certificate{Id: &id, Key: key.Serialize()})
	if err != nil {
		return nil, fmt.Errorf("encode server certificate: %w", err)
	}
	signature, err := trustRoot.Sign(random, certificate)
	if err != nil {
		return nil, fmt.Errorf("sign server certificate: %w", err)
	}
	serialized, err := proto.Marshal(&sealedpb.ServerCertificate{Certificate: certificate, Signature: signature[:]})
	if err != nil {
		return nil, fmt.Errorf("encode server certificate: %w", err)
	}
	return ParseServerCertificate(serialized)
}

// Serialize returns the bytes as they were read or signed.
func (c *ServerCertificate) Serialize() []byte { return bytes.Clone(c.serialized) }

// Validate checks that one of the trust roots signed the certificate, and that it was not revoked.
func (c *ServerCertificate) Validate(trustRoots []curve.PublicKey) error {
	if isRevoked(c.ID) {
		return ErrRevoked
	}
	trusted := false
	for _, root := range trustRoots {
		// All are tried, so that the time does not tell which one it was.
		trusted = root.Verify(c.certificate, c.signature) || trusted
	}
	if !trusted {
		return ErrUntrusted
	}
	return nil
}

// SenderCertificate says that a service vouches for a device of an account and its identity key, for a few days.
type SenderCertificate struct {
	Sender serviceid.Address
	// E164 is the sender's number, or empty where the sender keeps it to themselves.
	E164        string
	IdentityKey curve.PublicKey
	Expires     time.Time

	signer                             *ServerCertificate // nil where the certificate only names one
	signerID                           uint32
	certificate, signature, serialized []byte
}

// ParseSenderCertificate reads a certificate. Nothing is verified yet.
func ParseSenderCertificate(serialized []byte) (*SenderCertificate, error) {
	var outer sealedpb.SenderCertificate
	var inner sealedpb.SenderCertificate_Certificate
	if proto.Unmarshal(serialized, &outer) != nil || outer.Certificate == nil || outer.Signature == nil ||
		proto.Unmarshal(outer.Certificate, &inner) != nil {
		return nil, fmt.Errorf("%w sender certificate", ErrMalformed)
	}
	if inner.Expires == nil || !utf8.ValidString(inner.GetSenderE164()) {
		return nil, fmt.Errorf("%w sender certificate: expiry or number", ErrMalformed)
	}
	c := &SenderCertificate{
		E164:        inner.GetSenderE164(),
		Expires:     time.UnixMilli(int64(min(inner.GetExpires(), math.MaxInt64))),
		certificate: outer.Certificate, signature: outer.Signature, serialized: bytes.Clone(serialized),
	}
	if err := c.setSender(&inner); err != nil {
		return nil, err
	}
	if err := c.setSigner(&inner); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *SenderCertificate) setSender(inner *sealedpb.SenderCertificate_Certificate) error {
	device := inner.GetSenderDevice()
	if device == 0 || device > serviceid.MaxDeviceID {
		return fmt.Errorf("%w sender certificate: device %d", ErrMalformed, device)
	}
	var aci serviceid.ServiceID
	var err error
	switch sender := inner.GetSender().(type) {
	case *sealedpb.SenderCertificate_Certificate_UuidString:
		aci, err = serviceid.Parse(sender.UuidString)
	case *sealedpb.SenderCertificate_Certificate_UuidBytes:
		var id uuid.UUID
		id, err = uuid.FromBytes(sender.UuidBytes)
		aci = serviceid.NewACI(id)
	}
	if err != nil {
		return fmt.Errorf("%w sender certificate: %w", ErrMalformed, err)
	}
	if aci.IsZero() || aci.Kind != serviceid.ACI {
		return fmt.Errorf("%w sender certificate: no sender", ErrMalformed)
	}
	key, err := curve.ParsePublicKey(inner.GetIdentityKey())
	if err != nil {
		return fmt.Errorf("%w sender certificate: %w", ErrMalformed, err)
	}
	c.Sender, c.IdentityKey = serviceid.Address{ServiceID: aci, DeviceID: device}, key
	return nil
}

func (c *SenderCertificate) setSigner(inner *sealedpb.SenderCertificate_Certificate) (err error) {
	switch signer := inner.GetSigner().(type) {
	case *sealedpb.SenderCertificate_Certificate_Certificate:
		c.signer, err = ParseServerCertificate(signer.Certificate)
		return err
	case *sealedpb.SenderCertificate_Certificate_Id:
		c.signerID = signer.Id
		return nil
	default:
		return fmt.Errorf("%w sender certificate: no server certificate", ErrMalformed)
	}
}

// SenderDetails is what a sender certificate vouches for.
type SenderDetails struct {
	Sender      serviceid.Address
	E164        string
	IdentityKey curve.PublicKey
	Expires     time.Time
}

// NewSenderCertificate signs a certificate with the key of signer, as a service does.
func NewSenderCertificate(
	random io.Reader, details SenderDetails, signer *ServerCertificate, signerKey curve.PrivateKey,
) (*SenderCertificate, error) {
	inner := &sealedpb.SenderCertificate_Certificate{
		SenderDevice: &details.Sender.DeviceID,
		Expires:      proto.Uint64(uint64(details.Expires.UnixMilli())),
		IdentityKey:  details.IdentityKey.Serialize(),
		Sender: &sealedpb.SenderCertificate_Certificate_UuidString{
			UuidString: details.Sender.ServiceID.String(),
		},
		Signer: &sealedpb.SenderCertificate_Certificate_Certificate{Certificate: signer.serialized},
	}
	if details.E164 != "" {
		inner.SenderE164 = &details.E164
	}
	certificate, err := proto.Marshal(inner)
	if err != nil {
		return nil, fmt.Errorf("encode sender certificate: %w", err)
	}
	signature, err := signerKey.Sign(random, certificate)
	if err != nil {
		return nil, fmt.Errorf("sign sender certificate: %w", err)
	}
	serialized, err := proto.Marshal(&sealedpb.SenderCertificate{Certificate: certificate, Signature: signature[:]})
	if err != nil {
		return nil, fmt.Errorf("encode sender certificate: %w", err)
	}
	return ParseSenderCertificate(serialized)
}

// Serialize returns the bytes as they were read or signed.
func (c *SenderCertificate) Serialize() []byte { return bytes.Clone(c.serialized) }

// Signer returns the server certificate, be it embedded or named.
func (c *SenderCertificate) Signer() (*ServerCertificate, error) {
	if c.signer != nil {
		return c.signer, nil
	}
	known, err := knownServerCertificate(c.signerID)
	if err != nil {
		return nil, fmt.Errorf("server certificate %#x: %w", c.signerID, err)
	}
	return known, nil
}

// Validate checks the chain from a trust root to the certificate, and that it had not expired at the given time. For a
// received message that is the time at which the service took it, not the present. Trust.Validate does the same faster.
func (c *SenderCertificate) Validate(trustRoots []curve.PublicKey, at time.Time) error {
	signer, err := c.Signer()
	if err != nil {
		return err
	}
	if err := signer.Validate(trustRoots); err != nil {
		return err
	}
	if err := c.validateSignature(signer); err != nil {
		return err
	}
	return c.validateTime(at)
}

func (c *SenderCertificate) validateSignature(signer *ServerCertificate) error {
	if !signer.Key.Verify(c.certificate, c.signature) {
		return ErrUntrusted
	}
	return nil
}

func (c *SenderCertificate) validateTime(at time.Time) error {
	if at.UnixMilli() > c.Expires.UnixMilli() {
		return fmt.Errorf("%w on %s", ErrExpired, c.Expires.UTC().Format(time.DateOnly))
	}
	return nil
}
