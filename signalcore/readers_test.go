package signalcore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
)

var messagesOnly = []model.MessageType{model.TypeMessage}

func (p *party) receives(owner model.Owner, options model.ReceiveOptions) []model.InboxMessage {
	p.t.Helper()
	options.Owner, options.Types = owner, messagesOnly
	if options.Max == 0 {
		options.Max = 100
	}
	ctx, cancel := contextOf(p.t)
	defer cancel()
	messages, err := p.Receive(ctx, options)
	require.NoError(p.t, err)
	return messages
}

func TestReceiveOnceEach(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("one"), newLetter(alice, bob).text("two"))
	first := bob.receives(1, model.ReceiveOptions{Max: 1})
	second := bob.receives(2, model.ReceiveOptions{})
	require.Len(t, first, 1)
	require.Len(t, second, 1)
	require.NotEqual(t, first[0].ID, second[0].ID)
	require.Equal(t, alice.aci(), first[0].Sender)

	count, err := bob.Ack(t.Context(), 2, []string{first[0].ID})
	require.NoError(t, err)
	require.Zero(t, count, "another connection has it")
	count, err = bob.Ack(t.Context(), 1, []string{first[0].ID, "nonsense"})
	require.NoError(t, err)
	require.Equal(t, 1, count)
	bob.ReleaseOwner(2)
	again := bob.receives(1, model.ReceiveOptions{})
	require.Len(t, again, 1)
	require.Equal(t, second[0].ID, again[0].ID)
	require.True(t, again[0].Redelivered)
	bob.Release(1, []string{again[0].ID})
	require.Len(t, bob.receives(3, model.ReceiveOptions{}), 1)
}

func TestExpiredLeasesAreForgotten(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("one"))
	for range 5 {
		require.Len(t, bob.receives(1, model.ReceiveOptions{Lease: time.Minute}), 1)
		bob.clock.advance(2 * time.Minute)
	}
	require.LessOrEqual(t, len(bob.readers.owners[1].batches), 1)
	bob.ReleaseOwner(1)
	require.Empty(t, bob.readers.leased)
}

func TestReceiveWaits(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	got := make(chan []model.InboxMessage, 1)
	go func() { got <- bob.receives(1, model.ReceiveOptions{Wait: -1}) }()
	bob.gets(newLetter(alice, bob).text("one"))
	require.Len(t, await(t, got, func([]model.InboxMessage) bool { return true }), 1)

	drain := make(chan struct{})
	go func() { got <- bob.receives(2, model.ReceiveOptions{Wait: -1, Drain: drain}) }()
	close(drain)
	require.Empty(t, await(t, got, func([]model.InboxMessage) bool { return true }))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := bob.Receive(ctx, model.ReceiveOptions{Owner: 3, Types: messagesOnly, Max: 1, Wait: time.Hour})
	require.ErrorIs(t, err, context.Canceled)
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	s, err := bob.Subscribe(t.Context(), model.SubscribeOptions{Types: messagesOnly})
	require.NoError(t, err)
	bob.gets(newLetter(alice, bob).text("one"))
	ctx, cancel := contextOf(t)
	defer cancel()
	event, err := s.Next(ctx)
	require.NoError(t, err)
	require.NotNil(t, event.Message)
	require.Len(t, bob.receives(1, model.ReceiveOptions{}), 1, "a subscription consumes nothing")

	for range maxPending + 3 {
		bob.events.publish(model.Event{Connection: &model.ConnectionEvent{}})
	}
	missed := 0
	for range maxPending + 1 {
		event, err := s.Next(ctx)
		require.NoError(t, err)
		if event.Missed != nil {
			missed = *event.Missed
		}
	}
	require.Equal(t, 3, missed)

	ended := make(chan error, 1)
	go func() {
		_, err := s.Next(context.Background())
		ended <- err
	}()
	s.Close()
	s.Close()
	require.ErrorIs(t, await(t, ended, func(error) bool { return true }), errUnsubscribed)
	bob.events.publish(model.Event{Connection: &model.ConnectionEvent{}})
}
