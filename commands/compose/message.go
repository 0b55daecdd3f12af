package compose

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
)

const (
	maxPreviews     = 1
	maxTimerSeconds = 1<<31 - 1
	packIDSize      = 16
	packKeySize     = 32
)

// DataMessage is what send_message sends.
type DataMessage struct {
	Message          string       `json:"message,omitempty" jsonschema:"description=the text"`
	Attachments      []Attachment `json:"attachments,omitempty" jsonschema:"description=files"`
	Quote            *Quote       `json:"quote,omitempty" jsonschema:"description=the message that this one answers"`
	Mentions         []Mention    `json:"mentions,omitempty" jsonschema:"description=people named in the text"`
	TextStyles       []TextStyle  `json:"textStyles,omitempty" jsonschema:"description=bold and the like"`
	Sticker          *Sticker     `json:"sticker,omitempty" jsonschema:"description=in place of a text"`
	Previews         []Preview    `json:"previews,omitempty" jsonschema:"description=the card of a link that the text has; one at most"`
	ViewOnce         bool         `json:"viewOnce,omitempty" jsonschema:"description=for a single picture or film"`
	EditTimestamp    uint64       `json:"editTimestamp,omitempty" jsonschema:"description=the timestamp of the own message that this one replaces"`
	ExpiresInSeconds *uint64      `json:"expiresInSeconds,omitempty" jsonschema:"description=the conversation's timer\\, 0 for off"`
}

// Quote is the message that is answered.
type Quote struct {
	Author      string             `json:"author" jsonschema:"required,description=who wrote it"`
	Timestamp   uint64             `json:"timestamp" jsonschema:"required,description=its timestamp"`
	Text        string             `json:"text,omitempty" jsonschema:"description=its text"`
	Attachments []QuotedAttachment `json:"attachments,omitempty" jsonschema:"description=its attachments"`
	Mentions    []Mention          `json:"mentions,omitempty" jsonschema:"description=people named in its text"`
}

// QuotedAttachment is an attachment of the message that is answered; base64Data is its thumbnail.
type QuotedAttachment struct {
	ContentType string     `json:"contentType,omitempty" jsonschema:"description=of the attachment"`
	Filename    string     `json:"filename,omitempty" jsonschema:"description=of the attachment"`
	Base64Data  model.Blob `json:"base64Data,omitempty" jsonschema:"description=its thumbnail"`
}

// Mention is a person in place of a part of the text, in UTF-16 units.
type Mention struct {
	Start     uint32 `json:"start" jsonschema:"description=where in the text\\, in UTF-16 units"`
	Length    uint32 `json:"length" jsonschema:"description=how much of the text\\, in UTF-16 units"`
	Recipient string `json:"recipient" jsonschema:"required,description=who is meant"`
}

// TextStyle is the look of a part of the text, in UTF-16 units.
type TextStyle struct {
	Start  uint32 `json:"start" jsonschema:"description=where in the text\\, in UTF-16 units"`
	Length uint32 `json:"length" jsonschema:"description=how much of the text\\, in UTF-16 units"`
	Style  string `json:"style" jsonschema:"required,enum=bold,enum=italic,enum=spoiler,enum=strikethrough,enum=monospace"`
}

// Sticker is one sticker of a pack.
type Sticker struct {
	PackID     string     `json:"packId" jsonschema:"required,description=hex of 16 bytes"`
	PackKey    string     `json:"packKey" jsonschema:"required,description=base64 or hex of 32 bytes"`
	StickerID  uint32     `json:"stickerId" jsonschema:"description=its number in the pack"`
	Emoji      string     `json:"emoji,omitempty" jsonschema:"description=what it stands for"`
	Base64Data model.Blob `json:"base64Data,omitempty" jsonschema:"description=the picture\\, where it is at hand"`
}

// Preview is the card of a link that is in the text.
type Preview struct {
	URL         string     `json:"url" jsonschema:"required,description=as in the text"`
	Title       string     `json:"title,omitempty" jsonschema:"description=of the page"`
	Description string     `json:"description,omitempty" jsonschema:"description=of the page"`
	Base64Image model.Blob `json:"base64Image,omitempty" jsonschema:"description=its picture"`
}

