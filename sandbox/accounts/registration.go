package accounts

import (
	"context"
	"net/http"
	"regexp"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/profilekey"
)

// statusMissingCapability is what RegistrationController answers to devices that are too old.
const statusMissingCapability = 499

// number is an E.164 number.
var number = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// ValidNumber tells whether a text is an E.164 number.
func ValidNumber(text string) bool { return number.MatchString(text) }

// registrationRequest is RegistrationRequest with its DeviceActivationRequest and AccountAttributes. What verifies the
// number (sessionId, recoveryPassword) is not looked at: here, every number is verified.
type registrationRequest struct {
	Attributes  *accountAttributes `json:"accountAttributes"`
	Identity    wire.Bytes         `json:"aciIdentityKey"`
	PNIIdentity wire.Bytes         `json:"pniIdentityKey"`
	activation
}

type accountAttributes struct {
	deviceAttributes
	AccessKey    wire.Bytes `json:"unidentifiedAccessKey"`
	Unrestricted bool       `json:"unrestrictedUnidentifiedAccess"`
	Lock         string     `json:"registrationLock"`
	Recovery     wire.Bytes `json:"recoveryPassword"`
	Discoverable *bool      `json:"discoverableByPhoneNumber"` // true where it is missing
}

const (
	lockSize     = 64 // in hexadecimal
	recoverySize = 32
)

// valid checks the attributes' annotations.
func (a *accountAttributes) valid() bool {
	keyed := len(a.AccessKey) == profilekey.AccessKeySize
	if len(a.Lock) != 0 && len(a.Lock) != lockSize || len(a.Recovery) != 0 && len(a.Recovery) != recoverySize {
		return false
	}
	return a.deviceAttributes.valid() && (keyed || a.Unrestricted && len(a.AccessKey) == 0)
}

// registration checks a request as the annotations of its entity and RegistrationController.register do.
func (r *registrationRequest) registration(number, password string) (Registration, error) {
	out := Registration{Password: password}
	refused := wire.Invalid()
	complete := r.Attributes != nil && r.Signed != nil && r.LastResort != nil &&
		r.PNISigned != nil && r.PNILast != nil // without a number there are no PNI keys, but here everyone has a number
	if !complete || !r.Attributes.valid() || r.Attributes.PNIRegistrationID == nil ||
		!r.one(r.Attributes.FetchesMessages) || !ValidNumber(number) {
		return out, refused
	}
	identity, err := curve.ParsePublicKey(r.Identity)
	if err != nil {
		return out, refused
	}
	pniIdentity, err := curve.ParsePublicKey(r.PNIIdentity)
	if err != nil {
		return out, refused
	}
	if err := r.check(); err != nil {
		return out, err
	}
	if !r.Signed.signedBy(identity) || !r.LastResort.signedBy(identity) ||
		!r.PNISigned.signedBy(pniIdentity) || !r.PNILast.signedBy(pniIdentity) {
		return out, wire.Refuse(http.StatusUnprocessableEntity)
	}
	if !r.Attributes.Capabilities[capSPQR] {
		return out, wire.Refuse(statusMissingCapability)
	}
	out.Account = Account{
		Number: number, Identity: identity, PNIIdentity: pniIdentity,
		AccessKey: r.Attributes.AccessKey, Unrestricted: r.Attributes.Unrestricted,
	}
	out.Device = r.Attributes.device()
	out.Keys, out.PNIKeys = LinkKeys{*r.Signed, *r.LastResort}, &LinkKeys{*r.PNISigned, *r.PNILast}
	return out, nil
}

// RegisterDevice is RegistrationController.register for a number that is verified: the primary device is whoever calls,
// with the number and a password of its choice as Basic authorisation. A number that has an account keeps its
// identifiers, and loses everything else.
func (b *Book) RegisterDevice(_ context.Context, r *wire.Request) (*wire.Response, error) {
	number, password, err := newPassword(r)
	if err != nil {
		return nil, err
	}
	var request registrationRequest
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	registration, err := request.registration(number, password)
	if err != nil {
		return nil, err
	}
	former := b.FindNumber(number)
	storage := former != nil && former.anyDevice(capStorage)
	if former == nil {
		registration.ACI, registration.PNI = b.identify(number)
	} else {
		registration.ACI, registration.PNI = former.ACI, former.PNI
		b.Remove(former.ACI)
	}
	if err := b.Register(registration); err != nil {
		return nil, wire.Refuse(http.StatusConflict)
	}
	answer := registration.Account.answer(storage)
	answer["reregistration"] = former != nil
	return wire.JSON(answer)
}

// answer is AccountIdentityResponse.
func (a *Account) answer(storage bool) map[string]any {
	var number any
	if a.Number != "" {
		number = a.Number
	}
	return map[string]any{
		"uuid": a.ACI.UUID, "number": number, "pni": optionalUUID(a.PNI), "usernameHash": nil,
		"usernameLinkHandle": nil, "storageCapable": storage,
		"entitlements": map[string]any{"badges": []any{}, "backup": nil}, "authCredentialSalt": nil,
	}
}

// anyDevice is Account.hasCapability for capabilities that one device has for all.
func (a *Account) anyDevice(capability string) bool {
	for _, d := range a.Devices {
		if d.Capabilities[capability] {
			return true
		}
	}
	return false
}
