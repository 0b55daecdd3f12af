package signalcore

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/inbox"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// attachmentPatience is how long a receive that wants attachments waits for downloads, where its own time is shorter.
const attachmentPatience = 30 * time.Second

// readers gives each owner, a connection of the socket, its own reader of the inbox.
type readers struct {
	*Client

	mu     sync.Mutex
	owners map[model.Owner]*ownedReader
	leased map[string]lease // message ids that an owner holds
}

// lease says who holds a message, and with which batch it was taken.
type lease struct {
	owner model.Owner
	batch *inbox.Batch
}

// ownedReader is a reader and the batches that its owner has not settled.
type ownedReader struct {
	reader  *inbox.Reader
	batches []*inbox.Batch
}

func newReaders(c *Client) *readers {
	return &readers{Client: c, owners: make(map[model.Owner]*ownedReader), leased: make(map[string]lease)}
}

// Receive implements commands.Inbox.
func (c *Client) Receive(ctx context.Context, options model.ReceiveOptions) ([]model.InboxMessage, error) {
	if c.accounts.get() == nil {
		return nil, model.ErrNotLinked
	}
	return c.readers.receive(ctx, options)
}

func (r *readers) receive(ctx context.Context, options model.ReceiveOptions) ([]model.InboxMessage, error) {
	began := r.config.Now()
	waiting, cancel := waitContext(ctx, options)
	defer cancel()
	owned := r.of(options.Owner)
	request := inbox.Request{Types: entryTypesOf(options.Types), Max: options.Max, Lease: options.Lease}
	batch, err := owned.reader.Take(request)
	if err == nil && len(batch.Messages) == 0 && options.Wait != 0 {
		batch, err = owned.reader.Receive(waiting, request)
	}
	if err != nil {
		return nil, storageError(err)
	}
	if ctx.Err() != nil { // the client has gone: nobody would read it
		batch.Return()
		return nil, ctx.Err()
	}
	if len(batch.Messages) == 0 {
		return []model.InboxMessage{}, nil
	}
	r.keep(options.Owner, batch)
	if options.Attachments {
		r.awaitAttachments(ctx, batch, options, began)
	}
	messages, err := r.messages(batch.Messages)
	if err != nil { // nobody learns of them
		r.giveBack(options.Owner, batch)
	}
	return messages, err
}

// giveBack puts a batch back that its owner never saw.
func (r *readers) giveBack(owner model.Owner, batch *inbox.Batch) {
	r.mu.Lock()
	if owned := r.owners[owner]; owned != nil {
		owned.batches = slices.DeleteFunc(owned.batches, func(b *inbox.Batch) bool { return b == batch })
	}
	r.forget(batch)
	r.mu.Unlock()
	batch.Return()
}

