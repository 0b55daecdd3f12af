package signalcore

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Status codes of entries that could not be read (docs/socket-protocol.md, section 3).
const (
	statusMessageError   = 8
	statusMissingContent = 9
	statusParsingError   = 10
)

// counterDropped counts what was thrown away on purpose.
const counterDropped = "dropped"

// sessionsUnwritten is how many changed sessions a batch gathers before it writes them, which shows what they weigh.
const sessionsUnwritten = 8

// handler handles envelopes within one transaction.
type handler struct {
	r       *receiver
	tx      *store.Tx
	account *account
	book    *sessionBook
	opener  *opener
	// groups are those that were read and not written since, by id: the state of a large one takes its time to read.
	groups map[zkgroup.GroupID]*knownGroup
}

func newHandler(r *receiver, tx *store.Tx, account *account) *handler {
	book := newSessionBook(tx)
	return &handler{
		r: r, tx: tx, account: account, book: book,
		opener: &opener{tx: tx, book: book, account: account, trust: r.trust},
		groups: make(map[zkgroup.GroupID]*knownGroup),
	}
}

// handle takes one envelope: decrypted, applied, in the inbox and marked as seen; or, a second time, nothing. What is
// the message's own fault is told in the inbox. An error is about anything else, and the transaction must not commit.
func (h *handler) handle(raw []byte) (effects, error) {
	a, err := readEnvelope(raw, h.account)
	seen, seenErr := h.tx.Seen(a.mark)
	if seenErr != nil || seen {
		return effects{}, seenErr
	}
	if err := h.injectFault(a); err != nil {
		return effects{}, err
	}
	if err := h.tx.MarkSeen(a.mark); err != nil {
		return effects{}, err
	}
	if err == nil && a.envelope.GetType() == servicepb.Envelope_SERVER_DELIVERY_RECEIPT {
		return h.deliveredByServer(a)
	}
	var plaintext []byte
	if err == nil {
		plaintext, err = h.opener.open(a)
	}
	if err != nil {
		return h.faulty(a, err)
	}
	return h.opened(a, plaintext)
}

// opened goes on with what was decrypted: that a contact has a new key is told whatever the message says.
func (h *handler) opened(a *arrival, plaintext []byte) (effects, error) {
	var out effects
	if a.newIdentity {
		event, err := h.identityEvent(a)
		if err != nil {
			return out, err
		}
		out.identities = append(out.identities, event)
	}
	blocked, err := h.blocked(a.sender.ServiceID)
	if err != nil {
		return out, err
	}
	if blocked { // nothing of it is believed; the session goes on, for the day they are not
		return out, h.tx.Count(counterDropped, 1)
	}
	more, err := h.content(a, plaintext)
	out.add(more)
	if err != nil || !out.account {
		return out, err
	}
	return out, h.reloadAccount()
}

// reloadAccount has the rest of the batch handled with the account that this envelope changed.
func (h *handler) reloadAccount() error {
	record, err := h.tx.Account()
	if err != nil {
		return err
	}
	account, err := newAccount(record)
	if err != nil {
		return err
	}
	h.account, h.opener.account = account, account
	return nil
}

// full reports whether the transaction should end here.
func (h *handler) full() bool {
	if h.book.dirty >= sessionsUnwritten {
		if h.book.flush() != nil {
			return true // it fails again at the end, and is told there
		}
	}
	return h.tx.Fill() > batchFill
}

func (h *handler) injectFault(a *arrival) error {
	injectFault(a)
	if h.r.fault != nil {
		return h.r.fault(a)
	}
	return nil
}

// deliveredByServer turns the service's own receipt into one like the recipient's.
func (h *handler) deliveredByServer(a *arrival) (effects, error) {
	receipt := content.NewReceipt(content.ReceiptDelivery, []uint64{a.envelope.GetClientTimestamp()})
	raw, err := proto.Marshal(receipt)
	if err != nil {
		return effects{}, err
	}
	parsed, err := content.Parse(receipt)
	if err != nil {
		return effects{}, err
	}
	return h.deliver(h.contentEntry(a, &parsed, raw), nil, false)
}

