// Package signaltest is a Signal client that exists only in memory, for tests of the commands and of the socket: an
// inbox with leases, and functions for the rest, which a test sets. There is no network and no disk.
package signaltest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"signalbox/commands"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// The account that New links, and a contact.
var (
	ACI     = serviceid.NewACI(uuid.MustParse("11111111-1111-4111-8111-111111111111"))
	PNI     = serviceid.NewPNI(uuid.MustParse("22222222-2222-4222-8222-222222222222"))
	Contact = serviceid.NewACI(uuid.MustParse("33333333-3333-4333-8333-333333333333"))
)

// Numbers of the account and the contact.
const (
	Number        = "+436641234567"
	ContactNumber = "+436647654321"
)

// Client implements commands.Signal. The functions may be set before it is used.
type Client struct {
	*GroupSide

	Sent      chan model.SendRequest // every Send, if not nil
	OnSend    func(ctx context.Context, request model.SendRequest) (model.SendResult, error)
	OnReceipt func(ctx context.Context, request model.ReceiptRequest) (model.SendResult, error)
	OnTyping  func(ctx context.Context, request model.TypingRequest) error
	OnLink    func(ctx context.Context, uri string) (model.Account, error)
	OnStatus  func() model.Status
	OnAccount func() (model.Account, error)
	OnResolve func(recipients []model.Recipient) ([]serviceid.ServiceID, error)
	OnAck     func(ids []string) error

	Outbox      []model.Outgoing
	Attachments map[string]model.StoredAttachment

	mu          sync.Mutex
	inbox       []*entry
	waiters     []chan struct{}
	subscribers map[*subscriber]bool
	waiting     chan struct{}
}

type entry struct {
	model.InboxMessage
	owner model.Owner // 0 for none
}

// New returns a client with a linked account and an empty inbox.
func New() *Client {
	return &Client{
		GroupSide: newGroupSide(),
		OnSend: func(context.Context, model.SendRequest) (model.SendResult, error) {
			return model.SendResult{Timestamp: 1_700_000_000_000}, nil
		},
		OnReceipt: func(context.Context, model.ReceiptRequest) (model.SendResult, error) {
			return model.SendResult{Timestamp: 1_700_000_000_001}, nil
		},
		OnTyping: func(context.Context, model.TypingRequest) error { return nil },
		OnLink:   func(context.Context, string) (model.Account, error) { return account(), nil },
		OnStatus: func() model.Status { return model.Status{Connection: model.StateConnected} },
		OnAccount: func() (model.Account, error) {
			return account(), nil
		},
		OnResolve: func(recipients []model.Recipient) ([]serviceid.ServiceID, error) {
			return slices.Repeat([]serviceid.ServiceID{Contact}, len(recipients)), nil
		},
		OnAck:       func([]string) error { return nil },
		subscribers: map[*subscriber]bool{},
		waiting:     make(chan struct{}, 1000),
	}
}

func account() model.Account {
	return model.Account{Number: Number, ACI: ACI, PNI: PNI, Username: "box.42", DeviceID: 2, DeviceName: "signalbox"}
}

// Deliver puts a message into the inbox, and tells the subscribers.
func (c *Client) Deliver(m model.InboxMessage) {
	c.mu.Lock()
	c.inbox = append(c.inbox, &entry{InboxMessage: m})
	c.wake()
	c.mu.Unlock()
	c.Publish(model.Event{Message: &m})
}

// Publish tells the subscribers of an event.
func (c *Client) Publish(e model.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subscribers {
		s.events <- e
	}
}

// Left returns how many messages are in the inbox, and how many of them are leased.
func (c *Client) Left() (all, leased int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.inbox {
		if e.owner != 0 {
			leased++
		}
	}
	return len(c.inbox), leased
}

// Waiting gets a token each time that a Receive begins to wait.
func (c *Client) Waiting() <-chan struct{} { return c.waiting }

// Subscribers returns how many subscriptions are open.
func (c *Client) Subscribers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.subscribers)
}

// wake is for who holds mu.
func (c *Client) wake() {
	for _, w := range c.waiters {
		close(w)
	}
	c.waiters = nil
}

// Receive implements commands.Inbox.
func (c *Client) Receive(ctx context.Context, o model.ReceiveOptions) ([]model.InboxMessage, error) {
	if o.Wait > 0 {
		timed, cancel := context.WithTimeout(ctx, o.Wait)
		defer cancel()
		out, err := c.receive(timed, o)
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
		return out, err
	}
	return c.receive(ctx, o)
}

