//go:build unix

package signalcore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/service"
)

// BenchmarkReceive commits 2,000 sealed messages of one contact in batches as the receiver takes them, each on disk with
// sync. The messages are made beforehand.
func BenchmarkReceive(b *testing.B) {
	const messages, size = 2000, batchCount
	for b.Loop() {
		b.StopTimer()
		alice, bob := pair(b)
		bob.gets(newLetter(alice, bob).text("first"))
		alice.gets(newLetter(bob, alice).text("answered"))
		envelopes := make([]service.Envelope, 0, messages)
		for range messages {
			l := newLetter(alice, bob)
			l.sealed = true
			envelopes = append(envelopes, batch(b, l.text("alarm: the freezer in the cellar is at -3 °C"))...)
		}
		b.StartTimer()
		began, cpu := time.Now(), processTime(b)
		for left := envelopes; len(left) > 0; {
			count, err := bob.receiver.commit(left[:min(size, len(left))])
			require.NoError(b, err)
			left = left[count:]
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/messages, "µs/message")
		b.ReportMetric(float64((processTime(b)-cpu).Microseconds())/messages, "CPU-µs/message")
	}
}
