package service

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"signalbox/signalcore/protocol/serviceid"
)

// PreKeyBundles is what sessions with an account's devices start from.
type PreKeyBundles struct {
	IdentityKey []byte
	Devices     []DevicePreKeys
}

// DevicePreKeys are the prekeys handed out for one device. PreKey is nil when the device has run out of them.
type DevicePreKeys struct {
	DeviceID       uint32
	RegistrationID uint32
	Signed         SignedPreKey
	PreKey         *PreKey
	Kyber          *SignedPreKey
}

// AllDevices asks for the prekeys of every device.
const AllDevices uint32 = 0

// PreKeys takes prekeys of a device, or of AllDevices (GET /v2/keys/{id}/{device}).
func (a *Authenticated) PreKeys(ctx context.Context, target serviceid.ServiceID, device uint32) (*PreKeyBundles, error) {
	return preKeys(ctx, a, target, device, Access{})
}

// PreKeys is the same for who has access to the target.
func (a *Anonymous) PreKeys(
	ctx context.Context, target serviceid.ServiceID, device uint32, access Access,
) (*PreKeyBundles, error) {
	return preKeys(ctx, a, target, device, access)
}

func preKeys(
	ctx context.Context, via Requester, target serviceid.ServiceID, device uint32, access Access,
) (*PreKeyBundles, error) {
	which := "*"
	if device != AllDevices {
		which = strconv.FormatUint(uint64(device), 10)
	}
	request := &Request{Method: http.MethodGet, Path: "/v2/keys/" + target.String() + "/" + which, Header: http.Header{}}
	access.apply(request.Header)
	response, err := via.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := response.Err(); err != nil {
		return nil, notFoundMeansUnregistered(err)
	}
	return parsePreKeys(response.Body)
}

func parsePreKeys(body []byte) (*PreKeyBundles, error) {
	var answer struct {
		IdentityKey base64Bytes `json:"identityKey"`
		Devices     []struct {
			DeviceID       uint32   `json:"deviceId"`
			RegistrationID uint32   `json:"registrationId"`
			SignedPreKey   *wireKey `json:"signedPreKey"`
			PreKey         *wireKey `json:"preKey"`
			PQPreKey       *wireKey `json:"pqPreKey"`
		} `json:"devices"`
	}
	if err := decodeJSON(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Devices) > serviceid.MaxDeviceID {
		return nil, fmt.Errorf("%w: prekeys of %d devices", ErrProtocol, len(answer.Devices))
	}
	bundles := &PreKeyBundles{IdentityKey: answer.IdentityKey}
	for _, d := range answer.Devices {
		if d.SignedPreKey == nil || d.DeviceID == 0 || d.DeviceID > serviceid.MaxDeviceID {
			return nil, fmt.Errorf("%w: prekeys of device %d cannot be used", ErrProtocol, d.DeviceID)
		}
		keys := DevicePreKeys{DeviceID: d.DeviceID, RegistrationID: d.RegistrationID, Signed: d.SignedPreKey.signed()}
		if d.PreKey != nil {
			keys.PreKey = &PreKey{ID: d.PreKey.KeyID, PublicKey: d.PreKey.PublicKey}
		}
		if d.PQPreKey != nil {
			kyber := d.PQPreKey.signed()
			keys.Kyber = &kyber
		}
		bundles.Devices = append(bundles.Devices, keys)
	}
	return bundles, nil
}

func (k *wireKey) signed() SignedPreKey {
	return SignedPreKey{ID: k.KeyID, PublicKey: k.PublicKey, Signature: k.Signature}
}

// UploadKeys are new prekeys of one identity of this device. One-time keys replace what is left of the former ones; an
// empty list or a nil changes nothing.
type UploadKeys struct {
	PreKeys      []PreKey
	KyberPreKeys []SignedPreKey
	Signed       *SignedPreKey
	LastResort   *SignedPreKey
}

// UploadPreKeys stores them (PUT /v2/keys?identity=). The service takes 100 of a kind at a time.
func (a *Authenticated) UploadPreKeys(ctx context.Context, identity serviceid.Kind, keys UploadKeys) error {
	body := struct {
		PreKeys            []*wireKey `json:"preKeys"`
		PQPreKeys          []*wireKey `json:"pqPreKeys"`
		SignedPreKey       *wireKey   `json:"signedPreKey,omitempty"`
		PQLastResortPreKey *wireKey   `json:"pqLastResortPreKey,omitempty"`
	}{PreKeys: []*wireKey{}, PQPreKeys: []*wireKey{}}
	for _, key := range keys.PreKeys {
		body.PreKeys = append(body.PreKeys, &wireKey{KeyID: key.ID, PublicKey: key.PublicKey})
	}
	for _, key := range keys.KyberPreKeys {
		body.PQPreKeys = append(body.PQPreKeys, key.wire())
	}
	if keys.Signed != nil {
		body.SignedPreKey = keys.Signed.wire()
	}
	if keys.LastResort != nil {
		body.PQLastResortPreKey = keys.LastResort.wire()
	}
	return a.call(ctx, http.MethodPut, "/v2/keys?identity="+identityName(identity), body, nil)
}

// PreKeyCounts says how many one-time keys the service still has (GET /v2/keys?identity=).
func (a *Authenticated) PreKeyCounts(ctx context.Context, identity serviceid.Kind) (ec, kyber int, err error) {
	var answer struct {
		Count   int `json:"count"`
		PQCount int `json:"pqCount"`
	}
	err = a.call(ctx, http.MethodGet, "/v2/keys?identity="+identityName(identity), nil, &answer)
	return answer.Count, answer.PQCount, err
}

// PreKeysMatch compares the signed and the last-resort key at the service with ours, by a digest of them (POST
// /v2/keys/check; Signal-Server CheckKeysRequest says of what).
func (a *Authenticated) PreKeysMatch(ctx context.Context, identity serviceid.Kind, digest [32]byte) (bool, error) {
	body := struct {
		IdentityType string      `json:"identityType"`
		Digest       base64Bytes `json:"digest"`
	}{identityName(identity), digest[:]}
	request, err := jsonRequest(http.MethodPost, "/v2/keys/check", body)
	if err != nil {
		return false, err
	}
	response, err := a.Do(ctx, request)
	if err != nil {
		return false, err
	}
	if response.Status == http.StatusConflict {
		return false, nil
	}
	return true, response.Err()
}

func identityName(identity serviceid.Kind) string {
	if identity == serviceid.PNI {
		return "pni"
	}
	return "aci"
}
