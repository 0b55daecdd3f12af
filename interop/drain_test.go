package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Everything that waited while signalbox was away: each message once, in order.
func TestDrain(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		count := 1_000 // several windows of the service, and several batches of the inbox
		if soak {
			count = 10_000
		}
		r := NewRig(t, version, RigOptions{}, "alice")
		require.NoError(t, r.Daemon.Stop())
		r.Contact("alice").QueueMany(r.Me, count, "queued ", SendOptions{})
		r.Daemon.Start()
		messages := r.takeAll(count)
		for i, message := range messages {
			require.Equal(t, fmt.Sprintf("queued %d", i), message.Body)
		}
		r.awaitEmptyQueue()
	})
}

// takeAll takes n messages out of the inbox.
func (r *Rig) takeAll(n int) []Message {
	r.T.Helper()
	c := r.Daemon.Dial()
	var taken []Message
	for deadline := time.Now().Add(patience); len(taken) < n; {
		messages := c.Must(Request{"command": "receive_messages", "timeout": 5000, "maxMessages": 1000}).Messages
		taken = append(taken, messages...)
		if len(messages) > 0 {
			deadline = time.Now().Add(patience)
		}
		require.Truef(r.T, time.Now().Before(deadline), "only %d of %d came", len(taken), n)
	}
	return taken
}

// The service may deliver a message twice; the inbox has it once. With and without server GUIDs.
func TestRedelivery(t *testing.T) {
	for _, guids := range []string{"binary", "string", "none"} {
		t.Run(guids, func(t *testing.T) {
			eachService(t, func(t *testing.T, version int) {
				options := Options{ServerGUIDs: guids}
				if guids == "binary" {
					options = Options{} // it is the default
				}
				r := NewRig(t, version, RigOptions{Mock: options}, "alice")
				alice := r.Contact("alice")
				again := r.deliverTwice(50)
				alice.QueueMany(r.Me, 50, "m", SendOptions{})
				require.Len(t, r.takeAll(50), 50)
				again()
				alice.SendText(r.Me, "fence", SendOptions{})
				require.Equal(t, "fence", r.takeAll(1)[0].Body)
			})
		})
	}
}

// deliverTwice has the next so many messages for signalbox come once more after it has acknowledged them: on the sandbox
// at once, on a mock with the call of the function that it answers.
func (r *Rig) deliverTwice(count int) (again func()) {
	if r.Version != Sandbox {
		return func() { r.Call("redeliver", args{"account": "me", "count": count}, nil) }
	}
	fault := r.Fault(map[string]any{"action": "duplicate", "recipient": r.Me.ACI, "times": -1})
	return func() {
		r.awaitEmptyQueue()
		require.GreaterOrEqual(r.T, r.EndFault(fault), count)
	}
}
