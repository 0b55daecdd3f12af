package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
)

const (
	// maxKeys is how many one-time keys of a kind are taken at a time (SetKeysRequest).
	maxKeys = 100
	// maxKeyID is KeyIdUtil.MAX_KEY_ID.
	maxKeyID = 1<<31 - 1
)

// PreKey is a one-time EC prekey in its serialised form.
type PreKey struct {
	ID        int64         `json:"keyId"`
	PublicKey wire.Unpadded `json:"publicKey"`
}

// SignedPreKey is a signed EC prekey or a Kyber prekey.
type SignedPreKey struct {
	ID        int64         `json:"keyId"`
	PublicKey wire.Unpadded `json:"publicKey"`
	Signature wire.Unpadded `json:"signature"`
}

// LinkKeys are the keys that an identity of a device always has.
type LinkKeys struct {
	Signed     SignedPreKey
	LastResort SignedPreKey // Kyber
}

// deviceKeys are the keys of one identity of a device. One-time keys are handed out in order.
type deviceKeys struct {
	oneTime    []PreKey
	kyber      []SignedPreKey
	signed     SignedPreKey
	lastResort SignedPreKey
}

// keyKind tells the two kinds of public keys apart.
type keyKind func(serialized []byte) bool

func ecKey(serialized []byte) bool {
	_, err := curve.ParsePublicKey(serialized)
	return err == nil
}

func kyberKey(serialized []byte) bool {
	_, err := kem.ParsePublicKey(serialized)
	return err == nil
}

func (k *PreKey) check() error { return checkKey(k.ID, k.PublicKey, ecKey) }

func (k *SignedPreKey) check(kind keyKind) error { return checkKey(k.ID, k.PublicKey, kind) }

// checkKey is 422 for a key that is none (AbstractPublicKeyDeserializer), and for a number out of range.
func checkKey(id int64, serialized []byte, kind keyKind) error {
	switch {
	case !kind(serialized):
		return wire.RefuseBare(http.StatusUnprocessableEntity)
	case id < 0 || id > maxKeyID:
		return wire.Invalid()
	}
	return nil
}

// signedBy is PreKeySignatureValidator.validatePreKeySignatures for one key.
func (k *SignedPreKey) signedBy(identity curve.PublicKey) bool {
	return identity.Verify(k.PublicKey, k.Signature)
}

// keyRoutes are those of Signal-Server KeysController.
func (b *Book) keyRoutes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v2/keys", wire.DeviceOnly, b.countKeys)
	rt.Handle(http.MethodPut, "/v2/keys", wire.DeviceOnly, b.setKeys)
	rt.Handle(http.MethodPost, "/v2/keys/check", wire.DeviceOnly, b.checkKeys)
	rt.Handle(http.MethodGet, "/v2/keys/{identifier}/{device}", wire.Either, b.takeKeys)
}

// ownKeys finds the keys that a request of a device is about; it needs mu. The account without a number has no PNI: 400.
func (b *Book) ownKeys(by *wire.Device, identity string) (*entry, *deviceKeys, curve.PublicKey, error) {
	none := curve.PublicKey{}
	d := b.device(*by)
	if d == nil {
		return nil, nil, none, wire.Refuse(http.StatusUnauthorized)
	}
	e := b.accounts[by.Account]
	switch strings.ToLower(identity) {
	case "", "aci":
		return e, d.keys[serviceid.ACI], e.Identity, nil
	case "pni":
		if e.PNI.IsZero() {
			return nil, nil, none, wire.Refuse(http.StatusBadRequest)
		}
		return e, d.keys[serviceid.PNI], e.PNIIdentity, nil
	}
	return nil, nil, none, wire.Refuse(http.StatusBadRequest)
}

// countKeys is KeysController.getStatus.
func (b *Book) countKeys(_ context.Context, r *wire.Request) (*wire.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, keys, _, err := b.ownKeys(r.By, r.Query.Get("identity"))
	if err != nil {
		return nil, err
	}
	return wire.JSON(map[string]int{"count": len(keys.oneTime), "pqCount": len(keys.kyber)})
}

