package signalcore

import (
	"context"
	"errors"

	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// adapt follows a change of the recipient's devices: fresh ones get new sessions and ciphertexts, gone ones are
// forgotten, and the others keep the bytes that they have.
func (c *courier) adapt(ctx context.Context, d *delivery, fresh, gone []uint32, keep save) error {
	var next delivery // ciphertexts of a transaction that fails must not leave
	err := c.follow(ctx, d, fresh, gone, func(e *encrypter, devices []uint32) error {
		if d.parcel.to == e.account.aci {
			devices = without(devices, e.account.deviceID)
		}
		added, err := e.devices(d.parcel, devices)
		if err != nil {
			return err
		}
		next = *d
		next.messages = append(keepOthers(d.messages, fresh, gone), added...)
		if keep == nil {
			return nil
		}
		return keep(e.tx, &next)
	})
	if err != nil {
		return err
	}
	if d.messages = next.messages; len(d.messages) == 0 {
		return c.withoutDevices(d.target.id)
	}
	return nil
}

// withoutDevices is the error for a recipient who has no device but, where it is us, this one.
func (c *courier) withoutDevices(id serviceid.ServiceID) error {
	if a := c.accounts.get(); a != nil && id == a.aci {
		return errNoSessions
	}
	return service.ErrUnregistered
}

// freshBundles fetches prekeys of devices; those that went meanwhile join the gone ones.
func (c *courier) freshBundles(
	ctx context.Context, d *delivery, fresh, gone []uint32,
) (bundles []prekey.Bundle, allGone []uint32, err error) {
	for _, device := range fresh {
		some, err := c.bundles(ctx, d, device)
		if errors.Is(err, service.ErrUnregistered) {
			gone = append(gone, device)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		bundles = append(bundles, some...)
	}
	return bundles, gone, nil
}

// follow leaves sessions with the recipient's devices of now. In the same transaction, also does what else belongs there,
// for the devices that got new sessions.
func (c *courier) follow(
	ctx context.Context, d *delivery, fresh, gone []uint32, also func(*encrypter, []uint32) error,
) error {
	bundles, gone, err := c.freshBundles(ctx, d, fresh, gone)
	if err != nil {
		return err
	}
	a, err := c.accounts.working()
	if err != nil {
		return err
	}
	changed := false
	err = c.store.Update(func(tx *store.Tx) (err error) {
		e := newEncrypter(tx, a, c.rand)
		if err := e.drop(d.target.id, gone); err != nil {
			return err
		}
		if changed, err = e.open(d.target.id, bundles); err != nil {
			return err
		}
		return also(e, bundleDevices(bundles))
	})
	if err == nil && changed {
		c.identity(d.target.id)
	}
	return storageError(err)
}

func bundleDevices(bundles []prekey.Bundle) []uint32 {
	devices := make([]uint32, len(bundles))
	for i, b := range bundles {
		devices[i] = b.DeviceID
	}
	return devices
}

func keepOthers(messages []*storepb.Ciphertext, drop ...[]uint32) []*storepb.Ciphertext {
	dropped := make(map[uint32]bool)
	for _, devices := range drop {
		for _, device := range devices {
			dropped[device] = true
		}
	}
	var kept []*storepb.Ciphertext
	for _, m := range messages {
		if !dropped[m.DeviceId] {
			kept = append(kept, m)
		}
	}
	return kept
}
