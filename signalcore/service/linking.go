package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"signalbox/signalcore/protocol/serviceid"
)

// Errors of linking, beside the general ones.
var (
	// ErrLinkCode is 403: the provisioning code is wrong, used or too old.
	ErrLinkCode = errors.New("the service does not accept the linking code")
	// ErrTooManyDevices is 411.
	ErrTooManyDevices = errors.New("the account has as many linked devices as it may have")
	// ErrMissingCapability is 409: the account has a capability that this device does not name.
	ErrMissingCapability = errors.New("the account needs a capability that this device lacks")
)

// PreKey is a one-time EC prekey. PublicKey is serialised, as all keys here.
type PreKey struct {
	ID        uint32
	PublicKey []byte
}

// SignedPreKey is a signed EC prekey, or a Kyber prekey, which always is signed.
type SignedPreKey struct {
	ID        uint32
	PublicKey []byte
	Signature []byte
}

// LinkKeys are what an identity needs to be reachable: its one-time keys follow after linking.
type LinkKeys struct {
	Signed     SignedPreKey
	LastResort SignedPreKey // Kyber
}

// LinkRequest makes this device part of an account.
type LinkRequest struct {
	ACI               serviceid.ServiceID
	Number            string // where the account has one: older services know it by that
	Password          string // chosen here; from now on this device's
	ProvisioningCode  string // from the provisioning message
	EncryptedName     []byte
	RegistrationID    uint32
	PNIRegistrationID uint32
	Capabilities      map[string]bool
	ACIKeys           LinkKeys
	PNIKeys           *LinkKeys // nil for an account without a number
}

// LinkedDevice is who this device has become. PNI is zero for an account without a number.
type LinkedDevice struct {
	ACI      serviceid.ServiceID
	PNI      serviceid.ServiceID
	DeviceID uint32
}

// wireKey is a prekey in JSON.
type wireKey struct {
	KeyID     uint32      `json:"keyId"`
	PublicKey base64Bytes `json:"publicKey"`
	Signature base64Bytes `json:"signature,omitempty"`
}

func (k SignedPreKey) wire() *wireKey {
	return &wireKey{KeyID: k.ID, PublicKey: k.PublicKey, Signature: k.Signature}
}

// LinkDevice links (PUT /v1/devices/link, Signal-Server LinkDeviceRequest). Of the credentials the service of today reads
// the password only; services that still speak HTTP/1.1 know the account by its number.
func (a *Anonymous) LinkDevice(ctx context.Context, link LinkRequest) (*LinkedDevice, error) {
	if !a.link.HTTP2() && link.Number != "" {
		return linkDevice(ctx, a, link, link.Number)
	}
	return linkDevice(ctx, a, link, link.ACI.String())
}

// LinkDevice is the same without a socket.
func (r *REST) LinkDevice(ctx context.Context, link LinkRequest) (*LinkedDevice, error) {
	return linkDevice(ctx, r, link, link.ACI.String())
}

func linkDevice(ctx context.Context, via Requester, link LinkRequest, username string) (*LinkedDevice, error) {
	type attributes struct {
		FetchesMessages   bool            `json:"fetchesMessages"`
		RegistrationID    uint32          `json:"registrationId"`
		PNIRegistrationID uint32          `json:"pniRegistrationId,omitempty"`
		Name              base64Bytes     `json:"name"`
		Capabilities      map[string]bool `json:"capabilities"`
	}
	body := struct {
		VerificationCode      string     `json:"verificationCode"`
		AccountAttributes     attributes `json:"accountAttributes"`
		ACISignedPreKey       *wireKey   `json:"aciSignedPreKey"`
		PNISignedPreKey       *wireKey   `json:"pniSignedPreKey,omitempty"`
		ACIPQLastResortPreKey *wireKey   `json:"aciPqLastResortPreKey"`
		PNIPQLastResortPreKey *wireKey   `json:"pniPqLastResortPreKey,omitempty"`
	}{
		VerificationCode: link.ProvisioningCode,
		AccountAttributes: attributes{
			FetchesMessages: true, RegistrationID: link.RegistrationID, PNIRegistrationID: link.PNIRegistrationID,
			Name: link.EncryptedName, Capabilities: link.Capabilities,
		},
		ACISignedPreKey: link.ACIKeys.Signed.wire(), ACIPQLastResortPreKey: link.ACIKeys.LastResort.wire(),
	}
	if link.PNIKeys != nil {
		body.PNISignedPreKey, body.PNIPQLastResortPreKey = link.PNIKeys.Signed.wire(), link.PNIKeys.LastResort.wire()
	}
	request, err := jsonRequest(http.MethodPut, "/v1/devices/link", body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", Credentials{username, link.Password}.header())
	var answer struct {
		UUID     string `json:"uuid"`
		PNI      string `json:"pni"`
		DeviceID uint32 `json:"deviceId"`
	}
	if err := callJSON(ctx, via, request, &answer); err != nil {
		return nil, linkError(err)
	}
	aci, pni, err := parseAccount(answer.UUID, answer.PNI)
	if err != nil {
		return nil, err
	}
	if answer.DeviceID < 2 || answer.DeviceID > serviceid.MaxDeviceID {
		return nil, fmt.Errorf("%w: device number %d for a linked device", ErrProtocol, answer.DeviceID)
	}
	return &LinkedDevice{ACI: aci, PNI: pni, DeviceID: answer.DeviceID}, nil
}

func linkError(err error) error {
	var status *StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch status.Code {
	case http.StatusForbidden:
		return ErrLinkCode
	case http.StatusConflict:
		return ErrMissingCapability
	case http.StatusLengthRequired:
		return ErrTooManyDevices
	}
	return err
}

// parseAccount reads the two identifiers of an account. The service writes the PNI without its prefix, or with it.
func parseAccount(aci, pni string) (serviceid.ServiceID, serviceid.ServiceID, error) {
	account, err := serviceid.Parse(aci)
	if err != nil || account.Kind != serviceid.ACI {
		return serviceid.ServiceID{}, serviceid.ServiceID{}, fmt.Errorf("%w: account without an ACI", ErrProtocol)
	}
	if pni == "" {
		return account, serviceid.ServiceID{}, nil
	}
	number, err := serviceid.Parse(pni)
	if err != nil {
		return serviceid.ServiceID{}, serviceid.ServiceID{}, fmt.Errorf("%w: the account's PNI: %w", ErrProtocol, err)
	}
	return account, serviceid.NewPNI(number.UUID), nil
}