// faulty tells of a message that could not be read, and asks its sender for another copy where that may help.
func (h *handler) faulty(a *arrival, err error) (effects, error) {
	var f *faultError
	if !errors.As(err, &f) {
		return effects{}, err
	}
	blocked, lookupErr := h.blocked(a.sender.ServiceID)
	if lookupErr != nil {
		return effects{}, lookupErr
	}
	gone, known, lookupErr := h.standing(a.group)
	if lookupErr != nil {
		return effects{}, lookupErr
	}
	if blocked || known.GetBlocked() {
		return effects{}, h.tx.Count(counterDropped, 1)
	}
	var out effects
	if f.retry { // a group's too that this account was in: it may say that it is in it again
		if err := h.requestRetry(a); err != nil {
			return effects{}, err
		}
		out.jobs = true
	}
	h.r.log.Info().Err(err).Str("from", a.sender.ServiceID.Short()).Bool("silent", f.silent).Msg("message not read")
	if f.silent || gone {
		return out, nil
	}
	entry := h.entry(a)
	entry.Type, entry.GroupId = storepb.EntryType_ENTRY_UNREADABLE, known.GetGroupId()
	entry.StatusCode, entry.Error = statusMessageError, unreadableText(err)
	out.messages = 1
	return out, h.r.inbox.Append(h.tx, entry)
}

func unreadableText(err error) string { return fmt.Sprintf("this message could not be read: %v", err) }

// content applies and files what was decrypted.
func (h *handler) content(a *arrival, plaintext []byte) (effects, error) {
	var c servicepb.Content
	if err := proto.Unmarshal(plaintext, &c); err != nil {
		entry := h.entry(a)
		entry.Content, entry.StatusCode = plaintext, statusParsingError
		entry.Error = "the message's content cannot be parsed"
		return h.deliver(entry, nil, false)
	}
	parsed, parseErr := content.Parse(&c)
	origin := content.Origin{
		Self: h.account.aci, Sender: a.sender.ServiceID, Timestamp: a.envelope.GetClientTimestamp(), Plaintext: a.plain,
	}
	if err := parsed.Check(origin); err != nil {
		return h.faulty(a, &faultError{err: err})
	}
	if err := checkGroup(a, &parsed); err != nil {
		return h.faulty(a, &faultError{err: err})
	}
	for _, note := range parsed.Notes {
		h.r.log.Debug().Str("from", a.sender.ServiceID.Short()).Msg(note)
	}
	out, err := h.apply(a, &parsed)
	if err != nil {
		return effects{}, err
	}
	more, err := h.file(a, &parsed, plaintext, parseErr)
	out.add(more)
	return out, err
}

func statusOf(parseErr error) int32 {
	if errors.Is(parseErr, content.ErrNoContent) {
		return statusMissingContent
	}
	return statusParsingError
}

// file puts a content into the inbox, unless it is internal or its group does not hear it. problem is why nothing can be
// made of it, nil where there is none.
func (h *handler) file(a *arrival, parsed *content.Parsed, plaintext []byte, problem error) (effects, error) {
	to, out, err := h.route(a, parsed)
	if err != nil {
		return out, err
	}
	if to.way == routeDrop {
		return out, h.tx.Count(counterDropped, 1)
	}
	own := h.account.isSelf(a.sender.ServiceID)
	if problem == nil && (parsed.Internal() || own && parsed.Kind == content.KindReceipt) {
		return out, nil // our own other devices acknowledge what we send them
	}
	receipt := !own && wantsReceipt(parsed.Kind)
	entry := h.contentEntry(a, parsed, plaintext)
	if problem != nil {
		entry.StatusCode, entry.Error = statusOf(problem), problem.Error()
	}
	if receipt && problem == nil {
		repeated, err := h.repeated(a, parsed, plaintext)
		if err != nil {
			return out, err
		}
		if repeated {
			to.way = routeHeard
		}
	}
	more, err := h.place(entry, parsed, to, receipt)
	out.add(more)
	return out, err
}

// repeated reports whether a content was here before that its sender has encrypted once more, since nobody told it that
// the first had left. Of messages and edits a sender has one at a time, by which the apps drop the second (Signal-Android
// V191_UniqueMessageMigration, Signal-Desktop's index messages_duplicate_check); the others are the same where every
// byte is.
func (h *handler) repeated(a *arrival, parsed *content.Parsed, plaintext []byte) (bool, error) {
	name := fmt.Appendf(nil, "message %s.%d %d %s ", a.sender.ServiceID, a.sender.DeviceID,
		a.envelope.GetClientTimestamp(), parsed.Kind)
	if parsed.Group != nil {
		name = append(name, parsed.Group.ID()...)
	}
	if parsed.Kind != content.KindMessage && parsed.Kind != content.KindEdit {
		name = append(name, plaintext...)
	}
	mark := sha256.Sum256(name)
	seen, err := h.tx.Seen(mark[:])
	if err != nil || seen {
		return seen, err
	}
	return false, h.tx.MarkSeen(mark[:])
}

// place puts a content where its route leads.
func (h *handler) place(entry *storepb.InboxEntry, parsed *content.Parsed, to route, receipt bool) (effects, error) {
	switch to.way {
	case routeHeard:
		return h.receipt(entry, receipt)
	case routeWait:
		return h.park(entry, parsed, to, receipt)
	}
	return h.deliver(entry, parsed.Attachments(), receipt)
}

