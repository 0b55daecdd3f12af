package contacts

import (
	"errors"
	"fmt"
	"sync"

	"signalbox/sandbox/messenger"
	"signalbox/signalcore/content"
	"signalbox/signalcore/content/attachmentcipher"
	"signalbox/signalcore/protocol/serviceid"
)

// maxEchoes is how many answers are remembered, to be changed with what they answer.
const maxEchoes = 500

// echo remembers its answers.
type echo struct {
	mu      sync.Mutex
	answers map[content.MessageRef]uint64 // by the message that was answered
	order   []content.MessageRef
}

// Echo sends back what it gets: texts with all that belongs to them, attachments, reactions, edits and deletions.
// Before that it sends receipts, and types.
func Echo() Behaviour {
	e := &echo{answers: map[content.MessageRef]uint64{}}
	return Behaviour{
		Name: "echo", Does: "sends back texts, attachments and reactions, with receipts and typing", hear: e.hear,
	}
}

func (e *echo) hear(p *Person, m messenger.Message) error {
	switch m.Kind {
	case content.KindMessage:
		if m.Message.TimerUpdate {
			return nil
		}
		return e.sendBack(p, m)
	case content.KindReaction:
		return e.react(p, m)
	case content.KindEdit:
		return e.edit(p, m)
	case content.KindDelete:
		return e.delete(p, m)
	}
	return nil
}

func (e *echo) sendBack(p *Person, m messenger.Message) error {
	if err := p.attend(m); err != nil {
		return err
	}
	back, err := p.copyOf(m.Message)
	switch {
	case errors.Is(err, messenger.ErrAttachment), errors.Is(err, attachmentcipher.ErrCorrupt):
		back = &content.Message{Text: "I cannot send this back: " + err.Error() + "."}
	case err != nil:
		return err
	}
	if isEmpty(back) { // a vote, a pin or the like
		return nil
	}
	if m.Group != nil || m.Message.Quote != nil {
		back.Quote = quoteOf(m)
	}
	timestamp, err := p.reply(m, content.Event{Message: back})
	if err == nil {
		e.remember(m.From.ServiceID, m.Timestamp, timestamp)
	}
	return err
}

func isEmpty(m *content.Message) bool {
	return m.Text == "" && m.LongText == nil && m.Sticker == nil && len(m.Attachments)+len(m.Contacts) == 0
}

// quoteOf quotes a message, as its recipient remembers it.
func quoteOf(m messenger.Message) *content.Quote {
	quote := &content.Quote{
		MessageRef: content.MessageRef{Author: m.From.ServiceID, Timestamp: m.Timestamp},
		Text:       m.Message.Text, Mentions: m.Message.Mentions, Styles: m.Message.Styles,
	}
	for _, a := range m.Message.Attachments {
		quote.Attachments = append(quote.Attachments, content.QuotedAttachment{
			ContentType: a.ContentType, FileName: a.FileName,
		})
	}
	return quote
}

// copyOf is a message with attachments of its own: what others have uploaded is theirs.
func (p *Person) copyOf(m *content.Message) (*content.Message, error) {
	out := &content.Message{
		Text: m.Text, LongText: m.LongText, Mentions: m.Mentions, Styles: m.Styles, ViewOnce: m.ViewOnce,
		Attachments: append([]content.Attachment{}, m.Attachments...), Sticker: m.Sticker,
		Previews: append([]content.Preview{}, m.Previews...), Contacts: append([]content.ContactCard{}, m.Contacts...),
	}
	for i := range out.Attachments {
		if err := p.renew(&out.Attachments[i]); err != nil {
			return nil, err
		}
	}
	others := []**content.Attachment{&out.LongText}
	for i := range out.Previews {
		others = append(others, &out.Previews[i].Image)
	}
	for i := range out.Contacts {
		others = append(others, &out.Contacts[i].Avatar)
	}
	if m.Sticker != nil {
		sticker := *m.Sticker
		out.Sticker = &sticker
		others = append(others, &sticker.Data)
	}
	for _, at := range others {
		if err := p.renewAt(at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// renew fetches an attachment, and uploads it encrypted with another key.
func (p *Person) renew(a *content.Attachment) error {
	renewed, err := p.UploadAgain(*a)
	if err != nil {
		return fmt.Errorf("upload again: %w", err)
	}
	*a = renewed
	return nil
}

// renewAt is renew for what may be missing; the message that it belongs to keeps its own.
func (p *Person) renewAt(at **content.Attachment) error {
	if *at == nil {
		return nil
	}
	own := **at
	*at = &own
	return p.renew(&own)
}

// react puts the same emoji on the same message, or takes it off.
func (e *echo) react(p *Person, m messenger.Message) error {
	if err := p.attend(m); err != nil {
		return err
	}
	_, err := p.reply(m, content.Event{Reaction: m.Reaction})
	return err
}

// edit changes the answer to a message as the message was changed.
func (e *echo) edit(p *Person, m messenger.Message) error {
	target, ok := e.answerTo(m.From.ServiceID, m.Edit.Target)
	if !ok {
		return nil
	}
	if err := p.attend(m); err != nil {
		return err
	}
	back, err := p.copyOf(&m.Edit.Message)
	if err != nil {
		return err
	}
	timestamp, err := p.reply(m, content.Event{Edit: &content.Edit{Target: target, Message: *back}})
	if err == nil {
		e.remember(m.From.ServiceID, m.Timestamp, timestamp) // the next edit names this one
	}
	return err
}

// delete takes the answer to a message back that was taken back.
func (e *echo) delete(p *Person, m messenger.Message) error {
	target, ok := e.answerTo(m.From.ServiceID, m.Delete.Target.Timestamp)
	if !ok {
		return nil
	}
	_, err := p.reply(m, content.Event{Delete: &content.Delete{Target: content.MessageRef{Timestamp: target}}})
	return err
}

func (e *echo) remember(author serviceid.ServiceID, message, answer uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ref := content.MessageRef{Author: author, Timestamp: message}
	if _, known := e.answers[ref]; !known {
		e.order = append(e.order, ref)
	}
	e.answers[ref] = answer
	for len(e.order) > maxEchoes {
		delete(e.answers, e.order[0])
		e.order = e.order[1:]
	}
}

func (e *echo) answerTo(author serviceid.ServiceID, message uint64) (uint64, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	answer, ok := e.answers[content.MessageRef{Author: author, Timestamp: message}]
	return answer, ok
}
