package signalcore

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// maxRounds bounds how often a delivery adapts to changed devices or tries again.
	maxRounds = 6
	// linePatience is how long a send waits for a connection that is being made.
	linePatience = 15 * time.Second
	retryPause   = 300 * time.Millisecond
)

// courier encrypts and delivers to the devices of one recipient at a time. It is safe for concurrent use.
type courier struct {
	store     *store.Store
	accounts  *accountHolder
	connector *connector
	access    *accessBook
	rand      io.Reader
	log       zerolog.Logger
	throttled func(until time.Time)
	identity  func(serviceid.ServiceID)
}

// delivery is one message on its way to one recipient.
type delivery struct {
	target    target
	timestamp uint64
	parcel    parcel
	messages  []*storepb.Ciphertext
	// body is what the parcel holds, kept for whoever cannot decrypt it; nil where nothing is kept.
	body *servicepb.Content
	// tellOthers is set where our other devices are to hear of it.
	tellOthers bool
	online     bool
	urgent     bool
	// token is a group's endorsement of the recipient: it opens sealed sends where the access key does not. byToken says
	// that the last attempt went by it.
	token   []byte
	byToken bool
	// alone is set for a member of a group for whom a message was prepared already.
	alone bool
	// sealed is how it went, once it is through.
	sealed bool
	// left is set once the service may have it.
	left bool
	err  error
}

// save is called in each transaction that makes ciphertexts of a delivery, so that what belongs with them is kept with
// them.
type save func(*store.Tx, *delivery) error

// prepare encrypts deliveries, in one transaction where there are sessions, after fetching prekeys where there are none.
// What cannot be encrypted has its reason in the delivery; the error is the store's.
func (c *courier) prepare(ctx context.Context, deliveries []*delivery, keep save) error {
	missing, err := c.encrypt(deliveries, nil, keep)
	if err != nil {
		return err
	}
	for len(missing) > 0 {
		to := missing[0].target.id
		var same, others []*delivery
		for _, d := range missing {
			if d.target.id == to {
				same = append(same, d)
			} else {
				others = append(others, d)
			}
		}
		missing = others
		if err := c.prepareFresh(ctx, same, keep); err != nil {
			return err
		}
	}
	return nil
}

// prepareFresh does so for deliveries to one recipient with whom there is no session.
func (c *courier) prepareFresh(ctx context.Context, same []*delivery, keep save) error {
	to := same[0].target.id
	bundles, err := c.bundles(ctx, same[0], service.AllDevices)
	if err != nil {
		fail(same, err)
		return nil
	}
	still, err := c.encrypt(same, bundles, keep)
	if err != nil {
		return err
	}
	fail(still, c.withoutDevices(to))
	return nil
}

func fail(deliveries []*delivery, err error) {
	for _, d := range deliveries {
		if d.err == nil {
			d.err = err
		}
	}
}

// encrypt makes the ciphertexts of deliveries, opening sessions from bundles first, and returns those without a session.
// What does not fit into one transaction goes into the next.
func (c *courier) encrypt(deliveries []*delivery, bundles []prekey.Bundle, keep save) ([]*delivery, error) {
	a, err := c.accounts.working()
	if err != nil {
		return nil, err
	}
	var missing []*delivery
	for len(deliveries) > 0 {
		var pass encryption
		err := c.store.Update(func(tx *store.Tx) error {
			pass = encryption{encrypter: newEncrypter(tx, a, c.rand), bundles: bundles, keep: keep}
			return pass.some(deliveries)
		})
		if err != nil {
			return nil, storageError(err)
		}
		for _, id := range pass.changed {
			c.identity(id)
		}
		if pass.opened {
			bundles = nil // they serve once
		}
		missing = append(missing, pass.missing...)
		deliveries = deliveries[pass.count:]
	}
	return missing, nil
}

// encryption is the encryption of deliveries within one transaction.
type encryption struct {
	*encrypter
	bundles []prekey.Bundle
	keep    save

	count   int  // how many deliveries are dealt with
	opened  bool // the bundles are used
	missing []*delivery
	changed []serviceid.ServiceID
}

// some deals with as many deliveries as fit. Its error is the store's; that of a delivery is kept in it.
func (e *encryption) some(deliveries []*delivery) error {
	for _, d := range deliveries {
		e.count++
		if d.err == nil {
			if err := e.single(d); err != nil {
				return err
			}
		}
		if e.tx.Fill() > batchFill {
			return nil
		}
	}
	return nil
}

func (e *encryption) single(d *delivery) error {
	fresh := false
	err := e.tx.Attempt(func() (err error) {
		if fresh, err = e.open(d.target.id, e.bundles); err != nil {
			return err
		}
		d.messages, err = e.all(d.parcel)
		return err
	})
	switch {
	case isDiskTrouble(err):
		return err
	case err != nil: // undone, so that the book must not remember it either
		e.book, d.messages = newSessionBook(e.tx), nil
		if errors.Is(err, errNoSessions) {
			e.missing = append(e.missing, d)
		} else {
			d.err = err
		}
		return nil
	}
	if fresh {
		e.changed = append(e.changed, d.target.id)
	}
	e.opened, e.bundles = true, nil
	if e.keep == nil {
		return nil
	}
	return e.keep(e.tx, d)
}

