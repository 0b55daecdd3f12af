package spqr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/spqrpb"
)

// BenchmarkConversation sends and receives, in turn, through many epochs: what a session message costs on average.
func BenchmarkConversation(b *testing.B) {
	parties := newParties(b, strict, 1)
	from := 0
	for b.Loop() {
		sent, err := Send(parties[from].random, parties[from].state)
		require.NoError(b, err)
		parties[from].state = sent.State
		received, err := Recv(parties[1-from].state, sent.Message)
		require.NoError(b, err)
		parties[1-from].state = received.State
		from = 1 - from
	}
}

// BenchmarkEpoch runs whole epochs, each with one key agreement.
func BenchmarkEpoch(b *testing.B) {
	parties := newParties(b, strict, 1)
	for b.Loop() {
		start := parties[0].parsed(b).braid.epoch
		for parties[0].parsed(b).braid.epoch == start {
			for from := range 2 {
				sent, err := Send(parties[from].random, parties[from].state)
				require.NoError(b, err)
				parties[from].state = sent.State
				received, err := Recv(parties[1-from].state, sent.Message)
				require.NoError(b, err)
				parties[1-from].state = received.State
			}
		}
	}
}

// BenchmarkPhases measures a send and a receipt in each phase, and shows the size of the stored state.
func BenchmarkPhases(b *testing.B) {
	parties := newParties(b, strict, 1)
	seen := map[spqrpb.Phase]bool{}
	for len(seen) < 10 {
		for from := range 2 {
			sender, receiver := parties[from], parties[1-from]
			phase := sender.parsed(b).braid.toProto().Phase
			out := sender.send(b)
			if !seen[phase] {
				seen[phase] = true
				b.Run("send/"+phase.String(), func(b *testing.B) {
					for b.Loop() {
						_, _ = Send(sender.random, sender.state)
					}
					b.ReportMetric(float64(len(sender.state)), "state-bytes")
				})
				b.Run("receive-from/"+phase.String(), func(b *testing.B) {
					for b.Loop() {
						_, _ = Recv(receiver.state, out.message)
					}
				})
			}
			receiver.receive(b, out)
		}
	}
}
