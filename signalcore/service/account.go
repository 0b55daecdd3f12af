package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"signalbox/signalcore/protocol/serviceid"
)

// Authenticated is the socket of the account's own device: it receives, and calls what needs to know who is asking.
type Authenticated struct{ *Conn }

// Anonymous is a socket that does not name the account: sealed sends, profiles and prekeys by access key, linking.
type Anonymous struct{ *Conn }

// Account is who the service takes us for. Number and PNI can be absent.
type Account struct {
	ACI    serviceid.ServiceID
	PNI    serviceid.ServiceID
	Number string
}

// WhoAmI asks (GET /v1/accounts/whoami).
func (a *Authenticated) WhoAmI(ctx context.Context) (*Account, error) {
	var answer struct {
		UUID   string `json:"uuid"`
		PNI    string `json:"pni"`
		Number string `json:"number"`
	}
	if err := a.call(ctx, http.MethodGet, "/v1/accounts/whoami", nil, &answer); err != nil {
		return nil, err
	}
	account := &Account{Number: answer.Number}
	var err error
	account.ACI, account.PNI, err = parseAccount(answer.UUID, answer.PNI)
	return account, err
}

// Device is one device of the account, as the service lists it. The name and the time of linking are encrypted.
type Device struct {
	ID                  uint32
	EncryptedName       []byte
	LastSeen            time.Time // to the day
	RegistrationID      uint32
	CreatedAtCiphertext []byte
}

// Devices lists the account's devices (GET /v1/devices).
func (a *Authenticated) Devices(ctx context.Context) ([]Device, error) {
	var answer struct {
		Devices []struct {
			ID                  uint32      `json:"id"`
			Name                base64Bytes `json:"name"`
			LastSeen            int64       `json:"lastSeen"`
			RegistrationID      uint32      `json:"registrationId"`
			CreatedAtCiphertext base64Bytes `json:"createdAtCiphertext"`
		} `json:"devices"`
	}
	if err := a.call(ctx, http.MethodGet, "/v1/devices", nil, &answer); err != nil {
		return nil, err
	}
	devices := make([]Device, len(answer.Devices))
	for i, d := range answer.Devices {
		devices[i] = Device{
			ID: d.ID, EncryptedName: d.Name, LastSeen: time.UnixMilli(d.LastSeen),
			RegistrationID: d.RegistrationID, CreatedAtCiphertext: d.CreatedAtCiphertext,
		}
	}
	return devices, nil
}

// RemoveDevice unlinks a device (DELETE /v1/devices/{id}); a linked device may only remove itself, which also ends this
// socket, perhaps before the answer.
func (a *Authenticated) RemoveDevice(ctx context.Context, id uint32) error {
	err := a.call(ctx, http.MethodDelete, "/v1/devices/"+strconv.FormatUint(uint64(id), 10), nil, nil)
	if errors.Is(err, ErrUnlinked) {
		return nil
	}
	return err
}

// SetDeviceName changes the encrypted name of this device (PUT /v1/accounts/name).
func (a *Authenticated) SetDeviceName(ctx context.Context, encrypted []byte) error {
	body := struct {
		DeviceName base64Bytes `json:"deviceName"`
	}{encrypted}
	return a.call(ctx, http.MethodPut, "/v1/accounts/name", body, nil)
}

// SetCapabilities says what this device can do (PUT /v1/devices/capabilities). Account attributes as a whole are the
// primary device's to set: from here they would overwrite its access key and discoverability.
func (a *Authenticated) SetCapabilities(ctx context.Context, capabilities map[string]bool) error {
	return a.call(ctx, http.MethodPut, "/v1/devices/capabilities", capabilities, nil)
}

// SenderCertificate fetches the certificate that sealed sends carry (GET /v1/certificate/delivery).
func (a *Authenticated) SenderCertificate(ctx context.Context, includeNumber bool) ([]byte, error) {
	var answer struct {
		Certificate base64Bytes `json:"certificate"`
	}
	path := "/v1/certificate/delivery?includeE164=" + strconv.FormatBool(includeNumber)
	if err := a.call(ctx, http.MethodGet, path, nil, &answer); err != nil {
		return nil, err
	}
	if len(answer.Certificate) == 0 {
		return nil, fmt.Errorf("%w: empty sender certificate", ErrProtocol)
	}
	return answer.Certificate, nil
}

// AnswerCaptcha reports a solved captcha for the token of a ChallengeError (PUT /v1/challenge).
func (a *Authenticated) AnswerCaptcha(ctx context.Context, token, captcha string) error {
	body := struct {
		Type    string `json:"type"`
		Token   string `json:"token"`
		Captcha string `json:"captcha"`
	}{"captcha", token, captcha}
	return a.call(ctx, http.MethodPut, "/v1/challenge", body, nil)
}

// StorageCredentials are those of the storage service (GET /v1/storage/auth).
func (a *Authenticated) StorageCredentials(ctx context.Context) (Credentials, error) {
	var answer struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := a.call(ctx, http.MethodGet, "/v1/storage/auth", nil, &answer); err != nil {
		return Credentials{}, err
	}
	return Credentials{Username: answer.Username, Password: answer.Password}, nil
}

// call is callJSON over this socket.
func (c *Conn) call(ctx context.Context, method, path string, body, out any) error {
	request, err := jsonRequest(method, path, body)
	if err != nil {
		return err
	}
	return callJSON(ctx, c, request, out)
}
