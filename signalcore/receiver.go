package signalcore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/inbox"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	batchCount = 200
	batchBytes = 1 << 20
	// batchFill is how full a transaction may become before the rest of a batch is left to the next one: an envelope of
	// the largest size, and the sessions that are not yet written, still fit.
	batchFill = 0.5
	// maxAttempts is how often an envelope is tried on a healthy store before it is put into quarantine.
	maxAttempts = 4
	// maxQuarantined bounds what is kept of an envelope in quarantine. The service takes no larger messages.
	maxQuarantined = 200 << 10
	firstRetry     = 100 * time.Millisecond
	maxRetryWait   = 30 * time.Second
)

// panicError is a panic in the handling of an envelope. The stack is for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// receiver moves envelopes from the service into the inbox (docs/architecture.md, "What always holds", 1). serve
// belongs to the connection's goroutine; the progress marks are for any.
type receiver struct {
	store    *store.Store
	inbox    *inbox.Inbox
	accounts *accountHolder
	trust    *sealedsender.Trust
	groups   *groupKeeper
	log      zerolog.Logger
	now      func() time.Time
	version  string
	progress *progress
	pausing  func(reason string) // empty: not any more
	drained  func()              // the service's queue is empty
	done     func(effects)       // after a commit
	failed   func(error)         // for status
	// fault, where set, is called before an envelope is handled; tests make that fail.
	fault func(*arrival) error

	// unsure is set after a commit whose outcome is unknown: what it may have left to do is looked for.
	unsure      bool
	lastMessage atomic.Int64
}

// effects are what the rest of the client should look at after a commit.
type effects struct {
	messages    int
	attachments bool
	jobs        bool
	receipts    bool
	account     bool
	identities  []model.IdentityEvent
}

func (e *effects) add(other effects) {
	e.messages += other.messages
	e.attachments = e.attachments || other.attachments
	e.jobs = e.jobs || other.jobs
	e.receipts = e.receipts || other.receipts
	e.account = e.account || other.account
	e.identities = append(e.identities, other.identities...)
}

// serve receives on a line until it ends.
func (r *receiver) serve(ctx context.Context, l *line) error {
	for {
		if err := r.waitForRoom(ctx, l); err != nil {
			return err
		}
		batch, err := r.next(ctx, l)
		if err != nil {
			return err
		}
		if err := r.take(ctx, l, batch.Envelopes); err != nil {
			return err
		}
		if batch.QueueEmpty {
			r.drained()
		}
	}
}

// next waits for what arrives.
func (r *receiver) next(ctx context.Context, l *line) (batch *service.Batch, err error) {
	err = r.progress.during(ctx, func(ctx context.Context) (err error) {
		batch, err = l.auth.Receive(ctx, service.Limits{Count: batchCount, Bytes: batchBytes})
		return err
	})
	return batch, err
}

// waitForRoom pauses while the inbox is full: the service keeps the rest.
func (r *receiver) waitForRoom(ctx context.Context, l *line) error {
	if !r.inbox.Full() {
		return nil
	}
	r.pausing("the inbox is full: take messages with receive_messages")
	defer r.pausing("")
	alive, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-l.auth.Done():
			cancel()
		case <-alive.Done():
		}
	})
	err := r.progress.during(alive, r.inbox.WaitRoom)
	cancel()
	watcher.Wait()
	if err != nil && ctx.Err() == nil {
		return l.auth.Err()
	}
	return ctx.Err()
}

// take commits a batch and acknowledges it. Where an envelope spoils a batch, the halves go on their own, so that the
// others are not held up by it.
func (r *receiver) take(ctx context.Context, l *line, envelopes []service.Envelope) error {
	for len(envelopes) > 1 {
		r.progress.turn()
		count, err := r.commit(envelopes)
		if err != nil {
			half := len(envelopes) / 2
			if err := r.take(ctx, l, envelopes[:half]); err != nil {
				return err
			}
			envelopes = envelopes[half:]
			continue
		}
		if err := l.auth.Acknowledge(ctx, envelopes[:count]); err != nil {
			return err
		}
		envelopes = envelopes[count:]
	}
	if len(envelopes) == 0 {
		return nil
	}
	return r.takeOne(ctx, l, envelopes)
}

