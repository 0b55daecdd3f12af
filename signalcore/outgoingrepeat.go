package signalcore

import (
	"context"
	"errors"
	"time"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// repeat answers an order whose key was used before; done is false for a new one. Where the outcome is unknown the same
// bytes are sent again.
func (s *sender) repeat(ctx context.Context, o *order) (result model.SendResult, done bool, err error) {
	var record *storepb.Outgoing
	err = s.store.View(func(tx *store.Tx) (err error) {
		record, err = tx.OutgoingByKey(o.options.IdempotencyKey, o.options.Fingerprint[:])
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return result, false, nil
	case errors.Is(err, store.ErrConflict):
		return result, true, model.ErrKeyReused
	case err != nil:
		return result, true, storageError(err)
	}
	switch record.GetStatus() {
	case storepb.OutgoingStatus_OUTGOING_QUEUED:
		return model.SendResult{Timestamp: record.Timestamp, Queued: true, Repeated: true}, true, nil
	case storepb.OutgoingStatus_OUTGOING_DONE:
		result, err = replyOf(record, nil)
		result.Repeated = err == nil
		return result, true, err
	case storepb.OutgoingStatus_OUTGOING_EXPIRED:
		return result, true, &model.RecordedError{Code: int(record.StatusCode), Text: record.Error}
	}
	result, err = s.resume(ctx, record, o.options)
	return result, true, err
}

// resume goes on with a send that was cut short: what is encrypted already goes as it is. The options are those of the
// request that asks for it.
func (s *sender) resume(
	ctx context.Context, record *storepb.Outgoing, options model.SendOptions,
) (model.SendResult, error) {
	o, err := readOrder(record)
	if err != nil {
		return model.SendResult{}, err
	}
	if options.Queue {
		o.options.Queue, o.options.QueueTTL = true, options.QueueTTL
	}
	if len(o.group) > 0 {
		return s.resumeToGroup(ctx, o)
	}
	targets, err := s.resolve(o.to)
	if err != nil {
		return model.SendResult{}, err
	}
	if err := s.upload(ctx, o, nil); err != nil {
		return model.SendResult{}, err
	}
	deliveries, err := s.pack(ctx, o, s.unfinished(record, targets), record.Timestamp)
	if err != nil {
		return model.SendResult{}, err
	}
	if o.record, err = o.newRecord(record.Timestamp, deliveries); err != nil {
		return model.SendResult{}, err
	}
	var unprepared []*delivery
	for _, d := range deliveries {
		prepared, err := s.loadCiphertexts(d)
		if err != nil {
			return model.SendResult{}, storageError(err)
		}
		if !prepared {
			unprepared = append(unprepared, d)
		}
	}
	if err := s.courier.prepare(ctx, unprepared, s.keeper(o, o.record)); err != nil {
		return model.SendResult{}, err
	}
	return s.carryOut(ctx, o, deliveries)
}

// unfinished picks the targets that have no outcome yet, under the ids for which their ciphertexts were made.
func (s *sender) unfinished(record *storepb.Outgoing, targets []target) []target {
	pending := make(map[string]*storepb.OutgoingRecipient)
	for _, r := range record.Recipients {
		if r.State == storepb.DeliveryState_DELIVERY_PENDING {
			pending[r.Address] = r
		}
	}
	var out []target
	for _, t := range targets {
		r := pending[t.recipient.Text]
		if r == nil && len(record.Recipients) > 0 {
			continue
		}
		if id, err := serviceid.ParseBinary(r.GetServiceId()); err == nil {
			t.id, t.err = id, nil
		}
		out = append(out, t)
	}
	return out
}

func (s *sender) loadCiphertexts(d *delivery) (bool, error) {
	if d.err != nil {
		return true, nil
	}
	var kept *storepb.Ciphertexts
	err := s.store.View(func(tx *store.Tx) (err error) {
		kept, err = tx.Ciphertexts(d.timestamp, d.target.id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.messages = kept.GetMessages()
	// The same bytes, so as they were; but the certificate within the sealed ones ends.
	old := s.config.Now().Sub(time.UnixMilli(kept.GetPreparedAt())) > certificateMargin/2
	for _, m := range d.messages {
		if old {
			m.SealedBody = nil
		}
		if len(m.SealedBody) == 0 {
			d.parcel.certificate = nil
		}
	}
	return true, nil
}
