package commands

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox/commands/render"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/statuscodes"
)

func receivingCommands() []*command {
	return []*command{
		define("receive_messages", "Waits for messages and returns them. Each is removed once the reply has reached the "+
			`client, or, with ack "manual", by ack_messages.`, runReceiveMessages).waiting(),
		define("ack_messages", `Removes messages that were received with ack "manual".`, runAckMessages),
		define("get_attachment", "Returns an attachment of a message that is still in the inbox.", runGetAttachment),
	}
}

// ReceiveMessagesRequest is the request of receive_messages.
type ReceiveMessagesRequest struct {
	Timeout           *int64   `json:"timeout,omitempty" jsonschema:"minimum=-1,default=1000,description=how long to wait for a message\\, in milliseconds; 0 returns at once\\, -1 waits for ever"`
	IgnoreAttachments bool     `json:"ignoreAttachments,omitempty" jsonschema:"description=return messages without their attachments"`
	MaxMessages       *int     `json:"maxMessages,omitempty" jsonschema:"minimum=1,maximum=10000,default=100,description=how many at most"`
	Types             []string `json:"types,omitempty" jsonschema:"description=which messages; default: all but receipt and typing"`
	Ack               string   `json:"ack,omitempty" jsonschema:"enum=auto,enum=manual,default=auto,description=auto removes the messages once the client has the reply; manual waits for ack_messages"`
	LeaseSeconds      *int64   `json:"leaseSeconds,omitempty" jsonschema:"minimum=1,maximum=86400,default=60,description=with ack manual: how long to wait for ack_messages before the message comes again"`
}

const (
	defaultTimeout = 1000
	maxTimeout     = int64(365 * 24 * time.Hour / time.Millisecond)
	defaultMax     = 100
	maxMax         = 10_000
	defaultLease   = 60
	maxLease       = 86_400
	maxAckedAtOnce = 10_000
)

// ReceiveMessagesReply is the reply of receive_messages.
type ReceiveMessagesReply struct {
	Messages []*render.Message `json:"messages" jsonschema:"description=in order of arrival; empty where none came"`
}

func runReceiveMessages(c *call, request *ReceiveMessagesRequest) (*ReceiveMessagesReply, error) {
	options, err := request.options()
	if err != nil {
		return nil, err
	}
	options.Owner, options.Drain = c.session.owner, c.session.client.Drain
	messages, err := c.signal.Receive(c, options)
	if err != nil {
		return nil, err
	}
	out := &ReceiveMessagesReply{Messages: make([]*render.Message, len(messages))}
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
		out.Messages[i] = c.render(c, m, options.Attachments)
	}
	if options.Lease == 0 && len(ids) > 0 {
		c.settle = func(delivered bool) { c.settleMessages(ids, delivered) }
	}
	return out, nil
}

// render shows a message, with the data of its attachments or without.
func (c *call) render(ctx context.Context, m model.InboxMessage, attachments bool) *render.Message {
	return render.Render(m, render.Options{
		Attachments: attachments,
		Lookup:      func(id serviceid.ServiceID) (number, name string) { return c.signal.Lookup(ctx, id) },
		Self:        func() []serviceid.ServiceID { return c.self(ctx) },
	})
}

// self returns the identities of the account; none where there is none.
func (c *call) self(ctx context.Context) []serviceid.ServiceID {
	account, err := c.signal.Account(ctx)
	if err != nil {
		return nil
	}
	return []serviceid.ServiceID{account.ACI, account.PNI}
}

// settleMessages removes messages that the client has, or gives back those that it has not.
func (c *call) settleMessages(ids []string, delivered bool) {
	if !delivered {
		c.signal.Release(c.session.owner, ids)
		return
	}
	ctx := context.WithoutCancel(c.session.base) // also when shutting down: the client has them
	if _, err := c.signal.Ack(ctx, c.session.owner, ids); err != nil {
		c.log.Error().Err(err).Int("messages", len(ids)).Msg("delivered messages stay in the inbox, and will come again")
		c.signal.Release(c.session.owner, ids)
	}
}

