package content

import (
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

func syncContent(random io.Reader, m *servicepb.SyncMessage) (*servicepb.Content, error) {
	padding, err := randomPadding(random)
	if err != nil {
		return nil, err
	}
	m.Padding = padding
	return &servicepb.Content{Content: &servicepb.Content_SyncMessage{SyncMessage: m}}, nil
}

// Transcript says of something that was sent where it went.
type Transcript struct {
	// Timestamp in milliseconds is that of what was sent; the transcript's own envelope bears it too.
	Timestamp uint64
	// Destination is zero for a group. DestinationNumber is given where it is known.
	Destination       serviceid.ServiceID
	DestinationNumber string
	// ExpirationStart in milliseconds starts the timer of the copy; 0 without a timer.
	ExpirationStart uint64
	Recipients      []SentRecipient
	// Update is set when only Recipients changed since an earlier transcript.
	Update bool
}

// NewSentTranscript builds what tells our other devices of something that this one has sent: a message, reaction,
// deletion, edit or story. Its error is *InputError for another content.
func NewSentTranscript(random io.Reader, t Transcript, sent *servicepb.Content) (*servicepb.Content, error) {
	out := &servicepb.SyncMessage_Sent{
		Timestamp: proto.Uint64(t.Timestamp), DestinationE164: optional(t.DestinationNumber),
		ExpirationStartTimestamp: optional(t.ExpirationStart), IsRecipientUpdate: proto.Bool(t.Update),
	}
	if !t.Destination.IsZero() {
		out.DestinationServiceId = proto.String(t.Destination.String())
		out.DestinationServiceIdBinary = t.Destination.Binary()
	}
	for _, r := range t.Recipients {
		out.UnidentifiedStatus = append(out.UnidentifiedStatus, &servicepb.SyncMessage_Sent_UnidentifiedDeliveryStatus{
			DestinationServiceId: proto.String(r.ServiceID.String()), DestinationServiceIdBinary: r.ServiceID.Binary(),
			Unidentified: proto.Bool(r.Sealed), DestinationPniIdentityKey: nonEmpty(r.PNIIdentityKey),
		})
	}
	switch c := sent.GetContent().(type) {
	case *servicepb.Content_DataMessage:
		out.Message = c.DataMessage
	case *servicepb.Content_EditMessage:
		out.EditMessage = c.EditMessage
	case *servicepb.Content_StoryMessage:
		out.StoryMessage = c.StoryMessage
	default:
		return nil, badInput("transcript", "this kind of message has none")
	}
	return syncContent(random, &servicepb.SyncMessage{Content: &servicepb.SyncMessage_Sent_{Sent: out}})
}

// NewSyncRead tells our other devices what was read here.
func NewSyncRead(random io.Reader, read []MessageRef) (*servicepb.Content, error) {
	m := &servicepb.SyncMessage{}
	for _, r := range read {
		m.Read = append(m.Read, &servicepb.SyncMessage_Read{
			SenderAci: proto.String(r.Author.String()), SenderAciBinary: r.Author.Binary(),
			Timestamp: proto.Uint64(r.Timestamp),
		})
	}
	return syncContent(random, m)
}

// NewSyncViewed tells our other devices what was viewed here.
func NewSyncViewed(random io.Reader, viewed []MessageRef) (*servicepb.Content, error) {
	m := &servicepb.SyncMessage{}
	for _, r := range viewed {
		m.Viewed = append(m.Viewed, &servicepb.SyncMessage_Viewed{
			SenderAci: proto.String(r.Author.String()), SenderAciBinary: r.Author.Binary(),
			Timestamp: proto.Uint64(r.Timestamp),
		})
	}
	return syncContent(random, m)
}

// NewSyncRequest asks the primary for something.
func NewSyncRequest(random io.Reader, what RequestType) (*servicepb.Content, error) {
	for value, name := range requests {
		if name == what {
			return syncContent(random, &servicepb.SyncMessage{Content: &servicepb.SyncMessage_Request_{
				Request: &servicepb.SyncMessage_Request{Type: value.Enum()},
			}})
		}
	}
	return nil, badInput("request", "there is no %q to ask for", what)
}

// NewFetchLatest tells our other devices that there is something new to fetch.
func NewFetchLatest(random io.Reader, what FetchLatest) (*servicepb.Content, error) {
	for value, name := range fetches {
		if name == what {
			return syncContent(random, &servicepb.SyncMessage{Content: &servicepb.SyncMessage_FetchLatest_{
				FetchLatest: &servicepb.SyncMessage_FetchLatest{Type: value.Enum()},
			}})
		}
	}
	return nil, badInput("fetchLatest", "there is no %q to fetch", what)
}