// Draft checks the message and makes an event of it. A nil message holds nothing.
func (m *DataMessage) Draft(resolver Resolver) (Draft, error) {
	if m == nil || m.Message == "" && len(m.Attachments) == 0 && m.Sticker == nil {
		return Draft{}, badArgument("dataMessage", "has neither text nor attachment nor sticker")
	}
	b := &builder{uploads: map[*content.Attachment]model.Blob{}}
	message, err := b.build(m, resolver)
	if err != nil {
		return Draft{}, explain(err)
	}
	event := content.Event{Kind: content.KindMessage, Message: message}
	if m.EditTimestamp != 0 {
		if err := checkTimestamp("dataMessage.editTimestamp", m.EditTimestamp); err != nil {
			return Draft{}, err
		}
		event = content.Event{Kind: content.KindEdit, Edit: &content.Edit{Target: m.EditTimestamp, Message: *message}}
	}
	if m.ExpiresInSeconds != nil {
		if *m.ExpiresInSeconds > maxTimerSeconds {
			return Draft{}, badArgument("dataMessage.expiresInSeconds", "is too long")
		}
		event.Timer = &content.Timer{Seconds: uint32(*m.ExpiresInSeconds)}
	}
	return b.draft(event), nil
}

// builder makes one message; people and uploads are gathered on the way.
type builder struct {
	people  people
	uploads map[*content.Attachment]model.Blob
}

// draft puts the uploads into the order of the event's attachments.
func (b *builder) draft(event content.Event) Draft {
	out := Draft{Event: event}
	for _, a := range event.Attachments() {
		out.Uploads = append(out.Uploads, b.uploads[a])
	}
	return out
}

