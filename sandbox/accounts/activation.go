package accounts

import (
	"net/http"
	"strconv"
	"strings"

	"signalbox/sandbox/wire"
)

// activation is DeviceActivationRequest: what a new device brings, whether it is a primary or linked. Keys of the PNI are
// missing for an account without a number.
type activation struct {
	Signed     *SignedPreKey `json:"aciSignedPreKey"`
	PNISigned  *SignedPreKey `json:"pniSignedPreKey"`
	LastResort *SignedPreKey `json:"aciPqLastResortPreKey"`
	PNILast    *SignedPreKey `json:"pniPqLastResortPreKey"`
	APN        any           `json:"apnToken"`
	GCM        any           `json:"gcmToken"`
}

// check is 422 for keys that are none. Whether they are signed is another question.
func (c *activation) check() error {
	for _, one := range []struct {
		key  *SignedPreKey
		kind keyKind
	}{{c.Signed, ecKey}, {c.PNISigned, ecKey}, {c.LastResort, kyberKey}, {c.PNILast, kyberKey}} {
		if one.key == nil {
			continue
		}
		if err := one.key.check(one.kind); err != nil {
			return err
		}
	}
	return nil
}

// one is isExactlyOneMessageDeliveryChannel of LinkDeviceRequest and RegistrationRequest.
func (c *activation) one(fetches bool) bool {
	pushes := 0
	for _, token := range []any{c.APN, c.GCM} {
		if token != nil {
			pushes++
		}
	}
	return fetches && pushes == 0 || !fetches && pushes == 1
}

// newPassword is the password that a device chooses, out of a BasicAuthorizationHeader: 400 without the header, 401 for
// one that is none.
func newPassword(r *wire.Request) (username, password string, err error) {
	username, password, present, err := wire.BasicAuth(r.Header)
	switch {
	case !present:
		return "", "", wire.InvalidParameter()
	case err != nil || strings.TrimSpace(username) == "" || strings.TrimSpace(password) == "":
		return "", "", wire.Refuse(http.StatusUnauthorized)
	}
	if _, device, numbered := strings.Cut(username, "."); numbered {
		if _, err := strconv.ParseInt(device, 10, 8); err != nil {
			return "", "", wire.Refuse(http.StatusUnauthorized)
		}
	}
	return username, password, nil
}
