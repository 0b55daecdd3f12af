// Package render gives received messages the form that receive_messages and subscribe return.
//
// It follows section 4 of docs/socket-protocol.md: the structs have the fields in its order, and what is absent is
// left out. Nothing is looked up here but by the function in Options, and nothing is read but long texts; the data of
// attachments is for whoever writes the reply.
package render

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/statuscodes"
)

// Options say how to show messages.
type Options struct {
	// Attachments asks for attachments; without, every list of them is empty.
	Attachments bool
	// Lookup returns what is known of a person, each empty where it is not. It may be nil.
	Lookup func(serviceid.ServiceID) (number, name string)
	// Self returns the identities of this account. It may be nil.
	Self func() []serviceid.ServiceID
}

// Message is one entry of `messages`.
type Message struct {
	StatusCode int    `json:"statusCode" jsonschema:"required,description=0\\, or why the message could not be read"`
	Timestamp  uint64 `json:"timestamp,omitempty" jsonschema:"description=the sender's clock\\, in milliseconds: the message's identifier"`
	Sender     string `json:"sender,omitempty" jsonschema:"description=the sender's number or\\, where it is not known\\, ACI"`
	Head
	ID                string            `json:"id,omitempty" jsonschema:"description=for ack_messages"`
	Type              model.MessageType `json:"type,omitempty" jsonschema:"description=as in types of receive_messages"`
	SenderUUID        string            `json:"senderUuid,omitempty" jsonschema:"description=the sender's ACI"`
	SenderName        string            `json:"senderName,omitempty" jsonschema:"description=where it is known"`
	SenderDevice      uint32            `json:"senderDevice,omitempty" jsonschema:"description=which of the sender's devices"`
	ServerTimestamp   uint64            `json:"serverTimestamp,omitempty" jsonschema:"description=when the service had it"`
	ReceivedTimestamp uint64            `json:"receivedTimestamp,omitempty" jsonschema:"description=when it came here"`
	Rest
	Sync         *Sync  `json:"sync,omitempty" jsonschema:"description=what another device of this account did"`
	Redelivered  bool   `json:"redelivered,omitempty" jsonschema:"description=it was handed out before\\, and not acknowledged"`
	ErrorMessage string `json:"errorMessage,omitempty" jsonschema:"description=where statusCode is not 0: what is wrong\\, for people"`
}

// Head are the fields by which a message is best known.
type Head struct {
	Body        *string      `json:"body,omitempty" jsonschema:"description=the text"`
	GroupID     []byte       `json:"groupId,omitempty" jsonschema:"description=where it was sent to a group"`
	Attachments []Attachment `json:"attachments,omitzero" jsonschema:"description=files"`
}

// Rest is what else a message may hold.
type Rest struct {
	ExpiresInSeconds uint32       `json:"expiresInSeconds,omitempty" jsonschema:"description=the conversation's timer"`
	TimerUpdate      bool         `json:"timerUpdate,omitempty" jsonschema:"description=nothing but a change of the conversation's timer to expiresInSeconds"`
	ViewOnce         bool         `json:"viewOnce,omitempty" jsonschema:"description=its picture is to be shown once"`
	Forwarded        bool         `json:"forwarded,omitempty" jsonschema:"description=somebody else wrote it"`
	Truncated        bool         `json:"truncated,omitempty" jsonschema:"description=the rest of the text could not be had"`
	Quote            *Quote       `json:"quote,omitempty" jsonschema:"description=the message that this one answers"`
	Mentions         []Mention    `json:"mentions,omitempty" jsonschema:"description=people named in the text"`
	TextStyles       []TextStyle  `json:"textStyles,omitempty" jsonschema:"description=bold and the like"`
	Previews         []Preview    `json:"previews,omitempty"`
	Sticker          *Sticker     `json:"sticker,omitempty"`
	Contacts         []Contact    `json:"contacts,omitempty"`
	Reaction         *Reaction    `json:"reaction,omitempty" jsonschema:"description=with type reaction"`
	Edit             *Edit        `json:"edit,omitempty" jsonschema:"description=with type edit: which message this one replaces"`
	Delete           *Delete      `json:"delete,omitempty" jsonschema:"description=with type delete: which message is taken back"`
	Receipt          *Receipt     `json:"receipt,omitempty" jsonschema:"description=with type receipt"`
	Typing           *Typing      `json:"typing,omitempty" jsonschema:"description=with type typing"`
	Call             *Call        `json:"call,omitempty" jsonschema:"description=with type call"`
	GroupChange      *GroupChange `json:"groupChange,omitempty" jsonschema:"description=with type groupChange"`
	Story            *Story       `json:"story,omitempty"`
	InReplyTo        *Ref         `json:"storyReply,omitempty" jsonschema:"description=the story that this answers"`
	Poll             *Poll        `json:"poll,omitempty"`
	PollVote         *PollVote    `json:"pollVote,omitempty"`
	PollEnd          uint64       `json:"pollEnd,omitempty" jsonschema:"description=timestamp of the sender's poll that is now closed"`
	Pin              *Pin         `json:"pin,omitempty"`
	Unpin            *Ref         `json:"unpin,omitempty"`
	Payment          *Payment     `json:"payment,omitempty"`
	GiftBadge        bool         `json:"giftBadge,omitempty"`
}

// Render shows a message of the inbox.
func Render(m model.InboxMessage, options Options) *Message {
	out := &Message{
		Timestamp: m.Timestamp, Sender: m.SenderNumber, ID: m.ID, Type: m.Type, SenderName: m.SenderName,
		SenderDevice: m.SenderDevice, ServerTimestamp: m.ServerTimestamp, ReceivedTimestamp: m.ReceivedTimestamp,
		Redelivered: m.Redelivered,
	}
	if !m.Sender.IsZero() {
		out.SenderUUID = m.Sender.String()
		if out.Sender == "" {
			out.Sender = out.SenderUUID
		}
	}
	if m.StatusCode != int(statuscodes.Success) {
		out.StatusCode, out.ErrorMessage = m.StatusCode, m.ErrorMessage
		return out
	}
	if m.GroupChange != nil {
		r := newRenderer(&content.Event{}, nil, options)
		out.GroupID, out.GroupChange = m.Group, r.groupChange(m.GroupChange)
		out.Body, out.Attachments = new(string), []Attachment{}
		return out
	}
	parsed, err := parse(m.Content)
	if err != nil {
		out.StatusCode, out.ErrorMessage = int(codeOf(err)), statuscodes.Sentence(err)
		return out
	}
	r := newRenderer(&parsed.Event, m.Attachments, options)
	r.event(&out.Head, &out.Rest, &parsed.Event)
	if parsed.Sync != nil {
		out.Sync = r.sync(parsed.Sync)
	}
	if out.Body == nil {
		out.Body = new(string)
	}
	if out.Attachments == nil {
		out.Attachments = []Attachment{}
	}
	if reason := r.lost(&parsed.Event, out); reason != "" {
		out.StatusCode, out.ErrorMessage = int(statuscodes.MessageParsingError), reason
	}
	return out
}

var errNoProtobuf = errors.New("the message is not what the protocol says it should be")

func parse(encoded []byte) (content.Parsed, error) {
	c := &servicepb.Content{}
	if proto.Unmarshal(encoded, c) != nil {
		return content.Parsed{}, errNoProtobuf
	}
	return content.Parse(c)
}

func codeOf(err error) statuscodes.Code {
	if errors.Is(err, content.ErrNoContent) {
		return statuscodes.MissingMessageContent
	}
	return statuscodes.MessageParsingError
}
