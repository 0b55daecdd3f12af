package messages

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

// State are the queues to be stored.
type State []QueueState

// QueueState is what waits for a device, in order.
type QueueState struct {
	Account  uuid.UUID
	Device   uint32
	Messages [][]byte // envelopes
}

// Snapshot are the queues as they are, without what is for those alone who are there now.
func (h *Hub) Snapshot() (State, error) {
	h.queues.mu.Lock()
	defer h.queues.mu.Unlock()
	var out State
	for device, q := range h.queues.queues {
		s := QueueState{Account: device.Account, Device: device.ID}
		for _, m := range q.waiting {
			if m.envelope.GetEphemeral() {
				continue
			}
			serialized, err := proto.Marshal(m.envelope)
			if err != nil {
				return nil, fmt.Errorf("messages: %w", err)
			}
			s.Messages = append(s.Messages, serialized)
		}
		if len(s.Messages) > 0 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b QueueState) int {
		return cmp.Or(slices.Compare(a.Account[:], b.Account[:]), cmp.Compare(a.Device, b.Device))
	})
	return out, nil
}

// Restore fills the queues of a new hub.
func (h *Hub) Restore(s State) error {
	for _, q := range s {
		for _, serialized := range q.Messages {
			envelope := &servicepb.Envelope{}
			if err := proto.Unmarshal(serialized, envelope); err != nil {
				return fmt.Errorf("messages: %w", err)
			}
			if err := h.queues.add(wire.Device{Account: q.Account, ID: q.Device}, envelope); err != nil {
				return fmt.Errorf("messages: %w", err)
			}
		}
	}
	return nil
}
