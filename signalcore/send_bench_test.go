//go:build unix

package signalcore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkSend sends sealed messages one after the other to a service in the same process, whose part is in the figures:
// TLS and JSON for each message, its transcript, and their answers.
func BenchmarkSend(b *testing.B) {
	phone := newWorld(b).newParty(b, "+4915100000001")
	desk := phone.otherDevice(2)
	bob := phone.world.newParty(b, "+4915100000002")
	desk.knows(bob)
	line := desk.online()
	line.answers(takesAll)
	line.drain()
	cpu := processTime(b)
	for b.Loop() {
		_, err := desk.Send(b.Context(), message(to(bob), "alarm: the freezer in the cellar is at -3 °C"))
		require.NoError(b, err)
	}
	b.ReportMetric(float64((processTime(b)-cpu).Microseconds())/float64(b.N), "CPU-µs/message")
}
