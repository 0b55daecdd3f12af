package ratchet

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kdfchain"
	"signalbox/signalcore/signalpb/sessionpb"
)

// Proto returns the stored form. It shares memory with the state.
func (s State) Proto() *sessionpb.Ratchet {
	pb := &sessionpb.Ratchet{RootKey: s.root[:], PreviousCounter: s.previousCounter, PostQuantum: s.postQuantum}
	if c := s.sending; c != nil {
		pb.Sending = &sessionpb.SendingChain{
			PrivateKey: c.keys.Private[:], PublicKey: c.keys.Public[:], ChainKey: c.chain.Key[:], Index: c.chain.Index,
		}
	}
	pb.Receiving = make([]*sessionpb.ReceivingChain, len(s.receiving))
	for i := range s.receiving {
		c := &s.receiving[i]
		pb.Receiving[i] = &sessionpb.ReceivingChain{
			RatchetKey: c.theirs[:], ChainKey: c.chain.Key[:], Index: c.chain.Index, Skipped: c.chain.Skipped,
		}
	}
	return pb
}

// Serialize returns the stored form as bytes.
func (s State) Serialize() []byte {
	// Marshalling fails on invalid UTF-8 and on missing required fields only, and there is neither.
	b, _ := proto.Marshal(s.Proto())
	return b
}

// FromProto reads the stored form. It may share memory with pb, which must not change afterwards.
func FromProto(pb *sessionpb.Ratchet) (State, error) {
	root, err := fixed32(pb.GetRootKey())
	if err != nil {
		return State{}, err
	}
	s := State{root: root, previousCounter: pb.GetPreviousCounter(), postQuantum: pb.GetPostQuantum()}
	if s.sending, err = sendingFromProto(pb.GetSending()); err != nil {
		return State{}, err
	}
	if len(pb.GetReceiving()) > MaxChains {
		return State{}, fmt.Errorf("%w: %d receiving chains", ErrCorrupt, len(pb.GetReceiving()))
	}
	for _, c := range pb.GetReceiving() {
		chain, err := receivingFromProto(c)
		if err != nil {
			return State{}, err
		}
		s.receiving = append(s.receiving, chain)
	}
	if s.sending == nil && len(s.receiving) == 0 {
		return State{}, fmt.Errorf("%w: no chain", ErrCorrupt)
	}
	return s, nil
}

func sendingFromProto(pb *sessionpb.SendingChain) (*sendingChain, error) {
	if pb == nil {
		return nil, nil
	}
	private, err := curve.ParsePrivateKey(pb.GetPrivateKey())
	if err != nil {
		return nil, fmt.Errorf("%w: sending chain: %w", ErrCorrupt, err)
	}
	public, err := fixed32(pb.GetPublicKey())
	if err != nil {
		return nil, err
	}
	key, err := fixed32(pb.GetChainKey())
	if err != nil {
		return nil, err
	}
	pair := curve.KeyPair{Private: private, Public: public}
	return &sendingChain{keys: pair, chain: kdfchain.Chain{Key: key, Index: pb.GetIndex()}}, nil
}

func receivingFromProto(pb *sessionpb.ReceivingChain) (receivingChain, error) {
	theirs, err := fixed32(pb.GetRatchetKey())
	if err != nil {
		return receivingChain{}, err
	}
	key, err := fixed32(pb.GetChainKey())
	if err != nil {
		return receivingChain{}, err
	}
	skipped := pb.GetSkipped()
	if len(skipped)%kdfchain.SkippedSize != 0 || len(skipped) > MaxSkipped*kdfchain.SkippedSize {
		return receivingChain{}, fmt.Errorf("%w: %d bytes of skipped keys", ErrCorrupt, len(skipped))
	}
	chain := kdfchain.Chain{Key: key, Index: pb.GetIndex(), Skipped: skipped}
	return receivingChain{theirs: theirs, chain: chain}, nil
}

func fixed32(b []byte) ([32]byte, error) {
	if len(b) != 32 {
		return [32]byte{}, fmt.Errorf("%w: key of %d bytes", ErrCorrupt, len(b))
	}
	return [32]byte(b), nil
}
