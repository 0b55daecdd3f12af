package model

// SyncState is how it stands with something that another device is to send.
type SyncState int

const (
	// SyncAwaited means that it has not come yet.
	SyncAwaited SyncState = iota
	// SyncThere means that it has come.
	SyncThere
	// SyncLost means that it cannot be had, or not all of it.
	SyncLost
)

// FirstSync is what has come to a device since it was linked, of what the account had before, and which messages waited.
type FirstSync struct {
	// Contacts is about the list of the primary device; ContactsRead counts what this process has read of it.
	Contacts     SyncState
	ContactsRead int
	// Storage is set once the account's settings, and which groups there are, have been read.
	Storage bool
	// Groups are those that are known, GroupsFetched those whose state is, GroupsRefused those whose state could not be
	// had when it was asked for.
	Groups, GroupsFetched, GroupsRefused int
	// Messages have waited with the service and were received by this process; Drained is set once none waits there.
	Messages int
	Drained  bool
}

// InStore reports whether all has come that is asked for once.
func (s FirstSync) InStore() bool {
	return s.Contacts != SyncAwaited && s.Storage && s.GroupsFetched+s.GroupsRefused == s.Groups
}

// Complete reports whether there is nothing more to wait for.
func (s FirstSync) Complete() bool { return s.InStore() && s.Drained }

// Transfer is an attachment on its way.
type Transfer struct {
	// ID tells it from the others.
	ID       uint64
	Outgoing bool
	// Preparing is set while it is encrypted; Done stays 0 then.
	Preparing  bool
	Size, Done int64
}
