package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is an inbox on a store with a clock of its own.
type bench struct {
	*Inbox
	t    testing.TB
	st   *store.Store
	opts Options
	now  time.Time
}

func newBench(t testing.TB, opts Options) *bench {
	b := &bench{t: t, opts: opts, now: time.UnixMilli(1_700_000_000_000)}
	b.open(t.TempDir())
	t.Cleanup(func() { require.NoError(t, b.st.Close()) })
	return b
}

func (b *bench) open(dir string) {
	b.t.Helper()
	st, err := store.Open(dir, store.Options{Logger: zerolog.Nop(), Now: func() time.Time { return b.now }})
	require.NoError(b.t, err)
	b.st = st
	b.opts.Logger = zerolog.Nop()
	b.Inbox, err = Open(st, b.opts)
	require.NoError(b.t, err)
}

func (b *bench) restart() {
	b.t.Helper()
	require.NoError(b.t, b.st.Close())
	b.open(b.st.Dir())
}

func (b *bench) append(bodies ...string) {
	b.t.Helper()
	for _, body := range bodies {
		b.appendType(storepb.EntryType_ENTRY_MESSAGE, body)
	}
}

func (b *bench) appendType(kind storepb.EntryType, body string) *storepb.InboxEntry {
	b.t.Helper()
	e := &storepb.InboxEntry{Type: kind, Content: []byte(body)}
	require.NoError(b.t, b.st.Update(func(tx *store.Tx) error { return b.Append(tx, e) }))
	return e
}

func bodies(batch *Batch) []string {
	out := []string{}
	for _, m := range batch.Messages {
		body := string(m.Content)
		if m.Redelivered {
			body += " again"
		}
		out = append(out, body)
	}
	return out
}

func (b *bench) take(r *Reader, req Request) *Batch {
	b.t.Helper()
	batch, err := r.Take(req)
	require.NoError(b.t, err)
	return batch
}

func (b *bench) all() []string {
	b.t.Helper()
	r := b.NewReader()
	defer r.Close()
	batch := b.take(r, Request{Max: maxMax})
	out := bodies(batch)
	b.giveBack(batch.lease, b.leases[batch.lease].refsOrNone())
	return out
}

func (l *lease) refsOrNone() []ref {
	if l == nil {
		return nil
	}
	return l.refs
}

func TestEachGoesToOneReaderInOrder(t *testing.T) {
	b := newBench(t, Options{})
	b.append("1", "2", "3", "4", "5")
	one, two := b.NewReader(), b.NewReader()
	first := b.take(one, Request{Max: 2})
	second := b.take(two, Request{Max: 2})
	require.Equal(t, []string{"1", "2"}, bodies(first))
	require.Equal(t, []string{"3", "4"}, bodies(second))
	require.NoError(t, first.Ack())
	second.Return()
	require.Equal(t, []string{"3 again", "4 again", "5"}, bodies(b.take(one, Request{})))
	require.Empty(t, b.take(two, Request{}).Messages)
	one.Close()
	require.Equal(t, []string{"3 again", "4 again", "5 again"}, bodies(b.take(two, Request{})))
	_, err := one.Take(Request{})
	require.ErrorIs(t, err, ErrReaderClosed)
	b.restart()
	require.Equal(t, []string{"3", "4", "5"}, b.all(), "a restart ends every lease")
}

func TestManualLease(t *testing.T) {
	b := newBench(t, Options{})
	b.append("1", "2", "3")
	r := b.NewReader()
	batch := b.take(r, Request{Lease: time.Minute})
	require.Len(t, batch.Messages, 3)
	unknown, err := b.Ack([]string{batch.Messages[1].Id, "junk", formatID(1, 0)})
	require.NoError(t, err)
	require.Equal(t, []string{"junk", formatID(1, 0)}, unknown, "an id from elsewhere names nothing")
	b.now = b.now.Add(time.Minute - time.Millisecond)
	require.Empty(t, b.take(r, Request{}).Messages)
	b.now = b.now.Add(time.Millisecond)
	again := b.take(r, Request{Lease: time.Minute})
	require.Equal(t, []string{"1 again", "3 again"}, bodies(again))
	b.restart()
	require.Equal(t, []string{"1 again", "3 again"}, b.all(), "manual leases are noted on disk")
	unknown, err = b.Ack([]string{batch.Messages[0].Id, batch.Messages[1].Id})
	require.NoError(t, err)
	require.Equal(t, []string{batch.Messages[1].Id}, unknown)
	require.Equal(t, []string{"3 again"}, b.all(), "who acknowledges late has read it all the same")
	require.Equal(t, Status{Depth: 1, Bytes: 257, Oldest: time.UnixMilli(1_700_000_000_000)}, b.Status())
}

