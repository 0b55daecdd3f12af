package signalcore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
)

// order is what a command wants sent: all that is needed to build it again after a restart.
type order struct {
	to      []model.Recipient
	event   content.Event
	receipt *receiptOrder
	// group is set in place of to.
	group []byte
	// body is what goes to a group, once it is made.
	body *servicepb.Content
	// files name the stored data of the event's attachments, while they wait to be uploaded.
	files   []string
	options model.SendOptions
	// timestamp is 0 until the message has its identifier.
	timestamp uint64
	// record is nil until something of the order is on disk.
	record *storepb.Outgoing
	// began is zero for what a queue sends.
	began time.Time
}

// receiptOrder marks messages of one sender as read or viewed.
type receiptOrder struct {
	Author     serviceid.ServiceID
	Viewed     bool
	Timestamps []uint64
}

// storedOrder is the form of an order on disk.
type storedOrder struct {
	To      []model.Recipient `json:"to"`
	Event   content.Event     `json:"event"`
	Receipt *receiptOrder     `json:"receipt,omitempty"`
	Group   []byte            `json:"group,omitempty"`
	Files   []string          `json:"files,omitempty"`
}

func newOrder(request model.SendRequest) *order {
	return &order{to: request.To.Recipients, group: request.To.Group, event: request.Event, options: request.SendOptions}
}

func newReceiptOrder(request model.ReceiptRequest) *order {
	return &order{
		to:      []model.Recipient{request.To},
		receipt: &receiptOrder{Viewed: request.Viewed, Timestamps: request.Timestamps},
		options: request.SendOptions,
	}
}

// readOrder reads an order back from its record.
func readOrder(record *storepb.Outgoing) (*order, error) {
	var stored storedOrder
	if err := json.Unmarshal(record.GetRequest(), &stored); err != nil {
		return nil, fmt.Errorf("stored send %d: %w", record.GetTimestamp(), err)
	}
	o := &order{
		to: stored.To, group: stored.Group, event: stored.Event, receipt: stored.Receipt, files: stored.Files,
		timestamp: record.GetTimestamp(), record: record,
	}
	o.options.IdempotencyKey = record.GetIdempotencyKey()
	copy(o.options.Fingerprint[:], record.GetRequestHash())
	o.options.Queue = record.GetQueuedUntil() > 0
	return o, nil
}

func (o *order) serialize() ([]byte, error) {
	return json.Marshal(storedOrder{To: o.to, Group: o.group, Event: o.event, Receipt: o.receipt, Files: o.files})
}

// durable reports whether the order is to be kept until its outcome is known, ciphertexts included.
func (o *order) durable() bool { return o.options.IdempotencyKey != "" || o.options.Queue }

// build makes the content that the order describes.
func (o *order) build(common content.Common) (*servicepb.Content, error) {
	switch {
	case o.receipt != nil:
		return content.NewReceipt(o.receipt.kind(), o.receipt.Timestamps), nil
	case o.event.Reaction != nil:
		return content.NewReaction(common, *o.event.Reaction)
	case o.event.Edit != nil:
		return content.NewEdit(common, *o.event.Edit)
	case o.event.Delete != nil:
		return content.NewDelete(common, o.event.Delete.Target.Timestamp), nil
	case o.event.Message != nil && o.event.Message.TimerUpdate:
		return content.NewTimerUpdate(common), nil
	case o.event.Message != nil:
		return content.NewMessage(common, *o.event.Message)
	}
	return nil, errors.New("nothing to send")
}

func (r *receiptOrder) kind() content.ReceiptType {
	if r.Viewed {
		return content.ReceiptViewed
	}
	return content.ReceiptRead
}

// receiptSync tells our other devices what was read here.
func (o *order) receiptSync(random io.Reader) (*servicepb.Content, error) {
	refs := make([]content.MessageRef, len(o.receipt.Timestamps))
	for i, timestamp := range o.receipt.Timestamps {
		refs[i] = content.MessageRef{Author: o.receipt.Author, Timestamp: timestamp}
	}
	if o.receipt.Viewed {
		return content.NewSyncViewed(random, refs)
	}
	return content.NewSyncRead(random, refs)
}

// hint tells the recipient what a message that does not decrypt is worth.
func (o *order) hint() sealedsender.ContentHint {
	if o.receipt != nil {
		return sealedsender.Implicit
	}
	return sealedsender.Resendable
}

// urgent reports whether a phone should wake up for it.
func (o *order) urgent() bool { return o.receipt == nil }

// newRecord is what is kept of an order once it is encrypted, from before anything leaves. One that waited in the queue
// stays there until its outcome is known, so that a crash does not end it.
func (o *order) newRecord(timestamp uint64, deliveries []*delivery) (*storepb.Outgoing, error) {
	record := o.record
	if record == nil {
		record = &storepb.Outgoing{
			Timestamp: timestamp, IdempotencyKey: o.options.IdempotencyKey,
			RequestHash: o.options.Fingerprint[:], Urgent: o.urgent(), GroupId: o.group,
		}
	}
	if len(record.Recipients) == 0 {
		for _, d := range deliveries {
			record.Recipients = append(record.Recipients, &storepb.OutgoingRecipient{
				ServiceId: binaryID(d.target.id), Address: d.target.recipient.Text,
			})
		}
	}
	if !o.durable() {
		return record, nil
	}
	var err error
	record.Request, err = o.serialize()
	return record, err
}

func binaryID(id serviceid.ServiceID) []byte {
	if id.IsZero() {
		return nil
	}
	return id.Binary()
}

// upload gives the event's attachments their place on the CDN.
func (s *sender) upload(ctx context.Context, o *order, uploads []model.Blob) error {
	pointers := o.event.Attachments()
	if len(uploads) == 0 && len(o.files) > 0 {
		var err error
		if uploads, err = s.storedBlobs(o.files); err != nil {
			return err
		}
	}
	for i, pointer := range pointers {
		if pointer.CDNKey != "" || pointer.CDNID != 0 {
			continue // from an earlier attempt
		}
		if i >= len(uploads) {
			return &model.AttachmentError{Index: i, Err: model.ErrNotFound}
		}
		blob := uploads[i]
		if blob.Open == nil && o.event.Message != nil && o.event.Message.Sticker != nil {
			var err error
			if blob, err = s.fetchSticker(ctx, o.event.Message.Sticker); err != nil {
				return &model.AttachmentError{Index: i, Err: err}
			}
		}
		if err := s.uploadAttachment(ctx, blob, pointer); err != nil {
			return &model.AttachmentError{Index: i, Err: err}
		}
	}
	return nil
}

// newAttachmentID names a stored file.
func newAttachmentID() string { return uuid.NewString() }

// storedBlobs are the files that keepBlob has written.
func (s *sender) storedBlobs(files []string) ([]model.Blob, error) {
	blobs := make([]model.Blob, len(files))
	for i, id := range files {
		if id == "" { // a sticker that is yet to be fetched
			continue
		}
		path, err := s.store.AttachmentPath(id)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, &model.AttachmentError{Index: i, Err: err}
		}
		blobs[i] = model.Blob{Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}
	}
	return blobs, nil
}
