package inbox

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/storepb"
)

func (b *bench) next(c *Cursor) (out []string, missed uint64) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		events, gap, err := c.Next(ctx)
		require.NoError(b.t, err)
		if len(events) == 0 && gap == 0 {
			return out, missed
		}
		missed += gap
		for _, e := range events {
			out = append(out, string(e.Content))
		}
	}
}

func TestSubscriberSeesWhatReadersConsume(t *testing.T) {
	b := newBench(t, Options{})
	b.append("before")
	c := b.Subscribe(nil)
	b.append("1", "2")
	r := b.NewReader()
	defer r.Close()
	require.NoError(t, b.take(r, Request{}).Ack())
	require.Equal(t, Status{Retained: 2}, b.Status(), "what nobody awaits is gone at once")
	require.Empty(t, b.all(), "what is kept for subscribers is not given out again")
	b.append("3")
	b.appendType(storepb.EntryType_ENTRY_TYPING, "typing")
	got, missed := b.next(c)
	require.Equal(t, []string{"1", "2", "3"}, got)
	require.Zero(t, missed)
	require.NoError(t, b.Tidy())
	require.Zero(t, b.Status().Retained)
	require.Equal(t, []string{"3"}, b.all(), "a subscriber consumes nothing")
	require.NoError(t, c.Close())
	_, _, err := c.Next(context.Background())
	require.ErrorIs(t, err, ErrCursorClosed)
}

func TestSubscriberWaits(t *testing.T) {
	b := newBench(t, Options{})
	c := b.Subscribe([]storepb.EntryType{storepb.EntryType_ENTRY_TYPING})
	got := make(chan string)
	go func() {
		events, _, err := c.Next(context.Background())
		require.NoError(t, err)
		got <- string(events[0].Content)
	}()
	b.append("other")
	b.appendType(storepb.EntryType_ENTRY_TYPING, "typing")
	require.Equal(t, "typing", <-got)
	require.NoError(t, c.Close())
}

func TestRetainedEntriesEndWithTheSubscription(t *testing.T) {
	b := newBench(t, Options{})
	slow, quick := b.Subscribe(nil), b.Subscribe(nil)
	b.append("1", "2")
	r := b.NewReader()
	require.NoError(t, b.take(r, Request{}).Ack())
	_, _ = b.next(quick)
	require.NoError(t, b.Tidy())
	require.Equal(t, 2, b.Status().Retained, "the slow one has not read them")
	require.NoError(t, slow.Close())
	require.Zero(t, b.Status().Retained)

	b.append("3")
	require.NoError(t, b.take(r, Request{}).Ack())
	require.Equal(t, 1, b.Status().Retained)
	r.Close()
	b.restart()
	require.Equal(t, Status{}, b.Status(), "after a restart there are no subscribers")
}

func TestSubscriberThatLagsIsToldSo(t *testing.T) {
	b := newBench(t, Options{RetainEntries: 5})
	c, other := b.Subscribe(nil), b.Subscribe([]storepb.EntryType{storepb.EntryType_ENTRY_CALL})
	for n := range 20 {
		b.append(fmt.Sprint(n))
	}
	r := b.NewReader()
	defer r.Close()
	require.NoError(t, b.take(r, Request{Max: 18}).Ack())
	require.NoError(t, b.Tidy())
	require.Equal(t, 5, b.Status().Retained)
	got, missed := b.next(c)
	require.Equal(t, uint64(13), missed)
	require.Equal(t, []string{"13", "14", "15", "16", "17", "18", "19"}, got)
	_, missed = b.next(other)
	require.Zero(t, missed, "it missed nothing that it wanted")
	require.NoError(t, c.Close())
	require.NoError(t, other.Close())
}

func TestCursorBytes(t *testing.T) {
	b := newBench(t, Options{})
	c := b.Subscribe(nil)
	big := string(make([]byte, cursorBytes/5))
	b.append(big, big, big, big, big, big, big, big)
	ctx := context.Background()
	total := 0
	for total < 8 {
		events, _, err := c.Next(ctx)
		require.NoError(t, err)
		require.LessOrEqual(t, len(events), 5)
		total += len(events)
	}
	require.Equal(t, 8, total)
	require.NoError(t, c.Close())
}