func TestTypes(t *testing.T) {
	b := newBench(t, Options{})
	for kind := range storepb.EntryType_name {
		b.appendType(storepb.EntryType(kind), storepb.EntryType(kind).String())
	}
	r := b.NewReader()
	defer r.Close()
	only := b.take(r, Request{Types: []storepb.EntryType{storepb.EntryType_ENTRY_RECEIPT, storepb.EntryType_ENTRY_CALL}})
	require.ElementsMatch(t, []string{"ENTRY_RECEIPT", "ENTRY_CALL"}, bodies(only))
	only.Return()
	messages := b.take(r, Request{Types: []storepb.EntryType{storepb.EntryType_ENTRY_MESSAGE}})
	require.ElementsMatch(t, []string{"ENTRY_MESSAGE", "ENTRY_UNREADABLE", "ENTRY_NOTICE"}, bodies(messages))
	rest := b.take(r, Request{})
	require.Len(t, rest.Messages, types-3-2)
	require.NotContains(t, bodies(rest), "ENTRY_TYPING")
}

func TestNothingOfAFailedTransaction(t *testing.T) {
	b := newBench(t, Options{})
	boom := errors.New("boom")
	require.ErrorIs(t, b.st.Update(func(tx *store.Tx) error {
		require.NoError(t, b.Append(tx, &storepb.InboxEntry{Type: storepb.EntryType_ENTRY_MESSAGE}))
		return boom
	}), boom)
	require.Empty(t, b.all())
	require.Zero(t, b.Status().Depth)
	b.append("after")
	require.Equal(t, []string{"after"}, b.all())
}

func TestReceiveWaits(t *testing.T) {
	b := newBench(t, Options{})
	r := b.NewReader()
	defer r.Close()
	got := make(chan *Batch)
	go func() {
		batch, err := r.Receive(context.Background(), Request{})
		require.NoError(t, err)
		got <- batch
	}()
	b.appendType(storepb.EntryType_ENTRY_TYPING, "not wanted")
	b.append("1")
	require.Equal(t, []string{"1"}, bodies(<-got))

	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		batch, err := r.Receive(ctx, Request{})
		require.NoError(t, err)
		got <- batch
	}()
	cancel()
	require.Empty(t, (<-got).Messages, "who is gone takes nothing")
	b.append("2")
	require.Equal(t, []string{"2"}, bodies(b.take(r, Request{})))
}

func TestReceiveSeesALeaseEnd(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	b, err := Open(st, Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	require.NoError(t, st.Update(func(tx *store.Tx) error {
		return b.Append(tx, &storepb.InboxEntry{Type: storepb.EntryType_ENTRY_MESSAGE})
	}))
	one, two := b.NewReader(), b.NewReader()
	batch, err := one.Take(Request{Lease: 20 * time.Millisecond})
	require.NoError(t, err)
	require.Len(t, batch.Messages, 1)
	again, err := two.Receive(context.Background(), Request{})
	require.NoError(t, err)
	require.True(t, again.Messages[0].Redelivered)
	require.NoError(t, st.Close())
}

func TestRoom(t *testing.T) {
	b := newBench(t, Options{MaxBytes: 3 * (entryOverhead + 1)})
	b.append("1", "2")
	require.False(t, b.Full())
	require.NoError(t, b.WaitRoom(context.Background()))
	e := b.appendType(storepb.EntryType_ENTRY_RECEIPT, "3")
	require.True(t, b.Full())
	require.NoError(t, b.st.Update(func(tx *store.Tx) error { return b.Grow(tx, e.Seq, 1000) }))
	require.Equal(t, int64(3*(entryOverhead+1)+1000), b.Status().Bytes)
	require.NoError(t, b.st.Update(func(tx *store.Tx) error { return b.Grow(tx, 99, 1000) }), "gone meanwhile")
	b.restart()
	require.Equal(t, int64(3*(entryOverhead+1)+1000), b.Status().Bytes)
	require.True(t, b.Status().Full)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, b.WaitRoom(ctx), context.Canceled)
	resumed := make(chan error)
	go func() { resumed <- b.WaitRoom(context.Background()) }()
	r := b.NewReader()
	defer r.Close()
	require.NoError(t, b.take(r, Request{Types: []storepb.EntryType{storepb.EntryType_ENTRY_RECEIPT}}).Ack())
	require.NoError(t, <-resumed)
}

func TestBatchBytes(t *testing.T) {
	b := newBench(t, Options{})
	for n := range 5 {
		b.append(fmt.Sprintf("%d%0999d", n, 0))
	}
	r := b.NewReader()
	defer r.Close()
	batch := b.take(r, Request{MaxBytes: 2500})
	require.Len(t, batch.Messages, 2)
	require.NoError(t, batch.Ack())
	require.Equal(t, 3, b.Status().Depth)
	for _, m := range b.take(r, Request{}).Messages {
		require.False(t, m.Redelivered, "what was not handed out is not redelivered")
	}
	r.Close()
	r = b.NewReader()
	defer r.Close()
	require.Len(t, b.take(r, Request{MaxBytes: 1}).Messages, 1, "one is always given")
}

