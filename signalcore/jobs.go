package signalcore

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	jobsAtOnce = 64
	// receiptPause lets receipts to one sender gather before they leave together.
	receiptPause        = 200 * time.Millisecond
	receiptsPerMessage  = 500
	sendersAtOnce       = 50
	firstJobRetry       = 2 * time.Second
	longestJobRetry     = 30 * time.Minute
	maxPermanentRetries = 5
)

// workJobs does what is due, and returns how long to rest.
func (o *outbox) workJobs(ctx context.Context) time.Duration {
	rest := outboxIdle
	if !o.connector.connected() {
		return rest // woken by the connection
	}
	for ctx.Err() == nil {
		due, next, err := o.dueJobs()
		if err != nil {
			return outboxRetry
		}
		if next > 0 {
			rest = min(rest, next)
		}
		if len(due) == 0 {
			break
		}
		if err := o.doJobs(ctx, due); err != nil {
			return outboxRetry
		}
	}
	owed, err := o.sendReceipts(ctx)
	if err != nil {
		return outboxRetry
	}
	if owed {
		return min(rest, receiptPause)
	}
	return rest
}

// dueJobs returns the jobs whose time has come, and how long it is to the next one's.
func (o *outbox) dueJobs() (due []*storepb.Job, next time.Duration, err error) {
	now := o.config.Now().UnixMilli()
	err = o.store.View(func(tx *store.Tx) error {
		jobs, err := tx.DueJobs(jobsAtOnce)
		for _, job := range jobs {
			if job.GetNextAttempt() <= now {
				due = append(due, job)
			} else if wait := time.Duration(job.GetNextAttempt()-now) * time.Millisecond; next == 0 || wait < next {
				next = wait
			}
		}
		return err
	})
	return due, next, err
}

// doJobs does some jobs: the transcripts together, the others one by one. What was not tried is left as it is.
func (o *outbox) doJobs(ctx context.Context, jobs []*storepb.Job) error {
	outcomes := make(map[uint64]error, len(jobs))
	var transcripts, others []*storepb.Job
	for _, job := range jobs {
		switch {
		case job.GetExpiresAt() != 0 && job.GetExpiresAt() < o.config.Now().UnixMilli():
			outcomes[job.Id] = nil
		case job.GetKind() == storepb.JobKind_JOB_TRANSCRIPT:
			transcripts = append(transcripts, job)
		default:
			others = append(others, job)
		}
	}
	o.sendTranscripts(ctx, transcripts, outcomes)
	for _, job := range others {
		if ctx.Err() == nil && o.connector.connected() {
			if outcome := o.do(ctx, job); !errors.Is(outcome, errUntried) {
				outcomes[job.Id] = outcome
			}
		}
	}
	if ctx.Err() != nil { // the daemon stops: what failed is as if it had not been tried
		maps.DeleteFunc(outcomes, func(_ uint64, outcome error) bool { return outcome != nil })
	}
	err := o.settleJobs(jobs, outcomes)
	if err == nil && len(outcomes) < len(jobs) {
		err = errUntried
	}
	return err
}

// errUntried means that there are jobs left that are due; from a job, that it is not its time yet.
var errUntried = errors.New("not all that is due was tried")

