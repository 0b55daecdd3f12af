package model

import "time"

// ReceiptRequest marks messages of one sender as read or viewed.
type ReceiptRequest struct {
	To         Recipient
	Viewed     bool
	Timestamps []uint64
	SendOptions
}

// TypingRequest shows or hides the typing indicator. It is never queued, nor stored.
type TypingRequest struct {
	To      Destination
	Stopped bool
}

// SendOptions are what every sending command takes beside its content (socket-protocol.md, section 4, "Sends that
// survive").
type SendOptions struct {
	// IdempotencyKey is empty when the request had none.
	IdempotencyKey string
	// Fingerprint is a hash of the whole request without its reqId, token and key: the same key with another
	// fingerprint is ErrKeyReused.
	Fingerprint [32]byte
	// Queue keeps the send on disk when the service cannot be reached now, for at most QueueTTL.
	Queue    bool
	QueueTTL time.Duration
}

// SendResult is the outcome of a send that reached at least one recipient, or that was queued. A send that reached
// none is an error: that of the first failure.
type SendResult struct {
	// Timestamp in milliseconds is the message's identifier.
	Timestamp uint64
	// Failures are the recipients that were not reached, in the order of the request.
	Failures []SendFailure
	// Repeated is set when this is the stored result of an earlier request with the same key.
	Repeated bool
	// Queued is set when the message is kept to be sent later.
	Queued bool
}

// SendFailure is one recipient that a send did not reach. Err has the same types as the error of a send.
type SendFailure struct {
	Recipient Recipient
	Err       error
}

// OutgoingState is how far an outgoing message has come.
type OutgoingState string

const (
	// OutgoingQueued waits on disk for the service.
	OutgoingQueued OutgoingState = "queued"
	// OutgoingSending is encrypted, stored and on its way.
	OutgoingSending OutgoingState = "sending"
	// OutgoingSent reached at least one recipient.
	OutgoingSent OutgoingState = "sent"
	// OutgoingFailed reached none, and is not tried again.
	OutgoingFailed OutgoingState = "failed"
	// OutgoingExpired stayed in the queue beyond its time.
	OutgoingExpired OutgoingState = "expired"
	// OutgoingUnknown may have left: the answer was lost. A repeat with its key sends the same bytes.
	OutgoingUnknown OutgoingState = "unknown"
)

// Outgoing is what is known of one stored outgoing message. Results survive a restart, so failures and errors are a
// status code (package statuscodes) and a sentence.
type Outgoing struct {
	Timestamp      uint64
	IdempotencyKey string
	State          OutgoingState
	Queued         time.Time
	Finished       time.Time
	Failures       []OutgoingFailure
	StatusCode     int
	ErrorMessage   string
}

// OutgoingFailure is one recipient that a stored message did not reach.
type OutgoingFailure struct {
	Recipient    string
	StatusCode   int
	ErrorMessage string
}

// OutgoingQuery picks stored outgoing messages: by timestamp, by key, or, with neither, the newest Limit of them.
type OutgoingQuery struct {
	Timestamp      uint64
	IdempotencyKey string
	Limit          int
}
