package content

import (
	"math"

	"signalbox/signalcore/signalpb/servicepb"
)

// message reads what a data message shows.
func (p *parser) message(d *servicepb.DataMessage) (*Message, error) {
	m := &Message{
		Text:        cleanText(d.GetBody()),
		ViewOnce:    d.GetIsViewOnce(),
		TimerUpdate: hasFlag(d, servicepb.DataMessage_EXPIRATION_TIMER_UPDATE),
		Forwarded:   hasFlag(d, servicepb.DataMessage_FORWARD),
		GiftBadge:   nonEmpty(d.GetGiftBadge().GetReceiptCredentialPresentation()),
	}
	if m.TimerUpdate {
		return &Message{TimerUpdate: true}, nil
	}
	p.attachments(m, d.GetAttachments())
	length := utf16Len(m.Text)
	if m.LongText != nil {
		length = MaxTextBytes
	}
	m.Mentions, m.Styles = p.ranges(d.GetBodyRanges(), length)
	m.Quote = p.quote(d.GetQuote())
	m.Previews = p.previews(d.GetPreview())
	m.Sticker = p.sticker(d.GetSticker())
	m.Contacts = p.cards(d.GetContact())
	m.InReplyTo = p.storyContext(d.GetStoryContext())
	return m, p.extras(m, d)
}

// attachments reads the list, in which a long text hides.
func (p *parser) attachments(m *Message, in []*servicepb.AttachmentPointer) {
	for _, pointer := range in {
		a := parseAttachment(pointer)
		switch {
		case a.ContentType == LongTextType && m.LongText == nil && a.Size <= MaxTextBytes:
			m.LongText = &a
		case len(m.Attachments) == MaxAttachments:
			p.note("attachments beyond %d left out", MaxAttachments)
			return
		default:
			m.Attachments = append(m.Attachments, a)
		}
	}
}

func optionalAttachment(p *servicepb.AttachmentPointer) *Attachment {
	if p == nil {
		return nil
	}
	a := parseAttachment(p)
	return &a
}

// quote leaves out one without author or timestamp: an edit carries such a one, to say that its quote stays.
func (p *parser) quote(q *servicepb.DataMessage_Quote) *Quote {
	if q == nil {
		return nil
	}
	author, ok := parseACI(q.GetAuthorAci(), q.GetAuthorAciBinary())
	if !ok || q.GetId() == 0 {
		if q.GetId() != 0 {
			p.note("a quote of nobody left out")
		}
		return nil
	}
	out := &Quote{MessageRef: MessageRef{author, q.GetId()}, Text: cleanText(q.GetText())}
	out.Mentions, out.Styles = p.ranges(q.GetBodyRanges(), utf16Len(out.Text))
	switch q.GetType() {
	case servicepb.DataMessage_Quote_GIFT_BADGE:
		out.Type = QuoteGiftBadge
	case servicepb.DataMessage_Quote_POLL:
		out.Type = QuotePoll
	}
	for _, a := range first(q.GetAttachments(), MaxAttachments) {
		out.Attachments = append(out.Attachments, QuotedAttachment{
			ContentType: cleanContentType(a.GetContentType()), FileName: cleanFileName(a.GetFileName()),
			Thumbnail: optionalAttachment(a.GetThumbnail()),
		})
	}
	return out
}

func (p *parser) previews(in []*servicepb.Preview) []Preview {
	var out []Preview
	for _, preview := range first(in, maxPreviews) {
		if preview.GetUrl() == "" {
			p.note("a preview without a link left out")
			continue
		}
		out = append(out, parsePreview(preview))
	}
	return out
}

func parsePreview(in *servicepb.Preview) Preview {
	return Preview{
		URL: cleanText(in.GetUrl()), Title: cleanText(in.GetTitle()), Description: cleanText(in.GetDescription()),
		Date: cleanTime(in.GetDate()), Image: optionalAttachment(in.GetImage()),
	}
}

