package model

import (
	"time"

	"signalbox/signalcore/protocol/serviceid"
)

// MessageType is the kind of an inbox message, as in a request's `types`.
type MessageType string

// The types of socket-protocol.md, section 4. Story and unknown entries have types of their own, so that nothing that
// arrived is hidden.
const (
	TypeMessage     MessageType = "message"
	TypeReaction    MessageType = "reaction"
	TypeEdit        MessageType = "edit"
	TypeDelete      MessageType = "delete"
	TypeGroupChange MessageType = "groupChange"
	TypeCall        MessageType = "call"
	TypeSync        MessageType = "sync"
	TypeReceipt     MessageType = "receipt"
	TypeTyping      MessageType = "typing"
	TypeStory       MessageType = "story"
	TypeUnknown     MessageType = "unknown"
)

// Owner is who holds leases: one connection of the socket. Numbers are never used twice in a run of the daemon.
type Owner uint64

// ReceiveOptions say what a receive waits for, and on what terms it takes it.
type ReceiveOptions struct {
	Owner Owner
	// Max is the most messages to return; at least 1.
	Max int
	// Types is never empty: the command fills in the default.
	Types []MessageType
	// Wait is how long to wait for a first message: 0 returns at once, below 0 waits until ctx or Drain ends it.
	Wait time.Duration
	// Drain, when closed, ends the wait as if its time were over: what there is is returned, and no error.
	Drain <-chan struct{}
	// Lease is how long the messages are the owner's. 0 means until Ack, Release or ReleaseOwner.
	Lease time.Duration
	// Attachments asks to wait for downloads under way, within Wait, or 30 s where that is longer.
	Attachments bool
}

// InboxMessage is one message of the inbox.
type InboxMessage struct {
	// ID is the message's name for Ack and Release.
	ID   string
	Type MessageType
	// Sender is zero where nothing is known of who sent it; SenderNumber and SenderName are empty where unknown.
	Sender       serviceid.ServiceID
	SenderNumber string
	SenderName   string
	SenderDevice uint32
	// Destination is the identity of this account that it was sent to.
	Destination serviceid.ServiceID
	// Timestamp is the sender's clock and the message's identifier; ServerTimestamp the service's; both in
	// milliseconds. ReceivedTimestamp is when the daemon took it.
	Timestamp         uint64
	ServerTimestamp   uint64
	ReceivedTimestamp uint64
	// Sealed tells that the service did not see the sender.
	Sealed bool
	// Redelivered is set when an earlier lease of it ended without an acknowledgement.
	Redelivered bool
	// Content is the serialised servicepb.Content; content.Parse reads it. It is empty for a message that could not
	// be read: then StatusCode (8, 9 or 10 of package statuscodes) and ErrorMessage say why.
	Content      []byte
	StatusCode   int
	ErrorMessage string
	// GroupChange is set for a change of a group, which has no Content. Group is the group's identifier then.
	GroupChange *GroupChange
	Group       []byte
	// Attachments are those of the content's Event.Attachments(), in their order.
	Attachments []StoredAttachment
}

// StoredAttachment is one attachment of an inbox message, as the attachment store has it.
type StoredAttachment struct {
	ID string
	// ContentType and Filename are the sender's.
	ContentType string
	Filename    string
	// Data is valid while the message is leased, or, from Attachment, until the message is removed.
	Data Blob
	// Ready is set once the download is complete and Data can be read.
	Ready bool
	// ErrorMessage says why it cannot be had; empty while it can or may yet.
	ErrorMessage string
}
