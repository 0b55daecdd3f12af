package content

import (
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	profileKeySize = 32
	masterKeySize  = 32
	groupIDSize    = 32

	maxEmojiBytes = 64
	maxPreviews   = 10
	maxCards      = 32
	maxCardParts  = 64
	maxOptions    = 100
)

// spokenVersion is the newest of the apps' protocol versions, all of whose kinds of messages are known here.
const spokenVersion = uint32(servicepb.DataMessage_CURRENT)

func hasFlag(d *servicepb.DataMessage, flag servicepb.DataMessage_Flags) bool {
	return d.GetFlags()&uint32(flag) != 0
}

// dataMessage reads a data message. It does one thing only: what comes first here hides the rest, as in the apps.
func (p *parser) dataMessage(d *servicepb.DataMessage) (Event, error) {
	event := Event{Timestamp: d.GetTimestamp()}
	if version := d.GetRequiredProtocolVersion(); version > spokenVersion {
		return event, &UnsupportedVersionError{Required: version, Spoken: spokenVersion}
	}
	if d.GetTimestamp() == 0 {
		return event, invalid("message", "no timestamp")
	}
	if hasFlag(d, servicepb.DataMessage_END_SESSION) || hasFlag(d, servicepb.DataMessage_PROFILE_KEY_UPDATE) {
		event.Kind = KindControl
		return event, nil
	}
	var err error
	if event.Group, err = parseGroup(d.GetGroupV2()); err != nil {
		return event, err
	}
	switch {
	case d.Reaction != nil:
		event.Kind = KindReaction
		event.Reaction, err = parseReaction(d.GetReaction())
	case d.Delete != nil:
		event.Kind = KindDelete
		event.Delete, err = parseDelete(d.GetDelete())
	case d.AdminDelete != nil:
		event.Kind = KindDelete
		event.Delete, err = parseAdminDelete(d.GetAdminDelete())
	case d.GroupCallUpdate != nil:
		event.Kind, event.Call = KindCall, &Call{
			Type: CallGroupUpdate, EraID: clip(cleanText(d.GetGroupCallUpdate().GetEraId()), maxEraID),
		}
	default:
		return p.plainMessage(event, d)
	}
	return event, err
}

// plainMessage reads a message in the everyday sense, or what is left where there is none.
func (p *parser) plainMessage(event Event, d *servicepb.DataMessage) (Event, error) {
	message, err := p.message(d)
	if err != nil {
		return event, err
	}
	event.Timer = parseTimer(d)
	switch {
	case !message.empty():
		event.Kind, event.Message = KindMessage, message
	case event.Group != nil:
		event.Kind = KindGroupChange
	default:
		event.Kind = KindUnknown
	}
	return event, nil
}

func (p *parser) editMessage(e *servicepb.EditMessage) (Event, error) {
	d := e.GetDataMessage()
	event := Event{Kind: KindEdit, Timestamp: d.GetTimestamp()}
	if version := d.GetRequiredProtocolVersion(); version > spokenVersion {
		return event, &UnsupportedVersionError{Required: version, Spoken: spokenVersion}
	}
	if e.GetTargetSentTimestamp() == 0 || d.GetTimestamp() == 0 {
		return event, invalid("edit", "no timestamp")
	}
	var err error
	if event.Group, err = parseGroup(d.GetGroupV2()); err != nil {
		return event, err
	}
	message, err := p.message(d)
	if err != nil {
		return event, err
	}
	event.Edit = &Edit{Target: e.GetTargetSentTimestamp(), Message: *message}
	return event, nil
}

func parseGroup(g *servicepb.GroupContextV2) (*Group, error) {
	if g == nil {
		return nil, nil
	}
	if len(g.GetMasterKey()) != masterKeySize {
		return nil, invalid("group context", "a master key of %d bytes", len(g.GetMasterKey()))
	}
	return &Group{MasterKey: g.GetMasterKey(), Revision: g.GetRevision(), Change: nonEmpty(g.GetGroupChange())}, nil
}

func parseTimer(d *servicepb.DataMessage) *Timer {
	return &Timer{Seconds: d.GetExpireTimer(), Version: d.GetExpireTimerVersion()}
}

func parseReaction(r *servicepb.DataMessage_Reaction) (*Reaction, error) {
	author, ok := parseACI(r.GetTargetAuthorAci(), r.GetTargetAuthorAciBinary())
	emoji := cleanText(r.GetEmoji())
	switch {
	case !ok:
		return nil, invalid("reaction", "no author")
	case r.GetTargetSentTimestamp() == 0:
		return nil, invalid("reaction", "no timestamp")
	case emoji == "" && !r.GetRemove(), len(emoji) > maxEmojiBytes:
		return nil, invalid("reaction", "no emoji")
	}
	return &Reaction{Target: MessageRef{author, r.GetTargetSentTimestamp()}, Emoji: emoji, Remove: r.GetRemove()}, nil
}

func parseDelete(d *servicepb.DataMessage_Delete) (*Delete, error) {
	if d.GetTargetSentTimestamp() == 0 {
		return nil, invalid("delete", "no timestamp")
	}
	return &Delete{Target: MessageRef{Timestamp: d.GetTargetSentTimestamp()}}, nil
}

func parseAdminDelete(d *servicepb.DataMessage_AdminDelete) (*Delete, error) {
	ref, ok := parseRef(d.GetTargetAuthorAciBinary(), d.GetTargetSentTimestamp())
	if !ok {
		return nil, invalid("delete", "no author or timestamp")
	}
	return &Delete{Target: ref}, nil
}

func parseRef(author []byte, timestamp uint64) (MessageRef, bool) {
	id, ok := parseACI("", author)
	return MessageRef{id, timestamp}, ok && timestamp != 0
}
