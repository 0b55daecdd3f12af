package signalcore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// outboxRetry is how long the outbox rests after a failure that may pass.
	outboxRetry = 5 * time.Second
	// outboxIdle is how often it looks without being woken.
	outboxIdle = 5 * time.Minute
	// minRest keeps a mistake from becoming a busy loop.
	minRest = 50 * time.Millisecond
	// gatherJobs lets the errands of several sends gather: each round of work costs transactions of its own.
	gatherJobs = 100 * time.Millisecond
	// staleAfter is how long a send whose outcome is unknown can be repeated by its key.
	staleAfter = 24 * time.Hour
)

// outbox sends what waits on disk: queued sends in their order, receipts, and the daemon's own errands.
type outbox struct {
	*Client
	queueWake chan struct{}
	jobsWake  chan struct{}
	began     time.Time
}

func newOutbox(c *Client) *outbox {
	return &outbox{
		Client: c, queueWake: make(chan struct{}, 1), jobsWake: make(chan struct{}, 1), began: c.config.Now(),
	}
}

// wake has the outbox look for work.
func (o *outbox) wake() {
	wakeUp(o.queueWake)
	o.wakeJobs()
}

// wakeJobs is for those who have only added a job or a receipt.
func (o *outbox) wakeJobs() { wakeUp(o.jobsWake) }

func wakeUp(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (o *outbox) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { o.loop(ctx, o.queueWake, o.workQueue) })
	running.Go(func() {
		o.loop(ctx, o.jobsWake, func(ctx context.Context) time.Duration {
			pause(ctx, gatherJobs)
			return o.workJobs(ctx)
		})
	})
	running.Wait()
}

// loop works, rests as long as the work says, or until woken, and works again.
func (o *outbox) loop(ctx context.Context, wake <-chan struct{}, work func(context.Context) time.Duration) {
	for ctx.Err() == nil {
		waitFor(ctx, wake, max(work(ctx), minRest))
	}
}

// holdsQueue reports whether queued sends wait, behind which the next has to go.
func (o *outbox) holdsQueue() bool {
	queue, err := o.queue()
	return err == nil && len(queue) > 0
}

// queue lists the queued sends in their order.
func (o *outbox) queue() ([]uint64, error) {
	var queue []uint64
	err := o.store.View(func(tx *store.Tx) error {
		return tx.UnfinishedOutgoing(0, func(record *storepb.Outgoing) error {
			if record.GetStatus() == storepb.OutgoingStatus_OUTGOING_QUEUED {
				queue = append(queue, record.GetTimestamp())
			}
			return nil
		})
	})
	return queue, err
}

// workQueue goes through the queue once, in order, and returns how long to rest. A message that has to wait holds up
// the later ones to the same recipients, and nobody else's.
func (o *outbox) workQueue(ctx context.Context) time.Duration {
	o.settleInterrupted()
	queue, err := o.queue()
	if err != nil {
		return outboxRetry
	}
	pass := queuePass{outbox: o, held: make(map[string]bool), rest: outboxIdle}
	for _, timestamp := range queue {
		if ctx.Err() != nil {
			break
		}
		if err := pass.visit(ctx, timestamp); err != nil {
			o.log.Error().Err(err).Uint64("timestamp", timestamp).Msg("a queued send could not be dealt with")
			pass.wait(outboxRetry)
		}
	}
	return pass.rest
}

// queuePass is one way through the queue.
type queuePass struct {
	*outbox
	held map[string]bool // recipients for whom an earlier message waits
	rest time.Duration
}

func (p *queuePass) wait(d time.Duration) { p.rest = min(p.rest, max(d, minRest)) }

// visit sends a queued message, gives it up, or leaves it for the next pass. Its error is about the disk.
func (p *queuePass) visit(ctx context.Context, timestamp uint64) error {
	record, err := p.queued(timestamp)
	if err != nil || record == nil {
		return err
	}
	now := p.config.Now()
	left := time.UnixMilli(record.GetQueuedUntil()).Sub(now)
	if left < 0 {
		return p.expire(record)
	}
	p.wait(left + time.Millisecond)
	to := recipientsOf(record)
	free := !slices.ContainsFunc(to, func(r string) bool { return p.held[r] })
	if limited := retryAt(record).Sub(now); limited > 0 {
		p.wait(limited)
		free = false
	}
	if free && p.connector.connected() {
		if p.send(ctx, record) {
			return nil
		}
		p.wait(outboxRetry)
	}
	for _, r := range to {
		p.held[r] = true
	}
	return nil
}

