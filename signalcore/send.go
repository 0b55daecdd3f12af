package signalcore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// sender carries out the sends that a command asks for.
type sender struct {
	*Client
	courier  *courier
	inFlight *keyLocks
	turns    *keyLocks // one send to a group at a time

	mu   sync.Mutex
	last uint64 // the latest timestamp that was given out
}

func newSender(c *Client) *sender {
	access := &accessBook{
		store: c.store, connector: c.connector, log: c.log, wake: func() { c.outbox.wake() },
	}
	return &sender{Client: c, inFlight: newKeyLocks(), turns: newKeyLocks(), courier: &courier{
		store: c.store, accounts: c.accounts, connector: c.connector, access: access, rand: c.config.Rand, log: c.log,
		throttled: c.health.throttle, identity: c.identityChanged,
	}}
}

// Send implements commands.Sender.
func (c *Client) Send(ctx context.Context, request model.SendRequest) (model.SendResult, error) {
	return c.sender.send(ctx, newOrder(request), request.Uploads)
}

// SendReceipt implements commands.Sender. Our own devices are told too.
func (c *Client) SendReceipt(ctx context.Context, request model.ReceiptRequest) (model.SendResult, error) {
	return c.sender.send(ctx, newReceiptOrder(request), nil)
}

// SendTyping implements commands.Sender. Nothing of it is kept.
func (c *Client) SendTyping(ctx context.Context, request model.TypingRequest) error {
	if len(request.To.Group) > 0 {
		return c.sender.typing(ctx, request)
	}
	targets, err := c.resolve(request.To.Recipients)
	if err != nil {
		return err
	}
	timestamp := uint64(c.config.Now().UnixMilli())
	body := content.NewTyping(timestamp, content.Typing{Started: !request.Stopped})
	var first error
	reached := 0
	for _, t := range targets {
		d := &delivery{target: t, timestamp: timestamp, online: true, err: t.err}
		if d.err == nil {
			d.err = c.sender.fillParcel(ctx, d, body, sealedsender.Implicit)
		}
		if d.err == nil {
			d.err = c.sender.now(ctx, d)
		}
		if d.err == nil {
			reached++
		} else if first == nil {
			first = d.err
		}
	}
	if reached == 0 {
		return first
	}
	return nil
}

// now prepares and delivers one message of which nothing is kept.
func (s *sender) now(ctx context.Context, d *delivery) error {
	if err := s.courier.prepare(ctx, []*delivery{d}, nil); err != nil {
		return err
	}
	if d.err != nil {
		return d.err
	}
	return cutShort(ctx, d, s.courier.deliver(ctx, d, nil))
}

// fillParcel says what travels to a recipient: the content, sealed where they take it so.
func (s *sender) fillParcel(ctx context.Context, d *delivery, body *servicepb.Content, hint sealedsender.ContentHint) error {
	body, err := s.withPNISignature(d.target.id, body)
	if err != nil {
		return err
	}
	plaintext, err := padded(body)
	if err != nil {
		return err
	}
	d.parcel = parcel{to: d.target.id, plaintext: plaintext, hint: hint}
	a, err := s.accounts.working()
	if err != nil {
		return err
	}
	if d.target.id != a.aci {
		d.parcel.certificate = s.courier.access.sealing(ctx, d.target.id)
	}
	return nil
}

// withPNISignature proves to someone who wrote to our PNI that it belongs to our ACI.
func (s *sender) withPNISignature(to serviceid.ServiceID, body *servicepb.Content) (*servicepb.Content, error) {
	needed := false
	err := s.store.View(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(to)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		needed = recipient.GetPniSignatureNeeded()
		return err
	})
	a := s.accounts.get()
	if err != nil || !needed || a == nil || a.pni.IsZero() {
		return body, storageError(err)
	}
	signature, err := a.pniIdentity.keys.Private.SignAlternateIdentity(s.config.Rand, a.aciIdentity.keys.Public)
	if err != nil {
		return nil, fmt.Errorf("PNI signature: %w", err)
	}
	body = proto.CloneOf(body)
	content.AddPNISignature(body, content.PNISignature{PNI: a.pni, Signature: signature[:]})
	return body, nil
}

// send carries out an order: at once, or, where it may wait, when the service can be reached.
func (s *sender) send(ctx context.Context, o *order, uploads []model.Blob) (model.SendResult, error) {
	o.began = s.config.Now()
	if _, err := s.accounts.working(); err != nil {
		return model.SendResult{}, err
	}
	if key := o.options.IdempotencyKey; key != "" {
		release, err := s.inFlight.lock(ctx, key)
		if err != nil {
			return model.SendResult{}, &model.CutShortError{Departure: model.NotLeft, Err: err}
		}
		defer release()
		if result, done, err := s.repeat(ctx, o); done {
			return result, err
		}
	}
	if len(o.group) > 0 {
		if err := s.mayWriteTo(o); err != nil {
			return model.SendResult{}, err
		}
	}
	if o.options.Queue && s.mustWait() {
		return s.enqueue(o, uploads)
	}
	result, err := s.sendNow(ctx, o, uploads)
	switch {
	case err == nil || o.record != nil || isCutShort(err):
		return result, err
	case o.options.Queue && canWait(err):
		return s.enqueue(o, uploads)
	}
	return result, cutShort(ctx, &delivery{timestamp: o.timestamp}, err) // nothing was prepared, so nothing has left
}

