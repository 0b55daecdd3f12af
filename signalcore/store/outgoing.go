package store

import (
	"errors"
	"time"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

const (
	// OutgoingFor is how long a finished send and its idempotency key are kept.
	OutgoingFor = 24 * time.Hour
	// ResendFor is how long the content of a send is kept for retry requests.
	ResendFor = 2 * time.Hour
	// MaxIdempotencyKey bounds an idempotency key, in bytes.
	MaxIdempotencyKey = 512
)

func finished(o *storepb.Outgoing) bool {
	return o.Status == storepb.OutgoingStatus_OUTGOING_DONE || o.Status == storepb.OutgoingStatus_OUTGOING_EXPIRED
}

// FreeTimestamp returns the first timestamp from now on that no send of the last day has: it identifies a message.
func (tx *Tx) FreeTimestamp() (uint64, error) {
	for ms := uint64(max(tx.nowMillis(), 1)); ; ms++ {
		taken, err := tx.has(kindOutgoing.key(be64(ms)))
		if err != nil || !taken {
			return ms, err
		}
	}
}

// Outgoing reads a send by its timestamp. One whose day is over is gone.
func (tx *Tx) Outgoing(timestamp uint64) (*storepb.Outgoing, error) {
	out := new(storepb.Outgoing)
	if err := tx.read(kindOutgoing.key(be64(timestamp)), out); err != nil {
		return out, err
	}
	if out.ExpiresAt != 0 && out.ExpiresAt <= tx.nowMillis() {
		return new(storepb.Outgoing), ErrNotFound
	}
	return out, nil
}

// OutgoingByKey finds a send by its idempotency key, or ErrNotFound. ErrConflict means that the key was used for a
// request with another hash.
func (tx *Tx) OutgoingByKey(key string, requestHash []byte) (*storepb.Outgoing, error) {
	out, err := tx.OutgoingOfKey(key)
	if err == nil && string(out.RequestHash) != string(requestHash) {
		return nil, ErrConflict
	}
	return out, err
}

// OutgoingOfKey finds a send by its idempotency key, whatever the request was.
func (tx *Tx) OutgoingOfKey(key string) (*storepb.Outgoing, error) {
	if key == "" || len(key) > MaxIdempotencyKey {
		return nil, ErrNotFound
	}
	value, err := tx.get(kindOutgoingKey.key([]byte(key)))
	if err != nil {
		return nil, err
	}
	timestamp, err := parseU64(value)
	if err != nil {
		return nil, &CorruptError{string(kindOutgoingKey), err}
	}
	return tx.Outgoing(timestamp)
}

// PutOutgoing writes a send with its indexes. While it is queued it has a place in the queue, which it keeps; once it
// is finished it is forgotten after OutgoingFor.
func (tx *Tx) PutOutgoing(o *storepb.Outgoing) error {
	if o.Timestamp == 0 || len(o.IdempotencyKey) > MaxIdempotencyKey {
		return errors.New("a send needs a timestamp, and a shorter idempotency key")
	}
	if o.CreatedAt == 0 {
		o.CreatedAt = tx.nowMillis()
	}
	if err := tx.placeInQueue(o); err != nil {
		return err
	}
	life := time.Duration(0)
	if finished(o) {
		life = OutgoingFor
		if o.FinishedAt == 0 {
			o.FinishedAt = tx.nowMillis()
		}
		o.ExpiresAt = o.FinishedAt + OutgoingFor.Milliseconds()
	}
	if o.IdempotencyKey != "" {
		if err := tx.putFor(kindOutgoingKey.key([]byte(o.IdempotencyKey)), be64(o.Timestamp), life); err != nil {
			return err
		}
	}
	return tx.writeFor(kindOutgoing.key(be64(o.Timestamp)), o, life)
}

// placeInQueue keeps the queue's index in step: it holds every send that is queued or prepared and unfinished.
func (tx *Tx) placeInQueue(o *storepb.Outgoing) error {
	switch {
	case finished(o) && o.QueueOrder != 0:
		order := o.QueueOrder
		o.QueueOrder = 0
		return tx.delete(kindOutgoingQueue.key(be64(order)))
	case finished(o) || o.QueueOrder != 0:
		return nil
	}
	order, err := tx.next(kindOutgoingQueue)
	if err != nil {
		return err
	}
	o.QueueOrder = order
	return tx.put(kindOutgoingQueue.key(be64(o.QueueOrder)), be64(o.Timestamp))
}

// UnfinishedOutgoing calls fn for up to limit sends (0: all) that have no outcome yet, in the order in which they came:
// the queued ones, and those that a crash cut short.
func (tx *Tx) UnfinishedOutgoing(limit int, fn func(*storepb.Outgoing) error) error {
	return tx.scan(scanRange{prefix: kindOutgoingQueue.key(), limit: limit}, func(_, value []byte) error {
		timestamp, err := parseU64(value)
		if err != nil {
			return &CorruptError{string(kindOutgoingQueue), err}
		}
		o, err := tx.Outgoing(timestamp)
		if err != nil {
			return err
		}
		return fn(o)
	})
}

// CountUnfinishedOutgoing counts them.
func (tx *Tx) CountUnfinishedOutgoing() (int, error) { return tx.count(kindOutgoingQueue.key()) }

// Ciphertexts reads what was prepared for one recipient of a send.
func (tx *Tx) Ciphertexts(timestamp uint64, to serviceid.ServiceID) (*storepb.Ciphertexts, error) {
	out := new(storepb.Ciphertexts)
	return out, tx.read(kindCiphertexts.key(be64(timestamp), fixed(to)), out)
}

// PutCiphertexts writes it, in the transaction that writes the sessions they came from and before anything leaves.
// It stays until DeleteCiphertexts is called, once the send has its outcome.
func (tx *Tx) PutCiphertexts(timestamp uint64, to serviceid.ServiceID, c *storepb.Ciphertexts) error {
	return tx.write(kindCiphertexts.key(be64(timestamp), fixed(to)), c)
}

// DeleteCiphertexts removes all that was prepared for a send, which has its outcome.
func (tx *Tx) DeleteCiphertexts(timestamp uint64) (int, error) {
	return tx.deleteAll(scanRange{prefix: kindCiphertexts.key(be64(timestamp))})
}

// Resend reads the content of a send of the last two hours.
func (tx *Tx) Resend(timestamp uint64) (*storepb.Resend, error) {
	out := new(storepb.Resend)
	return out, tx.read(kindResend.key(be64(timestamp)), out)
}

// PutResend keeps the content of a send for retry requests.
func (tx *Tx) PutResend(timestamp uint64, r *storepb.Resend) error {
	return tx.writeFor(kindResend.key(be64(timestamp)), r, ResendFor)
}
