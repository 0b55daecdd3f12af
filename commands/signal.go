package commands

import (
	"context"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// Signal is the Signal client behind the commands: what signalcore.Client implements, and tests fake. Its methods may
// be called from any goroutine. Errors are those of packages model and service, wrapped at will; a context that ends
// during a send is answered with a *model.CutShortError.
type Signal interface {
	Sender
	Groups
	Inbox
	Events
	Linking
	AccountInfo
}

// Sender sends.
type Sender interface {
	// Resolve finds the service ids of recipients: who wrote a quoted message, who is mentioned. It asks the service
	// where the store does not know. A recipient without an account is model.ErrUnknownRecipient.
	Resolve(ctx context.Context, recipients []model.Recipient) ([]serviceid.ServiceID, error)
	Send(ctx context.Context, request model.SendRequest) (model.SendResult, error)
	SendReceipt(ctx context.Context, request model.ReceiptRequest) (model.SendResult, error)
	SendTyping(ctx context.Context, request model.TypingRequest) error
	Outgoing(ctx context.Context, query model.OutgoingQuery) ([]model.Outgoing, error)
}

// Groups tells about groups and changes them. A group that the account does not know is model.ErrGroupNotFound; one that
// it has left is still told about, but not changed: model.ErrNotAGroupMember. What only an admin may do is
// model.ErrPermission.
type Groups interface {
	// Groups returns all known groups, in no particular order.
	Groups(ctx context.Context) ([]model.Group, error)
	// Group returns one; with refresh, its state is fetched from the service first.
	Group(ctx context.Context, id []byte, refresh bool) (model.Group, error)
	// GroupAvatar fetches the picture of a group. One without a picture is model.ErrNotFound.
	GroupAvatar(ctx context.Context, id []byte) (model.Blob, error)
	CreateGroup(ctx context.Context, creation model.GroupCreation) (model.GroupResult, error)
	// UpdateGroup does all that it is asked, in as few revisions as the service allows. Where a part fails after others
	// were done, the error is a *model.GroupPartError.
	UpdateGroup(ctx context.Context, update model.GroupUpdate) (model.GroupResult, error)
	// JoinGroup joins, or asks to join, by a link; or accepts an invitation to a known group.
	JoinGroup(ctx context.Context, join model.GroupJoin) (model.GroupResult, error)
	// LeaveGroup leaves; it declines an invitation, and takes back a request to join.
	LeaveGroup(ctx context.Context, leave model.GroupLeave) (model.GroupResult, error)
	// GroupLinkInfo returns what a link shows. A link that is not valid any more is model.ErrNotFound.
	GroupLinkInfo(ctx context.Context, link string) (model.GroupPreview, error)
	// DeleteGroup leaves the group, where the account is in it, and forgets it.
	DeleteGroup(ctx context.Context, id []byte) error
}

// Inbox hands out messages on leases.
type Inbox interface {
	// Receive leases messages to options.Owner and returns them in order of arrival. A context that ends while it
	// waits leases nothing, and is its error.
	Receive(ctx context.Context, options model.ReceiveOptions) ([]model.InboxMessage, error)
	// Ack removes messages for good and returns how many it removed. Those that do not exist are passed over, those
	// leased to another owner are left alone.
	Ack(ctx context.Context, owner model.Owner, ids []string) (int, error)
	// Release gives messages back; they come again, marked as redelivered.
	Release(owner model.Owner, ids []string)
	// ReleaseOwner gives back all that an owner holds: its connection is gone.
	ReleaseOwner(owner model.Owner)
	// Attachment finds a stored attachment of a message that is still in the inbox.
	Attachment(ctx context.Context, id string) (model.StoredAttachment, error)
}

// Events tells subscribers what happens.
type Events interface {
	Subscribe(ctx context.Context, options model.SubscribeOptions) (Subscription, error)
}

// Subscription is one subscriber's place in the stream of events.
type Subscription = model.Subscription

// Linking links this device to an account.
type Linking interface {
	// StartLink opens a provisioning session and returns the URI to show as a QR code.
	StartLink(ctx context.Context, options model.LinkOptions) (string, error)
	// FinishLink waits until the URI was scanned and the device is linked. A URI that is unknown, or whose session has
	// ended, is model.ErrNotFound.
	FinishLink(ctx context.Context, uri string) (model.Account, error)
}

// AccountInfo tells about the account and the daemon's state.
type AccountInfo interface {
	Account(ctx context.Context) (model.Account, error)
	Devices(ctx context.Context) ([]model.Device, error)
	Status(ctx context.Context) model.Status
	// Lookup returns what the store knows of a person: the number and a name to show, each empty where unknown.
	Lookup(ctx context.Context, id serviceid.ServiceID) (number, name string)
}
