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
		AuthKey:     n.authKey,
		Direction:   uint32(n.direction),
		MinVersion:  uint32(n.minVersion),
		ChainParams: n.params.toProto(),
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
		params:     parseChainParams(stored.ChainParams),
	}, nil
}

func (p ChainParams) toProto() *spqrpb.ChainParams {
	return &spqrpb.ChainParams{MaxJump: p.MaxJump, MaxOutOfOrderKeys: p.MaxOutOfOrderKeys}
}

func parseChainParams(stored *spqrpb.ChainParams) ChainParams {
	return ChainParams{MaxJump: stored.GetMaxJump(), MaxOutOfOrderKeys: stored.GetMaxOutOfOrderKeys()}
}

func (c *chain) toProto() *spqrpb.Chain {
	if c == nil {
		return nil
	}
	stored := &spqrpb.Chain{
		Direction:    uint32(c.direction),
		CurrentEpoch: c.currentEpoch,
		SendEpoch:    c.sendEpoch,
		Root:         c.root,
		Epochs:       make([]*spqrpb.Chain_Epoch, len(c.epochs)),
		Params:       c.params.toProto(),
	}
	for i := range c.epochs {
		epoch := &c.epochs[i]
		stored.Epochs[i] = &spqrpb.Chain_Epoch{Send: epoch.send.toProto(), Receive: epoch.receive.toProto()}
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
		params:       parseChainParams(stored.Params),
		currentEpoch: stored.CurrentEpoch,
		sendEpoch:    stored.SendEpoch,
		root:         stored.Root,
		epochs:       make([]chainEpoch, len(stored.Epochs)),
	}
	for i, epoch := range stored.Epochs {
		if !c.epochs[i].send.parse(epoch.GetSend()) || !c.epochs[i].receive.parse(epoch.GetReceive()) {
			return nil, ErrState
		}
		if c.epochs[i].receive.next == nil {
			return nil, ErrState
		}
	}
	return c, nil
}

func (h *halfChain) toProto() *spqrpb.HalfChain {
	return &spqrpb.HalfChain{Counter: h.counter, Next: h.next, Skipped: h.skipped}
}

func (h *halfChain) parse(stored *spqrpb.HalfChain) (ok bool) {
	if stored == nil || len(stored.Skipped)%skippedSize != 0 || len(stored.Next) != 0 && len(stored.Next) != keySize {
		return false
	}
	h.counter, h.skipped = stored.Counter, stored.Skipped
	if len(stored.Next) == keySize {
		h.next = stored.Next
	}
	return true
}
