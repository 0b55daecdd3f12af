package signalcore

import (
	"context"
	"errors"
	"strings"

	"signalbox/signalcore/content/devicenamecipher"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Account tells whose device this is, also after it was unlinked.
func (c *Client) Account(context.Context) (model.Account, error) {
	a := c.accounts.get()
	if a == nil {
		return model.Account{}, model.ErrNotLinked
	}
	var settings *storepb.AccountSettings
	err := c.store.View(func(tx *store.Tx) (err error) {
		settings, err = tx.AccountSettings()
		return err
	})
	if err != nil {
		return model.Account{}, errors.Join(model.ErrStorage, err)
	}
	out := a.model()
	out.Name = strings.TrimSpace(settings.GetGivenName() + " " + settings.GetFamilyName())
	out.Username = settings.GetUsername()
	return out, nil
}

// Devices lists the account's devices. A name that does not open is left empty.
func (c *Client) Devices(ctx context.Context) ([]model.Device, error) {
	l, err := c.connector.line(ctx, linePatience)
	if err != nil {
		return nil, err
	}
	a, err := c.accounts.working()
	if err != nil {
		return nil, err
	}
	listed, err := l.auth.Devices(ctx)
	if err != nil {
		return nil, err
	}
	devices := make([]model.Device, len(listed))
	for i, d := range listed {
		devices[i] = c.device(a, d)
	}
	return devices, nil
}

func (c *Client) device(a *account, listed service.Device) model.Device {
	out := model.Device{ID: listed.ID, LastSeen: listed.LastSeen, This: listed.ID == a.deviceID}
	if len(listed.EncryptedName) > 0 {
		name, err := devicenamecipher.Decrypt(a.aciIdentity.keys.Private, listed.EncryptedName)
		if err != nil {
			c.log.Debug().Err(err).Uint32("device", listed.ID).Msg("the name of a device cannot be read")
		}
		out.Name = name
	}
	if out.This && out.Name == "" {
		out.Name = a.deviceName
	}
	if out.This {
		out.Created = a.linkedAt
	}
	return out
}
