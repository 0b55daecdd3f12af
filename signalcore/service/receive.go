package service

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

const (
	pathMessage    = "/api/v1/message"
	pathQueueEmpty = "/api/v1/queue/empty"
)

// Limits bound a batch. Zero means the default: 256 envelopes, 1 MiB.
type Limits struct {
	Count int
	Bytes int
}

// Batch is what has arrived since the last one. QueueEmpty says that after it nothing is left of what waited at the
// service when the socket was opened.
type Batch struct {
	Envelopes  []Envelope
	QueueEmpty bool
}

// Envelope is one message as the service delivered it.
type Envelope struct {
	Bytes []byte // a serialised servicepb.Envelope; what else it may be is for the receiver to find out
	// DeliveredAt is the service's time of delivery, zero where it did not say.
	DeliveredAt time.Time

	id uint64
}

func acceptsQueue(method, path string) bool {
	return method == http.MethodPut && (path == pathMessage || path == pathQueueEmpty)
}

// Receive waits for envelopes and returns those that are there. The service sends again, on another connection, what
// was not acknowledged on this one. Only one goroutine may receive.
func (a *Authenticated) Receive(ctx context.Context, limits Limits) (*Batch, error) {
	if limits.Count <= 0 {
		limits.Count = 256
	}
	if limits.Bytes <= 0 {
		limits.Bytes = 1 << 20
	}
	if err := a.Err(); err != nil { // what is still here could not be acknowledged
		return nil, err
	}
	items, err := a.arrivals.take(ctx, a.done, limits.Count, limits.Bytes)
	if err != nil {
		if ended := a.Err(); ended != nil && errors.Is(err, ErrClosed) {
			return nil, ended
		}
		return nil, err
	}
	batch := &Batch{Envelopes: make([]Envelope, 0, len(items))}
	for _, item := range items {
		if item.queueEmpty {
			batch.QueueEmpty = true
			continue
		}
		batch.Envelopes = append(batch.Envelopes, Envelope{
			Bytes: item.body, DeliveredAt: deliveredAt(item.header), id: item.id,
		})
	}
	return batch, nil
}

// Acknowledge tells the service that these envelopes are safe here, and returns once that is written. A loss on the way
// is harmless: they come again.
func (a *Authenticated) Acknowledge(ctx context.Context, envelopes []Envelope) error {
	var frames []byte
	for _, envelope := range envelopes {
		frames = appendResponse(frames, envelope.id, http.StatusOK)
	}
	if len(frames) == 0 {
		return nil
	}
	written, err := a.submit(ctx, frames)
	if err != nil {
		return err
	}
	select {
	case err := <-written:
		if err != nil {
			return &NetworkError{Err: err, MayHaveLeft: true}
		}
		return nil
	case <-ctx.Done():
		return &NetworkError{Err: ctx.Err(), MayHaveLeft: true}
	case <-a.done:
		return a.ended(true)
	}
}

func deliveredAt(header http.Header) time.Time {
	milliseconds, err := strconv.ParseInt(header.Get("X-Signal-Timestamp"), 10, 64)
	if err != nil || milliseconds <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds)
}
