package signalcore

import (
	"context"
	"errors"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/store"
)

// ownKeyFor returns the distribution message of our sender key for a group, where a device of a member lacks that. It
// goes with a message that the device asked for again; that it has the key counts only with the next message to all.
func (c *Client) ownKeyFor(group []byte, device serviceid.Address) (message []byte, err error) {
	if len(group) == 0 {
		return nil, nil
	}
	a, err := c.accounts.working()
	if err != nil {
		return nil, err
	}
	err = c.store.View(func(tx *store.Tx) error {
		sender, err := tx.GroupSender(group)
		if err != nil {
			return err
		}
		known, err := c.groups.load(tx, group)
		if err != nil {
			return err
		}
		if _, member := known.state.Member(device.ServiceID); !member || hasShared(sender, device) {
			return nil
		}
		message, err = ownDistribution(tx, a.address(a.aci), sender)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, model.ErrGroupNotFound) {
		return nil, nil
	}
	return message, err
}

// sealForMember has a delivery that concerns a group name it, and go sealed by the group's endorsement of the recipient
// where the access key does not open that.
func (s *sender) sealForMember(ctx context.Context, d *delivery, id []byte) error {
	if d.parcel.group = id; len(id) == 0 {
		return nil
	}
	known, err := s.groups.byID(id)
	if errors.Is(err, model.ErrGroupNotFound) || err == nil && !known.isMember() {
		return nil
	}
	if err != nil {
		return err
	}
	passes, err := s.passesFor(ctx, known)
	if errors.Is(err, model.ErrNotAGroupMember) {
		return nil
	}
	if err != nil || passes.certificate == nil || !passes.covers(d.target.id) {
		return err
	}
	d.parcel.certificate = passes.certificate
	d.token, err = passes.token(known.params, d)
	return err
}