// setKeysRequest is SetKeysRequest.
type setKeysRequest struct {
	OneTime    []PreKey       `json:"preKeys"`
	Signed     *SignedPreKey  `json:"signedPreKey"`
	Kyber      []SignedPreKey `json:"pqPreKeys"`
	LastResort *SignedPreKey  `json:"pqLastResortPreKey"`
}

// check is 422 for keys that are none, and for what the identity has not signed.
func (s *setKeysRequest) check(identity curve.PublicKey) error {
	if len(s.OneTime) > maxKeys || len(s.Kyber) > maxKeys {
		return wire.Invalid()
	}
	for i := range s.OneTime {
		if err := s.OneTime[i].check(); err != nil {
			return err
		}
	}
	kyber := s.Kyber
	if s.LastResort != nil {
		kyber = append(slices.Clip(kyber), *s.LastResort)
	}
	for i := range kyber {
		if err := kyber[i].check(kyberKey); err != nil {
			return err
		}
	}
	if s.Signed != nil {
		if err := s.Signed.check(ecKey); err != nil {
			return err
		}
	}
	signed := s.Signed == nil || s.Signed.signedBy(identity)
	for i := range kyber {
		signed = signed && kyber[i].signedBy(identity)
	}
	if !signed {
		return wire.Refuse(http.StatusUnprocessableEntity)
	}
	return nil
}

