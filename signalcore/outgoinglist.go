package signalcore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Outgoing implements commands.Sender.
func (c *Client) Outgoing(_ context.Context, query model.OutgoingQuery) ([]model.Outgoing, error) {
	var out []model.Outgoing
	add := func(o *storepb.Outgoing) error {
		out = append(out, outgoingModel(o))
		return nil
	}
	err := c.store.View(func(tx *store.Tx) error {
		switch {
		case query.Timestamp != 0:
			o, err := tx.Outgoing(query.Timestamp)
			if err != nil {
				return err
			}
			return add(o)
		case query.IdempotencyKey != "":
			o, err := tx.OutgoingOfKey(query.IdempotencyKey)
			if err != nil {
				return err
			}
			return add(o)
		}
		limit := query.Limit
		if limit <= 0 || limit > maxOutgoingListed {
			limit = maxOutgoingListed
		}
		return tx.LatestOutgoing(limit, add)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("no such send of the last day: %w", model.ErrNotFound)
	}
	return out, storageError(err)
}

func outgoingModel(o *storepb.Outgoing) model.Outgoing {
	out := model.Outgoing{
		Timestamp: o.Timestamp, IdempotencyKey: o.IdempotencyKey,
		Finished: timeOf(o.FinishedAt), StatusCode: int(o.StatusCode), ErrorMessage: o.Error,
	}
	if o.QueuedUntil != 0 {
		out.Queued = timeOf(o.CreatedAt)
	}
	sent := 0
	for _, r := range o.Recipients {
		if r.State == storepb.DeliveryState_DELIVERY_SENT {
			sent++
			continue
		}
		if o.Status == storepb.OutgoingStatus_OUTGOING_DONE {
			out.Failures = append(out.Failures, model.OutgoingFailure{
				Recipient: r.Address, StatusCode: int(r.StatusCode), ErrorMessage: r.Error,
			})
		}
	}
	out.State = outgoingState(o.Status, sent)
	if out.State == model.OutgoingFailed && len(out.Failures) > 0 {
		out.StatusCode, out.ErrorMessage = out.Failures[0].StatusCode, out.Failures[0].ErrorMessage
	}
	return out
}

func outgoingState(status storepb.OutgoingStatus, sent int) model.OutgoingState {
	switch status {
	case storepb.OutgoingStatus_OUTGOING_QUEUED:
		return model.OutgoingQueued
	case storepb.OutgoingStatus_OUTGOING_SENDING:
		return model.OutgoingSending
	case storepb.OutgoingStatus_OUTGOING_PREPARED:
		return model.OutgoingUnknown
	case storepb.OutgoingStatus_OUTGOING_EXPIRED:
		return model.OutgoingExpired
	}
	if sent > 0 {
		return model.OutgoingSent
	}
	return model.OutgoingFailed
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
