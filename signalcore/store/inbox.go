package store

import (
	"errors"

	"signalbox/signalcore/signalpb/storepb"
)

// The inbox's records. Package inbox keeps the order, the leases and the counts; nobody else should write here.

func inboxSeqKey() []byte { return kindMeta.key([]byte("inboxseq")) }

// InboxSeq is the highest number ever given to an entry.
func (tx *Tx) InboxSeq() (uint64, error) {
	b, err := tx.get(inboxSeqKey())
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	seq, err := parseU64(b)
	if err != nil {
		return 0, &CorruptError{string(kindMeta), err}
	}
	return seq, nil
}

// PutInboxEntry writes a new entry and what the queue knows of it.
func (tx *Tx) PutInboxEntry(e *storepb.InboxEntry, meta *storepb.InboxMeta) error {
	if err := tx.put(inboxSeqKey(), be64(e.Seq)); err != nil {
		return err
	}
	if err := tx.write(kindInbox.key(be64(e.Seq)), e); err != nil {
		return err
	}
	return tx.PutInboxMeta(e.Seq, meta)
}

// InboxEntry reads an entry.
func (tx *Tx) InboxEntry(seq uint64) (*storepb.InboxEntry, error) {
	out := new(storepb.InboxEntry)
	return out, tx.read(kindInbox.key(be64(seq)), out)
}

// InboxMeta reads what the queue knows of an entry.
func (tx *Tx) InboxMeta(seq uint64) (*storepb.InboxMeta, error) {
	out := new(storepb.InboxMeta)
	return out, tx.read(kindInboxMeta.key(be64(seq)), out)
}

// PutInboxMeta writes it.
func (tx *Tx) PutInboxMeta(seq uint64, meta *storepb.InboxMeta) error {
	return tx.write(kindInboxMeta.key(be64(seq)), meta)
}

// DeleteInboxEntry removes an entry with its attachments.
func (tx *Tx) DeleteInboxEntry(seq uint64) error {
	e, err := tx.InboxEntry(seq)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	var corrupt *CorruptError
	if err != nil && !errors.As(err, &corrupt) {
		return err
	}
	for _, id := range e.AttachmentIds {
		if err := tx.DeleteAttachment(id); err != nil {
			return err
		}
	}
	if err := tx.delete(kindInbox.key(be64(seq))); err != nil {
		return err
	}
	return tx.delete(kindInboxMeta.key(be64(seq)))
}

// ScanInbox calls fn with what the queue knows of each entry, in order.
func (tx *Tx) ScanInbox(fn func(seq uint64, meta *storepb.InboxMeta) error) error {
	return tx.scan(scanRange{prefix: kindInboxMeta.key()}, func(suffix, value []byte) error {
		seq, err := parseU64(suffix)
		if err != nil {
			return &CorruptError{string(kindInboxMeta), err}
		}
		meta := new(storepb.InboxMeta)
		if err := decode(kindInboxMeta, value, meta); err != nil {
			return err
		}
		return fn(seq, meta)
	})
}
