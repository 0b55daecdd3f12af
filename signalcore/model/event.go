package model

import (
	"context"

	"signalbox/signalcore/protocol/serviceid"
)

// Event is what a subscriber is told. Exactly one of the pointers is set.
type Event struct {
	// Message is an inbox message. It is not leased, and another client may take it at any time: a blob of it that
	// has gone fails to open.
	Message *InboxMessage
	// Connection is a change of the connection to the service.
	Connection *ConnectionEvent
	// Outgoing is the outcome of a queued send.
	Outgoing *Outgoing
	// Identity is a contact's changed identity key.
	Identity *IdentityEvent
	// Missed counts events that a subscriber who fell behind did not get.
	Missed *int
}

// ConnectionEvent is a change of state of the connection to the service.
type ConnectionEvent struct {
	State  ConnectionState
	Reason string
	// Timestamp is in milliseconds.
	Timestamp uint64
}

// IdentityEvent says that a contact has a new identity key, which was trusted on first use.
type IdentityEvent struct {
	ServiceID serviceid.ServiceID
	Number    string
	// Fingerprint is the new public key, 33 bytes.
	Fingerprint []byte
	// Timestamp is in milliseconds.
	Timestamp uint64
}

// SubscribeOptions pick what a subscriber is told. Connection events, outcomes and identity changes always come.
type SubscribeOptions struct {
	// Types picks among messages; never empty.
	Types []MessageType
}

// Subscription is one subscriber's place in the stream of events. Next is for one goroutine; Close for any.
type Subscription interface {
	// Next waits for an event. It returns an error once ctx ends or the subscription is closed.
	Next(ctx context.Context) (Event, error)
	Close()
}
