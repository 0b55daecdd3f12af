package commands

import (
	"context"
	"runtime/debug"
	"sync"

	"signalbox/signalcore/model"
)

func subscribingCommands() []*command {
	return []*command{
		define("subscribe", "Pushes a line for each event to this connection, until unsubscribe or its end: "+
			`{"command":"subscribe","reqId":…,"event":{…}}. Messages are not consumed. A second subscribe replaces the first.`,
			runSubscribe),
		define("unsubscribe", "Ends the connection's subscription.", runUnsubscribe),
	}
}

// SubscribeRequest is the request of subscribe.
type SubscribeRequest struct {
	Types             []string `json:"types,omitempty" jsonschema:"description=which messages; default as for receive_messages"`
	IgnoreAttachments bool     `json:"ignoreAttachments,omitempty" jsonschema:"description=push messages without their attachments"`
}

func runSubscribe(c *call, request *SubscribeRequest) (*None, error) {
	types, err := messageTypes(request.Types)
	if err != nil {
		return nil, err
	}
	c.session.unsubscribe()
	ctx, cancel := context.WithCancel(context.WithoutCancel(c))
	source, err := c.signal.Subscribe(ctx, model.SubscribeOptions{Types: types})
	if err != nil {
		cancel()
		return nil, err
	}
	sub := &subscription{call: c, source: source, cancel: cancel, data: !request.IgnoreAttachments}
	c.session.subscription = sub
	c.settle = func(delivered bool) { // the reply comes first
		if delivered {
			sub.pushing.Go(func() { sub.push(ctx) })
		}
	}
	return nil, nil
}

func runUnsubscribe(c *call, _ *None) (*None, error) {
	c.session.unsubscribe()
	return nil, nil
}

// subscription pushes events to a session's connection. It holds a place in the client's stream of events and no
// queue of its own: a connection that takes nothing costs nothing.
type subscription struct {
	call    *call
	source  Subscription
	cancel  context.CancelFunc
	pushing sync.WaitGroup
	data    bool
}

// unsubscribe ends the subscription, if there is one, and waits for its goroutine.
func (s *Session) unsubscribe() {
	sub := s.subscription
	if sub == nil {
		return
	}
	s.subscription = nil
	sub.cancel()
	sub.pushing.Wait()
	sub.source.Close()
}

func (s *subscription) push(ctx context.Context) {
	for {
		event, err := s.source.Next(ctx)
		if err != nil {
			return
		}
		line := Push{Command: "subscribe", ReqID: s.call.reqID, Event: s.show(ctx, event)}
		if s.call.session.client.Push(line) != nil {
			return
		}
	}
}

// show is render behind a fence: an event that cannot be shown counts as missed.
func (s *subscription) show(ctx context.Context, event model.Event) (shown any) {
	defer func() {
		if r := recover(); r != nil {
			s.call.log.Error().Bytes("stack", debug.Stack()).Msgf("an event cannot be shown: %v", r)
			shown = Event{Type: "missed", Count: 1}
		}
	}()
	return s.render(ctx, event)
}

// Event is an event that is no message.
type Event struct {
	Type      string                `json:"type" jsonschema:"enum=connection,enum=sendResult,enum=identity,enum=missed"`
	Timestamp uint64                `json:"timestamp,omitempty"`
	State     model.ConnectionState `json:"state,omitempty"`
	Reason    string                `json:"reason,omitempty"`
	Outgoing  *Outgoing             `json:"outgoing,omitempty"`
	UUID      string                `json:"uuid,omitempty"`
	Number    string                `json:"number,omitempty"`
	Identity  []byte                `json:"identity,omitempty" jsonschema:"description=the new identity key"`
	Count     int                   `json:"count,omitempty" jsonschema:"description=how many events were missed"`
}

func (s *subscription) render(ctx context.Context, e model.Event) any {
	switch {
	case e.Message != nil:
		return s.call.render(ctx, *e.Message, s.data)
	case e.Outgoing != nil:
		out := outgoingReply(*e.Outgoing)
		return Event{Type: "sendResult", Timestamp: e.Outgoing.Timestamp, Outgoing: &out}
	case e.Identity != nil:
		return Event{
			Type: "identity", Timestamp: e.Identity.Timestamp, UUID: e.Identity.ServiceID.String(),
			Number: e.Identity.Number, Identity: e.Identity.Fingerprint,
		}
	case e.Missed != nil:
		return Event{Type: "missed", Count: *e.Missed}
	case e.Connection != nil:
		return Event{
			Type: "connection", Timestamp: e.Connection.Timestamp, State: e.Connection.State, Reason: e.Connection.Reason,
		}
	}
	return Event{}
}