func TestMaxAge(t *testing.T) {
	b := newBench(t, Options{MaxAge: time.Hour})
	b.append("old 1", "old 2")
	reader := b.NewReader()
	held := b.take(reader, Request{Max: 1})
	b.now = b.now.Add(30 * time.Minute)
	b.append("younger")
	require.NoError(t, b.Tidy())
	require.Equal(t, 3, b.Status().Depth)
	b.now = b.now.Add(30 * time.Minute)
	require.NoError(t, b.Tidy())
	require.NoError(t, held.Ack(), "what somebody holds is not taken away")

	r := b.NewReader()
	batch := b.take(r, Request{})
	require.Equal(t, []string{"younger", ""}, bodies(batch))
	notice := batch.Messages[1]
	require.Equal(t, storepb.EntryType_ENTRY_NOTICE, notice.Type)
	require.Equal(t, uint64(1), notice.Removed.Count)
	require.Contains(t, notice.Error, "1 messages that arrived from 2023-11-14T22:13:20Z")
	batch.Return()

	b.now = b.now.Add(24 * time.Hour)
	require.NoError(t, b.Tidy())
	require.NoError(t, b.Tidy())
	batch = b.take(r, Request{})
	require.Len(t, batch.Messages, 1, "one notice takes up the other")
	require.Equal(t, uint64(2), batch.Messages[0].Removed.Count)
	r.Close()
}

func TestMaxAgeOfMany(t *testing.T) {
	b := newBench(t, Options{MaxAge: time.Hour})
	for range 3*tidyChunk + 5 {
		b.append("x")
	}
	b.now = b.now.Add(time.Hour)
	require.NoError(t, b.Tidy())
	r := b.NewReader()
	defer r.Close()
	batch := b.take(r, Request{})
	require.Len(t, batch.Messages, 1)
	require.Equal(t, uint64(3*tidyChunk+5), batch.Messages[0].Removed.Count)
}

func TestEphemeralEntriesDoNotPileUp(t *testing.T) {
	b := newBench(t, Options{KeepEphemeral: 3})
	for n := range 10 {
		b.appendType([]storepb.EntryType{storepb.EntryType_ENTRY_RECEIPT, storepb.EntryType_ENTRY_TYPING}[n%2], fmt.Sprint(n))
	}
	b.append("message")
	require.NoError(t, b.Tidy())
	r := b.NewReader()
	defer r.Close()
	got := b.take(r, Request{Types: []storepb.EntryType{storepb.EntryType_ENTRY_RECEIPT, storepb.EntryType_ENTRY_TYPING}})
	require.Equal(t, []string{"7", "8", "9"}, bodies(got))
	require.Equal(t, []string{"message"}, b.all())
}

func TestAttachmentsGoWithTheirMessage(t *testing.T) {
	b := newBench(t, Options{})
	path, err := b.st.AttachmentPath("a1")
	require.NoError(t, err)
	require.NoError(t, b.st.Update(func(tx *store.Tx) error {
		if err := tx.PutAttachment(&storepb.Attachment{Id: "a1", State: storepb.AttachmentState_ATTACHMENT_DONE}); err != nil {
			return err
		}
		return b.Append(tx, &storepb.InboxEntry{Type: storepb.EntryType_ENTRY_MESSAGE, AttachmentIds: []string{"a1"}})
	}))
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	r := b.NewReader()
	defer r.Close()
	require.NoError(t, b.take(r, Request{}).Ack())
	require.NoFileExists(t, path)
	require.NoError(t, b.st.View(func(tx *store.Tx) error {
		_, err := tx.Attachment("a1")
		require.ErrorIs(t, err, store.ErrNotFound)
		return nil
	}))
}

func TestManyAttachmentsAreTooMuchForOneTransaction(t *testing.T) {
	b := newBench(t, Options{})
	for n := range 20 {
		require.NoError(t, b.st.Update(func(tx *store.Tx) error {
			e := &storepb.InboxEntry{Type: storepb.EntryType_ENTRY_MESSAGE}
			for k := range 1000 {
				id := fmt.Sprintf("a%d-%d", n, k)
				e.AttachmentIds = append(e.AttachmentIds, id)
				if err := tx.PutAttachment(&storepb.Attachment{Id: id}); err != nil {
					return err
				}
			}
			return b.Append(tx, e)
		}))
	}
	r := b.NewReader()
	defer r.Close()
	batch := b.take(r, Request{})
	require.Len(t, batch.Messages, 20)
	require.NoError(t, batch.Ack())
	require.Zero(t, b.Status().Depth)
	b.restart()
	require.Empty(t, b.all())
}

func FuzzID(f *testing.F) {
	f.Add(formatID(1, 2))
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		if seq, tag, err := parseID(id); err == nil {
			again, tagAgain, err := parseID(formatID(seq, tag))
			require.NoError(t, err)
			require.Equal(t, seq, again)
			require.Equal(t, tag, tagAgain)
		}
	})
}
