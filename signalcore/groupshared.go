package signalcore

import (
	"bytes"
	"errors"
	"slices"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// unshare has a device get our sender key of a group again, with the next message to the group at the latest. The key
// itself stays: those who must not have it any more are told from what else is on record.
func unshare(tx *store.Tx, group []byte, device serviceid.Address) error {
	sender, err := tx.GroupSender(group)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || !removeShared(sender, []serviceid.Address{device}) {
		return err
	}
	return tx.PutGroupSender(group, sender)
}

// unshareAll has devices get our sender keys of all groups again: they may have lost what they had.
func unshareAll(tx *store.Tx, devices []serviceid.Address) error {
	return tx.GroupSenders(func(group []byte, sender *storepb.GroupSender) error {
		if !removeShared(sender, devices) {
			return nil
		}
		return tx.PutGroupSender(group, sender)
	})
}

// removeShared takes devices out of those that have a sender key, and reports whether any was there.
func removeShared(sender *storepb.GroupSender, devices []serviceid.Address) bool {
	removed := false
	for _, lost := range devices {
		id := lost.ServiceID.Binary()
		for _, with := range sender.GetShared() {
			if !bytes.Equal(with.GetServiceId(), id) {
				continue
			}
			before := len(with.Devices)
			with.Devices = slices.DeleteFunc(with.Devices, func(d *storepb.SharedDevice) bool {
				return d.GetDeviceId() == lost.DeviceID
			})
			removed = removed || len(with.Devices) < before
		}
	}
	return removed
}

// hasShared reports whether a device is among those that have a sender key.
func hasShared(sender *storepb.GroupSender, device serviceid.Address) bool {
	for _, with := range sender.GetShared() {
		if !bytes.Equal(with.GetServiceId(), device.ServiceID.Binary()) {
			continue
		}
		for _, d := range with.GetDevices() {
			if d.GetDeviceId() == device.DeviceID {
				return true
			}
		}
	}
	return false
}