// settleJobs keeps the outcomes, in as many transactions as it takes.
func (o *outbox) settleJobs(jobs []*storepb.Job, outcomes map[uint64]error) error {
	for done := 0; done < len(jobs); {
		from := done
		err := o.store.Update(func(tx *store.Tx) error {
			for done = from; done < len(jobs) && tx.Fill() < batchFill; done++ {
				job := jobs[done]
				outcome, tried := outcomes[job.Id]
				if !tried {
					continue
				}
				if err := o.settleJob(tx, job, outcome); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settleJob removes a job that is done or hopeless, and puts off one that may yet succeed.
func (o *outbox) settleJob(tx *store.Tx, job *storepb.Job, outcome error) error {
	if outcome == nil {
		return tx.DeleteJob(job.Id)
	}
	job.Attempts++
	if !mayPass(outcome) && job.Attempts >= maxPermanentRetries || errors.Is(outcome, service.ErrUnregistered) {
		o.log.Warn().Err(outcome).Stringer("job", job.GetKind()).Msg("given up")
		return tx.DeleteJob(job.Id)
	}
	o.log.Debug().Err(outcome).Stringer("job", job.GetKind()).Msg("will be tried again")
	attempts := job.Attempts
	job, err := tx.Job(job.Id) // with what the attempt has kept
	if err != nil {
		return err
	}
	job.Attempts = attempts
	rest, _ := throttle(outcome)
	wait := max(min(firstJobRetry<<min(job.Attempts, 20), longestJobRetry), rest)
	job.NextAttempt = o.config.Now().Add(wait).UnixMilli()
	job.LastError = outcome.Error()
	return tx.PutJob(job)
}

// mayPass reports whether what went wrong is likely to go well another time.
func mayPass(outcome error) bool {
	return canWait(outcome) || isDiskTrouble(outcome) || isCutShort(outcome) || errors.Is(outcome, errStorageKeys)
}

// do does one job.
func (o *outbox) do(ctx context.Context, job *storepb.Job) error {
	switch job.GetKind() {
	case storepb.JobKind_JOB_RETRY_REQUEST:
		return o.requestRetry(ctx, job)
	case storepb.JobKind_JOB_RESEND:
		return o.resend(ctx, job)
	case storepb.JobKind_JOB_NULL_MESSAGE, storepb.JobKind_JOB_SESSION_RESET:
		return o.sendNull(ctx, job)
	case storepb.JobKind_JOB_SYNC_REQUEST, storepb.JobKind_JOB_SYNC_FETCH:
		return o.requestSync(ctx, job)
	case storepb.JobKind_JOB_GROUP_RELEASE:
		return o.receiver.releaseRest(ctx, job)
	case storepb.JobKind_JOB_GROUP_UPDATE:
		return o.sender.tellGroup(ctx, job)
	}
	return o.upkeep.do(ctx, job)
}

// contact names who a job is about.
func (o *outbox) contact(job *storepb.Job) (target, error) {
	id, err := serviceid.ParseBinary(job.GetServiceId())
	return target{id: id}, err
}

// requestRetry asks a sender for another copy of what could not be read.
func (o *outbox) requestRetry(ctx context.Context, job *storepb.Job) error {
	to, err := o.contact(job)
	if err != nil {
		return err
	}
	d := &delivery{target: to, timestamp: o.nowMillis(), urgent: true, parcel: parcel{
		to: to.id, raw: job.GetPayload(), hint: sealedsender.DefaultHint,
		certificate: o.sender.courier.access.sealing(ctx, to.id),
	}}
	if err := o.sender.sealForMember(ctx, d, job.GetGroupId()); err != nil {
		return err
	}
	return o.sender.now(ctx, d)
}

// resend answers such a request of someone else: with the message, or, where that is not kept, with one that says
// nothing but gives them the new session.
func (o *outbox) resend(ctx context.Context, job *storepb.Job) error {
	var request storepb.ResendRequest
	if err := proto.Unmarshal(job.GetPayload(), &request); err != nil {
		return err
	}
	to, err := o.contact(job)
	if err != nil {
		return err
	}
	var kept *storepb.Resend
	err = o.store.View(func(tx *store.Tx) (err error) {
		kept, err = tx.Resend(request.Timestamp)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || !slices.ContainsFunc(kept.GetRecipients(), o.namesOf(to.id)) {
		if !request.Archived {
			return nil
		}
		return o.sendNull(ctx, job)
	}
	var body servicepb.Content
	if err := proto.Unmarshal(kept.GetContent(), &body); err != nil {
		return err
	}
	d := &delivery{target: to, timestamp: request.Timestamp, urgent: kept.GetUrgent()}
	device := serviceid.Address{ServiceID: to.id, DeviceID: job.GetDeviceId()}
	if body.SenderKeyDistributionMessage, err = o.ownKeyFor(kept.GetGroupId(), device); err != nil {
		return err
	}
	if err := o.sender.fillParcel(ctx, d, &body, sealedsender.ContentHint(kept.GetContentHint())); err != nil {
		return err
	}
	if err := o.sender.sealForMember(ctx, d, kept.GetGroupId()); err != nil {
		return err
	}
	return o.sender.now(ctx, d)
}

// namesOf tells the ids of a person: who got a message as a PNI asks for it as the account.
func (o *outbox) namesOf(id serviceid.ServiceID) func([]byte) bool {
	names := map[string]bool{string(id.Binary()): true}
	err := o.store.View(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(id)
		if pni, ok := store.RecipientPNI(recipient); ok && err == nil {
			names[string(pni.Binary())] = true
		}
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		o.log.Warn().Err(err).Msg("the other ids of a contact could not be read")
	}
	return func(binary []byte) bool { return names[string(binary)] }
}

// sendNull makes a new session known to its other end.
func (o *outbox) sendNull(ctx context.Context, job *storepb.Job) error {
	to, err := o.contact(job)
	if err != nil {
		return err
	}
	body, err := content.NewNull(o.config.Rand)
	if err != nil {
		return err
	}
	d := &delivery{target: to, timestamp: o.nowMillis()}
	if err := o.sender.fillParcel(ctx, d, body, sealedsender.Implicit); err != nil {
		return err
	}
	return o.sender.now(ctx, d)
}

// requestSync asks the primary device for something, or tells our other devices to fetch something.
func (o *outbox) requestSync(ctx context.Context, job *storepb.Job) error {
	var request storepb.SyncRequest
	if err := proto.Unmarshal(job.GetPayload(), &request); err != nil {
		return err
	}
	var body *servicepb.Content
	var err error
	if job.GetKind() == storepb.JobKind_JOB_SYNC_FETCH {
		body, err = content.NewFetchLatest(o.config.Rand, content.FetchLatest(request.What))
	} else {
		body, err = content.NewSyncRequest(o.config.Rand, content.RequestType(request.What))
	}
	if err != nil {
		return err
	}
	d, err := o.toSelf(ctx, body, o.nowMillis())
	if err != nil {
		return err
	}
	err = o.sender.now(ctx, d)
	if errors.Is(err, errNoSessions) {
		return nil // no other device to ask
	}
	return err
}

func (o *outbox) toSelf(ctx context.Context, body *servicepb.Content, timestamp uint64) (*delivery, error) {
	a, err := o.accounts.working()
	if err != nil {
		return nil, err
	}
	d := &delivery{target: target{id: a.aci}, timestamp: timestamp, urgent: true}
	return d, o.sender.fillParcel(ctx, d, body, sealedsender.Implicit)
}

// sendTranscripts tells our other devices what was sent: encrypted together, delivered in order. Their ciphertexts are kept
// with the jobs, so that after a crash the same bytes go again.
func (o *outbox) sendTranscripts(ctx context.Context, jobs []*storepb.Job, outcomes map[uint64]error) {
	deliveries := make([]*delivery, 0, len(jobs))
	var unprepared []*delivery
	owners := make(map[*delivery]*storepb.Job, len(jobs))
	for _, job := range jobs {
		var body servicepb.Content
		if err := proto.Unmarshal(job.GetPayload(), &body); err != nil {
			outcomes[job.Id] = err
			continue
		}
		d, err := o.toSelf(ctx, &body, job.GetTimestamp())
		if err != nil {
			outcomes[job.Id] = err
			continue
		}
		deliveries, owners[d] = append(deliveries, d), job
		if prepared := job.GetPrepared().GetMessages(); len(prepared) > 0 {
			d.messages = prepared // a second attempt: the same bytes
		} else {
			unprepared = append(unprepared, d)
		}
	}
	err := o.sender.courier.prepare(ctx, unprepared, func(tx *store.Tx, d *delivery) error {
		return keepPrepared(owners[d])(tx, d)
	})
	var stuck error
	for _, d := range deliveries {
		job := owners[d]
		outcome := cmp.Or(err, stuck, d.err)
		if outcome == nil && ctx.Err() == nil {
			outcome = o.sender.courier.deliver(ctx, d, keepPrepared(job))
		}
		if errors.Is(outcome, errNoSessions) {
			outcome = nil // no other device to tell
		}
		if outcome != nil || ctx.Err() == nil {
			outcomes[job.Id] = outcome
		}
		if canWait(outcome) {
			stuck = outcome // for the others, too
		}
	}
}

// keepPrepared returns what keeps a transcript's ciphertexts with its job.
func keepPrepared(job *storepb.Job) save {
	return func(tx *store.Tx, d *delivery) error {
		kept := proto.CloneOf(job)
		kept.Prepared = &storepb.Ciphertexts{Messages: d.messages, PreparedAt: tx.Now().UnixMilli()}
		return tx.PutJob(kept)
	}
}

// sendReceipts tells senders what has arrived, one message for each of them, and reports whether more is owed.
func (o *outbox) sendReceipts(ctx context.Context) (more bool, err error) {
	var groups [][]store.Receipt
	err = o.store.View(func(tx *store.Tx) error {
		return tx.Receipts(receiptsPerMessage, func(group []store.Receipt) (bool, error) {
			groups = append(groups, group)
			return len(groups) < sendersAtOnce, nil
		})
	})
	if err != nil || len(groups) == 0 {
		return false, err
	}
	var settled []store.Receipt
	var failed error
	for _, group := range groups {
		err := o.sendReceipt(ctx, group)
		var limited *service.RateLimitedError
		if errors.As(err, &limited) { // for this sender
			failed = err
			continue
		}
		if ctx.Err() != nil || canWait(err) || isDiskTrouble(err) || isCutShort(err) {
			failed = cmp.Or(err, ctx.Err())
			break
		}
		if err != nil {
			o.log.Debug().Err(err).Str("to", group[0].To.Short()).Msg("delivery receipts given up")
		}
		settled = append(settled, group...)
	}
	if len(settled) > 0 {
		if err := o.store.Update(func(tx *store.Tx) error { return tx.DeleteReceipts(settled) }); err != nil {
			return false, err
		}
	}
	return true, failed
}

func (o *outbox) sendReceipt(ctx context.Context, group []store.Receipt) error {
	blocked, err := o.isBlocked(group[0].To)
	if err != nil || blocked { // since they wrote
		return err
	}
	timestamps := make([]uint64, len(group))
	for i, receipt := range group {
		timestamps[i] = receipt.Timestamp
	}
	d := &delivery{target: target{id: group[0].To}, timestamp: o.nowMillis()}
	body := content.NewReceipt(content.ReceiptDelivery, timestamps)
	if err := o.sender.fillParcel(ctx, d, body, sealedsender.Implicit); err != nil {
		return err
	}
	return o.sender.now(ctx, d)
}

func (o *outbox) isBlocked(id serviceid.ServiceID) (blocked bool, err error) {
	err = o.store.View(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		blocked = recipient.GetBlocked()
		return err
	})
	return blocked, storageError(err)
}

func (o *outbox) nowMillis() uint64 { return uint64(o.config.Now().UnixMilli()) }
