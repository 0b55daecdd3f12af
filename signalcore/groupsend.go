package signalcore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// A message to a group is encrypted once, with our sender key of the group, and uploaded once, sealed for the devices
// of all members (Signal-Desktop ts/util/sendToGroup). The key, the message and the record of the send are committed in
// one transaction before anything leaves; those who lack the key then get it one by one, as it was just before the
// message. So a repeat sends the same ciphertext, and a device that turns up late can read it too. Who cannot be
// reached this way gets a message of his own, as in a conversation of two.

// sendToGroup sends an order to a group.
func (s *sender) sendToGroup(ctx context.Context, o *order, uploads []model.Blob) (model.SendResult, error) {
	return s.toGroup(ctx, o, uploads, func(m *groupMessage) (err error) {
		m.deliveries, err = s.deliveriesTo(m, m.group.state.MemberIDs())
		return err
	})
}

// resumeToGroup goes on with a send that was cut short: what is encrypted goes as it is, to those who may not have it
// yet and are still members.
func (s *sender) resumeToGroup(ctx context.Context, o *order) (model.SendResult, error) {
	return s.toGroup(ctx, o, nil, func(m *groupMessage) (err error) {
		if m.deliveries, err = s.unfinishedTo(m, o.record); err != nil {
			return err
		}
		return storageError(s.loadGroupCiphertext(m))
	})
}

// toGroup has a message to a group addressed, and delivers it.
func (s *sender) toGroup(
	ctx context.Context, o *order, uploads []model.Blob, address func(*groupMessage) error,
) (model.SendResult, error) {
	release, err := s.turns.lock(ctx, string(o.group))
	if err != nil {
		return model.SendResult{}, &model.CutShortError{Departure: model.NotLeft, Err: err}
	}
	defer release()
	known, passes, err := s.groupToWrite(ctx, o.group, o.speaks())
	if err != nil {
		return model.SendResult{}, err
	}
	if err := s.upload(ctx, o, uploads); err != nil {
		return model.SendResult{}, err
	}
	if _, err := s.timestamp(o); err != nil {
		return model.SendResult{}, err
	}
	m, err := s.newGroupMessage(o, known, passes)
	if err != nil {
		return model.SendResult{}, err
	}
	if err := address(m); err != nil {
		return model.SendResult{}, err
	}
	if o.record, err = o.newRecord(o.timestamp, m.deliveries); err != nil {
		return model.SendResult{}, err
	}
	return s.carryOutToGroup(ctx, o, m)
}

// carryOutToGroup delivers, keeps the outcome, and makes the reply of it.
func (s *sender) carryOutToGroup(ctx context.Context, o *order, m *groupMessage) (model.SendResult, error) {
	m.keep = func(tx *store.Tx, made *storepb.Ciphertexts) error { return s.keepGroupMessage(tx, o, m, made) }
	m.keepAlone = s.keeper(o, o.record)
	s.deliverToGroup(ctx, m)
	for _, d := range m.deliveries {
		if d.err != nil {
			d.err = cutShort(ctx, d, d.err)
		}
	}
	return s.conclude(o, m.deliveries)
}

// mayWriteTo refuses what the group, as it is known here, does not allow. What is yet to be fetched is let pass.
func (s *sender) mayWriteTo(o *order) error {
	return storageError(s.store.View(func(tx *store.Tx) error {
		known, err := s.groups.load(tx, o.group)
		if err != nil || !known.fetched() {
			return err
		}
		return s.mayWrite(known, o.speaks())
	}))
}

// groupToWrite finds a group to which this account may write now, with what opens sealed sends to its members. Fetching
// that can bring a newer state, so that it is asked for first.
func (s *sender) groupToWrite(ctx context.Context, id []byte, speaks bool) (*knownGroup, groupPasses, error) {
	known, err := s.groups.byID(id)
	if err == nil && !known.fetched() {
		known, err = s.groups.sync(ctx, known.params.MasterKey(), 0)
	}
	if err == nil {
		err = s.mayWrite(known, speaks)
	}
	if err != nil {
		return nil, groupPasses{}, notLeft(err)
	}
	passes, err := s.passesFor(ctx, known)
	if err != nil {
		return nil, groupPasses{}, err
	}
	if known, err = s.groups.byID(id); err != nil {
		return nil, groupPasses{}, err
	}
	return known, passes, s.mayWrite(known, speaks)
}