// setKeys is KeysController.setKeys: one-time keys replace those that are left, where there are any.
func (b *Book) setKeys(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request setKeysRequest
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	identity, err := b.identityOf(r)
	if err != nil {
		return nil, err
	}
	if err := request.check(identity); err != nil { // without the lock: a hundred signatures take a while
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, keys, now, err := b.ownKeys(r.By, r.Query.Get("identity"))
	if err != nil {
		return nil, err
	}
	if now != identity {
		return nil, wire.Refuse(http.StatusUnprocessableEntity)
	}
	if len(request.OneTime) > 0 {
		keys.oneTime = request.OneTime
	}
	if len(request.Kyber) > 0 {
		keys.kyber = request.Kyber
	}
	if request.Signed != nil {
		keys.signed = *request.Signed
	}
	if request.LastResort != nil {
		keys.lastResort = *request.LastResort
	}
	return wire.OK()
}

func (b *Book) identityOf(r *wire.Request) (curve.PublicKey, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _, identity, err := b.ownKeys(r.By, r.Query.Get("identity"))
	return identity, err
}

// checkKeys is KeysController.checkKeys.
func (b *Book) checkKeys(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request struct {
		Identity string     `json:"identityType"`
		Digest   wire.Bytes `json:"digest"`
	}
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	if len(request.Digest) != sha256.Size || !slices.Contains([]string{"aci", "pni"}, strings.ToLower(request.Identity)) {
		return nil, wire.Invalid()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, keys, identity, err := b.ownKeys(r.By, request.Identity)
	if err != nil {
		return nil, err
	}
	digest := keys.digest(identity)
	if subtle.ConstantTimeCompare(digest[:], request.Digest) != 1 {
		return nil, wire.RefuseBare(http.StatusConflict)
	}
	return wire.OK()
}

// digest is of the keys that are used again and again (CheckKeysRequest).
func (k *deviceKeys) digest(identity curve.PublicKey) [sha256.Size]byte {
	h := sha256.New()
	h.Write(identity.Serialize())
	for _, key := range []SignedPreKey{k.signed, k.lastResort} {
		h.Write(bigEndian64(uint64(key.ID)))
		h.Write(key.PublicKey)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// bundle is PreKeyResponseItem.
type bundle struct {
	DeviceID       uint32        `json:"deviceId"`
	RegistrationID uint32        `json:"registrationId"`
	Signed         SignedPreKey  `json:"signedPreKey"`
	OneTime        *PreKey       `json:"preKey"`
	Kyber          *SignedPreKey `json:"pqPreKey"`
}

// takeKeys is KeysController.getDeviceKeys: who asks gets one-time keys, which are gone then.
func (b *Book) takeKeys(_ context.Context, r *wire.Request) (*wire.Response, error) {
	target, err := serviceid.Parse(r.Values["identifier"])
	if err != nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	credentials, err := readCredentials(r)
	if err != nil {
		return nil, err
	}
	if r.By == nil && !credentials.any() {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	if err := b.requester(r); err != nil {
		return nil, err
	}
	if credentials.token != nil && (r.By != nil || credentials.key != nil) {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	if credentials.token != nil {
		err = b.VerifyToken(credentials.token, target)
	} else {
		err = b.mayAccess(r.By, credentials.key, target, r.Values["device"])
	}
	if err != nil {
		return nil, err
	}
	wanted := everyDevice
	if text := r.Values["device"]; text != allDevices {
		id, err := deviceNumber(text)
		if err != nil {
			return nil, err
		}
		wanted = only(id)
	}
	identity, bundles := b.takeBundles(target, wanted)
	if len(bundles) == 0 {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	return wire.JSON(map[string]any{"identityKey": wire.Unpadded(identity.Serialize()), "devices": bundles})
}

// Bundles takes prekeys of one device of an account, for a session that is opened in this process.
func (b *Book) Bundles(target serviceid.ServiceID, device uint32) ([]prekey.Bundle, error) {
	identity, taken := b.takeBundles(target, only(device))
	var out []prekey.Bundle
	for _, t := range taken {
		parsed, err := t.parse(identity)
		if err != nil {
			return nil, fmt.Errorf("prekeys of %s: %w", target.Short(), err)
		}
		out = append(out, parsed)
	}
	return out, nil
}

func (t bundle) parse(identity curve.PublicKey) (prekey.Bundle, error) {
	out := prekey.Bundle{RegistrationID: t.RegistrationID, DeviceID: t.DeviceID, Identity: identity}
	signed, err := curve.ParsePublicKey(t.Signed.PublicKey)
	if err != nil {
		return out, err
	}
	out.Signed = prekey.PublicSigned{ID: uint32(t.Signed.ID), Key: signed, Signature: t.Signed.Signature}
	kyber, err := kem.ParsePublicKey(t.Kyber.PublicKey)
	if err != nil {
		return out, err
	}
	out.Kyber = prekey.PublicKyber{ID: uint32(t.Kyber.ID), Key: kyber, Signature: t.Kyber.Signature}
	if t.OneTime == nil {
		return out, nil
	}
	oneTime, err := curve.ParsePublicKey(t.OneTime.PublicKey)
	out.OneTime = &prekey.PublicEC{ID: uint32(t.OneTime.ID), Key: oneTime}
	return out, err
}

// allDevices is in a path where others have the number of a device.
const allDevices = "*"

// deviceNumber is Byte.parseByte: 422 for what is none. No device has zero, or a number below it, and none is found.
func deviceNumber(text string) (uint32, error) {
	id, err := strconv.ParseInt(text, 10, 8)
	if err != nil {
		return 0, wire.Refuse(http.StatusUnprocessableEntity)
	}
	return uint32(max(id, 0)), nil
}

func everyDevice(uint32) bool { return true }

func only(id uint32) func(uint32) bool { return func(other uint32) bool { return other == id } }

func (b *Book) takeBundles(target serviceid.ServiceID, wanted func(id uint32) bool) (curve.PublicKey, []bundle) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.find(target)
	if e == nil {
		return curve.PublicKey{}, nil
	}
	identity := e.Identity
	if target.Kind == serviceid.PNI {
		identity = e.PNIIdentity
	}
	var out []bundle
	for _, d := range e.view().Devices {
		keys := e.devices[d.ID].keys[target.Kind]
		if !wanted(d.ID) || len(keys.signed.PublicKey) == 0 {
			continue
		}
		out = append(out, keys.take(bundle{DeviceID: d.ID, RegistrationID: d.Registration(target.Kind)}))
	}
	return identity, out
}

// take hands out one-time keys, or the last resort where they have run out (KeysManager.takeDevicePreKeys).
func (k *deviceKeys) take(out bundle) bundle {
	out.Signed = k.signed
	if len(k.oneTime) > 0 {
		out.OneTime = &k.oneTime[0]
		k.oneTime = k.oneTime[1:]
	}
	kyber := k.lastResort
	if len(k.kyber) > 0 {
		kyber = k.kyber[0]
		k.kyber = k.kyber[1:]
	}
	out.Kyber = &kyber
	return out
}
