package ristretto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/ristretto"
)

func TestEncodeDoubled(t *testing.T) {
	r := newSource(7)
	require.Empty(t, ristretto.EncodeDoubled(nil))
	points := []ristretto.Point{{}, ristretto.Base(), ristretto.Base().Sub(ristretto.Base())}
	for range 200 {
		points = append(points, r.point())
	}
	for i, got := range ristretto.EncodeDoubled(points) {
		require.Equal(t, points[i].Add(points[i]).Encode(), got)
	}
}