// mayWrite says whether this account may send to a group. In one for announcements the others may still react to what
// the admins say (Signal-Android MessageDecryptor, hasDisallowedAnnouncementOnlyContent).
func (s *sender) mayWrite(known *knownGroup, speaks bool) error {
	a, err := s.accounts.working()
	switch {
	case err != nil:
		return err
	case !known.isMember():
		return model.ErrNotAGroupMember
	case known.state.Terminated:
		return group.ErrTerminated
	case known.state.AnnouncementsOnly && speaks && !known.state.IsAdmin(a.aci):
		return fmt.Errorf("%w send messages to it", group.ErrNotAdmin)
	}
	return nil
}

// errMemberGone is for a recipient who left the group before the message came through.
var errMemberGone = fmt.Errorf("%w: left the group meanwhile", model.ErrUnknownRecipient)

// speaks reports whether an order says something, rather than reacting to it or taking it back.
func (o *order) speaks() bool { return o.event.Message != nil || o.event.Edit != nil }

// newGroupMessage builds what the order says, the same for every member.
func (s *sender) newGroupMessage(o *order, known *knownGroup, passes groupPasses) (*groupMessage, error) {
	a, err := s.accounts.working()
	if err != nil {
		return nil, err
	}
	if m := o.event.Message; m != nil && m.TimerUpdate {
		return nil, fmt.Errorf("the timer of a group is part of its state: %w", model.ErrPermission)
	}
	key := known.params.MasterKey()
	common := content.Common{
		Timestamp: o.timestamp, ProfileKey: a.profileKey, Timer: o.event.Timer,
		Group: &content.Group{MasterKey: key[:], Revision: known.state.Revision},
	}
	if common.Timer == nil && known.state.TimerSeconds > 0 {
		common.Timer = &content.Timer{Seconds: known.state.TimerSeconds}
	}
	if o.body, err = o.build(common); err != nil {
		return nil, err
	}
	return &groupMessage{
		group: known, passes: passes, timestamp: o.timestamp, body: o.body, hint: o.hint(), urgent: o.urgent(),
	}, nil
}

