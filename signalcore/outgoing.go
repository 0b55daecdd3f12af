package signalcore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// maxOutgoingListed bounds get_outgoing.
	maxOutgoingListed = 1000
	// transcriptFor is how long it is tried to tell our other devices what was sent.
	transcriptFor = 24 * time.Hour
)

// keeper returns what keeps a send with its ciphertexts, in the transaction that makes them.
func (s *sender) keeper(o *order, record *storepb.Outgoing) save {
	return func(tx *store.Tx, d *delivery) error {
		if err := tx.PutOutgoing(record); err != nil {
			return err
		}
		if err := s.keepForResend(tx, o, d); err != nil {
			return err
		}
		if !o.durable() {
			return nil
		}
		return tx.PutCiphertexts(d.timestamp, d.target.id, &storepb.Ciphertexts{
			Messages: d.messages, PreparedAt: s.config.Now().UnixMilli(),
		})
	}
}

// keepForResend keeps the content for those who cannot decrypt what they get.
func (s *sender) keepForResend(tx *store.Tx, o *order, d *delivery) error {
	if o.receipt != nil || d.body == nil {
		return nil
	}
	if d.target.id == s.accounts.get().aci && len(o.record.GetRecipients()) > 1 {
		return nil // what is kept is the message itself, not the note of it
	}
	kept, err := tx.Resend(d.timestamp)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if len(kept.GetContent()) == 0 {
		if kept.Content, err = proto.Marshal(d.body); err != nil {
			return err
		}
		kept.ContentHint, kept.Urgent, kept.GroupId = uint32(d.parcel.hint), d.urgent, o.group
	}
	if id := d.target.id.Binary(); !slices.ContainsFunc(kept.Recipients, func(r []byte) bool { return bytes.Equal(r, id) }) {
		kept.Recipients = append(kept.Recipients, id)
	}
	return tx.PutResend(d.timestamp, kept)
}

// conclude keeps the outcome of deliveries and makes the reply. What is through is through even if that fails.
func (s *sender) conclude(o *order, deliveries []*delivery) (model.SendResult, error) {
	record, now := o.record, s.config.Now()
	byID := make(map[string]*delivery, len(deliveries))
	for _, d := range deliveries {
		byID[d.target.recipient.Text] = d
	}
	pending := false
	for _, r := range record.Recipients {
		if d := byID[r.Address]; d != nil && r.State != storepb.DeliveryState_DELIVERY_SENT {
			s.outcomeOf(d, r, now)
		}
		pending = pending || r.State == storepb.DeliveryState_DELIVERY_PENDING
	}
	record.Attempts++
	joined := record.QueuedUntil == 0
	s.setStatus(o, pending)
	if err := s.keepOutcome(o, deliveries); err != nil {
		s.log.Error().Err(err).Uint64("timestamp", record.Timestamp).Msg("the outcome of a send was not kept")
	}
	s.noteSent(o, deliveries)
	if record.Status == storepb.OutgoingStatus_OUTGOING_QUEUED {
		if joined { // not when the queue itself was at work on it
			s.outbox.wake()
		}
		return model.SendResult{Timestamp: record.Timestamp, Queued: true}, nil
	}
	return replyOf(record, deliveries)
}

// setStatus decides whether a send is over: a queued one waits on, one with a key can be repeated.
func (s *sender) setStatus(o *order, pending bool) {
	record := o.record
	switch {
	case pending && o.options.Queue:
		record.Status = storepb.OutgoingStatus_OUTGOING_QUEUED
		if record.QueuedUntil == 0 {
			record.QueuedUntil = s.config.Now().Add(o.options.QueueTTL).UnixMilli()
		}
	case pending && o.options.IdempotencyKey != "":
		record.Status = storepb.OutgoingStatus_OUTGOING_PREPARED
	default:
		record.Status = storepb.OutgoingStatus_OUTGOING_DONE
	}
}

// keepOutcome writes a send's record, and the transcripts for our other devices.
func (s *sender) keepOutcome(o *order, deliveries []*delivery) error {
	transcripts, err := s.transcripts(o, deliveries)
	if err != nil {
		return err
	}
	return s.store.Update(func(tx *store.Tx) error {
		for _, job := range transcripts {
			if err := tx.AddJob(job); err != nil {
				return err
			}
		}
		if len(transcripts) > 0 {
			tx.OnCommit(s.outbox.wakeJobs)
		}
		if o.record.Status == storepb.OutgoingStatus_OUTGOING_DONE {
			if err := s.clear(tx, o); err != nil {
				return err
			}
		}
		return tx.PutOutgoing(o.record)
	})
}

// clear drops what a finished send does not need any more.
func (s *sender) clear(tx *store.Tx, o *order) error {
	o.record.Request = nil
	for _, id := range o.files {
		if err := tx.DeleteAttachment(id); err != nil {
			return err
		}
	}
	if !o.durable() {
		return nil
	}
	_, err := tx.DeleteCiphertexts(o.record.Timestamp)
	return err
}