// waitContext ends when the request's time is over, when the daemon drains, or with ctx.
func waitContext(ctx context.Context, options model.ReceiveOptions) (context.Context, context.CancelFunc) {
	wait := options.Wait
	if wait <= 0 {
		wait = math.MaxInt64
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	if options.Drain == nil {
		return waiting, cancel
	}
	go func() { // ends with waiting
		select {
		case <-options.Drain:
			cancel()
		case <-waiting.Done():
		}
	}()
	return waiting, cancel
}

func (r *readers) of(owner model.Owner) *ownedReader {
	r.mu.Lock()
	defer r.mu.Unlock()
	owned := r.owners[owner]
	if owned == nil {
		owned = &ownedReader{reader: r.inbox.NewReader()}
		r.owners[owner] = owned
	}
	return owned
}

// keep remembers what an owner holds.
func (r *readers) keep(owner model.Owner, batch *inbox.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	owned := r.owners[owner]
	if owned == nil { // released meanwhile
		batch.Return()
		return
	}
	for _, m := range batch.Messages {
		r.leased[m.GetId()] = lease{owner, batch}
	}
	// A batch whose leases have ended, and whose messages were all taken again since, is held no more.
	owned.batches = slices.DeleteFunc(owned.batches, func(b *inbox.Batch) bool { return !r.holdsAny(b) })
	owned.batches = append(owned.batches, batch)
}

// Ack implements commands.Inbox.
func (c *Client) Ack(_ context.Context, owner model.Owner, ids []string) (int, error) {
	mine := c.readers.settle(owner, ids)
	unknown, err := c.inbox.Ack(mine)
	return len(mine) - len(unknown), storageError(err)
}

// settle forgets that an owner holds messages, and leaves out those that another holds.
func (r *readers) settle(owner model.Owner, ids []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var mine []string
	for _, id := range ids {
		if holder, held := r.leased[id]; held && holder.owner != owner {
			continue
		}
		delete(r.leased, id)
		mine = append(mine, id)
	}
	if owned := r.owners[owner]; owned != nil {
		owned.batches = slices.DeleteFunc(owned.batches, func(b *inbox.Batch) bool { return !r.holdsAny(b) })
	}
	return mine
}

// holdsAny reports whether something of a batch is still leased. The caller holds mu.
func (r *readers) holdsAny(b *inbox.Batch) bool {
	return slices.ContainsFunc(b.Messages, func(m inbox.Delivery) bool {
		return r.leased[m.GetId()].batch == b
	})
}

// Release implements commands.Inbox. Messages go back with the others that were taken with them.
func (c *Client) Release(owner model.Owner, ids []string) {
	r := c.readers
	r.mu.Lock()
	var returned []*inbox.Batch
	if owned := r.owners[owner]; owned != nil {
		owned.batches = slices.DeleteFunc(owned.batches, func(b *inbox.Batch) bool {
			hit := slices.ContainsFunc(b.Messages, func(m inbox.Delivery) bool { return slices.Contains(ids, m.GetId()) })
			if hit {
				returned = append(returned, b)
				r.forget(b)
			}
			return hit
		})
	}
	r.mu.Unlock()
	for _, b := range returned {
		b.Return()
	}
}

// forget drops what is remembered of a batch. The caller holds mu.
func (r *readers) forget(b *inbox.Batch) {
	for _, m := range b.Messages {
		if r.leased[m.GetId()].batch == b {
			delete(r.leased, m.GetId())
		}
	}
}

// ReleaseOwner implements commands.Inbox.
func (c *Client) ReleaseOwner(owner model.Owner) {
	r := c.readers
	r.mu.Lock()
	owned := r.owners[owner]
	delete(r.owners, owner)
	if owned != nil {
		for _, b := range owned.batches {
			r.forget(b)
		}
	}
	r.mu.Unlock()
	if owned != nil {
		owned.reader.Close()
	}
}

// awaitAttachments waits for the downloads of a batch that are under way.
func (r *readers) awaitAttachments(ctx context.Context, batch *inbox.Batch, options model.ReceiveOptions, began time.Time) {
	patience := max(options.Wait-r.config.Now().Sub(began), attachmentPatience)
	if options.Wait < 0 {
		patience = attachmentPatience
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, m := range batch.Messages {
		for _, id := range m.GetAttachmentIds() {
			r.fetcher.await(waiting, id)
		}
	}
}

// messages turns entries into what the commands render.
func (r *readers) messages(deliveries []inbox.Delivery) ([]model.InboxMessage, error) {
	out := make([]model.InboxMessage, 0, len(deliveries))
	err := r.store.View(func(tx *store.Tx) error {
		for _, d := range deliveries {
			m, err := r.message(tx, d.InboxEntry)
			if err != nil {
				return err
			}
			m.Redelivered = d.Redelivered
			out = append(out, m)
		}
		return nil
	})
	return out, storageError(err)
}

func (r *readers) message(tx *store.Tx, e *storepb.InboxEntry) (model.InboxMessage, error) {
	a := r.accounts.get()
	m := model.InboxMessage{
		ID: e.GetId(), Type: messageTypes[e.GetType()], Sender: senderOf(e), SenderNumber: e.GetSenderNumber(),
		SenderDevice: e.GetSenderDevice(), Timestamp: e.GetTimestamp(), ServerTimestamp: e.GetServerTimestamp(),
		ReceivedTimestamp: uint64(e.GetReceivedAt()), Sealed: e.GetSealed(), Content: e.GetContent(),
		StatusCode: int(e.GetStatusCode()), ErrorMessage: e.GetError(),
	}
	if a != nil {
		m.Destination = a.aci
		if e.GetToPni() {
			m.Destination = a.pni
		}
	}
	if change := e.GetGroupChange(); change != nil {
		m.GroupChange, m.Group = groupChangeOf(change), e.GetGroupId()
	}
	if err := r.nameSender(tx, a, &m); err != nil {
		return m, err
	}
	for _, id := range e.GetAttachmentIds() {
		attachment, err := r.attachment(tx, id)
		if err != nil {
			return m, err
		}
		m.Attachments = append(m.Attachments, attachment)
	}
	return m, nil
}

func senderOf(e *storepb.InboxEntry) serviceid.ServiceID {
	if id, err := uuid.FromBytes(e.GetSenderAci()); err == nil {
		return serviceid.NewACI(id)
	}
	if id, err := uuid.FromBytes(e.GetSenderPni()); err == nil {
		return serviceid.NewPNI(id)
	}
	return serviceid.ServiceID{}
}

// nameSender adds the number and the name under which the sender is known.
func (r *readers) nameSender(tx *store.Tx, a *account, m *model.InboxMessage) error {
	if m.Sender.IsZero() {
		return nil
	}
	if a != nil && m.Sender == a.aci {
		m.SenderNumber = a.number
	}
	recipient, err := tx.RecipientByServiceID(m.Sender)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.SenderNumber == "" {
		m.SenderNumber = recipient.GetNumber()
	}
	m.SenderName = displayName(recipient)
	return nil
}

// displayName is what to call someone: the name given here, the address book's, or their own.
func displayName(r *storepb.Recipient) string {
	for _, pair := range [][2]string{
		{r.GetNicknameGiven(), r.GetNicknameFamily()}, {r.GetSystemGivenName(), r.GetSystemFamilyName()},
		{r.GetContactGivenName(), r.GetContactFamilyName()}, {r.GetProfileGivenName(), r.GetProfileFamilyName()},
	} {
		switch {
		case pair[0] != "" && pair[1] != "":
			return pair[0] + " " + pair[1]
		case pair[0]+pair[1] != "":
			return pair[0] + pair[1]
		}
	}
	return ""
}

var messageTypes = map[storepb.EntryType]model.MessageType{
	storepb.EntryType_ENTRY_UNKNOWN:      model.TypeUnknown,
	storepb.EntryType_ENTRY_MESSAGE:      model.TypeMessage,
	storepb.EntryType_ENTRY_REACTION:     model.TypeReaction,
	storepb.EntryType_ENTRY_EDIT:         model.TypeEdit,
	storepb.EntryType_ENTRY_DELETE:       model.TypeDelete,
	storepb.EntryType_ENTRY_GROUP_CHANGE: model.TypeGroupChange,
	storepb.EntryType_ENTRY_CALL:         model.TypeCall,
	storepb.EntryType_ENTRY_SYNC:         model.TypeSync,
	storepb.EntryType_ENTRY_RECEIPT:      model.TypeReceipt,
	storepb.EntryType_ENTRY_TYPING:       model.TypeTyping,
	storepb.EntryType_ENTRY_STORY:        model.TypeStory,
	storepb.EntryType_ENTRY_UNREADABLE:   model.TypeUnknown,
	storepb.EntryType_ENTRY_NOTICE:       model.TypeUnknown,
}

// entryTypesOf are the inbox's types behind those of a request. What stands in a message's place comes with messages.
func entryTypesOf(types []model.MessageType) []storepb.EntryType {
	var out []storepb.EntryType
	for entry, t := range messageTypes {
		if slices.Contains(types, t) {
			out = append(out, entry)
		}
	}
	if slices.Contains(types, model.TypeMessage) {
		out = append(out, storepb.EntryType_ENTRY_UNKNOWN)
	}
	return out
}
