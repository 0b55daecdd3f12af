package model

import "time"

// ConnectionState is the state of the connection to the service.
type ConnectionState string

const (
	// StateNotLinked has no account, or one whose device was unlinked.
	StateNotLinked ConnectionState = "notLinked"
	// StateConnecting is between connections, or backing off before the next.
	StateConnecting ConnectionState = "connecting"
	// StateConnected is authenticated and receiving.
	StateConnected ConnectionState = "connected"
	// StateConnectedElsewhere was displaced by another connection of this same device.
	StateConnectedElsewhere ConnectionState = "connectedElsewhere"
	// StatePaused is connected, but takes nothing: the inbox is full or the disk refuses writes.
	StatePaused ConnectionState = "paused"
	// StateStopped is before Run and after it.
	StateStopped ConnectionState = "stopped"
)

// Status is the health of the daemon's Signal side. Times that are not known are zero.
type Status struct {
	// Account is nil when none is linked.
	Account    *Account
	Connection ConnectionState
	Since      time.Time
	// Reason says in a sentence why the state is not StateConnected.
	Reason string

	LastFrame    time.Time
	LastMessage  time.Time
	LastLoopStep time.Time

	InboxMessages int
	InboxBytes    int64
	InboxMaxBytes int64
	OutboxDepth   int

	Quarantined int
	// Dropped counts what was thrown away on purpose: of blocked senders and groups, of senders who are not in a group.
	Dropped int

	PreKeys        PreKeyCounts
	ThrottledUntil time.Time
	LastError      string
	LastErrorAt    time.Time
}

// PreKeyCounts are the one-time prekeys left at the service, for the account's two identities.
type PreKeyCounts struct {
	ACIEC, ACIKyber int
	PNIEC, PNIKyber int
}
