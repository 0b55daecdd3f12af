package signalcore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// atOnce is how many members are written to one by one at the same time.
const atOnce = 8

// groupPasses are what opens sealed sends to the members of a group.
type groupPasses struct {
	certificate  *sealedsender.SenderCertificate
	endorsements *zkgroup.GroupSendEndorsements // nil where there are none
}

// covers reports whether a member is endorsed.
func (p groupPasses) covers(id serviceid.ServiceID) bool {
	if p.endorsements == nil {
		return false
	}
	_, ok := p.endorsements.Members[id]
	return ok
}

// token makes what the service wants to see for a message to some members.
func (p groupPasses) token(params *zkgroup.GroupSecretParams, members ...*delivery) ([]byte, error) {
	if len(members) == len(p.endorsements.Members) {
		return p.endorsements.Combined.Token(params, p.endorsements.Expires)
	}
	endorsements := make([]zkgroup.GroupSendEndorsement, len(members))
	for i, d := range members {
		endorsements[i] = p.endorsements.Members[d.target.id]
	}
	combined, err := zkgroup.CombineEndorsements(endorsements...)
	if err != nil {
		return nil, err
	}
	return combined.Token(params, p.endorsements.Expires)
}

// deliverToGroup hands a message to the service, for every delivery that has no error yet: once for all who can be
// reached by the sender key, and alone for the others. Errors stay in the deliveries.
func (s *sender) deliverToGroup(ctx context.Context, m *groupMessage) {
	members := unfailed(m.deliveries)
	if len(members) == 0 {
		return
	}
	var together, alone []*delivery
	for _, d := range members {
		if !d.alone && m.passes.certificate != nil && m.passes.covers(d.target.id) {
			together = append(together, d)
		} else {
			alone = append(alone, d)
		}
	}
	alone = append(alone, s.deliverTogether(ctx, m, together)...)
	s.deliverAlone(ctx, m, unfailed(alone))
}

func unfailed(deliveries []*delivery) []*delivery {
	var out []*delivery
	for _, d := range deliveries {
		if d.err == nil {
			out = append(out, d)
		}
	}
	return out
}

// passesFor fetches what is missing of the certificate and the endorsements. Without them messages go alone; its error
// is for a service that is not reached, and for a group that this account is no longer in.
func (s *sender) passesFor(ctx context.Context, known *knownGroup) (passes groupPasses, err error) {
	if len(known.state.Members) < 2 {
		return passes, nil
	}
	if passes.certificate, err = s.courier.access.current(ctx); err == nil {
		passes.endorsements, err = s.groups.endorsements(ctx, known)
	}
	var network *service.NetworkError
	switch {
	case err == nil:
		return passes, nil
	case errors.As(err, &network), isDiskTrouble(err), ctx.Err() != nil, errors.Is(err, model.ErrNotAGroupMember):
		return passes, notLeft(err)
	case errors.Is(err, service.ErrNotInGroup), errors.Is(err, service.ErrGroupBanned), errors.Is(err, service.ErrNoGroup):
		return passes, model.ErrNotAGroupMember // since we last heard of it
	}
	s.log.Warn().Err(err).Msg("no endorsements of a group's members: messages go to each of them alone")
	return passes, nil
}

// deliverTogether encrypts a message once, gives the key to who lacks it, and uploads the message for all. It returns
// who must be written to alone.
func (s *sender) deliverTogether(ctx context.Context, m *groupMessage, members []*delivery) []*delivery {
	if len(members) == 0 {
		return nil
	}
	if err := s.encryptForGroup(m, members); err != nil {
		fail(members, err)
		return nil
	}
	wait, renewed := retryPause, false
	for round := 1; ; round++ {
		s.distribute(ctx, m, unfailed(members))
		members = unfailed(members)
		if len(members) == 0 {
			return nil
		}
		err := s.uploadTogether(ctx, m, members)
		var changed *service.MultiDevicesError
		switch {
		case err == nil:
			return nil
		case round == maxRounds || ctx.Err() != nil:
			fail(members, err)
			return nil
		case errors.As(err, &changed) && s.followDevices(ctx, m, members, changed):
		case errors.Is(err, service.ErrUnauthorized) && !renewed:
			renewed = true
			if err := s.renewPasses(ctx, m); err != nil {
				fail(members, err)
				return nil
			}
		case errors.Is(err, service.ErrUnauthorized):
			s.log.Warn().Msg("the service does not take a group's endorsements: the message goes to each member alone")
			return members
		case worthRetrying(err):
			pause(ctx, wait)
			wait *= 2
		default:
			s.courier.note(members[0], err)
			fail(members, err)
			return nil
		}
		if m.passes.endorsements == nil {
			return members
		}
	}
}