func (r *ReceiveMessagesRequest) options() (model.ReceiveOptions, error) {
	var out model.ReceiveOptions
	timeout, err := bounded("timeout", r.Timeout, defaultTimeout, -1, maxTimeout)
	if err != nil {
		return out, err
	}
	out.Wait = time.Duration(timeout) * time.Millisecond
	if out.Max, err = bounded("maxMessages", r.MaxMessages, defaultMax, 1, maxMax); err != nil {
		return out, err
	}
	lease, err := bounded("leaseSeconds", r.LeaseSeconds, defaultLease, 1, maxLease)
	if err != nil {
		return out, err
	}
	switch r.Ack {
	case "", "auto":
	case "manual":
		out.Lease = time.Duration(lease) * time.Second
	default:
		return out, badArgument("ack", "must be auto or manual")
	}
	out.Types, err = messageTypes(r.Types)
	out.Attachments = !r.IgnoreAttachments
	return out, err
}

// bounded returns a field's value or, where it is absent, the default.
func bounded[T int | int64](field string, value *T, absent, lowest, highest T) (T, error) {
	if value == nil {
		return absent, nil
	}
	if *value < lowest || *value > highest {
		return 0, badArgument(field, "must be %d to %d", lowest, highest)
	}
	return *value, nil
}

// selectable are the types that a request may name; those after the default come only when asked for.
var selectable = []model.MessageType{
	model.TypeMessage, model.TypeReaction, model.TypeEdit, model.TypeDelete, model.TypeGroupChange, model.TypeCall,
	model.TypeSync, model.TypeReceipt, model.TypeTyping,
}

// messageTypes reads `types`. What has no type of its own there, stories and what could not be read, comes with
// messages.
func messageTypes(names []string) ([]model.MessageType, error) {
	if names == nil {
		names = []string{"message", "reaction", "edit", "delete", "groupChange", "call", "sync"}
	}
	var out []model.MessageType
	for _, name := range names {
		t := model.MessageType(name)
		if !slices.Contains(selectable, t) {
			return nil, badArgument("types", "must be of %s", joinTypes())
		}
		out = append(out, t)
		if t == model.TypeMessage {
			out = append(out, model.TypeStory, model.TypeUnknown)
		}
	}
	if len(out) == 0 {
		return nil, badArgument("types", "must not be empty")
	}
	return out, nil
}

func joinTypes() string {
	var all []string
	for _, t := range selectable {
		all = append(all, string(t))
	}
	return strings.Join(all, ", ")
}

// AckMessagesRequest is the request of ack_messages.
type AckMessagesRequest struct {
	IDs []string `json:"ids" jsonschema:"required,description=the id of each message"`
}

// AckMessagesReply is the reply of ack_messages.
type AckMessagesReply struct {
	Acknowledged int `json:"acknowledged" jsonschema:"description=how many were removed; others were gone\\, or are leased to another connection"`
}

func runAckMessages(c *call, request *AckMessagesRequest) (*AckMessagesReply, error) {
	if len(request.IDs) == 0 || len(request.IDs) > maxAckedAtOnce {
		return nil, badArgument("ids", "must be 1 to %d", maxAckedAtOnce)
	}
	n, err := c.signal.Ack(c, c.session.owner, request.IDs)
	if err != nil {
		return nil, err
	}
	return &AckMessagesReply{Acknowledged: n}, nil
}

// GetAttachmentRequest is the request of get_attachment.
type GetAttachmentRequest struct {
	ID string `json:"id" jsonschema:"required,description=the id of an attachment in a message"`
}

// GetAttachmentReply is the reply of get_attachment.
type GetAttachmentReply struct {
	ID          string     `json:"id" jsonschema:"description=as in the request"`
	ContentType string     `json:"contentType,omitempty" jsonschema:"description=as the sender named it"`
	Filename    string     `json:"filename,omitempty" jsonschema:"description=as the sender named it"`
	Size        int64      `json:"size" jsonschema:"description=in bytes"`
	Base64Data  model.Blob `json:"base64Data" jsonschema:"description=the file"`
}

func runGetAttachment(c *call, request *GetAttachmentRequest) (*GetAttachmentReply, error) {
	if request.ID == "" {
		return nil, badArgument("id", "is missing")
	}
	a, err := c.signal.Attachment(c, request.ID)
	switch {
	case err != nil:
		return nil, err
	case a.ErrorMessage != "":
		return nil, badField(statuscodes.MessageParsingError, "", "the attachment could not be fetched: %s", a.ErrorMessage)
	case !a.Ready:
		return nil, badField(statuscodes.NotFound, "", "the attachment is still being fetched")
	}
	return &GetAttachmentReply{
		ID: a.ID, ContentType: a.ContentType, Filename: a.Filename, Size: a.Data.Size, Base64Data: a.Data,
	}, nil
}