// deliver puts an entry into the inbox, with the records of the attachments that are to be fetched for it.
func (h *handler) deliver(
	entry *storepb.InboxEntry, pointers []*content.Attachment, receipt bool,
) (effects, error) {
	if err := h.append(entry, pointers); err != nil {
		return effects{}, err
	}
	out, err := h.receipt(entry, receipt)
	out.messages, out.attachments = 1, len(pointers) > 0
	return out, err
}

// receipt has an entry's sender told that it arrived, if they expect it.
func (h *handler) receipt(entry *storepb.InboxEntry, wanted bool) (effects, error) {
	if !wanted {
		return effects{}, nil
	}
	from := serviceid.ACI
	if entry.GetToPni() {
		from = serviceid.PNI
	}
	return effects{receipts: true}, h.tx.AddReceipt(store.Receipt{
		From: from, To: senderOf(entry), Timestamp: entry.GetTimestamp(),
	})
}

// wantsReceipt reports whether the sender expects to be told that a content has arrived.
func wantsReceipt(kind content.Kind) bool {
	switch kind {
	case content.KindMessage, content.KindReaction, content.KindEdit, content.KindDelete, content.KindGroupChange:
		return true
	}
	return false
}

// contentEntry is the entry of a content.
func (h *handler) contentEntry(a *arrival, parsed *content.Parsed, plaintext []byte) *storepb.InboxEntry {
	entry := h.entry(a)
	entry.Type, entry.Content = entryTypes[parsed.Kind], plaintext
	if parsed.Group != nil {
		entry.GroupId = parsed.Group.ID()
	}
	if a.newIdentity {
		entry.ChangedIdentity = uint64(h.r.now().UnixMilli())
	}
	return entry
}

// append writes an entry, and the records of its attachments.
func (h *handler) append(entry *storepb.InboxEntry, pointers []*content.Attachment) error {
	if err := h.addAttachments(entry, pointers); err != nil {
		return err
	}
	if err := h.r.inbox.Append(h.tx, entry); err != nil {
		return err
	}
	h.r.noteReceived(h.tx, entry)
	return setInboxSeq(h.tx, entry)
}

// entry is what every entry says of its envelope.
func (h *handler) entry(a *arrival) *storepb.InboxEntry {
	entry := &storepb.InboxEntry{
		SenderNumber: a.number, SenderDevice: a.sender.DeviceID,
		ToPni:     a.destination.Kind == serviceid.PNI,
		Timestamp: a.envelope.GetClientTimestamp(), ServerTimestamp: a.envelope.GetServerTimestamp(),
		ReceivedAt:   h.r.now().UnixMilli(),
		EnvelopeType: uint32(a.envelope.GetType()), Urgent: a.envelope.GetUrgent(), Story: a.envelope.GetStory(),
		Sealed: a.sealed,
	}
	switch id := a.sender.ServiceID; {
	case id.IsZero():
	case id.Kind == serviceid.PNI:
		entry.SenderPni = id.UUID[:]
	default:
		entry.SenderAci = id.UUID[:]
	}
	return entry
}

func (h *handler) blocked(sender serviceid.ServiceID) (bool, error) {
	if sender.IsZero() || h.account.isSelf(sender) {
		return false, nil
	}
	recipient, err := h.tx.RecipientByServiceID(sender)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return recipient.GetBlocked(), err
}

var entryTypes = map[content.Kind]storepb.EntryType{
	content.KindMessage:     storepb.EntryType_ENTRY_MESSAGE,
	content.KindReaction:    storepb.EntryType_ENTRY_REACTION,
	content.KindEdit:        storepb.EntryType_ENTRY_EDIT,
	content.KindDelete:      storepb.EntryType_ENTRY_DELETE,
	content.KindGroupChange: storepb.EntryType_ENTRY_GROUP_CHANGE,
	content.KindCall:        storepb.EntryType_ENTRY_CALL,
	content.KindSync:        storepb.EntryType_ENTRY_SYNC,
	content.KindReceipt:     storepb.EntryType_ENTRY_RECEIPT,
	content.KindTyping:      storepb.EntryType_ENTRY_TYPING,
	content.KindStory:       storepb.EntryType_ENTRY_STORY,
}

// identityEvent tells subscribers of a changed identity key.
func (h *handler) identityEvent(a *arrival) (model.IdentityEvent, error) {
	identity, err := h.tx.RemoteIdentity(a.sender.ServiceID)
	if err != nil {
		return model.IdentityEvent{}, err
	}
	return model.IdentityEvent{
		ServiceID: a.sender.ServiceID, Number: a.number, Fingerprint: identity.GetKey(),
		Timestamp: uint64(h.r.now().UnixMilli()),
	}, nil
}
