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

// Copy are queues as they were. Envelopes are not changed once they are in one.
type Copy map[wire.Device][]*servicepb.Envelope

// Snapshot are the queues as they are, and stay while during runs, without what is for those alone who are there now.
func (h *Hub) Snapshot(during func()) Copy {
	h.queues.mu.Lock()
	defer h.queues.mu.Unlock()
	during()
	out := Copy{}
	for device, q := range h.queues.queues {
		for _, m := range q.waiting {
			if !m.envelope.GetEphemeral() {
				out[device] = append(out[device], m.envelope)
			}
		}
	}
	return out
}

// State serialises a copy.
func (c Copy) State() (State, error) {
	var out State
	for device, waiting := range c {
		s := QueueState{Account: device.Account, Device: device.ID}
		for _, envelope := range waiting {
			serialized, err := proto.Marshal(envelope)
			if err != nil {
				return nil, fmt.Errorf("messages: %w", err)
			}
			s.Messages = append(s.Messages, serialized)
		}
		out = append(out, s)
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
