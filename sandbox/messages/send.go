package messages

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/faults"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	// maxMessage is MessageSender.MAX_MESSAGE_SIZE: of the ciphertext for one device.
	maxMessage = 96 << 10
	// maxTimestamp is MessageController.MAX_TIMESTAMP.
	maxTimestamp = 86_400_000 * 100_000_000
	// fullFor is when to try again with who gets too much.
	fullFor = time.Minute
)

// incoming is IncomingMessageList.
type incoming struct {
	Messages  []incomingMessage `json:"messages"`
	Online    bool              `json:"online"`
	Urgent    *bool             `json:"urgent"`
	Timestamp int64             `json:"timestamp"`
}

type incomingMessage struct {
	Type           int32      `json:"type"`
	DeviceID       int8       `json:"destinationDeviceId"`
	RegistrationID int32      `json:"destinationRegistrationId"`
	Content        wire.Bytes `json:"content"`
}

// valid checks what the annotations of the entities do: 422 otherwise.
func (in *incoming) valid() bool {
	if len(in.Messages) == 0 || in.Timestamp < 0 || in.Timestamp > maxTimestamp {
		return false
	}
	devices := map[int8]bool{}
	for _, m := range in.Messages {
		_, known := servicepb.Envelope_Type_name[m.Type]
		receipt := m.Type == int32(servicepb.Envelope_SERVER_DELIVERY_RECEIPT)
		if !known || receipt || len(m.Content) == 0 || devices[m.DeviceID] {
			return false
		}
		devices[m.DeviceID] = true
	}
	return true
}

// sending is one message to an account, on its way through the checks.
type sending struct {
	incoming
	destination serviceid.ServiceID
	by          *wire.Device // nil: sealed
	story       bool
	inside      bool // it is of this process, and no fault befalls it
}

