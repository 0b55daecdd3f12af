package inbox

import (
	"errors"
	"fmt"
	"time"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// tidyChunk leaves room in the transaction for entries with many attachments.
const tidyChunk = 100

// Tidy is to be called now and then (once a minute). It removes entries over MaxAge, which leaves one notice of how many
// there were and of when; receipts and typing events beyond KeepEphemeral; and what subscribers have read.
func (b *Inbox) Tidy() error {
	if err := b.removeOld(); err != nil {
		return err
	}
	if err := b.remove(b.surplus()); err != nil {
		return err
	}
	return b.purge(1)
}

// removeOld removes what is too old and nobody has, each part in one transaction with its notice. An earlier notice is
// taken up in the new one.
func (b *Inbox) removeOld() error {
	if b.opts.MaxAge <= 0 {
		return nil
	}
	for chunk := tidyChunk; ; {
		refs, notice := b.tooOld(chunk)
		if len(refs) == 0 {
			return nil
		}
		err := b.replaceByNotice(refs, notice)
		if errors.Is(err, store.ErrBatchTooBig) && chunk > 1 {
			chunk /= 2
			continue
		}
		if err != nil {
			return fmt.Errorf("removing old messages from the inbox: %w", err)
		}
	}
}

func (b *Inbox) replaceByNotice(refs []ref, notice *storepb.Removed) error {
	earlier := b.earlierNotices()
	b.setLeaving(refs, true)
	defer b.setLeaving(refs, false)
	return b.store.Reclaim(func(tx *store.Tx) error {
		for _, r := range earlier {
			taken, err := takeUp(tx, r, notice)
			if err != nil {
				return err
			}
			if taken {
				refs = append(refs, r)
			}
		}
		if err := b.removeIn(tx, refs); err != nil {
			return err
		}
		return b.Append(tx, &storepb.InboxEntry{
			Type: storepb.EntryType_ENTRY_NOTICE, Error: describe(notice), Removed: notice,
			Timestamp: uint64(tx.Now().UnixMilli()),
		})
	})
}

// tooOld lists some available entries over MaxAge. Notices do not age.
func (b *Inbox) tooOld(most int) (refs []ref, notice *storepb.Removed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endExpired()
	limit := b.store.Now().Add(-b.opts.MaxAge).Unix()
	notice = new(storepb.Removed)
	for kind := range b.index.lanes {
		if kind == int(storepb.EntryType_ENTRY_NOTICE) {
			continue
		}
		for i := range b.index.lanes[kind].slots {
			s := &b.index.lanes[kind].slots[i]
			if int64(s.received) > limit {
				break
			}
			if !s.available() {
				continue
			}
			if len(refs) == most {
				return refs, notice
			}
			refs = append(refs, ref{storepb.EntryType(kind), s.seq})
			at := int64(s.received) * 1000
			merge(notice, &storepb.Removed{Count: 1, OldestReceivedAt: at, NewestReceivedAt: at})
		}
	}
	return refs, notice
}

func merge(into, more *storepb.Removed) {
	if more.GetCount() == 0 {
		return
	}
	if into.Count == 0 || more.OldestReceivedAt < into.OldestReceivedAt {
		into.OldestReceivedAt = more.OldestReceivedAt
	}
	into.NewestReceivedAt = max(into.NewestReceivedAt, more.NewestReceivedAt)
	into.Count += more.Count
}

// earlierNotices lists those that no reader has at the moment.
func (b *Inbox) earlierNotices() []ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []ref
	for i := range b.index.lanes[storepb.EntryType_ENTRY_NOTICE].slots {
		s := &b.index.lanes[storepb.EntryType_ENTRY_NOTICE].slots[i]
		if s.available() && len(out) < tidyChunk/4 {
			out = append(out, ref{storepb.EntryType_ENTRY_NOTICE, s.seq})
		}
	}
	return out
}

// takeUp adds an earlier notice of removals to a new one; other notices are left alone.
func takeUp(tx *store.Tx, r ref, notice *storepb.Removed) (bool, error) {
	e, err := tx.InboxEntry(r.seq)
	if isNotFound(err) || err == nil && e.Removed == nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	merge(notice, e.Removed)
	return true, nil
}

func describe(r *storepb.Removed) string {
	day := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
	return fmt.Sprintf("%d messages that arrived from %s to %s were removed unread: they were over --inbox-max-age",
		r.Count, day(r.OldestReceivedAt), day(r.NewestReceivedAt))
}

// surplus lists the oldest receipts and typing events beyond the number that is kept.
func (b *Inbox) surplus() []ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []ref
	for _, kind := range []storepb.EntryType{storepb.EntryType_ENTRY_RECEIPT, storepb.EntryType_ENTRY_TYPING} {
		for i := range b.index.lanes[kind].slots {
			if s := &b.index.lanes[kind].slots[i]; s.available() {
				all = append(all, ref{kind, s.seq})
			}
		}
	}
	sortRefs(all)
	return all[:max(0, len(all)-b.opts.KeepEphemeral)]
}
