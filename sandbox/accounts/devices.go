package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
)

// tokenLife is how long a linking code is good (Signal-Server AccountsManager.LINK_DEVICE_TOKEN_EXPIRATION_DURATION).
const tokenLife = 10 * time.Minute

// maxTokens bounds the codes that wait to be used.
const maxTokens = 1000

type linkToken struct {
	account uuid.UUID
	expires time.Time
}

// deviceRoutes are those of Signal-Server DeviceController.
func (b *Book) deviceRoutes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v1/devices", wire.DeviceOnly, b.listDevices)
	rt.Handle(http.MethodDelete, "/v1/devices/{device}", wire.DeviceOnly, b.removeDevice)
	rt.Handle(http.MethodGet, "/v1/devices/provisioning/code", wire.DeviceOnly, b.linkingCode)
	rt.Handle(http.MethodPut, "/v1/devices/link", wire.Anyone, b.linkDevice)
	rt.Handle(http.MethodPut, "/v1/devices/capabilities", wire.DeviceOnly, b.setCapabilities)
}

// listDevices is DeviceController.getDevices.
func (b *Book) listDevices(_ context.Context, r *wire.Request) (*wire.Response, error) {
	type info struct {
		ID             uint32        `json:"id"`
		Name           wire.Bytes    `json:"name"`
		LastSeen       int64         `json:"lastSeen"`
		RegistrationID uint32        `json:"registrationId"`
		Created        wire.Unpadded `json:"createdAtCiphertext"`
	}
	account := b.Find(serviceid.NewACI(r.By.Account))
	if account == nil {
		return nil, wire.Refuse(http.StatusForbidden)
	}
	devices := make([]info, len(account.Devices))
	for i, d := range account.Devices {
		devices[i] = info{d.ID, d.Name, d.LastSeen.UnixMilli(), d.RegistrationID, d.Created}
	}
	return wire.JSON(map[string]any{"devices": devices})
}

// removeDevice is DeviceController.removeDevice: a linked device removes none but itself, and nobody the primary.
func (b *Book) removeDevice(_ context.Context, r *wire.Request) (*wire.Response, error) {
	id, err := deviceNumber(r.Values["device"])
	switch {
	case err != nil:
		return nil, wire.Refuse(http.StatusNotFound)
	case r.By.ID != PrimaryID && r.By.ID != id:
		return nil, wire.Refuse(http.StatusUnauthorized)
	case id == PrimaryID:
		return nil, wire.Refuse(http.StatusForbidden)
	}
	b.RemoveDevice(wire.Device{Account: r.By.Account, ID: id})
	return wire.NoContent()
}

// RemoveDevice unlinks a device, and reports whether it was there.
func (b *Book) RemoveDevice(id wire.Device) bool {
	b.mu.Lock()
	known := b.device(id) != nil
	if known {
		delete(b.accounts[id.Account].devices, id.ID)
	}
	b.mu.Unlock()
	if known {
		b.options.Removed(id)
	}
	return known
}