func (c *Client) receive(ctx context.Context, o model.ReceiveOptions) ([]model.InboxMessage, error) {
	for {
		taken, wake := c.take(o)
		if len(taken) > 0 || o.Wait == 0 {
			return taken, nil
		}
		select {
		case c.waiting <- struct{}{}:
		default:
		}
		select {
		case <-wake:
		case <-o.Drain:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *Client) take(o model.ReceiveOptions) ([]model.InboxMessage, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []model.InboxMessage
	for _, e := range c.inbox {
		if e.owner == 0 && len(out) < o.Max && slices.Contains(o.Types, e.Type) {
			e.owner = o.Owner
			out = append(out, e.InboxMessage)
		}
	}
	wake := make(chan struct{})
	c.waiters = append(c.waiters, wake)
	return out, wake
}

// Ack implements commands.Inbox.
func (c *Client) Ack(_ context.Context, owner model.Owner, ids []string) (int, error) {
	if err := c.OnAck(ids); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.inbox)
	c.inbox = slices.DeleteFunc(c.inbox, func(e *entry) bool {
		return slices.Contains(ids, e.ID) && (e.owner == owner || e.owner == 0)
	})
	return before - len(c.inbox), nil
}

// Release implements commands.Inbox.
func (c *Client) Release(owner model.Owner, ids []string) {
	c.release(owner, func(id string) bool { return slices.Contains(ids, id) })
}

// ReleaseOwner implements commands.Inbox.
func (c *Client) ReleaseOwner(owner model.Owner) { c.release(owner, func(string) bool { return true }) }

func (c *Client) release(owner model.Owner, which func(id string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.inbox {
		if e.owner == owner && which(e.ID) {
			e.owner, e.Redelivered = 0, true
		}
	}
	c.wake()
}

// Attachment implements commands.Inbox.
func (c *Client) Attachment(_ context.Context, id string) (model.StoredAttachment, error) {
	a, ok := c.Attachments[id]
	if !ok {
		return a, model.ErrNotFound
	}
	return a, nil
}

// Resolve implements commands.Sender.
func (c *Client) Resolve(_ context.Context, recipients []model.Recipient) ([]serviceid.ServiceID, error) {
	return c.OnResolve(recipients)
}

// Send implements commands.Sender.
func (c *Client) Send(ctx context.Context, request model.SendRequest) (model.SendResult, error) {
	if c.Sent != nil {
		c.Sent <- request
	}
	return c.OnSend(ctx, request)
}

// SendReceipt implements commands.Sender.
func (c *Client) SendReceipt(ctx context.Context, request model.ReceiptRequest) (model.SendResult, error) {
	return c.OnReceipt(ctx, request)
}

// SendTyping implements commands.Sender.
func (c *Client) SendTyping(ctx context.Context, request model.TypingRequest) error {
	return c.OnTyping(ctx, request)
}

// Outgoing implements commands.Sender.
func (c *Client) Outgoing(_ context.Context, query model.OutgoingQuery) ([]model.Outgoing, error) {
	var out []model.Outgoing
	for _, o := range c.Outbox {
		if (query.Timestamp == 0 || query.Timestamp == o.Timestamp) &&
			(query.IdempotencyKey == "" || query.IdempotencyKey == o.IdempotencyKey) && len(out) < query.Limit {
			out = append(out, o)
		}
	}
	return out, nil
}

// StartLink implements commands.Linking.
func (c *Client) StartLink(_ context.Context, options model.LinkOptions) (string, error) {
	return "sgnl://linkdevice?name=" + options.DeviceName, nil
}

// FinishLink implements commands.Linking.
func (c *Client) FinishLink(ctx context.Context, uri string) (model.Account, error) {
	return c.OnLink(ctx, uri)
}

// Account implements commands.AccountInfo.
func (c *Client) Account(context.Context) (model.Account, error) { return c.OnAccount() }

// Devices implements commands.AccountInfo.
func (c *Client) Devices(context.Context) ([]model.Device, error) {
	if _, err := c.OnAccount(); err != nil {
		return nil, err
	}
	return []model.Device{{ID: 1, Name: "phone"}, {ID: 2, Name: "signalbox", This: true}}, nil
}

// Status implements commands.AccountInfo.
func (c *Client) Status(context.Context) model.Status { return c.OnStatus() }

// Lookup implements commands.AccountInfo.
func (c *Client) Lookup(_ context.Context, id serviceid.ServiceID) (number, name string) {
	if id == Contact {
		return ContactNumber, "Contact"
	}
	return "", ""
}

// Subscribe implements commands.Events.
func (c *Client) Subscribe(context.Context, model.SubscribeOptions) (commands.Subscription, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &subscriber{client: c, events: make(chan model.Event, 1000)}
	c.subscribers[s] = true
	return s, nil
}

type subscriber struct {
	client *Client
	events chan model.Event
}

// Next implements commands.Subscription.
func (s *subscriber) Next(ctx context.Context) (model.Event, error) {
	select {
	case e := <-s.events:
		return e, nil
	case <-ctx.Done():
		return model.Event{}, ctx.Err()
	}
}

// Close implements commands.Subscription.
func (s *subscriber) Close() {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	delete(s.client.subscribers, s)
}
