package messages

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/faults"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// maxInFlight is how many messages a device may have without acknowledging one
// (WebSocketConnection.MESSAGE_SENDER_MAX_CONCURRENCY).
const maxInFlight = 256

// Hub takes messages and hands them out. It is safe for concurrent use.
type Hub struct {
	book   *accounts.Book
	faults *faults.Switches
	now    func() time.Time
	queues *queues
}

// NewHub returns a hub for the accounts of a book, with faults of its recipients and queues.
func NewHub(book *accounts.Book, switches *faults.Switches, now func() time.Time) *Hub {
	return &Hub{book: book, faults: switches, now: now, queues: newQueues()}
}

// OnChange has a function told of messages that come and go, which does not call back; before the first of them.
func (h *Hub) OnChange(changed func()) { h.queues.changed = changed }

// Routes adds the calls of this package.
func (h *Hub) Routes(rt *wire.Router) {
	rt.Handle(http.MethodPut, "/v1/messages/{destination}", wire.Either, h.sendMessage)
	rt.Handle(http.MethodPut, "/v1/messages/multi_recipient", wire.Anyone, h.sendMulti)
	rt.Handle(http.MethodPost, "/v1/messages/report/{source}/{guid}", wire.DeviceOnly, reportSpam)
	rt.Handle(http.MethodPut, "/v1/challenge", wire.DeviceOnly, answerChallenge)
}

// Methods adds the gRPC calls of this package.
func (h *Hub) Methods(s *wire.Server) {
	const service = "org.signal.chat.messages.MessagesAnonymous/"
	s.HandleAnonymous(service+"SendMultiRecipientMessage", h.sendMultiGRPC)
	s.HandleAnonymous(service+"SendMultiRecipientStory", h.sendStoryGRPC)
}

// reportSpam is MessageController.reportSpamMessage. Reports go nowhere.
func reportSpam(_ context.Context, r *wire.Request) (*wire.Response, error) {
	if _, err := uuid.Parse(r.Values["guid"]); err != nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	return &wire.Response{Status: http.StatusAccepted}, nil
}