// linkingCode is DeviceController.createDeviceToken.
func (b *Book) linkingCode(_ context.Context, r *wire.Request) (*wire.Response, error) {
	account := b.Find(serviceid.NewACI(r.By.Account))
	switch {
	case account == nil:
		return nil, wire.Refuse(http.StatusUnauthorized)
	case len(account.Devices) >= maxDevices:
		return nil, tooManyDevices(len(account.Devices))
	case r.By.ID != PrimaryID:
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	code, err := b.NewLinkingCode(account.ACI)
	if err != nil {
		return nil, err
	}
	identifier := sha256.Sum256([]byte(code)) // AccountsManager.getLinkDeviceTokenIdentifier
	return wire.JSON(map[string]any{
		"verificationCode": code, "tokenIdentifier": base64.RawURLEncoding.EncodeToString(identifier[:]),
	})
}

// tooManyDevices is DeviceLimitExceededExceptionMapper.
func tooManyDevices(current int) error {
	return wire.RefuseWith(http.StatusLengthRequired, map[string]int{"current": current, "max": maxDevices})
}

// NewLinkingCode makes a code that links one device within ten minutes.
func (b *Book) NewLinkingCode(aci serviceid.ServiceID) (string, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	code := base64.RawURLEncoding.EncodeToString(secret)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.options.Now()
	for old, token := range b.tokens {
		if len(b.tokens) >= maxTokens || now.After(token.expires) {
			delete(b.tokens, old)
		}
	}
	b.tokens[code] = linkToken{aci.UUID, now.Add(tokenLife)}
	return code, nil
}

// linkRequest is LinkDeviceRequest with its DeviceActivationRequest and DeviceAttributes.
type linkRequest struct {
	Code       string            `json:"verificationCode"`
	Attributes *deviceAttributes `json:"accountAttributes"`
	activation
}

type deviceAttributes struct {
	FetchesMessages   bool            `json:"fetchesMessages"`
	RegistrationID    int64           `json:"registrationId"`
	PNIRegistrationID *int64          `json:"pniRegistrationId"`
	Name              wire.Bytes      `json:"name"`
	Capabilities      map[string]bool `json:"capabilities"`
}

// valid checks what the annotations of the entities do: 422 otherwise.
func (l *linkRequest) valid() bool {
	a := l.Attributes
	if strings.TrimSpace(l.Code) == "" || a == nil || !a.valid() || l.Signed == nil || l.LastResort == nil {
		return false
	}
	return l.one(a.FetchesMessages)
}

func (a *deviceAttributes) valid() bool {
	return validRegistration(a.RegistrationID) && len(a.Name) <= maxDeviceName &&
		(a.PNIRegistrationID == nil || validRegistration(*a.PNIRegistrationID))
}

// device is one with these attributes.
func (a *deviceAttributes) device() Device {
	d := Device{RegistrationID: uint32(a.RegistrationID), Name: a.Name, Capabilities: a.Capabilities}
	if a.PNIRegistrationID != nil {
		d.PNIRegistrationID = uint32(*a.PNIRegistrationID)
	}
	return d
}

func validRegistration(id int64) bool { return id > 0 && id <= maxRegistrationID }

// linkDevice is DeviceController.linkDevice. Of the Authorization header the password alone is read.
func (b *Book) linkDevice(_ context.Context, r *wire.Request) (*wire.Response, error) {
	_, password, err := newPassword(r)
	if err != nil {
		return nil, err
	}
	var request linkRequest
	if err := decode(r, &request); err != nil {
		return nil, err
	}
	if err := request.check(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	token, known := b.tokens[request.Code]
	e := b.accounts[token.account]
	if !known || e == nil || b.options.Now().After(token.expires) {
		return nil, wire.Refuse(http.StatusForbidden)
	}
	if err := e.mayLink(&request); err != nil {
		return nil, err
	}
	delete(b.tokens, request.Code)
	device := request.Attributes.device()
	device.ID = e.nextDevice()
	n := newDevice{device: device, password: password, keys: LinkKeys{*request.Signed, *request.LastResort}}
	if request.PNISigned != nil {
		n.pniKeys = &LinkKeys{*request.PNISigned, *request.PNILast}
	}
	// What a former device of that number was sent while it was removed is not for this one (AccountsManager.addDevice).
	b.options.Removed(wire.Device{Account: e.ACI.UUID, ID: device.ID})
	if err := b.addDevice(e, n); err != nil {
		return nil, err
	}
	return wire.JSON(map[string]any{"uuid": e.ACI.UUID, "pni": optionalUUID(e.PNI), "deviceId": device.ID})
}

func optionalUUID(id serviceid.ServiceID) any {
	if id.IsZero() {
		return nil
	}
	return id.UUID
}

// mayLink checks, in the order of the controller. It needs the book's mu.
func (e *entry) mayLink(request *linkRequest) error {
	capabilities := request.Attributes.Capabilities
	switch {
	case e.PNI.IsZero() && !capabilities[capOptionalNumber]:
		return wire.Refuse(http.StatusConflict)
	case !e.keysValid(request):
		return wire.Refuse(http.StatusUnprocessableEntity)
	case len(e.devices) >= maxDevices:
		return tooManyDevices(len(e.devices))
	case capabilities == nil:
		return wire.Refuse(http.StatusUnprocessableEntity)
	case e.downgrades(capabilities):
		return wire.Refuse(http.StatusConflict)
	}
	return nil
}

func (e *entry) keysValid(request *linkRequest) bool {
	if !request.Signed.signedBy(e.Identity) || !request.LastResort.signedBy(e.Identity) {
		return false
	}
	if e.PNI.IsZero() {
		return request.PNISigned == nil && request.PNILast == nil
	}
	return request.PNISigned != nil && request.PNILast != nil && request.Attributes.PNIRegistrationID != nil &&
		request.PNISigned.signedBy(e.PNIIdentity) && request.PNILast.signedBy(e.PNIIdentity)
}

// nextDevice is the lowest number that is free (Account.getNextDeviceId).
func (e *entry) nextDevice() uint32 {
	for id := PrimaryID + 1; ; id++ {
		if e.devices[id] == nil {
			return id
		}
	}
}

// Capabilities of Signal-Server storage.DeviceCapability that are more than a name here.
const (
	capOptionalNumber = "optionalPhoneNumber"
	capSPQR           = "spqr"
	capStorage        = "storage"
	capUsernameSync   = "usernameChangeSyncMessage"
	capProfilesV2     = "profiles_v2"
)

// downgrades is DeviceController.isCapabilityDowngrade.
func (e *entry) downgrades(capabilities map[string]bool) bool {
	if !capabilities[capSPQR] {
		return true
	}
	return e.hasCapability(capUsernameSync) && !capabilities[capUsernameSync]
}

// hasCapability is Account.hasCapability for capabilities that all devices must have.
func (e *entry) hasCapability(name string) bool {
	for _, d := range e.devices {
		if !d.Capabilities[name] {
			return false
		}
	}
	return len(e.devices) > 0
}

// setCapabilities is DeviceController.setCapabilities.
func (b *Book) setCapabilities(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var capabilities map[string]bool
	if err := r.Decode(&capabilities); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.device(*r.By)
	if d == nil {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	d.Capabilities = capabilities
	return wire.NoContent()
}

// publicCapabilities are those in a profile (DeviceCapability.includeInLegacyProfile). It needs the book's mu.
func (e *entry) publicCapabilities() map[string]bool {
	out := map[string]bool{}
	for _, name := range []string{capSPQR, capProfilesV2, capUsernameSync} {
		out[name] = e.hasCapability(name)
	}
	primary := e.devices[PrimaryID]
	out["attachmentBackfill"] = primary != nil && primary.Capabilities["attachmentBackfill"]
	return out
}

// LinkedDevices are the numbers of an account's devices.
func (a *Account) LinkedDevices() []uint32 {
	var ids []uint32
	for _, d := range a.Devices {
		if d.ID != PrimaryID {
			ids = append(ids, d.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func bigEndian64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
