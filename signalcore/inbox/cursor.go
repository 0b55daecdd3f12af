package inbox

import (
	"context"
	"errors"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Cursor is a subscriber's place in the inbox. It reads every event that arrives after it was made, also those that a
// reader acknowledges meanwhile: these are kept on disk until each cursor has passed them, within Options.RetainEntries
// and RetainBytes. A subscriber that lags behind further than that is told how many events it missed; it never costs
// memory. Use it from one goroutine.
type Cursor struct {
	inbox *Inbox
	want  typeSet

	// guarded by inbox.mu
	next   uint64 // what is before it was handed out
	held   uint64 // what is before it is done with: the last events handed out are kept until the next call
	missed uint64
	closed bool
}

// ErrCursorClosed means that the subscription is over.
var ErrCursorClosed = errors.New("the subscription is closed")

const (
	cursorMax   = 64
	cursorBytes = 1 << 20
	// purgeAtOnce is how many entries are worth a transaction while subscribers read; Tidy removes fewer.
	purgeAtOnce = 64
)

// Subscribe makes a cursor behind the newest entry, to be closed by the caller. No types means all but receipts and
// typing.
func (b *Inbox) Subscribe(kinds []storepb.EntryType) *Cursor {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &Cursor{inbox: b, want: typesOf(kinds), next: b.lastSeq + 1, held: b.lastSeq + 1}
	b.cursors[c] = struct{}{}
	return c
}

// awaits reports whether the cursor has yet to be done with an entry. The caller holds mu.
func (c *Cursor) awaits(r ref) bool { return c.want.has(laneOf(r.kind)) && r.seq >= c.held }

// Next waits for events and returns some of them in order, and how many were missed before them. Their attachments
// stay until the next call. When ctx ends first, there are none.
func (c *Cursor) Next(ctx context.Context) (events []*storepb.InboxEntry, missed uint64, err error) {
	c.settle()
	if err := c.inbox.purge(purgeAtOnce); err != nil {
		c.inbox.log.Warn().Err(err).Msg("entries that every subscriber has read could not be removed yet")
	}
	for {
		refs, missed, changed, err := c.look()
		if err != nil {
			return nil, 0, err
		}
		if len(refs) > 0 || missed > 0 {
			events, err := c.read(refs)
			return events, missed, err
		}
		if !await(ctx, changed, nil) {
			return nil, 0, nil
		}
	}
}

// settle says that the events of the last call are done with.
func (c *Cursor) settle() {
	c.inbox.mu.Lock()
	defer c.inbox.mu.Unlock()
	c.held = c.next
}

func (c *Cursor) look() (refs []ref, missed uint64, changed <-chan struct{}, err error) {
	b := c.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.closed {
		return nil, 0, nil, ErrCursorClosed
	}
	refs = b.index.from(c.next, c.want, cursorMax)
	missed, c.missed = c.missed, 0
	return refs, missed, b.changed, nil
}

func (c *Cursor) read(refs []ref) ([]*storepb.InboxEntry, error) {
	var events []*storepb.InboxEntry
	room := cursorBytes
	err := c.inbox.store.View(func(tx *store.Tx) error {
		for i, r := range refs {
			e, err := c.inbox.entry(tx, r)
			if err != nil {
				return err
			}
			if room -= len(e.Content); room < 0 && i > 0 {
				return nil
			}
			events = append(events, e)
		}
		return nil
	})
	if err != nil || len(events) == 0 {
		return nil, err
	}
	c.inbox.mu.Lock()
	defer c.inbox.mu.Unlock()
	c.next = events[len(events)-1].Seq + 1
	return events, nil
}

// Close ends the subscription; what was kept for it is removed.
func (c *Cursor) Close() error {
	c.inbox.mu.Lock()
	c.closed = true
	delete(c.inbox.cursors, c)
	c.inbox.wake()
	c.inbox.mu.Unlock()
	return c.inbox.purge(1)
}

// purge removes the consumed entries that no subscriber awaits any more, and the oldest beyond the bounds, if there are
// at least so many.
func (b *Inbox) purge(atLeast int) error {
	refs, lost := b.purgeable()
	if len(refs) < atLeast {
		return nil
	}
	for len(refs) > 0 {
		chunk := refs[:min(len(refs), removeAtOnce)]
		refs = refs[len(chunk):]
		if err := b.purgeChunk(chunk, lost); err != nil {
			return err
		}
	}
	return nil
}

func (b *Inbox) purgeChunk(refs []ref, lost map[ref]bool) error {
	err := b.store.Reclaim(func(tx *store.Tx) error {
		for _, r := range refs {
			if err := tx.DeleteInboxEntry(r.seq); err != nil {
				return err
			}
		}
		tx.OnCommit(func() { b.purged(refs, lost) })
		return nil
	})
	if half := len(refs) / 2; half > 0 && errors.Is(err, store.ErrBatchTooBig) {
		return errors.Join(b.purgeChunk(refs[:half], lost), b.purgeChunk(refs[half:], lost))
	}
	return err
}

// purgeable lists them, and which of them some subscriber will miss.
func (b *Inbox) purgeable() (refs []ref, lost map[ref]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lost = make(map[ref]bool)
	var kept []ref
	for _, r := range b.index.consumed {
		awaited := false
		for c := range b.cursors {
			awaited = awaited || c.awaits(r)
		}
		if awaited {
			kept = append(kept, r)
		} else {
			refs = append(refs, r)
		}
	}
	sortRefs(kept)
	count, bytes := len(kept), int64(0)
	for _, r := range kept {
		bytes += int64(b.index.find(r).bytes)
	}
	for _, r := range kept {
		if count <= b.opts.RetainEntries && bytes <= b.opts.RetainBytes {
			break
		}
		count--
		bytes -= int64(b.index.find(r).bytes)
		lost[r] = true
		refs = append(refs, r)
	}
	return refs, lost
}

func (b *Inbox) purged(refs []ref, lost map[ref]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range refs {
		b.index.remove(r)
		if !lost[r] {
			continue
		}
		for c := range b.cursors {
			if c.awaits(r) && r.seq >= c.next {
				c.missed++
			}
		}
	}
	b.wake()
}
