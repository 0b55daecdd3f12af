// Package inbox is the durable queue between the receiver and whoever asks for messages.
//
// The receiver appends in its transaction; after the commit the waiters wake. A Reader (one per connection) takes
// messages under a lease: each goes to one reader, in the order of arrival, and is removed once acknowledged, with its
// attachments. A lease that ends otherwise puts its messages back, marked as redelivered. A Cursor (one per subscriber)
// reads every event as it arrives and consumes nothing.
//
// Entries live in package store. Here is an index of 32 bytes for each, and the leases, which a restart ends: what was
// handed out for manual acknowledgement is then marked as redelivered too, since that is noted on disk before it is
// handed out; what was being written with automatic acknowledgement comes again without the mark.
//
// What is not here: the meaning of an entry and its rendering (content, commands), and fetching attachments.
package inbox

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Options say how an inbox behaves. The zero value has no limits.
type Options struct {
	// MaxBytes is the size, attachments included, from which on Full holds; 0 means no limit.
	MaxBytes int64
	// MaxAge is the age at which Tidy removes entries; 0 means never.
	MaxAge time.Duration
	// KeepEphemeral is how many receipts and typing events are kept for readers that ask for them; 1,000 when 0. They
	// are not among the default types, so that nobody may ever take them, and must not fill the inbox.
	KeepEphemeral int
	// RetainEntries and RetainBytes bound what is kept, although acknowledged, for subscribers that lag behind; 10,000
	// entries and 64 MiB when 0.
	RetainEntries int
	RetainBytes   int64
	Logger        zerolog.Logger
	// Rand makes ids; crypto/rand when nil.
	Rand io.Reader
}

// Inbox is the queue. All its methods may be called from any goroutine, but not inside a store transaction, except
// Append and Grow, which take it.
type Inbox struct {
	store *store.Store
	opts  Options
	log   zerolog.Logger

	mu        sync.Mutex // taken inside the store's writer, never around it
	index     index
	lastSeq   uint64 // the highest number given out
	leases    map[uint32]*lease
	lastLease uint32
	cursors   map[*Cursor]struct{}
	changed   chan struct{} // closed and replaced at every change that somebody may wait for
}

// Open reads the index from the store.
func Open(st *store.Store, opts Options) (*Inbox, error) {
	setDefaults(&opts)
	b := &Inbox{
		store: st, opts: opts,
		log:     opts.Logger.With().Str("part", "inbox").Logger(),
		leases:  make(map[uint32]*lease),
		cursors: make(map[*Cursor]struct{}),
		changed: make(chan struct{}),
	}
	if err := b.load(); err != nil {
		return nil, fmt.Errorf("reading the inbox: %w", err)
	}
	if err := b.purge(1); err != nil {
		b.log.Warn().Err(err).Msg("entries that were acknowledged before could not be removed yet")
	}
	st.OnReopen(func() {
		if err := b.load(); err != nil {
			b.log.Error().Err(err).Msg("the inbox could not be read again; entries may stay unseen until a restart")
		}
	})
	return b, nil
}

func setDefaults(o *Options) {
	if o.KeepEphemeral <= 0 {
		o.KeepEphemeral = 1000
	}
	if o.RetainEntries <= 0 {
		o.RetainEntries = 10_000
	}
	if o.RetainBytes <= 0 {
		o.RetainBytes = 64 << 20
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
}

// load brings the index in line with the store: at the start, and after a commit whose outcome was unknown.
func (b *Inbox) load() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	present := make(map[uint64]struct{})
	err := b.store.View(func(tx *store.Tx) error {
		seq, err := tx.InboxSeq()
		if err != nil {
			return err
		}
		b.lastSeq = max(b.lastSeq, seq)
		return tx.ScanInbox(func(seq uint64, meta *storepb.InboxMeta) error {
			present[seq] = struct{}{}
			b.index.restore(seq, meta)
			return nil
		})
	})
	if err != nil {
		return err
	}
	b.index.retain(present)
	b.wake()
	return nil
}

// Append adds an entry in the transaction that makes it: Seq, Id, ReceivedAt and Bytes are set here, where they are
// not. Waiters wake when the transaction is on disk.
func (b *Inbox) Append(tx *store.Tx, e *storepb.InboxEntry) error {
	var tag [4]byte
	if _, err := io.ReadFull(b.opts.Rand, tag[:]); err != nil {
		return fmt.Errorf("making an id: %w", err)
	}
	b.mu.Lock()
	b.lastSeq++
	e.Seq = b.lastSeq
	b.mu.Unlock()
	meta := &storepb.InboxMeta{Tag: binary.BigEndian.Uint32(tag[:])}
	e.Id = formatID(e.Seq, meta.Tag)
	if e.ReceivedAt == 0 {
		e.ReceivedAt = tx.Now().UnixMilli()
	}
	if e.Bytes == 0 {
		e.Bytes = int64(len(e.Content)) + entryOverhead
	}
	meta.Type, meta.Bytes, meta.ReceivedAt = e.Type, e.Bytes, e.ReceivedAt
	if err := tx.PutInboxEntry(e, meta); err != nil {
		return err
	}
	tx.OnCommit(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.index.restore(e.Seq, meta)
		b.wake()
	})
	return nil
}

// entryOverhead is about what an entry takes besides its content.
const entryOverhead = 256

// Grow adds to what an entry counts for, when a file of it has been fetched. An entry that is gone is no error.
func (b *Inbox) Grow(tx *store.Tx, seq uint64, by int64) error {
	meta, err := tx.InboxMeta(seq)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	meta.Bytes += by
	if err := tx.PutInboxMeta(seq, meta); err != nil {
		return err
	}
	tx.OnCommit(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.index.resize(ref{meta.Type, seq}, meta.Bytes)
		b.wake()
	})
	return nil
}

// wake lets everyone who waits look again. The caller holds mu.
func (b *Inbox) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}
