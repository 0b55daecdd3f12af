package compose

import (
	"signalbox/signalcore/content"
	"signalbox/statuscodes"
)

// Reaction is what send_reaction sends.
type Reaction struct {
	Emoji     string `json:"emoji" jsonschema:"required,description=exactly one emoji"`
	Author    string `json:"author" jsonschema:"required,description=who wrote the message"`
	Remove    bool   `json:"remove,omitempty" jsonschema:"description=take it back"`
	Timestamp uint64 `json:"timestamp" jsonschema:"required,description=the message's timestamp"`
}

// Draft checks the reaction and makes an event of it. What is missing is MISSING_REACTION, as in the original.
func (r *Reaction) Draft(resolver Resolver) (Draft, error) {
	if err := r.check(); err != nil {
		return Draft{}, err
	}
	out := &content.Reaction{Emoji: r.Emoji, Remove: r.Remove, Target: content.MessageRef{Timestamp: r.Timestamp}}
	var p people
	if err := p.want("reaction.author", r.Author, &out.Target.Author); err != nil {
		return Draft{}, err
	}
	if err := p.resolve(resolver); err != nil {
		return Draft{}, err
	}
	return Draft{Event: content.Event{Kind: content.KindReaction, Reaction: out}}, nil
}

func (r *Reaction) check() error {
	missing := func(field string) error {
		return &Error{statuscodes.MissingReaction, field, "is missing"}
	}
	switch {
	case r == nil:
		return missing("reaction")
	case r.Emoji == "":
		return missing("reaction.emoji")
	case r.Author == "":
		return missing("reaction.author")
	case r.Timestamp == 0:
		return missing("reaction.timestamp")
	case !IsEmoji(r.Emoji):
		return badArgument("reaction.emoji", "is not one emoji")
	}
	return checkTimestamp("reaction.timestamp", r.Timestamp)
}

// DeleteDraft makes the event that removes the own message of the given timestamp for everyone.
func DeleteDraft(timestamp uint64) (Draft, error) {
	if err := checkTimestamp("timestamp", timestamp); err != nil {
		return Draft{}, err
	}
	return Draft{Event: content.Event{
		Kind: content.KindDelete, Delete: &content.Delete{Target: content.MessageRef{Timestamp: timestamp}},
	}}, nil
}
