package ristretto_test

import (
	"fmt"
	"testing"

	"signalbox/signalcore/protocol/ristretto"
)

func Benchmark(b *testing.B) {
	r := newSource(8)
	p, q, s := r.point(), r.point(), r.scalar()
	encoded := p.Encode()
	data := [16]byte(r.bytes(16))
	lizard := ristretto.LizardEncode(data)
	wide := [64]byte(r.bytes(64))
	for name, run := range map[string]func(){
		"Encode":       func() { p.Encode() },
		"ParsePoint":   func() { _, _ = ristretto.ParsePoint(encoded[:]) },
		"Equal":        func() { p.Equal(q) },
		"Add":          func() { p.Add(q) },
		"Mul":          func() { p.Mul(s) },
		"BaseMul":      func() { ristretto.BaseMul(s) },
		"FromUniform":  func() { ristretto.FromUniform(wide) },
		"LizardEncode": func() { ristretto.LizardEncode(data) },
		"LizardDecode": func() { ristretto.LizardDecode(lizard) },
		"InvertScalar": func() { s.Invert() },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				run()
			}
		})
	}
	for _, n := range []int{2, 5, 10, 100} {
		var terms []ristretto.Term
		var points []ristretto.Point
		for range n {
			terms = append(terms, ristretto.Term{Scalar: r.scalar(), Point: r.point()})
			points = append(points, r.point())
		}
		b.Run(fmt.Sprint("Sum/", n), func(b *testing.B) {
			for b.Loop() {
				ristretto.Sum(terms...)
			}
		})
		b.Run(fmt.Sprint("VarTimeSum/", n), func(b *testing.B) {
			for b.Loop() {
				ristretto.VarTimeSum(terms...)
			}
		})
		b.Run(fmt.Sprint("EncodeDoubled/", n), func(b *testing.B) {
			for b.Loop() {
				ristretto.EncodeDoubled(points)
			}
		})
	}
}
