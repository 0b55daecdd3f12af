package poksho_test

import (
	"testing"

	"signalbox/signalcore/protocol/poksho"
)

func BenchmarkSho(b *testing.B) {
	seed, input := poksho.NewShoHmacSha256([]byte("label")), make([]byte, 48)
	b.ReportAllocs()
	for b.Loop() {
		sho := seed.Clone()
		sho.AbsorbAndRatchet(input)
		sho.SqueezeAndRatchet(32)
	}
}

func BenchmarkProof(b *testing.B) {
	statement, scalars, points := complexStatement()
	proof, _ := statement.Prove(scalars, points, nil, [32]byte{})
	b.Run("Prove", func(b *testing.B) {
		for b.Loop() {
			_, _ = statement.Prove(scalars, points, nil, [32]byte{})
		}
	})
	b.Run("Verify", func(b *testing.B) {
		for b.Loop() {
			_ = statement.Verify(proof, points, nil)
		}
	})
}
