package spqr

import (
	"math"

	"signalbox/signalcore/protocol/spqr/internal/erasure"
)

// payloadKind says what a message carries for the braid. The values are those of the wire.
type payloadKind byte

const (
	nothing        payloadKind = 0
	headerChunk    payloadKind = 1 // of the encapsulation key's header and its MAC
	keyChunk       payloadKind = 2 // of the encapsulation key's vector
	keyChunkAndAck payloadKind = 3 // the same, and the first ciphertext has arrived
	ack            payloadKind = 4 // the first ciphertext has arrived
	ct1Chunk       payloadKind = 5 // of the first ciphertext
	ct2Chunk       payloadKind = 6 // of the second ciphertext and the MAC of both
)

func (k payloadKind) hasChunk() bool { return k != nothing && k != ack }

type payload struct {
	kind  payloadKind
	chunk erasure.Chunk
}

// message is what a session message carries. Its layout (source: src/v1/chunked/states/serialize.rs): version byte,
// epoch and index as varints, payload kind, and for a chunk its index as a varint and its 32 bytes.
type message struct {
	epoch   uint64
	index   uint32 // of the message key, in the chain of the epoch before
	payload payload
}

func (m *message) marshal() []byte {
	b := make([]byte, 0, 48)
	b = append(b, byte(V1))
	b = appendVarint(b, m.epoch)
	b = appendVarint(b, uint64(m.index))
	b = append(b, byte(m.payload.kind))
	if m.payload.kind.hasChunk() {
		b = appendVarint(b, uint64(m.payload.chunk.Index))
		b = append(b, m.payload.chunk.Data[:]...)
	}
	return b
}

// parseMessage parses a message of version 1. What follows the message is for later versions, and ignored.
func parseMessage(b []byte) (m message, err error) {
	if len(b) == 0 || b[0] != byte(V1) {
		return m, ErrMessage
	}
	epoch, b, err := cutVarint(b[1:], math.MaxUint64)
	if err != nil || epoch == 0 {
		return m, ErrMessage
	}
	index, b, err := cutVarint(b, math.MaxUint32)
	if err != nil || len(b) == 0 || b[0] > byte(ct2Chunk) {
		return m, ErrMessage
	}
	m = message{epoch, uint32(index), payload{kind: payloadKind(b[0])}}
	if m.payload.kind.hasChunk() {
		m.payload.chunk, err = parseChunk(b[1:])
	}
	return m, err
}

func parseChunk(b []byte) (erasure.Chunk, error) {
	index, b, err := cutVarint(b, math.MaxUint16)
	if err != nil || len(b) < erasure.ChunkSize {
		return erasure.Chunk{}, ErrMessage
	}
	return erasure.Chunk{Index: uint16(index), Data: [erasure.ChunkSize]byte(b)}, nil
}

func appendVarint(b []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// cutVarint reads a varint of at most ten bytes. As the reference does, it drops bits above the 64th, and takes
// encodings that are longer than needed.
func cutVarint(b []byte, limit uint64) (v uint64, rest []byte, err error) {
	for i := 0; i < len(b) && i < 10; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			if v > limit {
				return 0, nil, ErrMessage
			}
			return v, b[i+1:], nil
		}
	}
	return 0, nil, ErrMessage
}
