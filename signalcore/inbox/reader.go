package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Request says what a reader wants.
type Request struct {
	Types []storepb.EntryType // none: all but receipts and typing
	Max   int                 // at most so many; 100 when 0
	// MaxBytes bounds the content held in memory; 4 MiB when 0. One message is always given.
	MaxBytes int
	// Lease is how long messages are kept for an acknowledgement by id. With 0 they are kept until the batch is
	// acknowledged or returned, or the reader closed.
	Lease time.Duration
}

const (
	defaultMax      = 100
	maxMax          = 10_000
	defaultMaxBytes = 4 << 20
)

// Delivery is an entry as it is handed out.
type Delivery struct {
	*storepb.InboxEntry
	Redelivered bool // it was handed out before
}

// Batch is what a reader took.
type Batch struct {
	Messages []Delivery
	inbox    *Inbox
	lease    uint32
}

// lease keeps entries for one reader.
type lease struct {
	reader  *Reader
	expires time.Time // zero: never
	refs    []ref
}

// Reader is one connection's view. Its leases end when it is closed. It is safe for several goroutines.
type Reader struct {
	inbox  *Inbox
	closed bool // guarded by inbox.mu
}

// ErrReaderClosed means that the connection is over.
var ErrReaderClosed = errors.New("the reader is closed")

// NewReader makes a reader, to be closed by the caller.
func (b *Inbox) NewReader() *Reader { return &Reader{inbox: b} }

// Close puts back what the reader has not acknowledged.
func (r *Reader) Close() {
	b := r.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	r.closed = true
	for id, l := range b.leases {
		if l.reader == r {
			b.endLease(id, true)
		}
	}
}

// Receive waits until there is something to take, and takes it. When ctx ends first, the batch is empty.
func (r *Reader) Receive(ctx context.Context, req Request) (*Batch, error) {
	for {
		changed, expires := r.inbox.watch()
		batch, err := r.Take(req)
		if err != nil || len(batch.Messages) > 0 {
			return batch, err
		}
		if !await(ctx, changed, expires) {
			return batch, nil
		}
	}
}

// watch returns what to wait for: a change, or the end of the first lease (nil where there is none).
func (b *Inbox) watch() (<-chan struct{}, *time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var first *time.Duration
	for _, l := range b.leases {
		if l.expires.IsZero() {
			continue
		}
		if left := l.expires.Sub(b.store.Now()); first == nil || left < *first {
			first = &left
		}
	}
	return b.changed, first
}

func await(ctx context.Context, changed <-chan struct{}, expires *time.Duration) bool {
	var timer <-chan time.Time
	if expires != nil {
		t := time.NewTimer(max(*expires, time.Millisecond))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-timer:
	}
	return true
}

// Take takes what there is, at once; the batch may be empty.
func (r *Reader) Take(req Request) (*Batch, error) {
	b := r.inbox
	batch := &Batch{inbox: b}
	refs, err := r.pick(req, batch)
	if err != nil || len(refs) == 0 {
		return batch, err
	}
	if err := b.fill(batch, refs, req); err != nil {
		batch.end(false)
		return &Batch{inbox: b}, err
	}
	if req.Lease > 0 {
		b.noteDelivered(batch)
	}
	return batch, nil
}

// pick leases entries to the reader.
func (r *Reader) pick(req Request, batch *Batch) ([]ref, error) {
	b := r.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.closed {
		return nil, ErrReaderClosed
	}
	b.endExpired()
	limit := req.Max
	if limit <= 0 {
		limit = defaultMax
	}
	id := b.newLeaseID()
	refs := b.index.take(typesOf(req.Types), min(limit, maxMax), id)
	if len(refs) == 0 {
		return nil, nil
	}
	l := &lease{reader: r, refs: refs}
	if req.Lease > 0 {
		l.expires = b.store.Now().Add(req.Lease)
	}
	b.leases[id] = l
	batch.lease = id
	return refs, nil
}

func (b *Inbox) newLeaseID() uint32 {
	for {
		b.lastLease++
		if _, taken := b.leases[b.lastLease]; !taken && b.lastLease != 0 {
			return b.lastLease
		}
	}
}

// fill reads the entries from the store. Those that are too much for one batch go back.
func (b *Inbox) fill(batch *Batch, refs []ref, req Request) error {
	room := req.MaxBytes
	if room <= 0 {
		room = defaultMaxBytes
	}
	return b.store.View(func(tx *store.Tx) error {
		for i, r := range refs {
			entry, err := b.entry(tx, r)
			if err != nil {
				return err
			}
			if room -= len(entry.Content); room < 0 && i > 0 {
				b.giveBack(batch.lease, refs[i:])
				return nil
			}
			batch.Messages = append(batch.Messages, Delivery{entry, b.wasReturned(r)})
		}
		return nil
	})
}

// entry reads an entry. One that is damaged is handed out as such: it must not stop the ones behind it.
func (b *Inbox) entry(tx *store.Tx, r ref) (*storepb.InboxEntry, error) {
	entry, err := tx.InboxEntry(r.seq)
	var corrupt *store.CorruptError
	switch {
	case errors.As(err, &corrupt) || isNotFound(err):
		b.log.Error().Err(err).Uint64("seq", r.seq).Msg("an inbox entry cannot be read")
		b.mu.Lock()
		defer b.mu.Unlock()
		entry = &storepb.InboxEntry{Seq: r.seq, Type: storepb.EntryType_ENTRY_UNREADABLE, StatusCode: storageError}
		entry.Error = "the stored message is damaged and cannot be read"
		if s := b.index.find(r); s != nil {
			entry.Id, entry.ReceivedAt = formatID(s.seq, s.tag), int64(s.received)*1000
		}
		return entry, nil
	case err != nil:
		return nil, fmt.Errorf("reading an inbox entry: %w", err)
	}
	return entry, nil
}

// storageError is STORAGE_ERROR of the socket protocol.
const storageError = 24

func (b *Inbox) wasReturned(r ref) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.index.find(r)
	return s != nil && s.returned
}

// noteDelivered marks on disk what is handed out for manual acknowledgement, so that it is marked as redelivered after
// a restart. On a full disk the messages are handed out all the same.
func (b *Inbox) noteDelivered(batch *Batch) {
	for chunk := range slices.Chunk(batch.Messages, removeAtOnce) {
		err := b.store.Reclaim(func(tx *store.Tx) error {
			for _, m := range chunk {
				if err := markDelivered(tx, m.Seq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.log.Warn().Err(err).Msg("could not note which messages were handed out")
			return
		}
	}
}

func markDelivered(tx *store.Tx, seq uint64) error {
	meta, err := tx.InboxMeta(seq)
	if isNotFound(err) || err == nil && meta.Delivered {
		return nil
	}
	if err != nil {
		return err
	}
	meta.Delivered = true
	return tx.PutInboxMeta(seq, meta)
}
