package signalcore

import (
	"errors"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// addAttachments writes the records from which an event's attachments are fetched, and names them in its entry.
func (h *handler) addAttachments(entry *storepb.InboxEntry, pointers []*content.Attachment) error {
	for _, pointer := range pointers {
		record, err := attachmentRecord(pointer)
		if err != nil {
			return err
		}
		entry.AttachmentIds = append(entry.AttachmentIds, record.Id)
		if err := h.tx.PutAttachment(record); err != nil {
			return err
		}
	}
	return nil
}

func attachmentRecord(pointer *content.Attachment) (*storepb.Attachment, error) {
	serialized, err := proto.Marshal(pointer.Pointer())
	if err != nil {
		return nil, err
	}
	record := &storepb.Attachment{
		Id: uuid.NewString(), Pointer: serialized, ContentType: pointer.ContentType, Size: int64(pointer.Size),
		State: storepb.AttachmentState_ATTACHMENT_PENDING,
	}
	if pointer.Problem != "" {
		record.State, record.StatusCode = storepb.AttachmentState_ATTACHMENT_FAILED, statusParsingError
		record.Error = "this attachment cannot be fetched: " + pointer.Problem
	}
	return record, nil
}

// setInboxSeq ties the attachments of an entry to it, once it has its number.
func setInboxSeq(tx *store.Tx, entry *storepb.InboxEntry) error {
	for _, id := range entry.AttachmentIds {
		record, err := tx.Attachment(id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		record.InboxSeq = entry.Seq
		if err := tx.PutAttachment(record); err != nil {
			return err
		}
	}
	return nil
}