func (p *parser) sticker(s *servicepb.DataMessage_Sticker) *Sticker {
	if s == nil {
		return nil
	}
	if len(s.GetPackId()) != packIDSize || len(s.GetPackKey()) != packKeySize {
		p.note("a sticker of a malformed pack")
	}
	return &Sticker{
		PackID: s.GetPackId(), PackKey: s.GetPackKey(), StickerID: s.GetStickerId(),
		Emoji: clip(cleanText(s.GetEmoji()), maxEmojiBytes), Data: optionalAttachment(s.GetData()),
	}
}

const (
	packIDSize  = 16
	packKeySize = 32
)

func (p *parser) storyContext(s *servicepb.DataMessage_StoryContext) *MessageRef {
	if s == nil {
		return nil
	}
	author, ok := parseACI(s.GetAuthorAci(), s.GetAuthorAciBinary())
	if !ok || s.GetSentTimestamp() == 0 {
		p.note("a malformed story context left out")
		return nil
	}
	return &MessageRef{author, s.GetSentTimestamp()}
}

// extras reads polls, pins and payments.
func (p *parser) extras(m *Message, d *servicepb.DataMessage) error {
	var ok bool
	if in := d.GetPollCreate(); in != nil {
		if in.GetQuestion() == "" || len(in.GetOptions()) < 2 || len(in.GetOptions()) > maxOptions {
			return invalid("poll", "no question, or %d options", len(in.GetOptions()))
		}
		m.Poll = &Poll{Question: cleanText(in.GetQuestion()), Multiple: in.GetAllowMultiple()}
		for _, option := range in.GetOptions() {
			m.Poll.Options = append(m.Poll.Options, cleanText(option))
		}
	}
	if in := d.GetPollVote(); in != nil {
		m.PollVote = &PollVote{Options: first(in.GetOptionIndexes(), maxOptions), Count: in.GetVoteCount()}
		if m.PollVote.MessageRef, ok = parseRef(in.GetTargetAuthorAciBinary(), in.GetTargetSentTimestamp()); !ok {
			return invalid("vote", "no poll")
		}
	}
	if in := d.GetPollTerminate(); in != nil {
		if m.PollEnd = in.GetTargetSentTimestamp(); m.PollEnd == 0 {
			return invalid("end of a poll", "no poll")
		}
	}
	if in := d.GetPinMessage(); in != nil {
		m.Pin = &Pin{Seconds: in.GetPinDurationSeconds()}
		if m.Pin.MessageRef, ok = parseRef(in.GetTargetAuthorAciBinary(), in.GetTargetSentTimestamp()); !ok {
			return invalid("pin", "no message")
		}
	}
	if in := d.GetUnpinMessage(); in != nil {
		ref, ok := parseRef(in.GetTargetAuthorAciBinary(), in.GetTargetSentTimestamp())
		if !ok {
			return invalid("unpin", "no message")
		}
		m.Unpin = &ref
	}
	m.Payment = parsePayment(d.GetPayment())
	return nil
}

func parsePayment(in *servicepb.DataMessage_Payment) *Payment {
	switch item := in.GetItem().(type) {
	case *servicepb.DataMessage_Payment_Notification_:
		return &Payment{
			Type: "notification", Note: cleanText(item.Notification.GetNote()),
			Receipt: item.Notification.GetMobileCoin().GetReceipt(),
		}
	case *servicepb.DataMessage_Payment_Activation_:
		if item.Activation.GetType() == servicepb.DataMessage_Payment_Activation_ACTIVATED {
			return &Payment{Type: "activated"}
		}
		return &Payment{Type: "activationRequest"}
	}
	return nil
}

// cleanTime drops what JavaScript could not have meant as a time.
func cleanTime(ms uint64) uint64 {
	if ms > math.MaxInt64/1000 {
		return 0
	}
	return ms
}

func first[T any](list []T, limit int) []T {
	if len(list) > limit {
		return list[:limit]
	}
	return list
}
