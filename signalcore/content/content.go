// Package content turns the protobuf Content, which travels encrypted between devices, into typed events, and typed
// outgoing messages into Contents.
//
// What a content may hold, and what makes one invalid, follows Signal-Desktop ts/textsecure (processDataMessage,
// processSyncMessage) and Signal-Android EnvelopeContentValidator. Parse is lenient where the apps are strict: a part
// that makes no sense is left out with a note, as long as there is something else to show.
//
// Everything here is pure: no I/O, clock or store. Encryption, padding and the fetching of attachments are in the
// packages below and beside this one; what an event changes is returned as values for the receiver to apply.
package content

import "signalbox/signalcore/protocol/serviceid"

// Kind says what an event is, and so which of its fields is set.
type Kind string

// The kinds, by the names that clients of the socket use.
const (
	KindMessage     Kind = "message"
	KindReaction    Kind = "reaction"
	KindEdit        Kind = "edit"
	KindDelete      Kind = "delete"
	KindGroupChange Kind = "groupChange"
	KindCall        Kind = "call"
	KindSync        Kind = "sync"
	KindReceipt     Kind = "receipt"
	KindTyping      Kind = "typing"
	KindStory       Kind = "story"
	// KindControl has effects only: null messages, profile key updates, sender keys, retry requests.
	KindControl Kind = "control"
	// KindUnknown goes with an error of Parse.
	KindUnknown Kind = "unknown"
)

// Event is one thing that was said or done. Beside the common fields, the one that Kind names is set.
type Event struct {
	Kind Kind
	// Timestamp in milliseconds is the identifier of a message; 0 for kinds that have none.
	Timestamp uint64
	// Group is nil in a conversation of two.
	Group *Group
	// Timer is what the sender believes the conversation's timer to be, where the kind says anything about it.
	Timer *Timer

	Message  *Message
	Reaction *Reaction
	Edit     *Edit
	Delete   *Delete
	Call     *Call
	Receipt  *Receipt
	Typing   *Typing
	Story    *Story
	Sync     *Sync
}

// Parsed is a whole content: an event, and what it changes for this account.
type Parsed struct {
	Event
	Effects Effects
	// Notes say what was left out, and why, for the log.
	Notes []string
}

// Effects are what a content asks the receiver to apply, in the transaction in which it was decrypted.
type Effects struct {
	// ProfileKey is the sender's, 32 bytes.
	ProfileKey []byte
	// PNISignature says that a PNI and the sender are one account. It is yet to be verified.
	PNISignature *PNISignature
	// SenderKeyDistribution and DecryptionError are messages of the protocol library, still serialised.
	SenderKeyDistribution []byte
	DecryptionError       []byte
	// EndSession asks to forget the session with the sender's device.
	EndSession bool
}

// PNISignature is the claim that PNI belongs to the sender: Signature is by the PNI's identity key, over the sender's
// ACI identity key.
type PNISignature struct {
	PNI       serviceid.ServiceID
	Signature []byte
}

// Group names the group of an event.
type Group struct {
	// MasterKey is 32 bytes; the group's identifier derives from it.
	MasterKey []byte
	Revision  uint32
	// Change is a serialised GroupChange, where the message carries one.
	Change []byte
}

// Timer is the time after which messages of a conversation disappear.
type Timer struct {
	// Seconds is 0 for off.
	Seconds uint32
	// Version settles which of two changes is the later; 0 where the sender knows none.
	Version uint32
}

// MessageRef names a message: who sent it, and when.
type MessageRef struct {
	Author    serviceid.ServiceID
	Timestamp uint64
}

// Internal reports whether an event concerns only the daemon itself, and is nothing to show to anyone.
func (p *Parsed) Internal() bool {
	if p.Kind != KindSync {
		return p.Kind == KindControl
	}
	sent := p.Sync.Sent
	return p.Sync.Type.internal() || sent != nil && (sent.Update || sent.Event.Kind == KindControl)
}

// Attachments returns every attachment of the event that a reply can show or that its text needs, in a fixed order.
func (e *Event) Attachments() []*Attachment {
	switch {
	case e.Message != nil:
		return e.Message.attachments()
	case e.Edit != nil:
		return e.Edit.Message.attachments()
	case e.Story != nil:
		return e.Story.attachments()
	case e.Sync != nil && e.Sync.Sent != nil:
		return e.Sync.Sent.Event.Attachments()
	}
	return nil
}
