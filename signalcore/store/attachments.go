package store

import (
	"errors"
	"io/fs"
	"os"

	"signalbox/signalcore/signalpb/storepb"
)

func attachmentDueKey(a *storepb.Attachment) []byte {
	return kindAttachmentDue.key(beTime(a.NextAttempt), []byte(a.Id))
}

func fetchable(a *storepb.Attachment) bool {
	return a.State == storepb.AttachmentState_ATTACHMENT_PENDING || a.State == storepb.AttachmentState_ATTACHMENT_FETCHING
}

// Attachment reads a received attachment's record.
func (tx *Tx) Attachment(id string) (*storepb.Attachment, error) {
	out := new(storepb.Attachment)
	if err := checkAttachmentID(id); err != nil {
		return out, ErrNotFound
	}
	return out, tx.read(kindAttachment.key([]byte(id)), out)
}

// PutAttachment writes it. While its state is pending or fetching it is in the list of DueAttachments.
func (tx *Tx) PutAttachment(a *storepb.Attachment) error {
	if err := checkAttachmentID(a.Id); err != nil {
		return err
	}
	old, err := tx.Attachment(a.Id)
	if orEmpty(err) != nil {
		return err
	}
	if err == nil && fetchable(old) {
		if err := tx.delete(attachmentDueKey(old)); err != nil {
			return err
		}
	}
	if fetchable(a) {
		if err := tx.put(attachmentDueKey(a), nil); err != nil {
			return err
		}
	}
	return tx.write(kindAttachment.key([]byte(a.Id)), a)
}

// DueAttachments lists up to limit attachments to be fetched, the longest due first, those due later among them.
func (tx *Tx) DueAttachments(limit int) ([]*storepb.Attachment, error) {
	var out []*storepb.Attachment
	r := scanRange{prefix: kindAttachmentDue.key(), limit: limit, keysOnly: true}
	err := tx.scan(r, func(suffix, _ []byte) error {
		if len(suffix) < 8 {
			return &CorruptError{string(kindAttachmentDue), errKey}
		}
		a, err := tx.Attachment(string(suffix[8:]))
		out = append(out, a)
		return err
	})
	return out, err
}

// DeleteAttachment removes an attachment's record, and its file once that is durable. One that is not there is no error.
func (tx *Tx) DeleteAttachment(id string) error {
	a, err := tx.Attachment(id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if fetchable(a) {
		if err := tx.delete(attachmentDueKey(a)); err != nil {
			return err
		}
	}
	path, err := tx.store.AttachmentPath(id)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			tx.store.log.Warn().Err(err).Msg("an attachment's file could not be removed; the next start tries again")
		}
	})
	return tx.delete(kindAttachment.key([]byte(id)))
}
