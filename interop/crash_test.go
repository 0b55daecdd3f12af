package interop

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kills is how often the daemon is killed under load.
func kills() int {
	if soak {
		return 200
	}
	return 8
}

// kill -9 while messages pour in and sends go on: every message is in the inbox exactly once, every send that was
// answered arrived exactly once, every one repeated with its key shows once, and no session breaks.
func TestKill(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob")
		alice, bob := r.Contact("alice"), r.Contact("bob")
		bob.SendText(r.Me, "hello", SendOptions{})
		r.takeAll(1)

		perRound := 100
		if soak {
			perRound = 200
		}
		sender := &persistentSender{t: t, daemon: r.Daemon, to: bob.ACI, stop: make(chan struct{})}
		var sending sync.WaitGroup
		sending.Go(sender.run)
		for round := range kills() {
			connections := r.Connections()
			var queueing sync.WaitGroup
			queueing.Go(func() {
				assert.NoError(t, r.Try("queueMany", args{"from": alice.Name, "to": "me", "count": perRound,
					"prefix": fmt.Sprintf("round %d: ", round)}, nil))
			})
			time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // the moment of death is what is random here
			r.Daemon.Kill()
			queueing.Wait()
			r.Daemon.Start()
			r.AwaitConnected(connections + 1)
		}
		close(sender.stop)
		sending.Wait()
		r.awaitEmptyQueue()

		seen := map[string]int{}
		for _, message := range r.takeAll(kills() * perRound) {
			require.Zero(t, message.StatusCode, "%+v", message)
			seen[message.Body]++
		}
		require.Empty(t, r.Daemon.Dial().Must(Request{"command": "receive_messages", "timeout": 0}).Messages)
		for round := range kills() {
			for i := range perRound {
				body := fmt.Sprintf("round %d: %d", round, i)
				require.Equal(t, 1, seen[body], body)
			}
		}
		bob.fence(r.Daemon.Dial(), "the end")
		require.Positive(t, sender.sent, "sends went on")
		for i := range sender.sent {
			require.Equal(t, 1, bob.count(fmt.Sprintf("send %d", i)))
		}
		require.Empty(t, r.Events(func(e Event) bool { return e.Event == "undecryptable" }))
	})
}

// persistentSender sends numbered texts with keys, one after the other, and repeats each until it is answered.
type persistentSender struct {
	t      *testing.T
	daemon *Daemon
	to     string
	stop   chan struct{}
	sent   int
}

func (s *persistentSender) run() {
	for {
		select {
		case <-s.stop:
			return
		default:
			s.one(s.sent)
			s.sent++
		}
	}
}

func (s *persistentSender) one(i int) {
	request := sendText(s.to, fmt.Sprintf("send %d", i))
	request["idempotencyKey"] = fmt.Sprintf("key %d", i)
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); {
		if reply, err := s.daemon.tryOnce(request); err == nil && reply.StatusCode == 0 {
			return
		}
	}
	s.t.Errorf("send %d never succeeded", i)
}

// tryOnce sends a request on a connection of its own, which may fail at any point.
func (d *Daemon) tryOnce(request Request) (Reply, error) {
	c, err := d.tryDial()
	if err != nil {
		return Reply{}, err
	}
	defer c.Close()
	if err := c.trySend(request); err != nil {
		return Reply{}, err
	}
	return c.TryReply(patience)
}

// The service is gone for a while: sends are refused or kept, messages wait at the service, and all arrive in the end.
func TestServiceGone(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{Arguments: []string{"--command-timeout", "10s"}}, "alice")
		alice, c := r.Contact("alice"), r.Daemon.Dial()
		alice.slowFence(c, "before")
		connections := r.Connections()
		r.Call("goAway", nil, nil)
		require.Contains(t, []int{codeNetwork, codeTimeout}, c.Do(sendText(alice.ACI, "now or never")).StatusCode)
		var timestamps []int64
		for i := range 3 {
			request := sendText(alice.ACI, fmt.Sprintf("when you can %d", i))
			request["queue"] = map[string]any{"ttlSeconds": 600}
			reply := c.Must(request)
			require.True(t, reply.Queued)
			timestamps = append(timestamps, reply.Timestamp)
		}
		alice.SendText(r.Me, "while you were away", SendOptions{})
		if soak {
			time.Sleep(time.Minute)
		}
		t.Run("the daemon starts without a network", func(t *testing.T) {
			require.NoError(t, r.Daemon.Stop())
			r.Daemon.Start()
			request := sendText(alice.ACI, "when you can 3")
			request["queue"] = map[string]any{"ttlSeconds": 600}
			timestamps = append(timestamps, r.Daemon.Dial().Must(request).Timestamp)
		})
		r.Call("comeBack", nil, nil)
		r.AwaitConnected(connections + 1)
		c = r.Daemon.Dial()
		c.ReceiveText("while you were away")
		var order []int64
		for i := range timestamps {
			e := alice.AwaitText(fmt.Sprintf("when you can %d", i))
			require.Equal(t, timestamps[i], e.Timestamp)
		}
		for _, e := range r.Events(alice.Received(func(e Event) bool { return len(e.Text()) > 4 && e.Text()[:4] == "when" })) {
			order = append(order, e.Timestamp)
		}
		require.Equal(t, timestamps, order, "in order, each once")
		require.Zero(t, alice.count("now or never"))
	})
}

// An envelope that makes the decoder panic (build tag faultinjection): it is set aside, and the rest flows.
func TestPanickingEnvelope(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		const bad = 1_700_000_000_123
		r := NewRig(t, version, RigOptions{Tags: []string{"faultinjection"},
			Env: []string{fmt.Sprintf("SIGNALBOX_TEST_PANIC_TIMESTAMP=%d", bad)}}, "alice")
		alice, c := r.Contact("alice"), r.Daemon.Dial()
		alice.QueueMany(r.Me, 5, "before ", SendOptions{})
		alice.SendText(r.Me, "the bad one", SendOptions{Timestamp: bad})
		alice.QueueMany(r.Me, 5, "after ", SendOptions{})
		bodies := map[string]int{}
		for _, message := range r.takeAll(10) {
			bodies[message.Body]++
		}
		require.Len(t, bodies, 10)
		require.NotContains(t, bodies, "the bad one")
		r.awaitEmptyQueue()
		require.Regexp(t, `"quarantined":1\b`, c.Must(Request{"command": "status"}).Line)
		alice.SendText(r.Me, "life goes on", SendOptions{})
		c.ReceiveText("life goes on")
	})
}