// deliveriesTo makes a delivery for each member but us, and but those whom this account has blocked, as the apps do
// (Signal-Android RecipientUtil.getEligibleForSending). One who had no account lately is passed over, with an error.
func (s *sender) deliveriesTo(m *groupMessage, members []serviceid.ServiceID) ([]*delivery, error) {
	a, err := s.accounts.working()
	if err != nil {
		return nil, err
	}
	var out []*delivery
	err = s.store.View(func(tx *store.Tx) error {
		for _, id := range members {
			if a.isSelf(id) {
				continue
			}
			recipient, err := tx.RecipientByServiceID(id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if recipient.GetBlocked() {
				continue
			}
			d := m.deliveryTo(id)
			if lately(recipient.GetUnregisteredAt(), tx.Now()) {
				d.err = service.ErrUnregistered
			}
			out = append(out, d)
		}
		return nil
	})
	return out, storageError(err)
}

// unfinishedTo makes deliveries for the recipients of a record that have no outcome yet.
func (s *sender) unfinishedTo(m *groupMessage, record *storepb.Outgoing) ([]*delivery, error) {
	if len(record.Recipients) == 0 {
		return s.deliveriesTo(m, m.group.state.MemberIDs())
	}
	var out []*delivery
	for _, r := range record.Recipients {
		id, err := serviceid.ParseBinary(r.GetServiceId())
		if err != nil || r.State != storepb.DeliveryState_DELIVERY_PENDING {
			continue
		}
		d := m.deliveryTo(id)
		if _, ok := m.group.state.Member(id); !ok {
			d.err = errMemberGone
		}
		out = append(out, d)
	}
	return out, nil
}

// keepGroupMessage keeps a message with its ciphertext, in the transaction that makes it.
func (s *sender) keepGroupMessage(tx *store.Tx, o *order, m *groupMessage, made *storepb.Ciphertexts) error {
	if err := tx.PutOutgoing(o.record); err != nil {
		return err
	}
	kept := &storepb.Resend{GroupId: o.group, ContentHint: uint32(m.hint), Urgent: m.urgent}
	var err error
	if kept.Content, err = proto.Marshal(m.body); err != nil {
		return err
	}
	for _, d := range m.deliveries {
		kept.Recipients = append(kept.Recipients, d.target.id.Binary())
	}
	if err := tx.PutResend(m.timestamp, kept); err != nil || !o.durable() {
		return err
	}
	return tx.PutCiphertexts(m.timestamp, s.accounts.get().aci, made)
}

// loadGroupCiphertext finds what was encrypted of a message before.
func (s *sender) loadGroupCiphertext(m *groupMessage) error {
	err := s.store.View(func(tx *store.Tx) error {
		kept, err := tx.Ciphertexts(m.timestamp, s.accounts.get().aci)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		m.message, m.distribution = kept.GetGroupMessage(), kept.GetDistribution()
		return err
	})
	for _, d := range m.deliveries {
		if err != nil {
			return err
		}
		if d.err == nil {
			d.alone, err = s.loadCiphertexts(d)
		}
	}
	return err
}

// groupTranscript tells our other devices what a group was sent, and how it reached whom. Later attempts add to that.
func (s *sender) groupTranscript(o *order, deliveries []*delivery) ([]*storepb.Job, error) {
	transcript := content.Transcript{Timestamp: o.timestamp}
	now := make(map[string]bool, len(deliveries))
	reached := len(o.record.Recipients) == 0
	for _, d := range deliveries {
		now[d.target.recipient.Text] = true
		reached = reached || d.err == nil
	}
	if !reached || o.body == nil {
		return nil, nil
	}
	for _, r := range o.record.Recipients {
		id, err := serviceid.ParseBinary(r.GetServiceId())
		if err != nil || r.State != storepb.DeliveryState_DELIVERY_SENT {
			continue
		}
		transcript.Recipients = append(transcript.Recipients, content.SentRecipient{ServiceID: id, Sealed: r.Sealed})
		transcript.Update = transcript.Update || !now[r.Address]
	}
	if o.body.GetDataMessage().GetExpireTimer() > 0 {
		transcript.ExpirationStart = uint64(s.config.Now().UnixMilli())
	}
	body, err := content.NewSentTranscript(s.config.Rand, transcript, o.body)
	if err != nil {
		return nil, err
	}
	job, err := s.transcriptJob(body, o.timestamp)
	if err != nil {
		return nil, err
	}
	return []*storepb.Job{job}, nil
}

// typing tells the members of a group who are online that we type.
func (s *sender) typing(ctx context.Context, request model.TypingRequest) error {
	release, err := s.turns.lock(ctx, string(request.To.Group))
	if err != nil {
		return &model.CutShortError{Departure: model.NotLeft, Err: err}
	}
	defer release()
	known, passes, err := s.groupToWrite(ctx, request.To.Group, true)
	if err != nil {
		return err
	}
	timestamp := uint64(s.config.Now().UnixMilli())
	m := &groupMessage{
		group: known, passes: passes, timestamp: timestamp, hint: sealedsender.Implicit, online: true,
		body: content.NewTyping(timestamp, content.Typing{Started: !request.Stopped, GroupID: known.id()}),
	}
	if m.deliveries, err = s.deliveriesTo(m, known.state.MemberIDs()); err != nil {
		return err
	}
	s.deliverToGroup(ctx, m)
	var first error
	for _, d := range m.deliveries {
		if d.err == nil {
			return nil
		}
		if first == nil {
			first = cutShort(ctx, d, d.err)
		}
	}
	return first
}

// groupMessage is one message on its way to a group.
type groupMessage struct {
	group      *knownGroup
	timestamp  uint64
	body       *servicepb.Content
	hint       sealedsender.ContentHint
	urgent     bool
	online     bool
	deliveries []*delivery // one for each recipient, with the outcome
	// keep, where set, keeps the message in the transaction that encrypts it, and keepAlone one that goes to a single
	// recipient.
	keep      func(*store.Tx, *storepb.Ciphertexts) error
	keepAlone save

	message      []byte // encrypted for all
	distribution []byte // of the key that decrypts it
	passes       groupPasses
	ready        map[serviceid.ServiceID]sealedsender.Recipient // whose devices have that key
}

func (m *groupMessage) deliveryTo(id serviceid.ServiceID) *delivery {
	return &delivery{
		target: target{id: id, recipient: model.Recipient{
			Kind: model.RecipientServiceID, ServiceID: id, Text: id.String(),
		}},
		timestamp: m.timestamp, urgent: m.urgent, online: m.online, body: m.body,
	}
}
