package inbox

import (
	"errors"
	"fmt"

	"signalbox/signalcore/store"
)

// removeAtOnce is how many entries one transaction removes.
const removeAtOnce = 500

// Ack removes the whole batch: its reader has it. An error leaves the messages leased until the reader is closed or the
// lease ends, and Ack may be called again.
func (bt *Batch) Ack() error {
	if bt.lease == 0 {
		return nil
	}
	b := bt.inbox
	b.mu.Lock()
	var refs []ref
	if l := b.leases[bt.lease]; l != nil {
		for _, r := range l.refs {
			if s := b.index.find(r); s != nil && s.lease == bt.lease {
				refs = append(refs, r)
			}
		}
	}
	b.mu.Unlock()
	if err := b.remove(refs); err != nil {
		return err
	}
	bt.end(false)
	return nil
}

// Return puts the whole batch back, marked as redelivered: the reader may have seen some of it.
func (bt *Batch) Return() { bt.end(true) }

func (bt *Batch) end(returned bool) {
	b := bt.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLease(bt.lease, returned)
}

// Ack removes messages by id, whichever reader has them: who acknowledges after its lease ended has read them all the
// same. It returns the ids that name no message, or one that was acknowledged before.
func (b *Inbox) Ack(ids []string) (unknown []string, err error) {
	refs := make([]ref, 0, len(ids))
	b.mu.Lock()
	for _, id := range ids {
		seq, tag, err := parseID(id)
		r, s := ref{}, (*slot)(nil)
		if err == nil {
			r, s = b.index.findSeq(seq)
		}
		if s == nil || s.tag != tag || s.consumed {
			unknown = append(unknown, id)
			continue
		}
		refs = append(refs, r)
	}
	b.mu.Unlock()
	return unknown, b.remove(refs)
}

// endLease puts a lease's entries back that it still has. The caller holds mu.
func (b *Inbox) endLease(id uint32, returned bool) {
	l := b.leases[id]
	if l == nil {
		return
	}
	delete(b.leases, id)
	for _, r := range l.refs {
		b.index.release(r, id, returned)
	}
	b.wake()
}

// endExpired ends the leases whose time is over. The caller holds mu.
func (b *Inbox) endExpired() {
	now := b.store.Now()
	for id, l := range b.leases {
		if !l.expires.IsZero() && !now.Before(l.expires) {
			b.endLease(id, true)
		}
	}
}

// giveBack takes some entries off a lease that were not handed out.
func (b *Inbox) giveBack(id uint32, refs []ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range refs {
		b.index.release(r, id, false)
	}
	b.wake()
}

// remove takes entries out of the queue. Those that a subscriber has yet to read are only marked as consumed. Meanwhile
// nobody is given them.
func (b *Inbox) remove(refs []ref) error {
	b.setLeaving(refs, true)
	defer b.setLeaving(refs, false) // of those that are still there
	for rest := refs; len(rest) > 0; {
		chunk := rest[:min(len(rest), removeAtOnce)]
		rest = rest[len(chunk):]
		if err := b.removeChunk(chunk); err != nil {
			return fmt.Errorf("removing messages from the inbox: %w", err)
		}
	}
	return nil
}

// removeChunk halves what is too much for one transaction: an entry may have many attachments.
func (b *Inbox) removeChunk(refs []ref) error {
	err := b.store.Reclaim(func(tx *store.Tx) error { return b.removeIn(tx, refs) })
	if half := len(refs) / 2; half > 0 && errors.Is(err, store.ErrBatchTooBig) {
		return errors.Join(b.removeChunk(refs[:half]), b.removeChunk(refs[half:]))
	}
	return err
}

func (b *Inbox) setLeaving(refs []ref, leaving bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range refs {
		b.index.setLeaving(r, leaving)
	}
	if !leaving {
		b.wake()
	}
}

func (b *Inbox) removeIn(tx *store.Tx, refs []ref) error {
	kept := b.wanted(refs)
	for i, r := range refs {
		if !kept[i] {
			if err := tx.DeleteInboxEntry(r.seq); err != nil {
				return err
			}
			continue
		}
		if err := markConsumed(tx, r); err != nil {
			return err
		}
	}
	tx.OnCommit(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, r := range refs {
			if kept[i] {
				b.index.consume(r)
			} else {
				b.index.remove(r)
			}
		}
		b.wake()
	})
	return nil
}

func markConsumed(tx *store.Tx, r ref) error {
	meta, err := tx.InboxMeta(r.seq)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	meta.Consumed = true
	return tx.PutInboxMeta(r.seq, meta)
}

// wanted tells for each entry whether a subscriber has yet to read it.
func (b *Inbox) wanted(refs []ref) []bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]bool, len(refs))
	for i, r := range refs {
		for c := range b.cursors {
			out[i] = out[i] || c.awaits(r)
		}
	}
	return out
}
