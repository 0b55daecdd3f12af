package accounts

import (
	"crypto/subtle"
	"net/http"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
)

// Headers of sealed requests (Signal-Server util.HeaderUtils).
const (
	headerAccessKey = "Unidentified-Access-Key"
	headerToken     = "Group-Send-Token"
)

// requester checks that the account of who calls is there still, since it was authenticated: 401 otherwise.
func (b *Book) requester(r *wire.Request) error {
	if r.By != nil && b.Find(serviceid.NewACI(r.By.Account)) == nil {
		return wire.Refuse(http.StatusUnauthorized)
	}
	return nil
}

// credentials are what entitles a request that does not say whose it is. Each is nil where the header is missing.
type credentials struct {
	key   []byte
	token []byte
}

func (c credentials) any() bool { return c.key != nil || c.token != nil }

// readCredentials reads the headers: 401 for what cannot be read (auth.Anonymous, auth.GroupSendTokenHeader).
func readCredentials(r *wire.Request) (credentials, error) {
	var c credentials
	for _, header := range []struct {
		name string
		into *[]byte
	}{{headerAccessKey, &c.key}, {headerToken, &c.token}} {
		if len(r.Header.Values(header.name)) == 0 {
			continue
		}
		decoded, err := wire.DecodeBase64(r.Header.Get(header.name))
		if err != nil || header.into == &c.key && len(decoded) != profilekey.AccessKeySize {
			return c, wire.Refuse(http.StatusUnauthorized)
		}
		*header.into = append([]byte{}, decoded...)
	}
	return c, nil
}

// ReadCredentials returns the access key and the group send token of a request, each nil where it is missing.
func ReadCredentials(r *wire.Request) (key, token []byte, err error) {
	c, err := readCredentials(r)
	return c.key, c.token, err
}

// VerifyToken checks that a group send token is for exactly these recipients: 401 otherwise.
func (b *Book) VerifyToken(token []byte, recipients ...serviceid.ServiceID) error {
	if b.options.Authority.VerifyToken(token, recipients, b.options.Now()) != nil {
		return wire.Refuse(http.StatusUnauthorized)
	}
	return nil
}

// MayAccess is Signal-Server auth.OptionalAccess.verify: who is authenticated sees everyone (404 for who is not there),
// others by the access key of the account (401 for everything that is wrong with it).
func (b *Book) MayAccess(by *wire.Device, key []byte, target serviceid.ServiceID) error {
	account := b.Find(target)
	if by != nil {
		if account == nil {
			return wire.Refuse(http.StatusNotFound)
		}
		return nil
	}
	refused := wire.Refuse(http.StatusUnauthorized)
	if key == nil || account == nil || target.Kind == serviceid.PNI {
		return refused
	}
	if account.Unrestricted {
		return nil
	}
	if len(account.AccessKey) != profilekey.AccessKeySize || subtle.ConstantTimeCompare(key, account.AccessKey) != 1 {
		return refused
	}
	return nil
}

// mayAccess is OptionalAccess.verify with a device.
func (b *Book) mayAccess(by *wire.Device, key []byte, target serviceid.ServiceID, device string) error {
	if err := b.MayAccess(by, key, target); err != nil {
		return err
	}
	if device == allDevices {
		return nil
	}
	id, err := deviceNumber(device)
	if err != nil {
		return err
	}
	account := b.Find(target)
	if account != nil {
		if _, known := account.Device(id); known {
			return nil
		}
	}
	if by != nil {
		return wire.Refuse(http.StatusNotFound)
	}
	return wire.Refuse(http.StatusUnauthorized)
}
