package messages

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/faults"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

var device = wire.Device{Account: uuid.New(), ID: 2}

func text(content string) *servicepb.Envelope { return &servicepb.Envelope{Content: []byte(content)} }

func queueOf(t *testing.T, contents ...string) *queues {
	t.Helper()
	q := newQueues()
	for _, content := range contents {
		require.NoError(t, q.add(device, text(content)))
	}
	return q
}

// drain takes deliveries until the queue is said to be empty.
func drain(t *testing.T, c *Consumer) (taken []Delivery) {
	t.Helper()
	for {
		d, err := c.Next(context.Background())
		require.NoError(t, err)
		if d.QueueEmpty {
			return taken
		}
		taken = append(taken, d)
	}
}

func contents(deliveries []Delivery) (out []string) {
	for _, d := range deliveries {
		out = append(out, string(d.Envelope.GetContent()))
	}
	return out
}

func switches(t *testing.T, rules ...faults.Rule) *faults.Switches {
	t.Helper()
	s := &faults.Switches{}
	require.NoError(t, s.Set(rules...))
	return s
}

func TestQueue(t *testing.T) {
	q := queueOf(t, "one", "two", "three")
	first := q.open(device, nil, nil)
	taken := drain(t, first)
	require.Equal(t, []string{"one", "two", "three"}, contents(taken))
	require.True(t, first.acknowledge(taken[1]))
	require.False(t, first.acknowledge(taken[1]), "once")
	second := q.open(device, nil, nil)
	_, err := first.Next(context.Background())
	require.ErrorIs(t, err, ErrDisplaced)
	require.Equal(t, []string{"one", "three"}, contents(drain(t, second)), "what is not acknowledged comes again")
	require.NoError(t, q.add(device, text("four")))
	d, err := second.Next(context.Background())
	require.NoError(t, err)
	require.Equal(t, []string{"four"}, contents([]Delivery{d}), "what was not there is not waited for")
	q.remove(device)
	_, err = second.Next(context.Background())
	require.ErrorIs(t, err, ErrRemoved)
}

func TestEphemeralIsForWhoIsThere(t *testing.T) {
	q := newQueues()
	typing := text("typing")
	typing.Ephemeral = proto.Bool(true)
	require.NoError(t, q.add(device, typing))
	require.Zero(t, q.length(device))
	c := q.open(device, nil, nil)
	require.NoError(t, q.add(device, typing))
	require.Equal(t, 1, q.length(device))
	c.Close()
	require.Zero(t, q.length(device))
}

func TestQueueIsBounded(t *testing.T) {
	q := newQueues()
	for range maxQueued {
		require.NoError(t, q.add(device, text("x")))
	}
	require.True(t, q.full([]wire.Device{device}))
	require.ErrorIs(t, q.add(device, text("x")), errFull)
}

func TestReorder(t *testing.T) {
	s := switches(t, faults.Rule{Kind: faults.Reorder, Recipient: "anna", Times: 2})
	q := queueOf(t, "one", "two", "three", "four")
	require.Equal(t, []string{"four", "three", "one", "two"}, contents(drain(t, q.open(device, s, []string{"anna"}))))
	other := q.open(device, switches(t, faults.Rule{Kind: faults.Reorder, Recipient: "anna"}), []string{"ben"})
	require.Equal(t, []string{"one", "two", "three", "four"}, contents(drain(t, other)))
}

func TestRedelivery(t *testing.T) {
	s := switches(t, faults.Rule{Kind: faults.Redelivery, Times: 1})
	q := queueOf(t, "one", "two")
	c := q.open(device, s, nil)
	for i, d := range drain(t, c) {
		require.Equal(t, i > 0, c.acknowledge(d))
	}
	again := q.open(device, s, nil)
	taken := drain(t, again)
	require.Equal(t, []string{"one"}, contents(taken))
	require.True(t, again.acknowledge(taken[0]))
	require.Zero(t, q.length(device))
}

// TestDuplicate has each message come twice in one connection, and no more, though the rule stays.
func TestDuplicate(t *testing.T) {
	q := queueOf(t, "one", "two")
	c := q.open(device, switches(t, faults.Rule{Kind: faults.Duplicate}), nil)
	for _, d := range drain(t, c) {
		require.False(t, c.acknowledge(d))
	}
	for _, want := range []string{"one", "two"} {
		d, err := c.Next(context.Background())
		require.NoError(t, err)
		require.Equal(t, want, string(d.Envelope.GetContent()))
		require.True(t, c.acknowledge(d))
	}
	require.Zero(t, q.length(device))
}

// Who wants no messages displaces nobody, takes nothing, and learns of the end of its device.
func TestDeafConsumers(t *testing.T) {
	q := queueOf(t, "one")
	hearing, deaf, gone := q.open(device, nil, nil), q.openDeaf(device), q.openDeaf(device)
	_, found, err := deaf.take()
	require.NoError(t, err)
	require.False(t, found)
	require.Equal(t, []string{"one"}, contents(drain(t, hearing)))
	gone.Close()
	q.remove(device)
	_, err = deaf.Next(context.Background())
	require.ErrorIs(t, err, ErrRemoved)
	_, err = hearing.Next(context.Background())
	require.ErrorIs(t, err, ErrRemoved)
	deaf.Close()
}
