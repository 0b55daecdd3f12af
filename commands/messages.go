package commands

import (
	"signalbox/commands/compose"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

func messageCommands() []*command {
	return []*command{
		define("send_message", "Sends a message to a recipient, to several, or to a group.", runSendMessage),
		define("send_reaction", "Reacts to a message with an emoji, or takes the reaction back.", runSendReaction),
		define("delete_message", "Deletes a message that this account sent, for everyone.", runDeleteMessage),
	}
}

// SendMessageRequest is the request of send_message.
type SendMessageRequest struct {
	Target
	DataMessage *compose.DataMessage `json:"dataMessage" jsonschema:"required,description=the message"`
	Durable
}

func runSendMessage(c *call, request *SendMessageRequest) (*SendReply, error) {
	return c.send(request.Target, request.Durable, request.DataMessage.Draft)
}

// SendReactionRequest is the request of send_reaction.
type SendReactionRequest struct {
	Target
	Reaction *compose.Reaction `json:"reaction" jsonschema:"required,description=to which message\\, with what"`
	Durable
}

func runSendReaction(c *call, request *SendReactionRequest) (*SendReply, error) {
	return c.send(request.Target, request.Durable, request.Reaction.Draft)
}

// DeleteMessageRequest is the request of delete_message.
type DeleteMessageRequest struct {
	Target
	Timestamp uint64 `json:"timestamp" jsonschema:"required,description=the message's identifier"`
	Durable
}

func runDeleteMessage(c *call, request *DeleteMessageRequest) (*SendReply, error) {
	return c.send(request.Target, request.Durable, func(compose.Resolver) (compose.Draft, error) {
		return compose.DeleteDraft(request.Timestamp)
	})
}

// send checks where a message goes, then what is in it, and sends it.
func (c *call) send(
	target Target, durable Durable, draft func(compose.Resolver) (compose.Draft, error),
) (*SendReply, error) {
	to, err := target.destination()
	if err != nil {
		return nil, err
	}
	options, err := durable.options(c)
	if err != nil {
		return nil, err
	}
	composed, err := draft(c.resolve)
	if err != nil {
		return nil, err
	}
	return sendReply(c.signal.Send(c, model.SendRequest{
		To: to, Event: composed.Event, Uploads: composed.Uploads, SendOptions: options,
	}))
}

// resolve finds the people named inside a message.
func (c *call) resolve(names []compose.Name) ([]serviceid.ServiceID, error) {
	recipients := make([]model.Recipient, len(names))
	for i, name := range names {
		var err error
		if recipients[i], err = parseRecipient(name.Field, name.Text); err != nil {
			return nil, err
		}
	}
	return c.signal.Resolve(c, recipients)
}
