package render

import (
	"encoding/hex"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// renderer shows one event. Stored attachments are found by the place of their pointer.
type renderer struct {
	options Options
	stored  map[*content.Attachment]model.StoredAttachment
}

func newRenderer(event *content.Event, stored []model.StoredAttachment, options Options) *renderer {
	r := &renderer{options: options, stored: map[*content.Attachment]model.StoredAttachment{}}
	for i, a := range event.Attachments() {
		if i < len(stored) {
			r.stored[a] = stored[i]
		}
	}
	return r
}

func (r *renderer) event(head *Head, rest *Rest, e *content.Event) {
	if e.Group != nil {
		head.GroupID = e.Group.ID()
	}
	if e.Timer != nil {
		rest.ExpiresInSeconds = e.Timer.Seconds
	}
	switch e.Kind {
	case content.KindMessage:
		r.message(head, rest, e.Message)
	case content.KindEdit:
		r.message(head, rest, &e.Edit.Message)
		rest.Edit = &Edit{Timestamp: e.Edit.Target}
	case content.KindReaction:
		ref := r.ref(e.Reaction.Target)
		rest.Reaction = &Reaction{
			Emoji: e.Reaction.Emoji, Author: ref.Author, AuthorUUID: ref.AuthorUUID, Remove: e.Reaction.Remove,
			Timestamp: ref.Timestamp,
		}
	case content.KindDelete:
		ref := r.ref(e.Delete.Target)
		rest.Delete = &Delete{Timestamp: ref.Timestamp, Author: ref.Author, AuthorUUID: ref.AuthorUUID}
	case content.KindGroupChange:
		rest.GroupChange = r.groupChange(&model.GroupChange{Kind: model.GroupUnknownChange, Revision: e.Group.Revision})
	case content.KindReceipt:
		rest.Receipt = &Receipt{Type: string(e.Receipt.Type), Timestamps: e.Receipt.Timestamps}
	case content.KindTyping:
		head.GroupID = e.Typing.GroupID
		rest.Typing = &Typing{Action: "stopped"}
		if e.Typing.Started {
			rest.Typing.Action = "started"
		}
	case content.KindCall:
		rest.Call = call(e.Call)
	case content.KindStory:
		r.story(head, rest, e.Story)
	}
}

func (r *renderer) message(head *Head, rest *Rest, m *content.Message) {
	text, whole := r.text(m)
	head.Body, rest.Truncated = &text, !whole
	head.Attachments = r.attachments(m.Attachments)
	rest.ViewOnce, rest.TimerUpdate, rest.Forwarded = m.ViewOnce, m.TimerUpdate, m.Forwarded
	limit := len(utf16.Encode([]rune(text)))
	rest.Mentions, rest.TextStyles = r.mentions(m.Mentions, limit), styles(m.Styles, limit)
	rest.Quote = r.quote(m.Quote)
	for _, p := range m.Previews {
		rest.Previews = append(rest.Previews, Preview{
			URL: p.URL, Title: p.Title, Description: p.Description, Date: p.Date, Image: r.optional(p.Image),
		})
	}
	if s := m.Sticker; s != nil {
		rest.Sticker = &Sticker{
			PackID: hex.EncodeToString(s.PackID), PackKey: s.PackKey, StickerID: s.StickerID, Emoji: s.Emoji,
			Image: r.optional(s.Data),
		}
	}
	for i := range m.Contacts {
		rest.Contacts = append(rest.Contacts, r.contact(&m.Contacts[i]))
	}
	r.extras(rest, m)
}

func (r *renderer) extras(rest *Rest, m *content.Message) {
	if m.InReplyTo != nil {
		ref := r.ref(*m.InReplyTo)
		rest.InReplyTo = &ref
	}
	if m.Poll != nil {
		rest.Poll = &Poll{Question: m.Poll.Question, Options: m.Poll.Options, Multiple: m.Poll.Multiple}
	}
	if v := m.PollVote; v != nil {
		rest.PollVote = &PollVote{Ref: r.ref(v.MessageRef), Options: v.Options, Count: v.Count}
	}
	rest.PollEnd = m.PollEnd
	if m.Pin != nil {
		rest.Pin = &Pin{Ref: r.ref(m.Pin.MessageRef), Seconds: m.Pin.Seconds}
	}
	if m.Unpin != nil {
		ref := r.ref(*m.Unpin)
		rest.Unpin = &ref
	}
	if m.Payment != nil {
		rest.Payment = &Payment{Type: m.Payment.Type, Note: m.Payment.Note}
	}
	rest.GiftBadge = m.GiftBadge != nil
}

// text returns the whole text, and whether it is whole.
func (r *renderer) text(m *content.Message) (string, bool) {
	if m.LongText == nil {
		return m.Text, true
	}
	stored := r.stored[m.LongText]
	if !stored.Ready || stored.Data.Open == nil || stored.Data.Size > content.MaxTextBytes {
		return m.Text, false
	}
	source, err := stored.Data.Open()
	if err != nil {
		return m.Text, false
	}
	defer source.Close()
	text, err := io.ReadAll(io.LimitReader(source, content.MaxTextBytes))
	if err != nil || !utf8.Valid(text) {
		return m.Text, false
	}
	return string(text), true
}

func (r *renderer) attachments(in []content.Attachment) []Attachment {
	out := []Attachment{}
	if !r.options.Attachments {
		return out
	}
	for i := range in {
		out = append(out, r.attachment(&in[i]))
	}
	return out
}

func (r *renderer) optional(a *content.Attachment) *Attachment {
	if a == nil || !r.options.Attachments {
		return nil
	}
	out := r.attachment(a)
	return &out
}

func (r *renderer) attachment(a *content.Attachment) Attachment {
	stored := r.stored[a]
	out := Attachment{
		Filename: a.FileName, ID: stored.ID, ContentType: a.ContentType, Size: int64(a.Size), Width: a.Width,
		Height: a.Height, Caption: a.Caption, VoiceNote: a.VoiceNote, Borderless: a.Borderless, BlurHash: a.BlurHash,
	}
	switch {
	case a.Problem != "":
		out.ErrorMessage = "The attachment cannot be fetched: " + a.Problem + "."
	case stored.ErrorMessage != "":
		out.ErrorMessage = stored.ErrorMessage
	case stored.Ready && stored.Data.Open != nil:
		out.Base64Data, out.Size = stored.Data, stored.Data.Size
	case stored.ID == "":
		out.ErrorMessage = "The attachment was not stored."
	default:
		out.ErrorMessage = "The attachment is still being fetched: get_attachment will have it."
	}
	return out
}

// lost says why there is nothing to show, where a message consists of attachments and none of them can be had.
func (r *renderer) lost(e *content.Event, out *Message) string {
	m := e.Message
	if m == nil || m.Quote != nil || m.Sticker != nil || len(m.Contacts) > 0 || *out.Body != "" || len(out.Attachments) == 0 {
		return ""
	}
	for i, a := range out.Attachments {
		stored := r.stored[&m.Attachments[i]]
		if a.ErrorMessage == "" || m.Attachments[i].Problem == "" && stored.ErrorMessage == "" && stored.ID != "" {
			return ""
		}
	}
	return out.Attachments[0].ErrorMessage
}

func (r *renderer) quote(q *content.Quote) *Quote {
	if q == nil {
		return nil
	}
	ref := r.ref(q.MessageRef)
	limit := len(utf16.Encode([]rune(q.Text)))
	out := &Quote{
		Author: ref.Author, AuthorUUID: ref.AuthorUUID, Timestamp: q.Timestamp, Text: q.Text, Type: string(q.Type),
		Mentions: r.mentions(q.Mentions, limit), TextStyles: styles(q.Styles, limit),
	}
	_, out.AuthorName = r.person(q.Author)
	for _, a := range q.Attachments {
		out.Attachments = append(out.Attachments, QuotedAttachment{
			ContentType: a.ContentType, Filename: a.FileName, Thumbnail: r.optional(a.Thumbnail),
		})
	}
	return out
}

func (r *renderer) mentions(in []content.Mention, limit int) []Mention {
	var out []Mention
	for _, m := range in {
		if uint64(m.Start)+uint64(m.Length) > uint64(limit) {
			continue
		}
		number, name := r.person(m.ACI)
		out = append(out, Mention{Start: m.Start, Length: m.Length, Recipient: number, UUID: m.ACI.String(), Name: name})
	}
	return out
}

func styles(in []content.Style, limit int) []TextStyle {
	var out []TextStyle
	for _, s := range in {
		if uint64(s.Start)+uint64(s.Length) <= uint64(limit) {
			out = append(out, TextStyle{Start: s.Start, Length: s.Length, Style: string(s.Style)})
		}
	}
	return out
}

func (r *renderer) contact(c *content.ContactCard) Contact {
	out := Contact{Name: ContactName(c.Name), Organization: c.Organization, Avatar: r.optional(c.Avatar)}
	for _, p := range c.Phones {
		out.Phones = append(out.Phones, ContactEntry(p))
	}
	for _, e := range c.Emails {
		out.Emails = append(out.Emails, ContactEntry(e))
	}
	for _, a := range c.Addresses {
		out.Addresses = append(out.Addresses, ContactAddress(a))
	}
	return out
}

func (r *renderer) story(head *Head, rest *Rest, s *content.Story) {
	if s == nil {
		return
	}
	rest.Story = &Story{AllowsReplies: s.AllowsReplies}
	var text string
	switch {
	case s.File != nil:
		text = s.File.Caption
		if a := r.optional(s.File); a != nil {
			head.Attachments = []Attachment{*a}
		}
	case s.Text != nil:
		text = s.Text.Text
		if p := s.Text.Preview; p != nil {
			rest.Previews = []Preview{{
				URL: p.URL, Title: p.Title, Description: p.Description, Date: p.Date, Image: r.optional(p.Image),
			}}
		}
	}
	head.Body = &text
	limit := len(utf16.Encode([]rune(text)))
	rest.Mentions, rest.TextStyles = r.mentions(s.Mentions, limit), styles(s.Styles, limit)
}

func call(c *content.Call) *Call {
	out := &Call{
		Type: string(c.Type), Video: c.Video, Hangup: c.Hangup, HangupDevice: c.HangupDevice, Device: c.Device,
		EraID: c.EraID,
	}
	if c.ID != 0 {
		out.CallID = strconv.FormatUint(c.ID, 10)
	}
	return out
}

func (r *renderer) ref(m content.MessageRef) Ref {
	out := Ref{Timestamp: m.Timestamp}
	if !m.Author.IsZero() {
		out.AuthorUUID = m.Author.String()
		out.Author, _ = r.person(m.Author)
	}
	return out
}

// person returns a person's number, or service id where it is not known, and name.
func (r *renderer) person(id serviceid.ServiceID) (number, name string) {
	if r.options.Lookup != nil {
		number, name = r.options.Lookup(id)
	}
	if number == "" {
		number = id.String()
	}
	return number, name
}
