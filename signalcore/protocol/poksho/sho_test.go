package poksho_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/poksho"
)

type sho interface {
	Absorb(input []byte)
	Ratchet()
	AbsorbAndRatchet(parts ...[]byte)
	SqueezeAndRatchet(n int) []byte
}

// The outputs are those of libsignal rust/poksho/src/shohmacsha256.rs and shosha256.rs, test_vectors.
func TestShoVectors(t *testing.T) {
	for name, test := range map[string]struct {
		make        func(label []byte) sho
		short, long string
	}{
		"HMAC": {
			func(label []byte) sho { return poksho.NewShoHmacSha256(label) },
			"392cb9449373037fa0c11aebed69cca3b7d3bc9790878f341729c65d5506442f" +
				"04986cb5c9098f277c3ea640a4dc6e90372b433a90af9aea7072eaba3398c4fe7a",
			"c5c13bcc6596c25fc4514eac9269dd6e3e57ef70f4bfb8d67fd3082ed9732d77" +
				"90d8d2686f19eb2533a65c94bb8ceda0a068e1b615c81bb26e411889da9fb7",
		},
		"SHA-256": {
			func(label []byte) sho { return poksho.NewShoSha256(label) },
			"ebe4ef29e18aa54137edd89c23f8bfeac2731c9f675da20e7c67d5ad68d7ee2d" +
				"40a45232b599552d46b520082fb2705971f07b3158b072b63ab0934a05e6af6448",
			"0ddeea973f3210f7725a3cdb2473f873aeab8feb32b80dee67f0cde7954e929a" +
				"4e787aefee6dbe91d3fff1621aab8d0d29194f8af986d6f357add0150df7d9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{64, 65} {
				s := test.make([]byte("asd"))
				s.AbsorbAndRatchet([]byte("asdasd"))
				require.Equal(t, test.short[:2*n], hex.EncodeToString(s.SqueezeAndRatchet(n)))
			}
			require.Equal(t, test.long, hex.EncodeToString(longSho(test.make(nil))))
		})
	}
}

func longSho(s sho) []byte {
	s.AbsorbAndRatchet([]byte("abc"))
	for _, n := range []int{63, 64, 65, 127, 128, 129} {
		s.AbsorbAndRatchet(make([]byte, n))
	}
	for _, n := range []int{63, 64, 65, 127, 128, 129} {
		s.SqueezeAndRatchet(n)
	}
	s.AbsorbAndRatchet([]byte("d"), []byte("ef"))
	s.Ratchet() // a second ratchet changes nothing
	return s.SqueezeAndRatchet(63)
}

func TestShoInParts(t *testing.T) {
	for name, pair := range map[string][2]sho{
		"HMAC":    {poksho.NewShoHmacSha256(nil), poksho.NewShoHmacSha256(nil)},
		"SHA-256": {poksho.NewShoSha256(nil), poksho.NewShoSha256(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			pair[0].AbsorbAndRatchet([]byte("one input"))
			pair[1].Absorb([]byte("one "))
			pair[1].Absorb([]byte("input"))
			require.Equal(t, pair[0].SqueezeAndRatchet(40), pair[1].SqueezeAndRatchet(40))
		})
	}
}

func TestCloneIsIndependent(t *testing.T) {
	s := poksho.NewShoHmacSha256([]byte("label"))
	s.Absorb([]byte("a"))
	copied := s.Clone()
	copied.Absorb([]byte("c"))
	s.Absorb([]byte("b"))
	whole := poksho.NewShoHmacSha256([]byte("label"))
	whole.AbsorbAndRatchet([]byte("ab"))
	require.Equal(t, whole.SqueezeAndRatchet(32), s.SqueezeAndRatchet(32))
	require.NotEqual(t, whole.Clone().SqueezeAndRatchet(32), copied.SqueezeAndRatchet(32))
}