// queued reads a send, nil where it is not in the queue any more.
func (o *outbox) queued(timestamp uint64) (record *storepb.Outgoing, err error) {
	err = o.store.View(func(tx *store.Tx) (err error) {
		record, err = tx.Outgoing(timestamp)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err == nil && record.GetStatus() != storepb.OutgoingStatus_OUTGOING_QUEUED {
		return nil, nil
	}
	return record, err
}

// recipientsOf are the recipients of a send, as its request named them.
func recipientsOf(record *storepb.Outgoing) []string {
	var names []string
	for _, r := range record.GetRecipients() {
		names = append(names, r.GetAddress())
	}
	if len(record.GetGroupId()) > 0 { // its members hear others in between
		return []string{string(record.GetGroupId())}
	}
	if order, err := readOrder(record); err == nil && len(names) == 0 {
		for _, r := range order.to {
			names = append(names, r.Text)
		}
	}
	return names
}

// retryAt is when the service allows the next attempt.
func retryAt(record *storepb.Outgoing) time.Time {
	var at int64
	for _, r := range record.GetRecipients() {
		if r.GetState() == storepb.DeliveryState_DELIVERY_PENDING {
			at = max(at, r.GetRetryAt())
		}
	}
	return time.UnixMilli(at)
}

// send sends one queued message, and reports whether it is through with it.
func (o *outbox) send(ctx context.Context, record *storepb.Outgoing) bool {
	timestamp := record.GetTimestamp()
	_, err := o.sender.sendStored(ctx, record)
	if ctx.Err() != nil {
		return false
	}
	if err != nil && !canWait(err) && !isDiskTrouble(err) && !isCutShort(err) {
		o.log.Info().Err(err).Uint64("timestamp", timestamp).Msg("a queued send failed")
		err = o.endFailed(timestamp, err)
	}
	waiting, readErr := o.queued(timestamp)
	if err != nil && canWait(err) || readErr != nil || waiting != nil {
		return false
	}
	o.tellOutcome(timestamp)
	return true
}

// endFailed ends a send whose failure is not yet on record: it failed before it was encrypted.
func (o *outbox) endFailed(timestamp uint64, cause error) error {
	record, err := o.queued(timestamp)
	if err != nil || record == nil {
		return err
	}
	return o.sender.giveUp(record, storepb.OutgoingStatus_OUTGOING_DONE, o.config.Code(cause), cause.Error())
}

// expire gives up a send that waited beyond its time.
func (o *outbox) expire(record *storepb.Outgoing) error {
	timeout := &model.CutShortError{Departure: model.NotLeft, Timestamp: record.Timestamp, Err: context.DeadlineExceeded}
	err := o.sender.giveUp(record, storepb.OutgoingStatus_OUTGOING_EXPIRED, o.config.Code(timeout),
		"the message waited in the queue beyond its ttlSeconds")
	if err == nil {
		o.tellOutcome(record.Timestamp)
	}
	return err
}

// tellOutcome tells subscribers how a queued send ended.
func (o *outbox) tellOutcome(timestamp uint64) {
	outgoing, err := o.Outgoing(context.Background(), model.OutgoingQuery{Timestamp: timestamp})
	if err != nil || len(outgoing) == 0 {
		return
	}
	o.events.publish(model.Event{Outgoing: &outgoing[0]})
}

// settleInterrupted closes the books on sends that a crash cut short and that nobody can repeat: those without a key,
// and those whose key is too old.
func (o *outbox) settleInterrupted() {
	var lost []*storepb.Outgoing
	err := o.store.View(func(tx *store.Tx) error {
		return tx.UnfinishedOutgoing(0, func(record *storepb.Outgoing) error {
			if o.interrupted(record) {
				lost = append(lost, record)
			}
			return nil
		})
	})
	for _, record := range lost {
		if err != nil {
			break
		}
		err = o.store.Reclaim(func(tx *store.Tx) error { return o.settle(tx, record) })
	}
	if err != nil {
		o.log.Error().Err(err).Msg("interrupted sends could not be settled")
	}
}

// interrupted reports whether a send without an outcome belongs to an earlier run of the daemon, or to yesterday.
func (o *outbox) interrupted(record *storepb.Outgoing) bool {
	if record.GetStatus() == storepb.OutgoingStatus_OUTGOING_QUEUED {
		return false
	}
	limit := o.began
	if record.GetIdempotencyKey() != "" {
		limit = o.config.Now().Add(-staleAfter)
	}
	return record.GetCreatedAt() < limit.UnixMilli()
}

func (o *outbox) settle(tx *store.Tx, record *storepb.Outgoing) error {
	unknown := &model.CutShortError{Departure: model.MayHaveLeft, Timestamp: record.Timestamp, Err: context.Canceled}
	for _, r := range record.Recipients {
		if r.State == storepb.DeliveryState_DELIVERY_PENDING {
			r.State = storepb.DeliveryState_DELIVERY_FAILED
			r.StatusCode, r.Error = int32(o.config.Code(unknown)), "the daemon stopped before the outcome was known"
		}
	}
	record.Status, record.Request = storepb.OutgoingStatus_OUTGOING_DONE, nil
	if _, err := tx.DeleteCiphertexts(record.Timestamp); err != nil {
		return err
	}
	return tx.PutOutgoing(record)
}