// bundles fetches the prekeys of a device of a delivery's recipient, or of all devices: with the token of a group where
// there is one, so that the service does not learn who asks.
func (c *courier) bundles(ctx context.Context, d *delivery, device uint32) ([]prekey.Bundle, error) {
	l, err := c.connector.line(ctx, linePatience)
	if err != nil {
		return nil, err
	}
	to := d.target.id
	var answer *service.PreKeyBundles
	err = service.ErrUnauthorized
	if len(d.token) > 0 {
		answer, err = preKeysByToken(ctx, l, to, device, d.token)
	}
	if errors.Is(err, service.ErrUnauthorized) {
		answer, err = l.auth.PreKeys(ctx, to, device)
	}
	if errors.Is(err, service.ErrUnregistered) && device == service.AllDevices {
		c.access.unregistered(to)
	}
	if err != nil {
		return nil, notLeft(err)
	}
	return bundlesOf(answer)
}

func preKeysByToken(
	ctx context.Context, l *line, to serviceid.ServiceID, device uint32, token []byte,
) (*service.PreKeyBundles, error) {
	anonymous, err := l.anonymous.get(ctx)
	if err != nil {
		return nil, err
	}
	return anonymous.PreKeys(ctx, to, device, service.Access{GroupSendToken: token})
}

// notLeft says of an error of fetching something that the message itself has not left.
func notLeft(err error) error {
	var network *service.NetworkError
	if errors.As(err, &network) && network.MayHaveLeft {
		return &service.NetworkError{Err: network.Err}
	}
	return err
}

// deliver hands a prepared delivery to the service, adapting to changed devices, until it is through or has failed. What
// is sent again after a lost answer are the same bytes, which a recipient takes once.
func (c *courier) deliver(ctx context.Context, d *delivery, keep save) error {
	sealed := d.parcel.certificate != nil
	wait := retryPause
	for round := 1; ; round++ {
		err := c.attempt(ctx, d, sealed)
		if err == nil {
			d.sealed = sealed
			return nil
		}
		if round == maxRounds || ctx.Err() != nil {
			return err
		}
		var mismatched *service.MismatchedDevicesError
		var stale *service.StaleDevicesError
		switch {
		case errors.Is(err, service.ErrUnauthorized) && sealed:
			sealed = c.otherAccess(d)
			continue
		case errors.As(err, &mismatched):
			err = c.adapt(ctx, d, mismatched.Missing, mismatched.Extra, keep)
		case errors.As(err, &stale):
			err = c.adapt(ctx, d, stale.Stale, nil, keep)
		case worthRetrying(err):
			pause(ctx, wait)
			wait *= 2
			continue
		default:
			c.note(d, err)
		}
		if err != nil {
			return err
		}
	}
}

// otherAccess gives up what did not entitle a sealed send, and reports whether there is something else that may.
func (c *courier) otherAccess(d *delivery) bool {
	if d.byToken {
		d.token = nil
		return false
	}
	c.access.refused(d.target.id)
	return len(d.token) > 0
}

// worthRetrying reports whether the same bytes may get through on another attempt.
func worthRetrying(err error) bool {
	var network *service.NetworkError
	var status *service.StatusError
	var unconnected notConnectedError
	switch {
	case errors.As(err, &unconnected):
		return false // a connection was waited for already
	case errors.As(err, &network):
		return !network.Timeout()
	case errors.As(err, &status):
		return status.Temporary()
	}
	return false
}

// note remembers what a refusal says about the recipient, or about us.
func (c *courier) note(d *delivery, err error) {
	var limited *service.RateLimitedError
	switch {
	case errors.Is(err, service.ErrUnregistered):
		c.access.unregistered(d.target.id)
	case errors.As(err, &limited):
		c.throttled(c.store.Now().Add(limited.RetryAfter))
	}
}

func (c *courier) attempt(ctx context.Context, d *delivery, sealed bool) error {
	l, err := c.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	send := service.Send{
		Destination: d.target.id, Timestamp: d.timestamp, Online: d.online, Urgent: d.urgent,
		Messages: deviceMessages(d.messages, sealed),
	}
	if sealed {
		access, ok := c.access.get(d.target.id)
		if d.byToken = !ok && len(d.token) > 0; d.byToken {
			access, ok = service.Access{GroupSendToken: d.token}, true
		}
		if !ok {
			return service.ErrUnauthorized
		}
		err = sendSealed(ctx, l, send, access)
	} else {
		err = l.auth.SendMessage(ctx, send)
	}
	var network *service.NetworkError
	if err == nil || errors.As(err, &network) && network.MayHaveLeft {
		d.left = true
	}
	return err
}

func sendSealed(ctx context.Context, l *line, send service.Send, access service.Access) error {
	anonymous, err := l.anonymous.get(ctx)
	if err != nil {
		return err
	}
	return anonymous.SendMessage(ctx, send, access)
}

func deviceMessages(ciphertexts []*storepb.Ciphertext, sealed bool) []service.DeviceMessage {
	out := make([]service.DeviceMessage, len(ciphertexts))
	for i, c := range ciphertexts {
		out[i] = service.DeviceMessage{
			Type: int32(c.Type), DeviceID: c.DeviceId, RegistrationID: c.RegistrationId, Content: c.Body,
		}
		if sealed {
			out[i].Type, out[i].Content = int32(servicepb.Envelope_UNIDENTIFIED_SENDER), c.SealedBody
		}
	}
	return out
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// cutShort names how a send ended whose context was over first.
func cutShort(ctx context.Context, d *delivery, err error) error {
	if ctx.Err() == nil {
		return err
	}
	departure := model.NotLeft
	if d.left {
		departure = model.MayHaveLeft
	}
	return &model.CutShortError{Departure: departure, Timestamp: d.timestamp, Err: context.Cause(ctx)}
}
