package content

import (
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

func buildMessage(common Common, m Message) (*servicepb.DataMessage, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	d := common.dataMessage()
	d.Body = optional(m.Text)
	d.BodyRanges = buildRanges(m.Mentions, m.Styles)
	d.Quote = m.Quote.build()
	d.Sticker = m.Sticker.build()
	d.IsViewOnce = optional(m.ViewOnce)
	if m.LongText != nil {
		d.Attachments = append(d.Attachments, m.LongText.Pointer())
	}
	for i := range m.Attachments {
		d.Attachments = append(d.Attachments, m.Attachments[i].Pointer())
	}
	for _, p := range m.Previews {
		d.Preview = append(d.Preview, p.build())
	}
	for _, c := range m.Contacts {
		d.Contact = append(d.Contact, c.build())
	}
	if m.InReplyTo != nil {
		d.StoryContext = &servicepb.DataMessage_StoryContext{
			AuthorAci: proto.String(m.InReplyTo.Author.String()), AuthorAciBinary: binaryACI(m.InReplyTo.Author),
			SentTimestamp: proto.Uint64(m.InReplyTo.Timestamp),
		}
	}
	if m.Forwarded {
		d.Flags = proto.Uint32(uint32(servicepb.DataMessage_FORWARD))
	}
	buildExtras(d, m)
	raiseVersion(d)
	return d, nil
}

// check refuses what the apps would refuse to show.
func (m *Message) check() error {
	switch {
	case m.empty():
		return badInput("dataMessage", "it holds nothing")
	case m.TimerUpdate || m.Payment != nil || m.GiftBadge != nil:
		return badInput("dataMessage", "this kind of message cannot be sent")
	case len(m.Text) > InlineTextBytes:
		return badInput("message", "longer than %d bytes without a long-text attachment", InlineTextBytes)
	case len(m.Attachments) > MaxAttachments:
		return badInput("attachments", "more than %d", MaxAttachments)
	case m.ViewOnce && len(m.Attachments) != 1:
		return badInput("viewOnce", "it takes exactly one attachment")
	case m.Quote != nil && (m.Quote.Author.Kind != serviceid.ACI || m.Quote.Author.IsZero()):
		return badInput("quote", "the author's account is not known")
	}
	return nil
}

// raiseVersion sets the version as Signal-Android does, and MENTIONS as Signal-Desktop does.
func raiseVersion(d *servicepb.DataMessage) {
	atLeast(d, servicepb.DataMessage_INITIAL)
	if d.GetIsViewOnce() {
		atLeast(d, servicepb.DataMessage_VIEW_ONCE_VIDEO)
	}
	for _, r := range d.GetBodyRanges() {
		if r.GetMentionAciBinary() != nil {
			atLeast(d, servicepb.DataMessage_MENTIONS)
		}
	}
	if d.PollCreate != nil || d.PollVote != nil || d.PollTerminate != nil {
		atLeast(d, servicepb.DataMessage_POLLS)
	}
}

func (q *Quote) build() *servicepb.DataMessage_Quote {
	if q == nil {
		return nil
	}
	kind := servicepb.DataMessage_Quote_NORMAL
	switch q.Type {
	case QuoteGiftBadge:
		kind = servicepb.DataMessage_Quote_GIFT_BADGE
	case QuotePoll:
		kind = servicepb.DataMessage_Quote_POLL
	}
	out := &servicepb.DataMessage_Quote{
		Id: proto.Uint64(q.Timestamp), AuthorAci: proto.String(q.Author.String()), AuthorAciBinary: binaryACI(q.Author),
		Text: optional(clip(q.Text, InlineTextBytes)), BodyRanges: buildRanges(q.Mentions, q.Styles), Type: kind.Enum(),
	}
	for _, a := range q.Attachments {
		out.Attachments = append(out.Attachments, &servicepb.DataMessage_Quote_QuotedAttachment{
			ContentType: optional(a.ContentType), FileName: optional(a.FileName), Thumbnail: a.Thumbnail.Pointer(),
		})
	}
	return out
}

func (s *Sticker) build() *servicepb.DataMessage_Sticker {
	if s == nil {
		return nil
	}
	return &servicepb.DataMessage_Sticker{
		PackId: s.PackID, PackKey: s.PackKey, StickerId: proto.Uint32(s.StickerID), Emoji: optional(s.Emoji),
		Data: s.Data.Pointer(),
	}
}

func (p *Preview) build() *servicepb.Preview {
	return &servicepb.Preview{
		Url: proto.String(p.URL), Title: optional(p.Title), Description: optional(p.Description), Date: optional(p.Date),
		Image: p.Image.Pointer(),
	}
}

func buildExtras(d *servicepb.DataMessage, m Message) {
	if m.Poll != nil {
		d.PollCreate = &servicepb.DataMessage_PollCreate{
			Question: proto.String(m.Poll.Question), AllowMultiple: proto.Bool(m.Poll.Multiple), Options: m.Poll.Options,
		}
	}
	if v := m.PollVote; v != nil {
		d.PollVote = &servicepb.DataMessage_PollVote{
			TargetAuthorAciBinary: binaryACI(v.Author), TargetSentTimestamp: proto.Uint64(v.Timestamp),
			OptionIndexes: v.Options, VoteCount: proto.Uint32(v.Count),
		}
	}
	if m.PollEnd != 0 {
		d.PollTerminate = &servicepb.DataMessage_PollTerminate{TargetSentTimestamp: proto.Uint64(m.PollEnd)}
	}
	if p := m.Pin; p != nil {
		d.PinMessage = &servicepb.DataMessage_PinMessage{
			TargetAuthorAciBinary: binaryACI(p.Author), TargetSentTimestamp: proto.Uint64(p.Timestamp),
			PinDuration: &servicepb.DataMessage_PinMessage_PinDurationSeconds{PinDurationSeconds: p.Seconds},
		}
		if p.Seconds == 0 {
			d.PinMessage.PinDuration = &servicepb.DataMessage_PinMessage_PinDurationForever{PinDurationForever: true}
		}
	}
	if m.Unpin != nil {
		d.UnpinMessage = &servicepb.DataMessage_UnpinMessage{
			TargetAuthorAciBinary: binaryACI(m.Unpin.Author), TargetSentTimestamp: proto.Uint64(m.Unpin.Timestamp),
		}
	}
}

func (c *ContactCard) build() *servicepb.DataMessage_Contact {
	out := &servicepb.DataMessage_Contact{
		Name: &servicepb.DataMessage_Contact_Name{
			GivenName: optional(c.Name.Given), FamilyName: optional(c.Name.Family), Prefix: optional(c.Name.Prefix),
			Suffix: optional(c.Name.Suffix), MiddleName: optional(c.Name.Middle), Nickname: optional(c.Name.Nickname),
		},
		Organization: optional(c.Organization),
	}
	if c.Avatar != nil {
		out.Avatar = &servicepb.DataMessage_Contact_Avatar{Avatar: c.Avatar.Pointer()}
	}
	for _, n := range c.Phones {
		out.Number = append(out.Number, &servicepb.DataMessage_Contact_Phone{
			Value: proto.String(n.Value), Type: keyOf(phoneTypes, n.Type).Enum(), Label: optional(n.Label),
		})
	}
	for _, e := range c.Emails {
		out.Email = append(out.Email, &servicepb.DataMessage_Contact_Email{
			Value: proto.String(e.Value), Type: keyOf(emailTypes, e.Type).Enum(), Label: optional(e.Label),
		})
	}
	for _, a := range c.Addresses {
		out.Address = append(out.Address, &servicepb.DataMessage_Contact_PostalAddress{
			Type: keyOf(addressTypes, a.Type).Enum(), Label: optional(a.Label), Street: optional(a.Street),
			Pobox: optional(a.POBox), Neighborhood: optional(a.Neighborhood), City: optional(a.City),
			Region: optional(a.Region), Postcode: optional(a.Postcode), Country: optional(a.Country),
		})
	}
	return out
}

// keyOf finds the enum value of a name; the zero value for none.
func keyOf[K comparable](names map[K]string, name string) K {
	for k, n := range names {
		if n == name {
			return k
		}
	}
	var zero K
	return zero
}