// sendMessage is MessageController.sendMessage.
func (h *Hub) sendMessage(_ context.Context, r *wire.Request) (*wire.Response, error) {
	s := sending{by: r.By, inside: r.Inside, story: r.Flag("story", false)}
	var err error
	if s.destination, err = serviceid.Parse(r.Values["destination"]); err != nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	key, token, err := accounts.ReadCredentials(r)
	if err != nil {
		return nil, err
	}
	if err := r.Decode(&s.incoming); err != nil {
		return nil, err
	}
	if !s.valid() {
		return nil, wire.Invalid()
	}
	if token != nil && (r.By != nil || key != nil || s.story) {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	needsSync := false
	switch {
	case s.story:
		err = h.sendStory(s)
	case r.By != nil:
		needsSync, err = h.sendIdentified(s)
	default:
		err = h.sendSealed(s, key, token)
	}
	if err != nil {
		return nil, err
	}
	return wire.JSON(map[string]bool{"needsSync": needsSync})
}

// sendStory is MessageController.sendStoryMessage: to nobody is as good as to somebody.
func (h *Hub) sendStory(s sending) error {
	target := h.book.Find(s.destination)
	if target == nil {
		return nil
	}
	s.by = nil
	return h.send(target, s, 0)
}

// sendIdentified is MessageController.sendIdentifiedSenderIndividualMessage, and sendSyncMessage for one's own account,
// which has no messages to its PNI: 403.
func (h *Hub) sendIdentified(s sending) (needsSync bool, err error) {
	source := h.book.Find(serviceid.NewACI(s.by.Account))
	if source == nil {
		return false, wire.Refuse(http.StatusUnauthorized)
	}
	if source.Is(s.destination) {
		if s.destination.Kind == serviceid.PNI {
			return false, wire.Refuse(http.StatusForbidden)
		}
		return false, h.send(source, s, s.by.ID)
	}
	target := h.book.Find(s.destination)
	if target == nil {
		return false, wire.Refuse(http.StatusNotFound)
	}
	return len(source.Devices) > 1, h.send(target, s, 0)
}

// sendSealed is MessageController.sendSealedSenderMessage.
func (h *Hub) sendSealed(s sending, key, token []byte) error {
	var err error
	switch {
	case key == nil && token == nil:
		return wire.Refuse(http.StatusUnauthorized)
	case token != nil:
		err = h.book.VerifyToken(token, s.destination)
	default:
		err = h.book.MayAccess(nil, key, s.destination)
	}
	if err != nil {
		return err
	}
	target := h.book.Find(s.destination)
	if target == nil {
		return wire.Refuse(http.StatusNotFound)
	}
	return h.send(target, s, 0)
}

// send is MessageController.sendIndividualMessage. excluded is the device that a sync message is from.
func (h *Hub) send(target *accounts.Account, s sending, excluded uint32) error {
	if refusal := h.full(target, s.inside); refusal != nil {
		return refusal
	}
	registrations := map[uint32]uint32{}
	for _, m := range s.Messages {
		registrations[uint32(uint8(m.DeviceID))] = uint32(m.RegistrationID)
	}
	m := compare(target, s.destination.Kind, registrations, excluded)
	if m == nil && !s.inside {
		m = h.pretended(target, registrations)
	}
	if m != nil {
		return m.refusal()
	}
	for _, m := range s.Messages {
		if len(m.Content) > maxMessage {
			return wire.Refuse(http.StatusRequestEntityTooLarge)
		}
	}
	for _, m := range s.Messages {
		device := wire.Device{Account: target.ACI.UUID, ID: uint32(m.DeviceID)}
		if err := h.queues.add(device, h.envelope(s, m)); err != nil {
			return wire.Limited(fullFor)
		}
	}
	return nil
}

// full is the refusal of a message to who gets too much (RateLimiters.getInboundMessageBytes, which comes before all
// other checks).
func (h *Hub) full(target *accounts.Account, inside bool) error {
	var devices []wire.Device
	for _, d := range target.Devices {
		devices = append(devices, wire.Device{Account: target.ACI.UUID, ID: d.ID})
	}
	if h.queues.full(devices) {
		return wire.Limited(fullFor)
	}
	if inside {
		return nil
	}
	if refusal := h.faults.Full(namesOf(target)...); refusal != nil {
		return refusal
	}
	return nil
}

// pretended is the fault of a sender's devices being others than it thinks. It speaks of those that the message is for,
// so that whoever fetches their keys anew and sends again gets through.
func (h *Hub) pretended(target *accounts.Account, registrations map[uint32]uint32) *mismatch {
	devices := slices.Sorted(maps.Keys(registrations))
	switch {
	case len(devices) == 0:
		return nil
	case h.faults.Befalls(faults.Stale, namesOf(target)...):
		return &mismatch{stale: devices}
	case h.faults.Befalls(faults.Missing, namesOf(target)...):
		return &mismatch{missing: devices}
	}
	return nil
}

// envelope is IncomingMessage.toEnvelope.
func (h *Hub) envelope(s sending, m incomingMessage) *servicepb.Envelope {
	timestamp := uint64(s.Timestamp)
	if timestamp == 0 {
		timestamp = uint64(h.now().UnixMilli())
	}
	e := h.stamp(&servicepb.Envelope{
		Type: servicepb.Envelope_Type(m.Type).Enum(), Content: m.Content, ClientTimestamp: &timestamp,
		DestinationServiceIdBinary: s.destination.Binary(), Urgent: proto.Bool(s.Urgent == nil || *s.Urgent),
	})
	if s.Online {
		e.Ephemeral = proto.Bool(true)
	}
	if s.story {
		e.Story = proto.Bool(true)
	}
	if s.by != nil {
		source := serviceid.NewACI(s.by.Account)
		e.SourceServiceIdBinary, e.SourceDeviceId = source.Binary(), &s.by.ID
	}
	return e
}

// mismatch is MismatchedDevices: how the devices of a message differ from those of the account.
type mismatch struct {
	missing, extra, stale []uint32
}

// compare is MessageSender.getMismatchedDevices; nil where the devices are right.
func compare(
	account *accounts.Account, kind serviceid.Kind, registrations map[uint32]uint32, excluded uint32,
) *mismatch {
	var m mismatch
	for _, d := range account.Devices {
		if _, there := registrations[d.ID]; !there && d.ID != excluded {
			m.missing = append(m.missing, d.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(registrations)) {
		d, known := account.Device(id)
		switch {
		case !known || id == excluded:
			m.extra = append(m.extra, id)
		case d.Registration(kind) != registrations[id]:
			m.stale = append(m.stale, id)
		}
	}
	if len(m.missing)+len(m.extra)+len(m.stale) == 0 {
		return nil
	}
	return &m
}

// refusal is 410 where a device was registered anew, and else 409. The lists are never null.
func (m *mismatch) refusal() error {
	if len(m.stale) > 0 {
		return wire.RefuseWith(http.StatusGone, m.staleBody())
	}
	return wire.RefuseWith(http.StatusConflict, m.devicesBody())
}

func (m *mismatch) staleBody() map[string][]uint32 {
	return map[string][]uint32{"staleDevices": list(m.stale)}
}

func (m *mismatch) devicesBody() map[string][]uint32 {
	return map[string][]uint32{"missingDevices": list(m.missing), "extraDevices": list(m.extra)}
}

func list(ids []uint32) []uint32 { return append([]uint32{}, ids...) }
