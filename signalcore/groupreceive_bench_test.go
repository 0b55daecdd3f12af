package signalcore

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// BenchmarkReceiveFromGroup takes messages that came by sender key, in groups of several sizes, a hundred in a batch.
func BenchmarkReceiveFromGroup(b *testing.B) {
	for _, members := range []int{3, 100, 1000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			c, alice, bob, _ := meeting(b)
			state := c.state()
			for len(state.Members) < members {
				state.Members = append(state.Members, group.Member{
					ACI: serviceid.NewACI(uuid.New()), Role: group.RoleMember, ProfileKey: alice.profileKey(),
				})
			}
			c.knownAs(state, bob)
			voice := alice.broadcast()
			voice.group = c.id()
			bob.gets(newLetter(alice, bob).content(voice.key()))
			const size = 100
			for b.Loop() {
				b.StopTimer()
				var envelopes []*servicepb.Envelope
				for range size {
					l := newLetter(alice, bob)
					envelopes = append(envelopes, voice.envelope(l, voice.encrypt(c.text(l, "hello"))))
				}
				left := batch(b, envelopes...)
				b.StartTimer()
				for len(left) > 0 {
					count, err := bob.receiver.commit(left)
					require.NoError(b, err)
					left = left[count:]
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/message")
		})
	}
}