// mustWait reports whether a send that may wait has to: there is no connection, or others wait already.
func (s *sender) mustWait() bool {
	if !s.connector.connected() {
		return true
	}
	return s.outbox.holdsQueue()
}

// canWait reports whether an error says that the service did not take something now, and that trying again may help: a
// challenge, too, since a person may solve it on the phone.
func canWait(err error) bool {
	var network *service.NetworkError
	var status *service.StatusError
	_, throttled := throttle(err)
	return throttled || errors.As(err, &network) || errors.As(err, &status) && status.Temporary()
}

// challengePause bounds how long to rest after a challenge: the service names hours, and the phone may be at hand.
const challengePause = 10 * time.Minute

// throttle reports whether the service wants to be left alone, and for how long where it says so.
func throttle(err error) (rest time.Duration, throttled bool) {
	var limited *service.RateLimitedError
	var challenge *service.ChallengeError
	switch {
	case errors.As(err, &limited):
		return limited.RetryAfter, true
	case errors.As(err, &challenge) && challenge.RetryAfter > 0:
		return min(challenge.RetryAfter, challengePause), true
	case errors.As(err, &challenge):
		return challengePause, true
	}
	return 0, false
}

// sendNow resolves, uploads, encrypts, keeps, and delivers.
func (s *sender) sendNow(ctx context.Context, o *order, uploads []model.Blob) (model.SendResult, error) {
	if len(o.group) > 0 {
		return s.sendToGroup(ctx, o, uploads)
	}
	targets, err := s.resolvePatiently(ctx, o.to)
	if err != nil {
		return model.SendResult{}, err
	}
	targets = distinct(targets)
	if failure := allFailed(targets); failure != nil {
		return model.SendResult{}, failure
	}
	if err := s.upload(ctx, o, uploads); err != nil {
		return model.SendResult{}, err
	}
	timestamp, err := s.timestamp(o)
	if err != nil {
		return model.SendResult{}, err
	}
	deliveries, err := s.pack(ctx, o, targets, timestamp)
	if err != nil {
		return model.SendResult{}, err
	}
	record, err := o.newRecord(timestamp, deliveries)
	if err != nil {
		return model.SendResult{}, err
	}
	o.record = record
	if err := s.courier.prepare(ctx, deliveries, s.keeper(o, record)); err != nil {
		return model.SendResult{}, cutShort(ctx, &delivery{timestamp: timestamp}, err)
	}
	return s.carryOut(ctx, o, deliveries)
}

// timestamp is the message's identifier: its own for a new send, the promised one for a queued send.
func (s *sender) timestamp(o *order) (uint64, error) {
	if o.timestamp != 0 {
		return o.timestamp, nil
	}
	err := s.store.View(func(tx *store.Tx) (err error) {
		o.timestamp, err = s.reserve(tx)
		return err
	})
	return o.timestamp, storageError(err)
}

