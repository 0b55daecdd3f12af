package accounts

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
)

const (
	day = 24 * time.Hour
	// senderCertificateLife is how long the live service's last.
	senderCertificateLife = 7 * day
	// maxRedemption is RedemptionRange.MAX_REDEMPTION_DURATION.
	maxRedemption = 7 * day
	// serverCertificateID is none of those that libsignal knows.
	serverCertificateID = 99
)

// Authority holds the keys with which the service vouches: the trust root of sealed senders, the server certificate
// below it, and the secrets of zero-knowledge credentials.
type Authority struct {
	ZK *zkgroup.ServerSecretParams

	root      curve.KeyPair
	server    *sealedsender.ServerCertificate
	serverKey curve.PrivateKey
}

// NewAuthority makes the keys of a new service.
func NewAuthority(random io.Reader) (*Authority, error) {
	a := &Authority{}
	var err error
	if a.root, err = curve.GenerateKeyPair(random); err != nil {
		return nil, err
	}
	signer, err := curve.GenerateKeyPair(random)
	if err != nil {
		return nil, err
	}
	a.serverKey = signer.Private
	a.server, err = sealedsender.NewServerCertificate(random, a.root.Private, serverCertificateID, signer.Public)
	if err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	a.ZK, err = zkgroup.GenerateServerSecretParams(random)
	return a, err
}

// TrustRoot is the serialised key for clients to trust.
func (a *Authority) TrustRoot() []byte { return a.root.Public.Serialize() }

// VerifyToken checks that a group send token is for exactly these recipients.
func (a *Authority) VerifyToken(token []byte, recipients []serviceid.ServiceID, now time.Time) error {
	expires, err := zkgroup.GroupSendTokenExpires(token)
	if err != nil {
		return err
	}
	return a.ZK.GroupSendKeyPair(expires).VerifyGroupSendToken(token, recipients, now)
}

// certificateRoutes are those of Signal-Server CertificateController.
func (b *Book) certificateRoutes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v1/certificate/delivery", wire.DeviceOnly, b.senderCertificate)
	rt.Handle(http.MethodGet, "/v1/certificate/auth/group", wire.DeviceOnly, b.groupCredentials)
}

// senderCertificate is CertificateController.getDeliveryCertificate.
func (b *Book) senderCertificate(_ context.Context, r *wire.Request) (*wire.Response, error) {
	account := b.Find(serviceid.NewACI(r.By.Account))
	if account == nil {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	details := sealedsender.SenderDetails{
		Sender:      serviceid.Address{ServiceID: account.ACI, DeviceID: r.By.ID},
		IdentityKey: account.Identity, Expires: b.options.Now().Add(senderCertificateLife),
	}
	if r.Flag("includeE164", true) {
		if account.Number == "" {
			return nil, wire.Refuse(http.StatusBadRequest)
		}
		details.E164 = account.Number
	}
	a := b.options.Authority
	certificate, err := sealedsender.NewSenderCertificate(b.options.Rand, details, a.server, a.serverKey)
	if err != nil {
		return nil, fmt.Errorf("sender certificate: %w", err)
	}
	return wire.JSON(map[string]any{"certificate": wire.Bytes(certificate.Serialize())})
}

// groupCredentials is CertificateController.getGroupAuthenticationCredentials. It leaves out those of call links, which
// nothing here takes.
func (b *Book) groupCredentials(_ context.Context, r *wire.Request) (*wire.Response, error) {
	start, err := r.Number("redemptionStartSeconds")
	if err != nil {
		return nil, err
	}
	end, err := r.Number("redemptionEndSeconds")
	if err != nil {
		return nil, err
	}
	from, to := time.Unix(start, 0).UTC(), time.Unix(end, 0).UTC()
	if !b.redeemable(from, to) {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	account := b.Find(serviceid.NewACI(r.By.Account))
	if account == nil {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	if account.PNI.IsZero() {
		return nil, fmt.Errorf("group credentials of an account without a number")
	}
	type credential struct {
		Credential     wire.Bytes `json:"credential"`
		RedemptionTime int64      `json:"redemptionTime"`
	}
	var credentials []credential
	for at := from; !at.After(to); at = at.Add(day) {
		issued, err := b.options.Authority.ZK.IssueAuthCredential(b.options.Rand, account.ACI, account.PNI, at)
		if err != nil {
			return nil, err
		}
		credentials = append(credentials, credential{issued, at.Unix()})
	}
	return wire.JSON(map[string]any{
		"credentials": credentials, "callLinkAuthCredentials": []any{}, "pni": account.PNI.UUID,
	})
}

// redeemable is RedemptionRange.inclusive.
func (b *Book) redeemable(from, to time.Time) bool {
	today := b.options.Now().UTC().Truncate(day)
	return !from.After(to) && from.Equal(from.Truncate(day)) && to.Equal(to.Truncate(day)) &&
		!from.Before(today.Add(-day)) && !to.After(today.Add(maxRedemption+day)) && to.Sub(from) <= maxRedemption
}
