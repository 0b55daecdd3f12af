package content

import (
	"fmt"

	"signalbox/signalcore/signalpb/servicepb"
)

// maxNotes bounds what a hostile content can write into the log.
const maxNotes = 20

// parser gathers the notes while one content is read.
type parser struct {
	notes []string
}

func (p *parser) note(format string, args ...any) {
	if len(p.notes) < maxNotes {
		p.notes = append(p.notes, fmt.Sprintf(format, args...))
	}
}

// Parse reads a content. Its errors are ErrNoContent, *UnsupportedVersionError and *InvalidError; the result then has
// KindUnknown, with the effects and the timestamp as far as they are known, and the effects are to be applied as ever.
func Parse(c *servicepb.Content) (Parsed, error) {
	p := &parser{}
	effects := p.effects(c)
	event, err := p.event(c)
	if err != nil {
		event = Event{Kind: KindUnknown, Timestamp: event.Timestamp, Group: event.Group}
	}
	if event.Kind == KindUnknown && err == nil {
		if err = ErrNoContent; effects.onItsOwn() {
			event, err = Event{Kind: KindControl}, nil
		}
	}
	return Parsed{Event: event, Effects: effects, Notes: p.notes}, err
}

// onItsOwn reports whether the effects are reason enough to send a content.
func (e *Effects) onItsOwn() bool {
	return e.PNISignature != nil || e.SenderKeyDistribution != nil || e.DecryptionError != nil
}

func (p *parser) event(c *servicepb.Content) (Event, error) {
	switch body := c.GetContent().(type) {
	case *servicepb.Content_DataMessage:
		return p.dataMessage(body.DataMessage)
	case *servicepb.Content_EditMessage:
		return p.editMessage(body.EditMessage)
	case *servicepb.Content_SyncMessage:
		return p.syncMessage(body.SyncMessage)
	case *servicepb.Content_CallMessage:
		return p.callMessage(body.CallMessage)
	case *servicepb.Content_ReceiptMessage:
		return p.receipt(body.ReceiptMessage)
	case *servicepb.Content_TypingMessage:
		return p.typing(body.TypingMessage)
	case *servicepb.Content_StoryMessage:
		return p.storyMessage(body.StoryMessage)
	case *servicepb.Content_NullMessage, *servicepb.Content_DecryptionErrorMessage:
		return Event{Kind: KindControl}, nil
	}
	return Event{Kind: KindUnknown}, nil
}

func (p *parser) effects(c *servicepb.Content) Effects {
	e := Effects{
		ProfileKey:            p.profileKey(c),
		SenderKeyDistribution: nonEmpty(c.GetSenderKeyDistributionMessage()),
		DecryptionError:       nonEmpty(c.GetDecryptionErrorMessage()),
		EndSession:            hasFlag(c.GetDataMessage(), servicepb.DataMessage_END_SESSION),
	}
	if s := c.GetPniSignatureMessage(); s != nil {
		if pni, ok := parsePNI("", s.GetPni()); ok && len(s.GetSignature()) > 0 {
			e.PNISignature = &PNISignature{PNI: pni, Signature: s.GetSignature()}
		} else {
			p.note("a malformed PNI signature left out")
		}
	}
	return e
}

// profileKey is the key that the sender lets this account know. That of a sent transcript is this account's own.
func (p *parser) profileKey(c *servicepb.Content) []byte {
	var key []byte
	switch {
	case c.GetDataMessage() != nil:
		key = c.GetDataMessage().GetProfileKey()
	case c.GetEditMessage() != nil:
		key = c.GetEditMessage().GetDataMessage().GetProfileKey()
	case c.GetStoryMessage() != nil:
		key = c.GetStoryMessage().GetProfileKey()
	}
	if len(key) != 0 && len(key) != profileKeySize {
		p.note("a profile key of %d bytes left out", len(key))
		return nil
	}
	return nonEmpty(key)
}

func (p *parser) receipt(r *servicepb.ReceiptMessage) (Event, error) {
	receipt := &Receipt{Timestamps: r.GetTimestamp()}
	switch {
	case r.Type == nil:
		return Event{}, invalid("receipt", "no type that is known")
	case r.GetType() == servicepb.ReceiptMessage_READ:
		receipt.Type = ReceiptRead
	case r.GetType() == servicepb.ReceiptMessage_VIEWED:
		receipt.Type = ReceiptViewed
	default:
		receipt.Type = ReceiptDelivery
	}
	return Event{Kind: KindReceipt, Receipt: receipt}, nil
}

func (p *parser) typing(t *servicepb.TypingMessage) (Event, error) {
	switch {
	case t.Timestamp == nil:
		return Event{}, invalid("typing message", "no timestamp")
	case t.Action == nil:
		return Event{}, invalid("typing message", "no action that is known")
	case len(t.GetGroupId()) != 0 && len(t.GetGroupId()) != groupIDSize:
		return Event{}, invalid("typing message", "a group id of %d bytes", len(t.GetGroupId()))
	}
	return Event{Kind: KindTyping, Timestamp: t.GetTimestamp(), Typing: &Typing{
		Started: t.GetAction() == servicepb.TypingMessage_STARTED, GroupID: nonEmpty(t.GetGroupId()),
	}}, nil
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
