package commands

import (
	"time"

	"signalbox/signalcore/model"
)

func daemonCommands() []*command {
	return []*command{
		define(authCommand, "Presents the token of --token-file, for all further commands of the connection.",
			runAuth).unauthenticated(),
		define("version", "Tells which build this is.", runVersion),
		define("status", "Tells how the daemon and its connection to the service are doing. Times are in milliseconds "+
			"since 1970, ages in seconds; what never happened is left out.", runStatus),
		define("protocol", "Describes every command: JSON Schemas (2020-12) of its requests and replies.", runProtocol),
	}
}

// AuthRequest is the request of auth. Its token was checked before it came here.
type AuthRequest struct{}

func runAuth(*call, *AuthRequest) (*None, error) { return nil, nil }

// VersionReply is the reply of version.
type VersionReply struct {
	Name    string `json:"name" jsonschema:"description=signalbox"`
	Version string `json:"version" jsonschema:"description=of the build"`
	Commit  string `json:"commit,omitempty" jsonschema:"description=it was built from"`
	Built   int64  `json:"built,omitempty" jsonschema:"description=when it was built\\, in milliseconds since 1970"`
}

func runVersion(c *call, _ *None) (*VersionReply, error) {
	v := c.session.registry.opts.Version
	return &VersionReply{Name: "signalbox", Version: v.Version, Commit: v.Commit, Built: millis(v.Built)}, nil
}

// StatusReply is the reply of status.
type StatusReply struct {
	Account    *StatusAccount   `json:"account,omitempty" jsonschema:"description=where one is linked"`
	Connection StatusConnection `json:"connection" jsonschema:"description=to the service"`

	LastFrameAge    *int64 `json:"lastFrameAge,omitempty" jsonschema:"description=seconds since the service last sent anything"`
	LastMessageAge  *int64 `json:"lastMessageAge,omitempty" jsonschema:"description=seconds since the last message"`
	LastLoopStepAge *int64 `json:"lastLoopStepAge,omitempty" jsonschema:"description=seconds since the receive loop last made a step"`

	Inbox  StatusInbox  `json:"inbox" jsonschema:"description=what no client has taken"`
	Outbox StatusOutbox `json:"outbox" jsonschema:"description=sends and receipts and other errands that wait"`

	Quarantined    int           `json:"quarantined" jsonschema:"description=envelopes that no try could read"`
	Dropped        int           `json:"dropped" jsonschema:"description=messages that were not kept\\, of blocked senders and the like"`
	PreKeys        StatusPreKeys `json:"preKeys" jsonschema:"description=one-time keys left at the service"`
	ThrottledUntil int64         `json:"throttledUntil,omitempty" jsonschema:"description=the service asked to wait until then\\, in milliseconds since 1970"`
	LastError      *StatusError  `json:"lastError,omitempty" jsonschema:"description=what went wrong last"`
	Uptime         int64         `json:"uptime" jsonschema:"description=seconds since the daemon was started"`
	BuildAge       *int64        `json:"buildAge,omitempty" jsonschema:"description=seconds since this build was made"`
}

// StatusAccount is the account in a status.
type StatusAccount struct {
	Number   string `json:"number" jsonschema:"description=its phone number"`
	UUID     string `json:"uuid" jsonschema:"description=its ACI"`
	DeviceID uint32 `json:"deviceId" jsonschema:"description=of this device"`
}

// StatusConnection is the connection to the service.
type StatusConnection struct {
	State  model.ConnectionState `json:"state" jsonschema:"enum=notLinked,enum=connecting,enum=connected,enum=connectedElsewhere,enum=paused,enum=stopped"`
	Since  int64                 `json:"since,omitempty" jsonschema:"description=in milliseconds since 1970"`
	Reason string                `json:"reason,omitempty" jsonschema:"description=why it is not connected"`
}

// StatusInbox is how full the inbox is.
type StatusInbox struct {
	Messages int   `json:"messages" jsonschema:"description=how many\\, receipts and typing included\\, which receive_messages gives only when asked for"`
	Bytes    int64 `json:"bytes" jsonschema:"description=attachments included"`
	MaxBytes int64 `json:"maxBytes" jsonschema:"description=--inbox-max-bytes"`
}

// StatusOutbox is how many sends, receipts and other errands wait.
type StatusOutbox struct {
	Queued int `json:"queued" jsonschema:"description=how many"`
}

// StatusPreKeys are the one-time prekeys left at the service.
type StatusPreKeys struct {
	ACI      int `json:"aci"`
	ACIKyber int `json:"aciKyber"`
	PNI      int `json:"pni"`
	PNIKyber int `json:"pniKyber"`
}

// StatusError is the last thing that went wrong.
type StatusError struct {
	Message   string `json:"message" jsonschema:"description=for people"`
	Timestamp int64  `json:"timestamp,omitempty" jsonschema:"description=in milliseconds since 1970"`
}

func runStatus(c *call, _ *None) (*StatusReply, error) {
	now := time.Now()
	s := c.signal.Status(c)
	out := &StatusReply{
		Connection:      StatusConnection{State: s.Connection, Since: millis(s.Since), Reason: s.Reason},
		LastFrameAge:    age(now, s.LastFrame),
		LastMessageAge:  age(now, s.LastMessage),
		LastLoopStepAge: age(now, s.LastLoopStep),
		Inbox:           StatusInbox{Messages: s.InboxMessages, Bytes: s.InboxBytes, MaxBytes: s.InboxMaxBytes},
		Outbox:          StatusOutbox{Queued: s.OutboxDepth},
		Quarantined:     s.Quarantined,
		Dropped:         s.Dropped,
		PreKeys: StatusPreKeys{
			ACI: s.PreKeys.ACIEC, ACIKyber: s.PreKeys.ACIKyber, PNI: s.PreKeys.PNIEC, PNIKyber: s.PreKeys.PNIKyber,
		},
		ThrottledUntil: millis(s.ThrottledUntil),
		Uptime:         max(0, int64(now.Sub(c.session.registry.began).Seconds())),
		BuildAge:       age(now, c.session.registry.opts.Version.Built),
	}
	if s.Account != nil {
		out.Account = &StatusAccount{Number: s.Account.Number, UUID: s.Account.ACI.String(), DeviceID: s.Account.DeviceID}
	}
	if s.LastError != "" {
		out.LastError = &StatusError{Message: s.LastError, Timestamp: millis(s.LastErrorAt)}
	}
	return out, nil
}

// millis is 0 for a time that is not known.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func age(now, then time.Time) *int64 {
	if then.IsZero() {
		return nil
	}
	seconds := max(0, int64(now.Sub(then).Seconds()))
	return &seconds
}
