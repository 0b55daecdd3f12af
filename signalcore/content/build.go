package content

import (
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// Common is what every message into a conversation carries beside what it says.
type Common struct {
	// Timestamp in milliseconds is the message's identifier, and must be the envelope's too.
	Timestamp uint64
	// Timer is the conversation's, nil or 0 s for off.
	Timer *Timer
	// ProfileKey is this account's, so that the recipient can read its profile; nil to withhold it.
	ProfileKey []byte
	// Group is nil in a conversation of two.
	Group *Group
}

func (c Common) dataMessage() *servicepb.DataMessage {
	d := &servicepb.DataMessage{Timestamp: proto.Uint64(c.Timestamp), ProfileKey: nonEmpty(c.ProfileKey)}
	if c.Timer != nil {
		d.ExpireTimer, d.ExpireTimerVersion = optional(c.Timer.Seconds), optional(c.Timer.Version)
	}
	if c.Group != nil {
		d.GroupV2 = &servicepb.GroupContextV2{
			MasterKey: c.Group.MasterKey, Revision: proto.Uint32(c.Group.Revision), GroupChange: nonEmpty(c.Group.Change),
		}
	}
	return d
}

func dataContent(d *servicepb.DataMessage) *servicepb.Content {
	return &servicepb.Content{Content: &servicepb.Content_DataMessage{DataMessage: d}}
}

// atLeast raises the protocol version below which an app is to say that it is too old for the message.
func atLeast(d *servicepb.DataMessage, version servicepb.DataMessage_ProtocolVersion) {
	d.RequiredProtocolVersion = proto.Uint32(max(d.GetRequiredProtocolVersion(), uint32(version)))
}

// New builds what an event holds: a message, timer update, edit, reaction or deletion. The event's own timestamp, group
// and timer count for nothing: they are in common.
func New(common Common, e *Event) (*servicepb.Content, error) {
	switch {
	case e.Message != nil && e.Message.TimerUpdate:
		return NewTimerUpdate(common), nil
	case e.Message != nil:
		return NewMessage(common, *e.Message)
	case e.Edit != nil:
		return NewEdit(common, *e.Edit)
	case e.Reaction != nil:
		return NewReaction(common, *e.Reaction)
	case e.Delete != nil:
		return NewDelete(common, e.Delete.Target.Timestamp), nil
	}
	return nil, badInput("event", "this kind of message cannot be sent")
}

// NewMessage builds a message. Text, mentions and styles are as PrepareBody gave them. Its error is *InputError.
func NewMessage(common Common, m Message) (*servicepb.Content, error) {
	d, err := buildMessage(common, m)
	if err != nil {
		return nil, err
	}
	return dataContent(d), nil
}

// NewEdit builds the message that replaces the one of the given timestamp.
func NewEdit(common Common, edit Edit) (*servicepb.Content, error) {
	if edit.Target == 0 {
		return nil, badInput("editTimestamp", "no timestamp")
	}
	d, err := buildMessage(common, edit.Message)
	if err != nil {
		return nil, err
	}
	return &servicepb.Content{Content: &servicepb.Content_EditMessage{EditMessage: &servicepb.EditMessage{
		TargetSentTimestamp: proto.Uint64(edit.Target), DataMessage: d,
	}}}, nil
}

// NewReaction builds a reaction, or its removal.
func NewReaction(common Common, r Reaction) (*servicepb.Content, error) {
	if r.Target.Author.Kind != serviceid.ACI || r.Target.Author.IsZero() {
		return nil, badInput("author", "the author's account is not known")
	}
	d := common.dataMessage()
	d.ExpireTimer, d.ExpireTimerVersion = nil, nil
	d.Reaction = &servicepb.DataMessage_Reaction{
		Emoji: proto.String(r.Emoji), Remove: proto.Bool(r.Remove),
		TargetAuthorAci: proto.String(r.Target.Author.String()), TargetAuthorAciBinary: r.Target.Author.Binary(),
		TargetSentTimestamp: proto.Uint64(r.Target.Timestamp),
	}
	atLeast(d, servicepb.DataMessage_REACTIONS)
	return dataContent(d), nil
}

// NewDelete builds the removal of this account's own message, for everyone.
func NewDelete(common Common, target uint64) *servicepb.Content {
	d := common.dataMessage()
	d.ExpireTimer, d.ExpireTimerVersion = nil, nil
	d.Delete = &servicepb.DataMessage_Delete{TargetSentTimestamp: proto.Uint64(target)}
	return dataContent(d)
}

// NewTimerUpdate builds a message that does nothing but set the timer of a conversation of two.
func NewTimerUpdate(common Common) *servicepb.Content {
	d := common.dataMessage()
	d.Flags = proto.Uint32(uint32(servicepb.DataMessage_EXPIRATION_TIMER_UPDATE))
	if d.ExpireTimer == nil {
		d.ExpireTimer = proto.Uint32(0)
	}
	return dataContent(d)
}

// NewGroupUpdate builds a message that says nothing but that the group has a later revision, with the signed change in it
// where there is one.
func NewGroupUpdate(common Common) *servicepb.Content { return dataContent(common.dataMessage()) }

// NewProfileKeyUpdate builds a message that does nothing but hand over the profile key.
func NewProfileKeyUpdate(common Common) *servicepb.Content {
	d := common.dataMessage()
	d.Flags = proto.Uint32(uint32(servicepb.DataMessage_PROFILE_KEY_UPDATE))
	return dataContent(d)
}

// NewEndSession builds the message by which old apps ended a session. The apps of today send a null message instead.
func NewEndSession(timestamp uint64) *servicepb.Content {
	d := Common{Timestamp: timestamp}.dataMessage()
	d.Flags = proto.Uint32(uint32(servicepb.DataMessage_END_SESSION))
	return dataContent(d)
}

// NewReceipt builds a receipt for messages of the given timestamps.
func NewReceipt(t ReceiptType, timestamps []uint64) *servicepb.Content {
	value := servicepb.ReceiptMessage_DELIVERY
	switch t {
	case ReceiptRead:
		value = servicepb.ReceiptMessage_READ
	case ReceiptViewed:
		value = servicepb.ReceiptMessage_VIEWED
	}
	return &servicepb.Content{Content: &servicepb.Content_ReceiptMessage{ReceiptMessage: &servicepb.ReceiptMessage{
		Type: value.Enum(), Timestamp: timestamps,
	}}}
}

// NewTyping builds a typing indicator. The timestamp must be the envelope's.
func NewTyping(timestamp uint64, t Typing) *servicepb.Content {
	action := servicepb.TypingMessage_STOPPED
	if t.Started {
		action = servicepb.TypingMessage_STARTED
	}
	return &servicepb.Content{Content: &servicepb.Content_TypingMessage{TypingMessage: &servicepb.TypingMessage{
		Timestamp: proto.Uint64(timestamp), Action: action.Enum(), GroupId: nonEmpty(t.GroupID),
	}}}
}

// NewNull builds a message that says nothing, with padding of random length: it opens a new session, or answers a retry
// request for which nothing is kept.
func NewNull(random io.Reader) (*servicepb.Content, error) {
	padding, err := randomPadding(random)
	if err != nil {
		return nil, err
	}
	return &servicepb.Content{Content: &servicepb.Content_NullMessage{NullMessage: &servicepb.NullMessage{
		Padding: padding,
	}}}, nil
}

// AddPNISignature lets a content prove to someone who wrote to our PNI that our ACI is the same account.
func AddPNISignature(c *servicepb.Content, s PNISignature) {
	c.PniSignatureMessage = &servicepb.PniSignatureMessage{Pni: s.PNI.UUID[:], Signature: s.Signature}
}

// randomPadding hides the length of what goes with it: 1 to 512 bytes (Signal-Desktop ts/textsecure/SendMessage).
func randomPadding(random io.Reader) ([]byte, error) {
	const most = 512
	var b [2 + most]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	n := 1 + (int(b[0])<<8|int(b[1]))%most
	return b[2 : 2+n], nil
}
