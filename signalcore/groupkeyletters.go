package signalcore

import (
	"context"

	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// distribute gives the message's key to those members who are not known to have it, and fails those who cannot get it.
func (s *sender) distribute(ctx context.Context, m *groupMessage, members []*delivery) {
	letters := make(map[*delivery]*delivery)
	var unprepared []*delivery
	for _, d := range members {
		if _, ok := m.ready[d.target.id]; ok {
			continue
		}
		letter, err := s.keyLetter(ctx, m, d)
		if err != nil {
			d.err = err
			continue
		}
		letters[d] = letter
		unprepared = append(unprepared, letter)
	}
	if len(letters) == 0 {
		return
	}
	s.prepareEach(ctx, unprepared, nil)
	parallel(unfailed(unprepared), func(letter *delivery) { letter.err = s.courier.deliver(ctx, letter, nil) })
	if err := s.noteShared(m, letters); err != nil {
		s.log.Error().Err(err).Msg("who has the sender key of a group was not kept: they will get it again")
	}
	for d, letter := range letters {
		if letter.err != nil {
			d.err = notLeft(letter.err)
		}
	}
}

// prepareEach encrypts deliveries to one member each: those with sessions together, the others as their prekeys come.
func (s *sender) prepareEach(ctx context.Context, deliveries []*delivery, keep save) {
	missing, err := s.courier.encrypt(deliveries, nil, keep)
	if err != nil {
		fail(deliveries, err)
		return
	}
	parallel(missing, func(d *delivery) {
		if err := s.courier.prepareFresh(ctx, []*delivery{d}, keep); err != nil {
			fail([]*delivery{d}, err)
		}
	})
}

// keyLetter prepares the message that gives a member our key.
func (s *sender) keyLetter(ctx context.Context, m *groupMessage, d *delivery) (*delivery, error) {
	letter := &delivery{target: d.target, timestamp: m.timestamp}
	body := &servicepb.Content{SenderKeyDistributionMessage: m.distribution}
	return letter, s.fillAlone(ctx, m, letter, body)
}

// fillAlone says what travels to one member, sealed with the access key or the group's endorsement.
func (s *sender) fillAlone(ctx context.Context, m *groupMessage, d *delivery, body *servicepb.Content) error {
	if err := s.fillParcel(ctx, d, body, m.hint); err != nil {
		return err
	}
	d.parcel.group = m.group.id()
	if m.passes.certificate == nil || !m.passes.covers(d.target.id) {
		return nil
	}
	var err error
	d.token, err = m.passes.token(m.group.params, d)
	d.parcel.certificate = m.passes.certificate
	return err
}

// noteShared keeps who has got the key, and makes them ready. What could not be kept is right all the same.
func (s *sender) noteShared(m *groupMessage, letters map[*delivery]*delivery) error {
	a, err := s.accounts.working()
	if err != nil {
		return err
	}
	distribution, err := senderkey.ParseDistribution(m.distribution)
	if err != nil {
		return err
	}
	ready := make(map[serviceid.ServiceID]sealedsender.Recipient, len(letters))
	err = s.store.Update(func(tx *store.Tx) error {
		key, err := openGroupKey(tx, a, s.config.Rand, m.group.id())
		if err != nil {
			return err
		}
		for d, letter := range letters {
			if letter.err != nil {
				continue
			}
			id := d.target.id
			identity, err := tx.RemoteIdentity(id)
			if err != nil {
				return err
			}
			var devices []*storepb.SharedDevice
			for _, c := range letter.messages {
				devices = append(devices, &storepb.SharedDevice{DeviceId: c.GetDeviceId(), RegistrationId: c.GetRegistrationId()})
			}
			if ready[id], letter.err = recipientOf(id, identity.GetKey(), devices); letter.err != nil {
				delete(ready, id)
				continue
			}
			key.share(id, identity.GetKey(), devices)
		}
		if key.id != distribution.ID {
			return nil
		}
		return tx.PutGroupSender(m.group.id(), key.stored)
	})
	for id, recipient := range ready {
		m.ready[id] = recipient
	}
	for d, letter := range letters {
		if _, ok := m.ready[d.target.id]; !ok && letter.err == nil {
			letter.err = storageError(err)
		}
	}
	return err
}
