package spqr

import (
	"crypto/hmac"
	"io"
	"slices"

	"signalbox/signalcore/protocol/spqr/internal/erasure"
	"signalbox/signalcore/protocol/spqr/internal/mlkem"
)

// The phases of the side that samples the key. Source: src/v1/chunked/send_ek.rs, src/v1/unchunked/send_ek.rs.

// keysUnsampled is the start of an epoch: the first message to be sent samples the key.
type keysUnsampled struct{}

func (keysUnsampled) send(b *braid, random io.Reader) (payload, *epochSecret, error) {
	var seed mlkem.Seed
	if err := readRandom(random, seed[:]); err != nil {
		return payload{}, nil, err
	}
	header, _, err := seed.EncapsulationKey()
	if err != nil {
		return payload{}, nil, err
	}
	sending, err := erasure.NewEncoder(append(header[:], b.auth.headerMAC(b.epoch, header[:])...), 0)
	if err != nil {
		return payload{}, nil, err
	}
	sampled := &keysSampled{seed, sending}
	b.phase = sampled
	return next(headerChunk, sampled.sending), nil, nil
}

func (keysUnsampled) receive(*braid, payload) (*epochSecret, error) { return nil, nil }

// keysSampled sends the header until the first ciphertext begins to arrive, which shows that the header has.
type keysSampled struct {
	seed    mlkem.Seed
	sending *erasure.Encoder
}

func (p *keysSampled) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return next(headerChunk, p.sending), nil, nil
}

func (p *keysSampled) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != ct1Chunk {
		return nil, nil
	}
	_, vector, err := p.seed.EncapsulationKey()
	if err != nil {
		return nil, err
	}
	sending, err := erasure.NewEncoder(vector, 0)
	if err != nil {
		return nil, err
	}
	receiving, err := erasure.NewDecoder(ct1MessageSize)
	if err != nil {
		return nil, err
	}
	sent := &headerSent{p.seed, sending, receiving}
	b.phase = sent
	return sent.receive(b, in)
}

// headerSent sends the key while the first ciphertext arrives.
type headerSent struct {
	seed      mlkem.Seed
	sending   *erasure.Encoder
	receiving *erasure.Decoder
}

func (p *headerSent) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return next(keyChunk, p.sending), nil, nil
}

func (p *headerSent) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != ct1Chunk {
		return nil, nil
	}
	p.receiving.Add(in.chunk)
	if ciphertext1, complete := p.receiving.Message(); complete {
		b.phase = &ct1Received{p.seed, ciphertext1, p.sending}
	}
	return nil, nil
}

// ct1Received sends the key, with the news that the first ciphertext is here, until the second begins to arrive.
type ct1Received struct {
	seed        mlkem.Seed
	ciphertext1 []byte
	sending     *erasure.Encoder
}

func (p *ct1Received) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return next(keyChunkAndAck, p.sending), nil, nil
}

func (p *ct1Received) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != ct2Chunk {
		return nil, nil
	}
	receiving, err := erasure.NewDecoder(ct2MessageSize)
	if err != nil {
		return nil, err
	}
	sent := &ekSentCt1Received{p.seed, p.ciphertext1, receiving}
	b.phase = sent
	return sent.receive(b, in)
}

// ekSentCt1Received waits for the second ciphertext. Its messages only repeat the acknowledgement.
type ekSentCt1Received struct {
	seed        mlkem.Seed
	ciphertext1 []byte
	receiving   *erasure.Decoder
}

func (p *ekSentCt1Received) send(*braid, io.Reader) (payload, *epochSecret, error) {
	return payload{kind: ack}, nil, nil
}

func (p *ekSentCt1Received) receive(b *braid, in payload) (*epochSecret, error) {
	if in.kind != ct2Chunk {
		return nil, nil
	}
	p.receiving.Add(in.chunk)
	message, complete := p.receiving.Message()
	if !complete {
		return nil, nil
	}
	return p.finish(b, message[:mlkem.Ciphertext2Size], message[mlkem.Ciphertext2Size:])
}

// finish decapsulates and, if the MAC made with the new secret proves the ciphertexts, moves to the next epoch.
func (p *ekSentCt1Received) finish(b *braid, ciphertext2, mac []byte) (*epochSecret, error) {
	shared, err := p.seed.Decapsulate(slices.Concat(p.ciphertext1, ciphertext2))
	if err != nil {
		return nil, err
	}
	secret := b.agree(shared)
	if !hmac.Equal(mac, b.auth.ciphertextMAC(b.epoch, p.ciphertext1, ciphertext2)) {
		return nil, ErrAuthentication
	}
	b.epoch++
	return secret, b.awaitHeader()
}