// transcripts makes a job for each recipient that was reached in this attempt.
func (s *sender) transcripts(o *order, deliveries []*delivery) ([]*storepb.Job, error) {
	if len(o.group) > 0 {
		return s.groupTranscript(o, deliveries)
	}
	var jobs []*storepb.Job
	for _, d := range deliveries {
		if d.err != nil || !d.tellOthers {
			continue
		}
		transcript, err := s.transcript(o, d.target, d.body, d.timestamp, d.sealed)
		if err != nil {
			return nil, err
		}
		job, err := s.transcriptJob(transcript, d.timestamp)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

func (s *sender) transcriptJob(transcript *servicepb.Content, timestamp uint64) (*storepb.Job, error) {
	payload, err := proto.Marshal(transcript)
	return &storepb.Job{
		Kind: storepb.JobKind_JOB_TRANSCRIPT, Payload: payload, Timestamp: timestamp,
		ExpiresAt: s.config.Now().Add(transcriptFor).UnixMilli(),
	}, err
}

// replyOf makes the reply from the record. The errors of this attempt, where there are some, say more than the record's.
func replyOf(record *storepb.Outgoing, deliveries []*delivery) (model.SendResult, error) {
	errs := make(map[string]*delivery, len(deliveries))
	for _, d := range deliveries {
		errs[d.target.recipient.Text] = d
	}
	result := model.SendResult{Timestamp: record.Timestamp}
	var first error
	for _, r := range record.Recipients {
		if r.State == storepb.DeliveryState_DELIVERY_SENT {
			continue
		}
		failure := model.SendFailure{Recipient: model.Recipient{Text: r.Address}}
		if d := errs[r.Address]; d != nil {
			failure.Recipient, failure.Err = d.target.recipient, d.err
		}
		if failure.Err == nil {
			failure.Err = &model.RecordedError{Code: int(r.StatusCode), Text: r.Error}
		}
		result.Failures = append(result.Failures, failure)
		if first == nil {
			first = failure.Err
		}
	}
	if len(result.Failures) == len(record.Recipients) && first != nil {
		return model.SendResult{}, first
	}
	return result, nil
}

// enqueue keeps an order for when the service can be reached.
func (s *sender) enqueue(o *order, uploads []model.Blob) (model.SendResult, error) {
	for i, blob := range uploads {
		id, err := s.keepBlob(blob)
		if err != nil {
			return model.SendResult{}, &model.AttachmentError{Index: i, Err: err}
		}
		o.files = append(o.files, id)
	}
	request, err := o.serialize()
	if err != nil {
		return model.SendResult{}, err
	}
	err = s.store.Update(func(tx *store.Tx) error {
		if o.timestamp == 0 {
			if o.timestamp, err = s.reserve(tx); err != nil {
				return err
			}
		}
		now := s.config.Now()
		for _, id := range o.files {
			if id == "" {
				continue
			}
			if err := tx.PutAttachment(&storepb.Attachment{
				Id: id, State: storepb.AttachmentState_ATTACHMENT_DONE, CreatedAt: now.UnixMilli(),
			}); err != nil {
				return err
			}
		}
		return tx.PutOutgoing(&storepb.Outgoing{
			Timestamp: o.timestamp, IdempotencyKey: o.options.IdempotencyKey, RequestHash: o.options.Fingerprint[:],
			Status: storepb.OutgoingStatus_OUTGOING_QUEUED, QueuedUntil: now.Add(o.options.QueueTTL).UnixMilli(),
			Request: request, Urgent: o.urgent(), GroupId: o.group,
		})
	})
	if err != nil {
		return model.SendResult{}, storageError(err)
	}
	s.noteQueued(o)
	s.outbox.wake()
	return model.SendResult{Timestamp: o.timestamp, Queued: true}, nil
}

// keepBlob copies an attachment of a request to disk, from where it is uploaded later.
func (s *sender) keepBlob(blob model.Blob) (string, error) {
	if blob.Open == nil { // a sticker, to be fetched when it is sent
		return "", nil
	}
	id := newAttachmentID()
	if err := s.store.RoomForFiles(blob.Size); err != nil {
		return "", storageError(err)
	}
	from, err := openBlob(blob)
	if err != nil {
		return "", err
	}
	defer from.Close()
	temp, err := s.store.CreateTemp()
	if err != nil {
		return "", storageError(err)
	}
	if _, err := io.Copy(temp, from); err != nil {
		removeTemp(temp)
		return "", err
	}
	return id, storageError(s.store.AdoptAttachment(temp, id))
}

// sendStored sends a queued order: from the start, or on from where it was cut short.
func (s *sender) sendStored(ctx context.Context, record *storepb.Outgoing) (model.SendResult, error) {
	if len(record.GetRecipients()) > 0 {
		return s.resume(ctx, record, model.SendOptions{})
	}
	o, err := readOrder(record)
	if err != nil {
		return model.SendResult{}, err
	}
	return s.sendNow(ctx, o, nil)
}

// giveUp ends a send that waited, with a reason.
func (s *sender) giveUp(record *storepb.Outgoing, status storepb.OutgoingStatus, code int, text string) error {
	o, err := readOrder(record)
	if err != nil { // its files stay until the next start
		o = &order{record: record, options: model.SendOptions{Queue: true}}
	}
	record.Status, record.StatusCode, record.Error = status, int32(code), text
	return s.store.Reclaim(func(tx *store.Tx) error {
		if err := s.clear(tx, o); err != nil {
			return err
		}
		return tx.PutOutgoing(record)
	})
}
