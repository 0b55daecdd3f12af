package commands

import (
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
)

// SetExpirationRequest is the request of set_expiration.
type SetExpirationRequest struct {
	Target
	ExpiresInSeconds *uint32 `json:"expiresInSeconds" jsonschema:"required,description=how long messages stay after they were read\\, 0 for ever"`
	Durable
}

// SetExpirationReply is the reply of set_expiration. A group has a revision, a conversation with people a message that
// says it.
type SetExpirationReply struct {
	*SendReply
	Revision *uint32 `json:"revision,omitempty" jsonschema:"description=of the group"`
}

func runSetExpiration(c *call, request *SetExpirationRequest) (*SetExpirationReply, error) {
	to, err := request.destination()
	if err != nil {
		return nil, err
	}
	if request.ExpiresInSeconds == nil {
		return nil, badArgument("expiresInSeconds", "is missing")
	}
	if err := checkTimer(*request.ExpiresInSeconds); err != nil {
		return nil, err
	}
	options, err := request.options(c)
	if err != nil {
		return nil, err
	}
	if to.Group == nil {
		sent, err := sendReply(c.signal.Send(c, model.SendRequest{
			To: to, SendOptions: options, Event: content.Event{
				Kind: content.KindMessage, Message: &content.Message{TimerUpdate: true},
				Timer: &content.Timer{Seconds: *request.ExpiresInSeconds},
			},
		}))
		return &SetExpirationReply{SendReply: sent}, err
	}
	if options.Queue {
		return nil, badArgument("queue", "is not for groups: their settings are changed at once, or not at all")
	}
	result, err := c.signal.UpdateGroup(c, model.GroupUpdate{Group: to.Group, ExpiresInSeconds: request.ExpiresInSeconds})
	if err != nil {
		return nil, err
	}
	return &SetExpirationReply{Revision: &result.Group.Revision}, nil
}