func (b *builder) build(m *DataMessage, resolver Resolver) (*content.Message, error) {
	out := &content.Message{ViewOnce: m.ViewOnce}
	mentions, err := b.mentions("dataMessage.mentions", m.Mentions)
	if err != nil {
		return nil, err
	}
	quote, quoted, err := b.quote(m.Quote)
	if err != nil {
		return nil, err
	}
	if err := b.people.resolve(resolver); err != nil {
		return nil, err
	}
	if err := b.text(out, m, mentions); err != nil {
		return nil, err
	}
	if out.Quote, err = finishQuote(quote, quoted); err != nil {
		return nil, err
	}
	for _, step := range []func(*content.Message, *DataMessage) error{b.attachments, b.sticker, b.previews, checkViewOnce} {
		if err := step(out, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *builder) mentions(field string, in []Mention) ([]content.Mention, error) {
	out := make([]content.Mention, len(in))
	for i, m := range in {
		out[i].Start, out[i].Length = m.Start, m.Length
		if err := b.people.want(fmt.Sprintf("%s[%d].recipient", field, i), m.Recipient, &out[i].ACI); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *builder) text(out *content.Message, m *DataMessage, mentions []content.Mention) error {
	styles := make([]content.Style, len(m.TextStyles))
	for i, s := range m.TextStyles {
		styles[i] = content.Style{Start: s.Start, Length: s.Length, Style: content.TextStyle(strings.ToLower(s.Style))}
	}
	body, err := content.PrepareBody(m.Message, mentions, styles)
	if err != nil {
		return err
	}
	out.Text, out.Mentions, out.Styles = body.Text, body.Mentions, body.Styles
	if body.Long != nil {
		out.LongText = &content.Attachment{ContentType: content.LongTextType, Size: uint32(len(body.Long))}
		b.uploads[out.LongText] = blobOf(body.Long)
	}
	return nil
}

// quote leaves the author to be resolved, and the text until then.
func (b *builder) quote(q *Quote) (*content.Quote, []content.Mention, error) {
	if q == nil {
		return nil, nil, nil
	}
	if err := checkTimestamp("dataMessage.quote.timestamp", q.Timestamp); err != nil {
		return nil, nil, err
	}
	out := &content.Quote{MessageRef: content.MessageRef{Timestamp: q.Timestamp}, Text: q.Text}
	if err := b.people.want("dataMessage.quote.author", q.Author, &out.Author); err != nil {
		return nil, nil, err
	}
	if len(q.Attachments) > content.MaxAttachments {
		return nil, nil, badArgument("dataMessage.quote.attachments", "are more than %d", content.MaxAttachments)
	}
	for i, a := range q.Attachments {
		quoted := content.QuotedAttachment{ContentType: a.ContentType, FileName: a.Filename}
		if a.Base64Data.Open != nil {
			field := fmt.Sprintf("dataMessage.quote.attachments[%d].base64Data", i)
			thumbnail, err := b.attachment(field, a.Base64Data)
			if err != nil {
				return nil, nil, err
			}
			quoted.Thumbnail = thumbnail
		}
		out.Attachments = append(out.Attachments, quoted)
	}
	mentions, err := b.mentions("dataMessage.quote.mentions", q.Mentions)
	return out, mentions, err
}

// finishQuote checks the text once the people in it are known. What is too long is cut, as the apps do.
func finishQuote(q *content.Quote, mentions []content.Mention) (*content.Quote, error) {
	if q == nil {
		return nil, nil
	}
	body, err := content.PrepareBody(q.Text, mentions, nil)
	if err != nil {
		return nil, badArgument("dataMessage.quote", "is not valid: %v", err)
	}
	q.Text = body.Text
	if body.Long == nil {
		q.Mentions = body.Mentions
	}
	return q, nil
}

func (b *builder) sticker(out *content.Message, m *DataMessage) error {
	if m.Sticker == nil {
		return nil
	}
	packID, err := hex.DecodeString(m.Sticker.PackID)
	if err != nil || len(packID) != packIDSize {
		return badArgument("dataMessage.sticker.packId", "is not the hex of %d bytes", packIDSize)
	}
	packKey, ok := keyOf(m.Sticker.PackKey)
	if !ok {
		return badArgument("dataMessage.sticker.packKey", "is not the base64 or hex of %d bytes", packKeySize)
	}
	if m.Sticker.Emoji != "" && !IsEmoji(m.Sticker.Emoji) {
		return badArgument("dataMessage.sticker.emoji", "is not one emoji")
	}
	out.Sticker = &content.Sticker{
		PackID: packID, PackKey: packKey, StickerID: m.Sticker.StickerID, Emoji: m.Sticker.Emoji,
		Data: &content.Attachment{ContentType: "image/webp"},
	}
	if m.Sticker.Base64Data.Open == nil {
		return nil
	}
	out.Sticker.Data, err = b.attachment("dataMessage.sticker.base64Data", m.Sticker.Base64Data)
	return err
}

func keyOf(text string) ([]byte, bool) {
	if key, err := hex.DecodeString(text); err == nil && len(key) == packKeySize {
		return key, true
	}
	plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	key, err := base64.RawStdEncoding.DecodeString(plain)
	return key, err == nil && len(key) == packKeySize
}

// previews checks what the apps check before they show one: a secure link that is in the text.
func (b *builder) previews(out *content.Message, m *DataMessage) error {
	if len(m.Previews) > maxPreviews {
		return badArgument("dataMessage.previews", "are more than the %d that the apps show", maxPreviews)
	}
	for i, p := range m.Previews {
		field := fmt.Sprintf("dataMessage.previews[%d]", i)
		link, err := url.Parse(p.URL)
		if err != nil || link.Scheme != "https" || link.Host == "" {
			return badArgument(field+".url", "is not an https link")
		}
		if !strings.Contains(m.Message, p.URL) {
			return badArgument(field+".url", "is not in the text, without which the apps do not show it")
		}
		preview := content.Preview{URL: p.URL, Title: p.Title, Description: p.Description}
		if p.Base64Image.Open != nil {
			if preview.Image, err = b.attachment(field+".base64Image", p.Base64Image); err != nil {
				return err
			}
		}
		out.Previews = append(out.Previews, preview)
	}
	return nil
}

func checkViewOnce(out *content.Message, m *DataMessage) error {
	if !m.ViewOnce {
		return nil
	}
	if len(out.Attachments) != 1 || !isVisual(out.Attachments[0].ContentType) {
		return badArgument("dataMessage.viewOnce", "takes exactly one picture or film")
	}
	return nil
}

func isVisual(contentType string) bool {
	return strings.HasPrefix(contentType, "image/") || strings.HasPrefix(contentType, "video/")
}