// answerChallenge is ChallengeController.handleChallengeResponse: every captcha is right.
func answerChallenge(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request struct {
		Type string `json:"type"`
	}
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	if request.Type != "captcha" && request.Type != "rateLimitPushChallenge" {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	return wire.OK()
}

// Remove forgets a device that was unlinked: its messages are gone, its socket ends.
func (h *Hub) Remove(device wire.Device) { h.queues.remove(device) }

// Waiting is how many messages a device has not acknowledged.
func (h *Hub) Waiting(device wire.Device) int { return h.queues.length(device) }

// Open makes the consumer of a device that lives in this process, which faults leave alone. The caller closes it.
func (h *Hub) Open(device wire.Device) *Consumer { return h.queues.open(device, nil, nil) }

func (h *Hub) isLinked(device wire.Device) bool {
	account := h.book.Find(serviceid.NewACI(device.Account))
	if account == nil {
		return false
	}
	_, known := account.Device(device.ID)
	return known
}

// openFaulty makes that of a device's socket, which may want no messages.
func (h *Hub) openFaulty(device wire.Device, deaf bool) *Consumer {
	if deaf {
		return h.queues.openDeaf(device)
	}
	var names []string
	if account := h.book.Find(serviceid.NewACI(device.Account)); account != nil {
		names = namesOf(account)
	}
	return h.queues.open(device, h.faults, names)
}

// namesOf are the names that a fault's rule may have for an account.
func namesOf(a *accounts.Account) []string {
	names := []string{a.ACI.String()}
	if !a.PNI.IsZero() {
		names = append(names, a.PNI.String())
	}
	if a.Number != "" {
		names = append(names, a.Number)
	}
	return names
}

// Acknowledge takes a message out of its queue, and tells its sender (push.ReceiptSender).
func (h *Hub) Acknowledge(c *Consumer, d Delivery) {
	if c.acknowledge(d) {
		h.receipt(c.device, d.Envelope)
	}
}

// receipt tells all devices of the sender that a message has arrived. A sealed one has no sender.
func (h *Hub) receipt(device wire.Device, delivered *servicepb.Envelope) {
	if len(delivered.GetSourceServiceIdBinary()) == 0 || delivered.GetType() == servicepb.Envelope_SERVER_DELIVERY_RECEIPT {
		return
	}
	source, err := serviceid.ParseBinary(delivered.GetSourceServiceIdBinary())
	destination, destinationErr := serviceid.ParseBinary(delivered.GetDestinationServiceIdBinary())
	if err != nil || destinationErr != nil || source == destination {
		return
	}
	sender := h.book.Find(source)
	if sender == nil {
		return
	}
	for _, d := range sender.Devices {
		_ = h.queues.add(wire.Device{Account: sender.ACI.UUID, ID: d.ID}, h.stamp(&servicepb.Envelope{
			Type: servicepb.Envelope_SERVER_DELIVERY_RECEIPT.Enum(), Urgent: proto.Bool(false),
			SourceServiceIdBinary: destination.Binary(), SourceDeviceId: proto.Uint32(device.ID),
			DestinationServiceIdBinary: source.Binary(), ClientTimestamp: proto.Uint64(delivered.GetClientTimestamp()),
		}))
	}
}

// stamp gives an envelope its number and the time.
func (h *Hub) stamp(e *servicepb.Envelope) *servicepb.Envelope {
	guid := uuid.New()
	e.ServerGuidBinary = guid[:]
	e.ServerTimestamp = proto.Uint64(uint64(h.now().UnixMilli()))
	return e
}

// ServeSocket is websocket.WebSocketConnection, for the life of a device's socket. Sockets that do not say whose they
// are get nothing, and those that do not want messages hear only of the end of their device
// (websocket.AuthenticatedConnectListener).
func (h *Hub) ServeSocket(ctx context.Context, s *wire.Socket) {
	if s.By == nil {
		<-s.Done()
		return
	}
	consumer := h.openFaulty(*s.By, s.Header.Get("X-Signal-Disable-Messages") == "true")
	defer consumer.Close()
	if !h.isLinked(*s.By) { // since it was authenticated, and before anybody could be told of its end
		s.Close(wire.CloseUnexpected, "Unexpected error initializing connection")
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		select {
		case <-s.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	err := h.deliver(ctx, s, consumer)
	cancel()
	<-stop
	switch {
	case errors.Is(err, ErrDisplaced):
		s.Close(wire.CloseConnectedElsewere, "Connected elsewhere")
	case errors.Is(err, ErrRemoved):
		s.Close(wire.CloseReauthenticate, "Reauthentication required")
	default:
		s.Close(wire.CloseOK, "OK")
	}
}

// deliver sends what is in the queue, until the end of the socket or of the consumer.
func (h *Hub) deliver(ctx context.Context, s *wire.Socket, c *Consumer) error {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	slots := make(chan struct{}, maxInFlight)
	stories := s.Header.Get("X-Signal-Receive-Stories") == "true"
	for {
		d, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if d.QueueEmpty {
			inFlight.Wait() // it comes after the acknowledgements of all before it
			_, err := s.Send(http.MethodPut, "/api/v1/queue/empty", h.headers(), nil)
			if err != nil {
				return err
			}
			continue
		}
		if d.Envelope.GetStory() && !stories {
			c.acknowledge(d)
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		call, err := h.hand(s, d)
		if err != nil {
			return err
		}
		inFlight.Go(func() {
			defer func() { <-slots }()
			if answer, err := call.Wait(ctx); err == nil && answer.Status >= 200 && answer.Status < 300 {
				h.Acknowledge(c, d)
			}
		})
	}
}

func (h *Hub) hand(s *wire.Socket, d Delivery) (*wire.Call, error) {
	envelope := proto.CloneOf(d.Envelope)
	envelope.Ephemeral = nil // WebSocketConnection.serializeMessage
	body, err := proto.Marshal(envelope)
	if err != nil {
		return nil, err
	}
	return s.Send(http.MethodPut, "/api/v1/message", h.headers(), body)
}

func (h *Hub) headers() []string { return []string{wire.TimestampHeader(h.now())} }
