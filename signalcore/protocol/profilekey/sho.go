package profilekey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// sho is the stateful hash object over HMAC-SHA256 of libsignal rust/poksho/src/shohmacsha256.rs: it absorbs input
// into a chaining value, and gives out any amount of output.
type sho struct{ chain [sha256.Size]byte }

func newSHO(label string) *sho {
	s := new(sho)
	s.absorb([]byte(label))
	return s
}

// absorb takes the parts as one input, and ratchets.
func (s *sho) absorb(parts ...[]byte) {
	mac := hmac.New(sha256.New, s.chain[:])
	for _, part := range parts {
		mac.Write(part)
	}
	mac.Write([]byte{0x00})
	mac.Sum(s.chain[:0])
}

// squeeze returns n bytes, and ratchets.
func (s *sho) squeeze(n int) []byte {
	mac := hmac.New(sha256.New, s.chain[:])
	var out []byte
	for i := uint64(0); len(out) < n; i++ {
		mac.Reset()
		mac.Write(binary.BigEndian.AppendUint64(nil, i))
		mac.Write([]byte{0x01})
		out = mac.Sum(out)
	}
	mac.Reset()
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	mac.Write([]byte{0x02})
	mac.Sum(s.chain[:0])
	return out[:n]
}
