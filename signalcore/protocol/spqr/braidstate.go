package spqr

import (
	"math"

	"signalbox/signalcore/protocol/spqr/internal/erasure"
	"signalbox/signalcore/protocol/spqr/internal/mlkem"
	"signalbox/signalcore/signalpb/spqrpb"
)

func (b *braid) toProto() *spqrpb.Braid {
	if b == nil {
		return nil
	}
	stored := &spqrpb.Braid{Epoch: b.epoch, AuthRoot: b.auth.root, AuthMacKey: b.auth.macKey}
	b.phase.store(stored)
	return stored
}

func parseBraid(stored *spqrpb.Braid) (*braid, error) {
	if stored == nil {
		return nil, nil
	}
	if stored.Epoch == 0 || len(stored.AuthRoot) != keySize || len(stored.AuthMacKey) != keySize {
		return nil, ErrState
	}
	b := &braid{epoch: stored.Epoch, auth: authenticator{stored.AuthRoot, stored.AuthMacKey}}
	l := loader{stored: stored}
	b.phase = l.phase()
	if l.failed || b.phase == nil {
		return nil, ErrState
	}
	return b, nil
}

// loader reads the fields of a phase, and remembers whether one was malformed.
type loader struct {
	stored *spqrpb.Braid
	failed bool
}

func (l *loader) phase() phase {
	switch l.stored.Phase {
	case spqrpb.Phase_PHASE_KEYS_UNSAMPLED:
		return keysUnsampled{}
	case spqrpb.Phase_PHASE_KEYS_SAMPLED:
		return &keysSampled{l.seed(), l.sending(headerMessageSize)}
	case spqrpb.Phase_PHASE_HEADER_SENT:
		return &headerSent{l.seed(), l.sending(keyMessageSize), l.receiving(ct1MessageSize)}
	case spqrpb.Phase_PHASE_CT1_RECEIVED:
		return &ct1Received{l.seed(), l.ciphertext1(), l.sending(keyMessageSize)}
	case spqrpb.Phase_PHASE_EK_SENT_CT1_RECEIVED:
		return &ekSentCt1Received{l.seed(), l.ciphertext1(), l.receiving(ct2MessageSize)}
	case spqrpb.Phase_PHASE_NO_HEADER_RECEIVED:
		return &noHeaderReceived{l.receiving(headerMessageSize)}
	case spqrpb.Phase_PHASE_HEADER_RECEIVED:
		return &headerReceived{l.header()}
	case spqrpb.Phase_PHASE_CT1_SAMPLED:
		return &ct1Sampled{l.encapsulation(), l.sending(ct1MessageSize), l.receiving(keyMessageSize)}
	case spqrpb.Phase_PHASE_EK_RECEIVED_CT1_SAMPLED:
		return &ekReceivedCt1Sampled{l.ciphertext2(), l.sending(ct1MessageSize)}
	case spqrpb.Phase_PHASE_CT1_ACKNOWLEDGED:
		return &ct1Acknowledged{l.encapsulation(), l.ciphertext1(), l.receiving(keyMessageSize)}
	case spqrpb.Phase_PHASE_CT2_SAMPLED:
		return &ct2Sampled{l.sending(ct2MessageSize)}
	default:
		return nil
	}
}

// sized returns a field that has one size only.
func (l *loader) sized(field []byte, size int) []byte {
	if len(field) != size {
		l.failed = true
		return make([]byte, size)
	}
	return field
}

func (l *loader) seed() mlkem.Seed {
	return mlkem.Seed(l.sized(l.stored.KeySeed, mlkem.SeedSize))
}

func (l *loader) header() mlkem.Header {
	return mlkem.Header(l.sized(l.stored.Header, mlkem.HeaderSize))
}

func (l *loader) encapsulation() encapsulation {
	return encapsulation{l.header(), mlkem.Message(l.sized(l.stored.Encapsulation, mlkem.MessageSize))}
}

func (l *loader) ciphertext1() []byte { return l.sized(l.stored.Ciphertext1, mlkem.Ciphertext1Size) }
func (l *loader) ciphertext2() []byte { return l.sized(l.stored.Ciphertext2, ct2MessageSize) }

func (l *loader) sending(size int) *erasure.Encoder {
	encoder, err := erasure.NewEncoder(l.sized(l.stored.Sending, size), uint16(l.stored.SendingNext))
	if err != nil || l.stored.SendingNext > math.MaxUint16 {
		l.failed = true
	}
	return encoder
}

func (l *loader) receiving(size int) *erasure.Decoder {
	decoder, err := erasure.ParseDecoder(size, l.stored.Receiving)
	if err != nil {
		l.failed = true
	}
	return decoder
}

func storeSending(to *spqrpb.Braid, e *erasure.Encoder) {
	to.Sending, to.SendingNext = e.Message(), uint32(e.NextIndex())
}

func (e *encapsulation) store(to *spqrpb.Braid) {
	to.Header, to.Encapsulation = e.header[:], e.message[:]
}

func (keysUnsampled) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_KEYS_UNSAMPLED
}

func (p *keysSampled) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_KEYS_SAMPLED
	to.KeySeed = p.seed[:]
	storeSending(to, p.sending)
}

func (p *headerSent) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_HEADER_SENT
	to.KeySeed = p.seed[:]
	to.Receiving = p.receiving.Marshal()
	storeSending(to, p.sending)
}

func (p *ct1Received) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_CT1_RECEIVED
	to.KeySeed, to.Ciphertext1 = p.seed[:], p.ciphertext1
	storeSending(to, p.sending)
}

func (p *ekSentCt1Received) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_EK_SENT_CT1_RECEIVED
	to.KeySeed, to.Ciphertext1 = p.seed[:], p.ciphertext1
	to.Receiving = p.receiving.Marshal()
}

func (p *noHeaderReceived) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_NO_HEADER_RECEIVED
	to.Receiving = p.receiving.Marshal()
}

func (p *headerReceived) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_HEADER_RECEIVED
	to.Header = p.header[:]
}

func (p *ct1Sampled) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_CT1_SAMPLED
	p.encapsulation.store(to)
	to.Receiving = p.receiving.Marshal()
	storeSending(to, p.sending)
}

func (p *ekReceivedCt1Sampled) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_EK_RECEIVED_CT1_SAMPLED
	to.Ciphertext2 = p.ciphertext2
	storeSending(to, p.sending)
}

func (p *ct1Acknowledged) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_CT1_ACKNOWLEDGED
	p.encapsulation.store(to)
	to.Ciphertext1, to.Receiving = p.ciphertext1, p.receiving.Marshal()
}

func (p *ct2Sampled) store(to *spqrpb.Braid) {
	to.Phase = spqrpb.Phase_PHASE_CT2_SAMPLED
	storeSending(to, p.sending)
}
