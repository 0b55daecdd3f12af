package spqr

import (
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/spqrpb"
)

// marshal and parseState convert between the working copy and the stored form. The braid's part is in braidstate.go.

func (r *ratchet) marshal() (State, error) {
	return proto.Marshal(&spqrpb.State{
		Negotiation: r.negotiation.toProto(),
		Chain:       r.chain.toProto(),
		Braid:       r.braid.toProto(),
	})
}

func parseState(state State) (*ratchet, error) {
	if len(state) == 0 {
		return &ratchet{}, nil
	}
	var stored spqrpb.State
	if err := proto.Unmarshal(state, &stored); err != nil {
		return nil, ErrState
	}
	b, err := parseBraid(stored.Braid)
	if err != nil {
		return nil, err
	}
	n, err := parseNegotiation(stored.Negotiation)
	if err != nil {
		return nil, err
	}
	c, err := parseChain(stored.Chain)
	if err != nil {
		return nil, err
	}
	return &ratchet{n, c, b}, nil
}

func (n *negotiation) toProto() *spqrpb.Negotiation {
	if n == nil {
		return nil
	}
	return &spqrpb.Negotiation{
		AuthKey:           n.authKey,
		Direction:         uint32(n.direction),
		MinVersion:        uint32(n.minVersion),
		MaxJump:           n.params.MaxJump,
		MaxOutOfOrderKeys: n.params.MaxOutOfOrderKeys,
	}
}

func parseNegotiation(stored *spqrpb.Negotiation) (*negotiation, error) {
	if stored == nil {
		return nil, nil
	}
	if len(stored.AuthKey) != keySize || stored.Direction > uint32(BToA) || stored.MinVersion > uint32(V1) {
		return nil, ErrState
	}
	return &negotiation{
		authKey:    stored.AuthKey,
		direction:  Direction(stored.Direction),
		minVersion: Version(stored.MinVersion),
		params:     ChainParams{stored.MaxJump, stored.MaxOutOfOrderKeys},
	}, nil
}

func (c *chain) toProto() *spqrpb.Chain {
	if c == nil {
		return nil
	}
	stored := &spqrpb.Chain{
		Direction:         uint32(c.direction),
		CurrentEpoch:      c.currentEpoch,
		SendEpoch:         c.sendEpoch,
		Root:              c.root,
		Epochs:            make([]*spqrpb.Chain_Epoch, len(c.epochs)),
		MaxJump:           c.params.MaxJump,
		MaxOutOfOrderKeys: c.params.MaxOutOfOrderKeys,
	}
	for i := range c.epochs {
		send, receive := &c.epochs[i].send, &c.epochs[i].receive
		stored.Epochs[i] = &spqrpb.Chain_Epoch{
			SendCounter:    send.counter,
			SendNext:       send.next,
			ReceiveCounter: receive.counter,
			ReceiveNext:    receive.next,
			Skipped:        receive.skipped,
		}
	}
	return stored
}

func parseChain(stored *spqrpb.Chain) (*chain, error) {
	if stored == nil {
		return nil, nil
	}
	if stored.Direction > uint32(BToA) || len(stored.Root) != keySize || len(stored.Epochs) == 0 ||
		stored.SendEpoch > stored.CurrentEpoch {
		return nil, ErrState
	}
	c := &chain{
		direction:    Direction(stored.Direction),
		params:       ChainParams{stored.MaxJump, stored.MaxOutOfOrderKeys},
		currentEpoch: stored.CurrentEpoch,
		sendEpoch:    stored.SendEpoch,
		root:         stored.Root,
		epochs:       make([]chainEpoch, len(stored.Epochs)),
	}
	for i, epoch := range stored.Epochs {
		if len(epoch.SendNext) != keySize && len(epoch.SendNext) != 0 || len(epoch.ReceiveNext) != keySize ||
			len(epoch.Skipped)%skippedSize != 0 {
			return nil, ErrState
		}
		c.epochs[i] = chainEpoch{
			send:    halfChain{counter: epoch.SendCounter, next: epoch.SendNext},
			receive: halfChain{counter: epoch.ReceiveCounter, next: epoch.ReceiveNext, skipped: epoch.Skipped},
		}
	}
	return c, nil
}
