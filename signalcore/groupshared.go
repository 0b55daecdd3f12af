package signalcore

import (
	"bytes"
	"errors"
	"slices"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// anyDevice stands for all devices of an account.
const anyDevice = 0

// unshare has a device get our sender key of a group again, with the next message to the group at the latest.
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
				return lost.DeviceID == anyDevice || d.GetDeviceId() == lost.DeviceID
			})
			removed = removed || len(with.Devices) < before
		}
	}
	sender.Shared = slices.DeleteFunc(sender.Shared, func(s *storepb.SharedWith) bool { return len(s.GetDevices()) == 0 })
	return removed
}