// renewPasses replaces endorsements that were refused, and fails members who turn out to have left.
func (s *sender) renewPasses(ctx context.Context, m *groupMessage) error {
	err := s.store.Update(func(tx *store.Tx) error { return tx.DeleteGroupEndorsements(m.group.id()) })
	if err != nil {
		return storageError(err)
	}
	if m.passes, err = s.passesFor(ctx, m.group); err != nil {
		return err
	}
	now, err := s.groups.byID(m.group.id())
	if err != nil {
		return err
	}
	for _, d := range m.deliveries {
		if _, ok := now.state.Member(d.target.id); !ok && d.err == nil {
			d.err = errMemberGone
		}
	}
	return nil
}

// uploadTogether seals the message for members and hands it to the service.
func (s *sender) uploadTogether(ctx context.Context, m *groupMessage, members []*delivery) error {
	a, err := s.accounts.working()
	if err != nil {
		return err
	}
	recipients := make([]sealedsender.Recipient, len(members))
	for i, d := range members {
		recipients[i] = m.ready[d.target.id]
	}
	payload, err := sealedsender.EncryptMulti(s.config.Rand, a.aciIdentity.keys, recipients, nil, sealedsender.Content{
		Type: sealedsender.SenderKeyMessage, Certificate: m.passes.certificate, Message: m.message,
		ContentHint: m.hint, GroupID: m.group.id(),
	})
	if err != nil {
		return err
	}
	token, err := m.passes.token(m.group.params, members...)
	if err != nil {
		return err
	}
	l, err := s.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	anonymous, err := l.anonymous.get(ctx)
	if err != nil {
		return err
	}
	unregistered, err := anonymous.SendMultiRecipient(ctx, service.MultiSend{
		Payload: payload, Timestamp: m.timestamp, Online: m.online, Urgent: m.urgent,
	}, token)
	s.settleTogether(members, unregistered, err)
	return err
}

// settleTogether notes in the deliveries how an upload ended.
func (s *sender) settleTogether(members []*delivery, unregistered []serviceid.ServiceID, err error) {
	var network *service.NetworkError
	left := err == nil || errors.As(err, &network) && network.MayHaveLeft
	gone := make(map[serviceid.ServiceID]bool, len(unregistered))
	for _, id := range unregistered {
		gone[id] = true
	}
	for _, d := range members {
		d.left = d.left || left
		d.sealed = err == nil
		if gone[d.target.id] {
			d.err = service.ErrUnregistered
			s.courier.access.unregistered(d.target.id)
		}
	}
}

// followDevices gets sessions with the devices that members have now, and takes them off those who have the key. It
// reports whether the service spoke of any of them.
func (s *sender) followDevices(
	ctx context.Context, m *groupMessage, members []*delivery, changed *service.MultiDevicesError,
) bool {
	var concerned []*delivery
	for _, d := range members {
		if _, ok := changed.Accounts[d.target.id]; ok {
			delete(m.ready, d.target.id)
			concerned = append(concerned, d)
		}
	}
	parallel(concerned, func(d *delivery) {
		devices := changed.Accounts[d.target.id]
		letter, err := s.keyLetter(ctx, m, d)
		if err == nil {
			fresh := append(append([]uint32{}, devices.Missing...), devices.Stale...)
			err = s.courier.follow(ctx, letter, fresh, devices.Extra, func(*encrypter, []uint32) error { return nil })
		}
		if err != nil {
			d.err = notLeft(err)
		}
	})
	return len(concerned) > 0
}

// deliverAlone writes to members one by one.
func (s *sender) deliverAlone(ctx context.Context, m *groupMessage, members []*delivery) {
	if len(members) == 0 {
		return
	}
	var unprepared []*delivery
	for _, d := range members {
		prepared := d.messages
		if d.err = s.fillAlone(ctx, m, d, m.body); d.err != nil {
			continue
		}
		if d.messages = prepared; len(prepared) == 0 {
			unprepared = append(unprepared, d)
		} else if !allSealed(prepared) {
			d.parcel.certificate = nil
		}
	}
	s.prepareEach(ctx, unprepared, m.keepAlone)
	parallel(unfailed(members), func(d *delivery) { d.err = s.courier.deliver(ctx, d, m.keepAlone) })
}

func allSealed(messages []*storepb.Ciphertext) bool {
	return !slices.ContainsFunc(messages, func(c *storepb.Ciphertext) bool { return len(c.GetSealedBody()) == 0 })
}

// parallel calls fn for each delivery, several at once, and waits.
func parallel(deliveries []*delivery, fn func(*delivery)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, d := range deliveries {
		slots <- struct{}{}
		running.Go(func() {
			fn(d)
			<-slots
		})
	}
	running.Wait()
}
