package signalcore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
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

// encryptForGroup makes the ciphertext, unless it is there from before, and finds out who has its key. All that changes
// is committed when it returns.
func (s *sender) encryptForGroup(m *groupMessage, members []*delivery) error {
	a, err := s.accounts.working()
	if err != nil {
		return err
	}
	plaintext, err := padded(m.body)
	if err != nil {
		return err
	}
	var pass groupEncryption
	err = s.store.Update(func(tx *store.Tx) error {
		pass = groupEncryption{groupMessage: *m, account: a, views: make(map[serviceid.ServiceID]*memberView)}
		if err := pass.view(tx); err != nil {
			return err
		}
		key, err := openGroupKey(tx, a, s.config.Rand, m.group.id())
		if err != nil {
			return err
		}
		if pass.message == nil {
			if err := pass.encrypt(tx, key, plaintext, m); err != nil {
				return err
			}
		}
		return pass.findReady(key, members)
	})
	if err != nil {
		return storageError(err)
	}
	m.message, m.distribution, m.ready = pass.message, pass.distribution, pass.ready
	for _, d := range members {
		if v := pass.views[d.target.id]; v != nil && !v.trusted {
			d.err = untrusted(d.target.id)
		}
	}
	return nil
}

// groupEncryption is the encryption of a message within one transaction. It works on a copy of the message, which the
// original takes over once all is committed.
type groupEncryption struct {
	groupMessage
	account *account
	views   map[serviceid.ServiceID]*memberView
}

// view looks at all members, whether they are written to or not: who has left may have the key.
func (e *groupEncryption) view(tx *store.Tx) error {
	book := newSessionBook(tx)
	for _, id := range e.group.state.MemberIDs() {
		if e.account.isSelf(id) {
			continue
		}
		var err error
		if e.views[id], err = viewMember(tx, book, id); err != nil {
			return err
		}
	}
	return nil
}

func (e *groupEncryption) encrypt(tx *store.Tx, key *groupKey, plaintext []byte, m *groupMessage) error {
	if key.due(e.views) {
		if err := key.renew(); err != nil {
			return err
		}
	}
	var err error
	if e.message, e.distribution, err = key.encrypt(plaintext); err != nil {
		return err
	}
	if m.keep == nil {
		return nil
	}
	return m.keep(tx, &storepb.Ciphertexts{
		GroupMessage: e.message, Distribution: e.distribution, PreparedAt: tx.Now().UnixMilli(),
	})
}

// findReady collects those members all of whose devices have the message's key.
func (e *groupEncryption) findReady(key *groupKey, members []*delivery) error {
	e.ready = make(map[serviceid.ServiceID]sealedsender.Recipient, len(members))
	distribution, err := senderkey.ParseDistribution(e.distribution)
	if err != nil {
		return err
	}
	if distribution.ID != key.id {
		return nil // there is a new one since
	}
	shared := make(map[string]*storepb.SharedWith, len(key.stored.GetShared()))
	for _, with := range key.stored.GetShared() {
		shared[string(with.GetServiceId())] = with
	}
	for _, d := range members {
		id := d.target.id
		if e.views[id] == nil {
			continue
		}
		devices := e.views[id].holders(shared[string(id.Binary())])
		if len(devices) == 0 {
			continue
		}
		if recipient, err := recipientOf(id, e.views[id].identity, devices); err == nil {
			e.ready[id] = recipient
		}
	}
	return nil
}

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