// takeOne tries an envelope until it is safe, in the inbox or in quarantine. Trouble with the disk is waited out.
func (r *receiver) takeOne(ctx context.Context, l *line, envelope []service.Envelope) error {
	defer r.pausing("")
	wait := firstRetry
	for attempt := 1; ; {
		r.progress.turn()
		_, err := r.commit(envelope)
		if err == nil {
			return l.auth.Acknowledge(ctx, envelope)
		}
		if isDiskTrouble(err) {
			r.pausing(err.Error())
		} else if attempt++; attempt > maxAttempts {
			if r.giveUp(envelope, err, attempt-1) == nil {
				return l.auth.Acknowledge(ctx, envelope)
			}
		}
		if err := r.sleep(ctx, l, wait); err != nil {
			return err
		}
		wait = min(2*wait, maxRetryWait)
	}
}

// giveUp makes an envelope safe that cannot be handled. Where a damaged session is to blame, that goes, so that the
// sender is asked for the message again, and can be heard from then on. Everything else goes into quarantine.
func (r *receiver) giveUp(envelope []service.Envelope, cause error, attempts int) error {
	var damaged *damagedSessionError
	if errors.As(cause, &damaged) {
		r.log.Error().Err(cause).Msg("a damaged session is dropped")
		err := r.store.Update(func(tx *store.Tx) error {
			return tx.DeleteSession(damaged.name.local, damaged.name.remote)
		})
		if err != nil {
			return err
		}
		if _, err = r.commit(envelope); err == nil {
			return nil
		}
	}
	return r.quarantine(envelope[0].Bytes, cause, attempts)
}

func (r *receiver) sleep(ctx context.Context, l *line, d time.Duration) error {
	if err := r.progress.rest(ctx, l.auth.Done(), d); err != nil {
		return err
	}
	return l.auth.Err() // nil while the line stands
}

// commit handles envelopes in one transaction, as many of them as fit, and returns how many those were. A panic undoes
// it, like any error.
func (r *receiver) commit(envelopes []service.Envelope) (count int, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value, debug.Stack()}
		}
		var commit *store.CommitError
		r.unsure = r.unsure || errors.As(err, &commit)
		if err != nil {
			r.logTrouble(err, len(envelopes))
		}
	}()
	account, err := r.accounts.working()
	if err != nil {
		return 0, err
	}
	var all effects
	err = r.store.Update(func(tx *store.Tx) error {
		all, count = effects{}, 0
		h := newHandler(r, tx, account)
		for _, envelope := range envelopes {
			one, err := h.handle(envelope.Bytes)
			if err != nil {
				return err
			}
			all.add(one)
			if count++; h.full() {
				break
			}
		}
		return h.book.flush()
	})
	if err != nil {
		return 0, err
	}
	if all.messages > 0 {
		r.lastMessage.Store(r.now().UnixMilli())
	}
	if r.unsure {
		r.unsure = false
		all.add(effects{attachments: true, jobs: true, receipts: true, account: true})
	}
	r.done(all)
	return count, nil
}

func (r *receiver) logTrouble(err error, count int) {
	event := r.log.Error().Err(err).Int("envelopes", count)
	var p *panicError
	if errors.As(err, &p) {
		event = event.Bytes("stack", p.stack)
	}
	event.Msg("envelopes could not be taken; nothing is acknowledged")
	r.failed(err)
}

// isDiskTrouble reports whether the store itself is in trouble, so that no envelope is to blame.
func isDiskTrouble(err error) bool {
	var commit *store.CommitError
	return errors.Is(err, store.ErrDiskFull) || errors.Is(err, store.ErrReadOnly) || errors.Is(err, store.ErrClosed) ||
		errors.As(err, &commit) || errors.Is(err, model.ErrNotLinked)
}

// quarantine keeps an envelope that cannot be handled, for a later version to read.
func (r *receiver) quarantine(raw []byte, cause error, attempts int) error {
	account, err := r.accounts.working()
	if err != nil {
		return err
	}
	mark := markOf(raw, account)
	err = r.store.Update(func(tx *store.Tx) error {
		if err := tx.MarkSeen(mark); err != nil {
			return err
		}
		return tx.Quarantine(&storepb.Quarantined{
			Envelope: raw[:min(len(raw), maxQuarantined)], Error: cause.Error(), Attempts: uint32(attempts),
			ReceivedAt: r.now().UnixMilli(), Version: r.version,
		})
	})
	if err == nil {
		r.log.Error().Err(cause).Msg("an envelope was put into quarantine")
	}
	return err
}

// markOf is what an envelope is known by, even if nothing can be read without a panic.
func markOf(raw []byte, account *account) (mark []byte) {
	defer func() {
		if recover() != nil {
			hash := sha256.Sum256(raw)
			mark = hash[:]
		}
	}()
	a, _ := readEnvelope(raw, account)
	return a.mark
}