// reserve gives out a timestamp that no other send has, be it on disk or just begun.
func (s *sender) reserve(tx *store.Tx) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for free := max(uint64(tx.Now().UnixMilli()), s.last+1); ; free++ {
		_, err := tx.Outgoing(free)
		if errors.Is(err, store.ErrNotFound) {
			s.last = free
			return free, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// distinct leaves out who is named a second time: everyone gets a message once.
func distinct(targets []target) []target {
	seen := make(map[serviceid.ServiceID]bool, len(targets))
	var out []target
	for _, t := range targets {
		if t.err == nil && seen[t.id] {
			continue
		}
		seen[t.id] = seen[t.id] || t.err == nil
		out = append(out, t)
	}
	return out
}

func allFailed(targets []target) error {
	for _, t := range targets {
		if t.err == nil {
			return nil
		}
	}
	return targets[0].err
}

// pack makes a delivery for each target.
func (s *sender) pack(ctx context.Context, o *order, targets []target, timestamp uint64) ([]*delivery, error) {
	deliveries := make([]*delivery, len(targets))
	for i, t := range targets {
		d := &delivery{target: t, timestamp: timestamp, urgent: o.urgent(), err: t.err}
		deliveries[i] = d
		if d.err != nil {
			continue
		}
		body, err := s.contentFor(o, t, timestamp)
		if err != nil {
			return nil, err
		}
		d.body, d.tellOthers = body, t.id != s.accounts.get().aci
		if err := s.fillParcel(ctx, d, body, o.hint()); err != nil {
			return nil, err
		}
	}
	return deliveries, nil
}

// contentFor builds the content for one recipient. For our own account it is what its other devices show as a note.
func (s *sender) contentFor(o *order, t target, timestamp uint64) (*servicepb.Content, error) {
	a, err := s.accounts.working()
	if err != nil {
		return nil, err
	}
	common := content.Common{Timestamp: timestamp, ProfileKey: a.profileKey}
	if common.Timer, err = s.timer(o, t.id); err != nil {
		return nil, err
	}
	body, err := o.build(common)
	if err != nil || t.id != a.aci {
		return body, err
	}
	return s.transcript(o, t, body, timestamp, false)
}

// timer is that of the conversation, unless the order sets another.
func (s *sender) timer(o *order, to serviceid.ServiceID) (*content.Timer, error) {
	if o.event.Timer != nil {
		return o.event.Timer, nil
	}
	var timer *content.Timer
	err := s.store.View(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(to)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if recipient.GetExpireTimerSeconds() > 0 {
			timer = &content.Timer{
				Seconds: recipient.GetExpireTimerSeconds(), Version: recipient.GetExpireTimerVersion(),
			}
		}
		return err
	})
	return timer, storageError(err)
}

// transcript tells our other devices what was sent, and to whom.
func (s *sender) transcript(
	o *order, t target, body *servicepb.Content, timestamp uint64, sealed bool,
) (*servicepb.Content, error) {
	if o.receipt != nil {
		o.receipt.Author = t.id
		return o.receiptSync(s.config.Rand)
	}
	transcript := content.Transcript{
		Timestamp: timestamp, Destination: t.id, DestinationNumber: t.number,
		Recipients: []content.SentRecipient{{ServiceID: t.id, Sealed: sealed}},
	}
	if body.GetDataMessage().GetExpireTimer() > 0 {
		transcript.ExpirationStart = uint64(s.config.Now().UnixMilli())
	}
	if t.id.Kind == serviceid.PNI {
		err := s.store.View(func(tx *store.Tx) error {
			identity, err := tx.RemoteIdentity(t.id)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			transcript.Recipients[0].PNIIdentityKey = identity.GetKey()
			return err
		})
		if err != nil {
			return nil, storageError(err)
		}
	}
	return content.NewSentTranscript(s.config.Rand, transcript, body)
}

// carryOut delivers what is prepared, keeps the outcome, and makes the reply of it.
func (s *sender) carryOut(ctx context.Context, o *order, deliveries []*delivery) (model.SendResult, error) {
	a, err := s.accounts.working()
	if err != nil {
		return model.SendResult{}, err
	}
	for _, d := range deliveries {
		if d.err == nil {
			d.err = s.courier.deliver(ctx, d, s.keeper(o, o.record))
		}
		if errors.Is(d.err, errNoSessions) && d.target.id == a.aci {
			d.err = nil // no other device to tell
		}
		if d.err != nil {
			d.err = cutShort(ctx, d, d.err)
		}
	}
	return s.conclude(o, deliveries)
}

// identityChanged tells subscribers that a contact has a new identity key.
func (c *Client) identityChanged(id serviceid.ServiceID) {
	event := &model.IdentityEvent{ServiceID: id, Timestamp: uint64(c.config.Now().UnixMilli())}
	err := c.store.View(func(tx *store.Tx) error {
		identity, err := tx.RemoteIdentity(id)
		if err != nil {
			return err
		}
		event.Fingerprint = identity.GetKey()
		recipient, err := tx.RecipientByServiceID(id)
		if err == nil {
			event.Number = recipient.GetNumber()
		}
		return nil
	})
	if err != nil {
		c.log.Warn().Err(err).Msg("a changed identity key could not be read back")
		return
	}
	c.log.Warn().Str("from", id.Short()).Msg("a contact has a new identity key")
	c.events.publish(model.Event{Identity: event})
}

// outcomeOf is how a delivery ended, for the record.
func (s *sender) outcomeOf(d *delivery, to *storepb.OutgoingRecipient, now time.Time) {
	to.Attempts++
	to.RetryAt = 0
	if d.err == nil {
		to.State, to.Sealed, to.SentAt = storepb.DeliveryState_DELIVERY_SENT, d.sealed, now.UnixMilli()
		to.StatusCode, to.Error = 0, ""
		return
	}
	to.State, to.StatusCode, to.Error = storepb.DeliveryState_DELIVERY_FAILED, int32(s.config.Code(d.err)), d.err.Error()
	if canWait(d.err) || isCutShort(d.err) || isDiskTrouble(d.err) {
		to.State = storepb.DeliveryState_DELIVERY_PENDING
	}
	if rest, throttled := throttle(d.err); throttled {
		to.RetryAt = now.Add(rest).UnixMilli()
	}
}

func isCutShort(err error) bool {
	var short *model.CutShortError
	return errors.As(err, &short)
}
