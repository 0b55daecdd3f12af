package signaltest

import (
	"bytes"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/servicepb"
)

// Text returns a message from the contact.
func Text(id, body string) model.InboxMessage {
	return message(id, &servicepb.DataMessage{Body: proto.String(body), Timestamp: proto.Uint64(timestamp)})
}

const timestamp = 1_690_000_000_000

// File returns a message from the contact with one attachment.
func File(id string, data model.Blob) model.InboxMessage {
	m := message(id, &servicepb.DataMessage{
		Timestamp: proto.Uint64(timestamp),
		Attachments: []*servicepb.AttachmentPointer{{
			AttachmentIdentifier: &servicepb.AttachmentPointer_CdnKey{CdnKey: "key"},
			Key:                  make([]byte, 64), Digest: make([]byte, 32), Size: proto.Uint32(uint32(data.Size)),
			ContentType: proto.String("application/octet-stream"), FileName: proto.String("file.bin"),
		}},
	})
	m.Attachments = []model.StoredAttachment{{
		ID: id + "-0", ContentType: "application/octet-stream", Filename: "file.bin", Data: data, Ready: true,
	}}
	return m
}

func message(id string, d *servicepb.DataMessage) model.InboxMessage {
	encoded, err := proto.Marshal(&servicepb.Content{Content: &servicepb.Content_DataMessage{DataMessage: d}})
	if err != nil {
		panic(err)
	}
	return model.InboxMessage{
		ID: id, Type: model.TypeMessage, Sender: Contact, SenderNumber: ContactNumber, SenderName: "Contact",
		SenderDevice: 1, Destination: ACI, Timestamp: timestamp, ServerTimestamp: timestamp + 1,
		ReceivedTimestamp: timestamp + 2, Sealed: true, Content: encoded,
	}
}

// Bytes returns a blob of data in memory.
func Bytes(data []byte) model.Blob {
	return model.Blob{Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// Zeros returns a blob of any size that takes no memory.
func Zeros(size int64) model.Blob {
	return model.Blob{Size: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
