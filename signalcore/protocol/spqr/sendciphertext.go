package spqr

import (
	"crypto/hmac"
	"io"

	"signalbox/signalcore/protocol/spqr/internal/erasure"
	"signalbox/signalcore/protocol/spqr/internal/mlkem"
)

// The phases of the side that encapsulates. Source: src/v1/chunked/send_ct.rs, src/v1/unchunked/send_ct.rs.

// noHeaderReceived is the start of an epoch: it waits for the header of the other side's key.
type noHeaderReceived struct{ receiving *erasure.Decoder }

func (b *braid) awaitHeader() error {
	receiving, err := erasure.NewDecoder(headerMessageSize)
	b.phase = &noHeaderReceived{receiving}
	return err
}

func (*noHeaderReceived) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return payload{}, nil, nil
}

func (p *noHeaderReceived) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != headerChunk {
		return nil, nil
	}
	p.receiving.Add(in.chunk)
	message, complete := p.receiving.Message()
	if !complete {
		return nil, nil
	}
	header, mac := message[:mlkem.HeaderSize], message[mlkem.HeaderSize:]
	if !hmac.Equal(mac, b.auth.headerMAC(b.epoch, header)) {
		return nil, ErrAuthentication
	}
	b.phase = &headerReceived{mlkem.Header(header)}
	return nil, nil
}

// headerReceived makes the first ciphertext, and with it the epoch's secret, at the next message to be sent. Until then
// the other side has no reason to send its key.
type headerReceived struct{ header mlkem.Header }

func (p *headerReceived) send(b *braid, random io.Reader) (payload, *epochSecret, error) {
	var m mlkem.Message
	if err := readRandom(random, m[:]); err != nil {
		return payload{}, nil, err
	}
	ciphertext1, shared := mlkem.Encapsulate1(p.header, m)
	sending, err := erasure.NewEncoder(ciphertext1, 0)
	if err != nil {
		return payload{}, nil, err
	}
	receiving, err := erasure.NewDecoder(keyMessageSize)
	if err != nil {
		return payload{}, nil, err
	}
	b.phase = &ct1Sampled{encapsulation{p.header, m}, sending, receiving}
	return next(ct1Chunk, sending), b.agree(shared), nil
}

func (*headerReceived) receive(*braid, payload) (*epochSecret, error) { return nil, nil }

// encapsulation is what the second ciphertext needs, besides the key.
type encapsulation struct {
	header  mlkem.Header
	message mlkem.Message
}

// finish returns the second ciphertext and the MAC of both, for the key that has arrived.
func (e *encapsulation) finish(b *braid, ciphertext1, vector []byte) ([]byte, error) {
	if err := mlkem.Check(e.header, vector); err != nil {
		return nil, ErrAuthentication
	}
	ciphertext2, err := mlkem.Encapsulate2(e.header, e.message, vector)
	if err != nil {
		return nil, ErrAuthentication
	}
	return append(ciphertext2, b.auth.ciphertextMAC(b.epoch, ciphertext1, ciphertext2)...), nil
}

func (b *braid) sendCiphertext2(ciphertext2 []byte) error {
	sending, err := erasure.NewEncoder(ciphertext2, 0)
	b.phase = &ct2Sampled{sending}
	return err
}

// ct1Sampled sends the first ciphertext while the key arrives.
type ct1Sampled struct {
	encapsulation
	sending   *erasure.Encoder
	receiving *erasure.Decoder
}

func (p *ct1Sampled) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return next(ct1Chunk, p.sending), nil, nil
}

func (p *ct1Sampled) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != keyChunk && in.kind != keyChunkAndAck {
		return nil, nil
	}
	if in.kind == keyChunkAndAck {
		acked := &ct1Acknowledged{p.encapsulation, p.sending.Message(), p.receiving}
		b.phase = acked
		return acked.receive(b, in)
	}
	p.receiving.Add(in.chunk)
	vector, complete := p.receiving.Message()
	if !complete {
		return nil, nil
	}
	ciphertext2, err := p.finish(b, p.sending.Message(), vector)
	if err != nil {
		return nil, err
	}
	b.phase = &ekReceivedCt1Sampled{ciphertext2, p.sending}
	return nil, nil
}

// ekReceivedCt1Sampled has the key, and sends the first ciphertext until it is acknowledged.
type ekReceivedCt1Sampled struct {
	ciphertext2 []byte // with its MAC
	sending     *erasure.Encoder
}

func (p *ekReceivedCt1Sampled) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return next(ct1Chunk, p.sending), nil, nil
}

func (p *ekReceivedCt1Sampled) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != ack && in.kind != keyChunkAndAck {
		return nil, nil
	}
	return nil, b.sendCiphertext2(p.ciphertext2)
}

// ct1Acknowledged has nothing to send until the key is complete.
type ct1Acknowledged struct {
	encapsulation
	ciphertext1 []byte
	receiving   *erasure.Decoder
}

func (*ct1Acknowledged) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return payload{}, nil, nil
}

// receive also takes key chunks without acknowledgement: they were overtaken by the first with one.
func (p *ct1Acknowledged) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != keyChunk && in.kind != keyChunkAndAck {
		return nil, nil
	}
	p.receiving.Add(in.chunk)
	vector, complete := p.receiving.Message()
	if !complete {
		return nil, nil
	}
	ciphertext2, err := p.finish(b, p.ciphertext1, vector)
	if err != nil {
		return nil, err
	}
	return nil, b.sendCiphertext2(ciphertext2)
}

// ct2Sampled sends the second ciphertext until the other side begins the next epoch.
type ct2Sampled struct{ sending *erasure.Encoder }

func (p *ct2Sampled) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return next(ct2Chunk, p.sending), nil, nil
}

func (*ct2Sampled) receive(*braid, payload) (*epochSecret, error) { return nil, nil }
