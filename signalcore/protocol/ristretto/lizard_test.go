package ristretto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/ristretto"
)

// The points are those of signalapp/curve25519-dalek, lizard/lizard_ristretto.rs: test_lizard_encode.
func TestLizardVectors(t *testing.T) {
	for data, want := range map[string]string{
		"00000000000000000000000000000000": "f0b7e34484f74cf00f15024b738539738646bbbe1e9bc7509a676815227e774f",
		"01010101010101010101010101010101": "cc92e81f585afc5caac88660d8d17e9025a44489a363042123f6af0702156e65",
		"000102030405060708090a0b0c0d0e0f": "c830573f8a8e7778671f76cdc796dc0a235cf177f197d9fcba06e84e96247444",
	} {
		p := ristretto.LizardEncode([16]byte(mustHex(t, data)))
		require.Equal(t, want, encoded(p))
		got, ok := ristretto.LizardDecode(p)
		require.True(t, ok)
		require.Equal(t, mustHex(t, data), got[:])
	}
}

func TestLizardRoundTrip(t *testing.T) {
	r := newSource(4)
	for range 1000 {
		data := [16]byte(r.bytes(16))
		encoding := ristretto.LizardEncode(data).Encode()
		p, err := ristretto.ParsePoint(encoding[:])
		require.NoError(t, err)
		got, ok := ristretto.LizardDecode(p)
		require.True(t, ok)
		require.Equal(t, data, got)
	}
}

func TestLizardDecodesOnlyItsOwn(t *testing.T) {
	r := newSource(5)
	points := []ristretto.Point{{}, ristretto.Base()}
	for range 100 {
		points = append(points, r.point())
	}
	for _, p := range points {
		_, ok := ristretto.LizardDecode(p)
		require.False(t, ok)
	}
}

// TestInverseMap covers the corner cases 0 and sqrt(i*d), and random elements.
func TestInverseMap(t *testing.T) {
	r := newSource(6)
	elements := [][]byte{
		make([]byte, 32),
		mustHex(t, "a81b5c4acb2a3075aa6dea0e2da9bccd156eeb739954347597eb7bf45855b305"),
	}
	for range 500 {
		elements = append(elements, r.bytes(32))
	}
	for _, b := range elements {
		b[0] &= 0xfe
		b[31] &= 0x3f
		p := ristretto.MapToCurve([32]byte(b))
		encoding := p.Encode()
		parsed, err := ristretto.ParsePoint(encoding[:])
		require.NoError(t, err)
		for _, q := range []ristretto.Point{p, parsed, p.Add(ristretto.Base()).Sub(ristretto.Base())} {
			require.Contains(t, preimages(t, q), [32]byte(b))
		}
	}
}

// preimages are the valid candidates, each of which has to map to p.
func preimages(t *testing.T, p ristretto.Point) [][32]byte {
	t.Helper()
	var out [][32]byte
	for _, c := range ristretto.InverseMap(p) {
		if c.Valid == 1 {
			require.True(t, ristretto.MapToCurve(c.Bytes).Equal(p))
			out = append(out, c.Bytes)
		}
	}
	return out
}

func FuzzMap(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 64 {
			return
		}
		preimages(t, ristretto.FromUniform([64]byte(b)))
		require.NotEmpty(t, preimages(t, ristretto.MapToCurve([32]byte(b[:32]))))
	})
}
