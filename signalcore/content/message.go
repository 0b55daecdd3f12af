package content

import "signalbox/signalcore/protocol/serviceid"

// Message is what a person wrote, or sent along.
type Message struct {
	Text string
	// LongText is set where Text is only the beginning: the attachment holds the whole text.
	LongText    *Attachment
	Attachments []Attachment
	// Mentions and Styles count in UTF-16 units of the whole text.
	Mentions []Mention
	Styles   []Style
	Quote    *Quote
	Previews []Preview
	Sticker  *Sticker
	Contacts []ContactCard
	ViewOnce bool
	// InReplyTo is the story that this answers.
	InReplyTo *MessageRef
	Forwarded bool
	// TimerUpdate is set where the message is nothing but a change of Event.Timer.
	TimerUpdate bool

	Poll     *Poll
	PollVote *PollVote
	// PollEnd is the timestamp of the sender's poll that is now closed.
	PollEnd uint64
	Pin     *Pin
	Unpin   *MessageRef
	Payment *Payment
	// GiftBadge is the receipt credential of a badge, still serialised.
	GiftBadge []byte
}

// Mention names an account in place of a part of the text.
type Mention struct {
	Start, Length uint32
	ACI           serviceid.ServiceID
}

// Style is how a part of the text looks.
type Style struct {
	Start, Length uint32
	Style         TextStyle
}

// TextStyle is a look of text.
type TextStyle string

// The looks that the apps know.
const (
	Bold          TextStyle = "bold"
	Italic        TextStyle = "italic"
	Spoiler       TextStyle = "spoiler"
	Strikethrough TextStyle = "strikethrough"
	Monospace     TextStyle = "monospace"
)

// Quote is the message that this one answers, as its sender remembers it.
type Quote struct {
	MessageRef
	Text        string
	Attachments []QuotedAttachment
	Mentions    []Mention
	Styles      []Style
	Type        QuoteType
}

// QuoteType says what kind of message is quoted, where it is no plain one.
type QuoteType string

// The kinds of quoted messages.
const (
	QuoteNormal    QuoteType = ""
	QuoteGiftBadge QuoteType = "giftBadge"
	QuotePoll      QuoteType = "poll"
)

// QuotedAttachment is an attachment of the quoted message, with a thumbnail of its own at best.
type QuotedAttachment struct {
	ContentType, FileName string
	Thumbnail             *Attachment
}

// Preview is the card of a link in the text.
type Preview struct {
	URL, Title, Description string
	// Date in milliseconds is when the page was published; 0 where unknown.
	Date  uint64
	Image *Attachment
}

// Sticker is one sticker of a pack.
type Sticker struct {
	PackID, PackKey []byte
	StickerID       uint32
	Emoji           string
	Data            *Attachment
}

// ContactCard is a person's address card.
type ContactCard struct {
	Name         CardName
	Phones       []CardEntry
	Emails       []CardEntry
	Addresses    []CardAddress
	Organization string
	Avatar       *Attachment
}

// CardName is the name on a card.
type CardName struct {
	Given, Family, Prefix, Suffix, Middle, Nickname string
}

// CardEntry is a phone number or an e-mail address. Type is home, mobile, work, custom or empty.
type CardEntry struct {
	Value, Type, Label string
}

// CardAddress is a postal address. Type is as in CardEntry.
type CardAddress struct {
	Type, Label, Street, POBox, Neighborhood, City, Region, Postcode, Country string
}

// Poll is a question with answers to choose from.
type Poll struct {
	Question string
	Options  []string
	Multiple bool
}

// PollVote is a choice in a poll. Count numbers the voter's changes of mind.
type PollVote struct {
	MessageRef
	Options []uint32
	Count   uint32
}

// Pin pins a message to the conversation; Seconds is 0 for ever.
type Pin struct {
	MessageRef
	Seconds uint32
}

// Payment says that money was sent, or that payments are wanted or enabled.
type Payment struct {
	// Type is notification, activationRequest or activated.
	Type    string
	Note    string
	Receipt []byte
}

// Reaction is an emoji on a message, or its removal.
type Reaction struct {
	Target MessageRef
	Emoji  string
	Remove bool
}

// Edit replaces the sender's message of the given timestamp.
type Edit struct {
	Target  uint64
	Message Message
}

// Delete removes a message for everyone. Author is zero for the sender's own; an administrator may delete others'.
type Delete struct {
	Target MessageRef
}

// ReceiptType says what became of the messages of a receipt.
type ReceiptType string

// The receipts.
const (
	ReceiptDelivery ReceiptType = "delivery"
	ReceiptRead     ReceiptType = "read"
	ReceiptViewed   ReceiptType = "viewed"
)

// Receipt says that the sender's device has got, read or viewed messages of this account.
type Receipt struct {
	Type       ReceiptType
	Timestamps []uint64
}

// Typing says that the sender began or ceased to type. GroupID is empty in a conversation of two.
type Typing struct {
	Started bool
	GroupID []byte
}

// attachments lists those of the message itself, of its quote, previews, sticker and cards.
func (m *Message) attachments() []*Attachment {
	var all []*Attachment
	add := func(a *Attachment) {
		if a != nil {
			all = append(all, a)
		}
	}
	for i := range m.Attachments {
		add(&m.Attachments[i])
	}
	add(m.LongText)
	if m.Sticker != nil {
		add(m.Sticker.Data)
	}
	for i := range m.Previews {
		add(m.Previews[i].Image)
	}
	if m.Quote != nil {
		for i := range m.Quote.Attachments {
			add(m.Quote.Attachments[i].Thumbnail)
		}
	}
	for i := range m.Contacts {
		add(m.Contacts[i].Avatar)
	}
	return all
}

// empty reports whether there is nothing to show.
func (m *Message) empty() bool {
	return m.Text == "" && m.LongText == nil && len(m.Attachments) == 0 && len(m.Contacts) == 0 &&
		len(m.Previews) == 0 && m.Quote == nil && m.Sticker == nil && !m.TimerUpdate && m.Poll == nil &&
		m.PollVote == nil && m.PollEnd == 0 && m.Pin == nil && m.Unpin == nil && m.Payment == nil && m.GiftBadge == nil
}
