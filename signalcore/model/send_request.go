package model

import "signalbox/signalcore/content"

// SendRequest is a message, reaction, edit or deletion to send.
type SendRequest struct {
	To Destination
	// Event holds what to send; exactly one of Message, Reaction, Edit and Delete is set. The client fills in what it
	// decides itself: timestamp, timer where the request names none, profile key, group context, and where the
	// attachments were uploaded to.
	Event content.Event
	// Uploads is the data of Event.Attachments(), in their order; those have no pointers yet. One without Open is a
	// sticker, to be fetched from its pack. They are valid until the command has returned: what is queued for longer
	// must be copied.
	Uploads []Blob
	SendOptions
}
