package poksho

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"signalbox/signalcore/protocol/ristretto"
)

// ShoHmacSha256 is the stateful hash object over HMAC-SHA256 (libsignal rust/poksho/src/shohmacsha256.rs): it absorbs
// input into a chaining value, and gives out any amount of output. Make one with NewShoHmacSha256.
type ShoHmacSha256 struct{ state shoState }

// NewShoHmacSha256 returns an object that has absorbed label.
func NewShoHmacSha256(label []byte) *ShoHmacSha256 {
	s := new(ShoHmacSha256)
	s.AbsorbAndRatchet(label)
	return s
}

// Clone returns an independent copy.
func (s *ShoHmacSha256) Clone() *ShoHmacSha256 { return &ShoHmacSha256{state: s.state.clone()} }

// Absorb takes input; calls without a ratchet between them add up to one input.
func (s *ShoHmacSha256) Absorb(input []byte) { s.state.absorb(input) }

// Ratchet ends the input, and does nothing if there was none.
func (s *ShoHmacSha256) Ratchet() {
	if !s.state.absorbing {
		return
	}
	mac := hmac.New(sha256.New, s.state.chain[:])
	mac.Write(s.state.input)
	mac.Write([]byte{0x00})
	mac.Sum(s.state.chain[:0])
	s.state.taken()
}

// AbsorbAndRatchet takes the parts as one whole input.
func (s *ShoHmacSha256) AbsorbAndRatchet(parts ...[]byte) {
	s.state.absorb(parts...)
	s.Ratchet()
}

// SqueezeAndRatchet returns n bytes; input that was not ratcheted is ratcheted first. Two squeezes give other bytes
// than one of their joint length.
func (s *ShoHmacSha256) SqueezeAndRatchet(n int) []byte {
	s.Ratchet()
	mac := hmac.New(sha256.New, s.state.chain[:])
	out := make([]byte, 0, n+sha256.Size)
	for i := uint64(0); len(out) < n; i++ {
		mac.Reset()
		mac.Write(append(binary.BigEndian.AppendUint64(nil, i), 0x01))
		out = mac.Sum(out)
	}
	mac.Reset()
	mac.Write(append(binary.BigEndian.AppendUint64(nil, uint64(n)), 0x02))
	mac.Sum(s.state.chain[:0])
	return out[:n]
}

// Point squeezes 64 bytes and returns the uniform point that they map to.
func (s *ShoHmacSha256) Point() ristretto.Point {
	return ristretto.FromUniform([64]byte(s.SqueezeAndRatchet(64)))
}

// Scalar squeezes 64 bytes and returns the scalar that they reduce to.
func (s *ShoHmacSha256) Scalar() ristretto.Scalar {
	return ristretto.ScalarFromWide([64]byte(s.SqueezeAndRatchet(64)))
}

// ShoSha256 is the stateful hash object over SHA-256 (libsignal rust/poksho/src/shosha256.rs). Make one with
// NewShoSha256.
type ShoSha256 struct{ state shoState }

// NewShoSha256 returns an object that has absorbed label.
func NewShoSha256(label []byte) *ShoSha256 {
	s := new(ShoSha256)
	s.AbsorbAndRatchet(label)
	return s
}

// Absorb takes input; calls without a ratchet between them add up to one input.
func (s *ShoSha256) Absorb(input []byte) { s.state.absorb(input) }

// Ratchet ends the input, and does nothing if there was none.
func (s *ShoSha256) Ratchet() {
	if !s.state.absorbing {
		return
	}
	inner := s.state.digest(0, s.state.input)
	s.state.chain = sha256.Sum256(inner[:])
	s.state.taken()
}

// AbsorbAndRatchet takes the parts as one whole input.
func (s *ShoSha256) AbsorbAndRatchet(parts ...[]byte) {
	s.state.absorb(parts...)
	s.Ratchet()
}

// SqueezeAndRatchet returns n bytes; input that was not ratcheted is ratcheted first.
func (s *ShoSha256) SqueezeAndRatchet(n int) []byte {
	s.Ratchet()
	out := make([]byte, 0, n+sha256.Size)
	for i := uint64(0); len(out) < n; i++ {
		block := s.state.digest(1, binary.BigEndian.AppendUint64(nil, i))
		out = append(out, block[:]...)
	}
	s.state.chain = s.state.digest(2, binary.BigEndian.AppendUint64(nil, uint64(n)))
	return out[:n]
}

// shoState is the chaining value, and the input since the last ratchet.
type shoState struct {
	chain     [sha256.Size]byte
	absorbing bool
	input     []byte
}

func (s *shoState) absorb(parts ...[]byte) {
	s.absorbing = true
	for _, part := range parts {
		s.input = append(s.input, part...)
	}
}

func (s *shoState) taken() { s.absorbing, s.input = false, nil }

func (s *shoState) clone() shoState {
	copied := *s
	copied.input = append([]byte(nil), s.input...)
	return copied
}

// digest hashes a block of zeros that ends in the domain's byte, the chaining value, and data.
func (s *shoState) digest(domain byte, data []byte) [sha256.Size]byte {
	var prefix [sha256.BlockSize]byte
	prefix[sha256.BlockSize-1] = domain
	hash := sha256.New()
	hash.Write(prefix[:])
	hash.Write(s.chain[:])
	hash.Write(data)
	return [sha256.Size]byte(hash.Sum(nil))
}
