package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// TestConcurrentReaders has readers that acknowledge, fail and go away, while messages arrive and subscribers watch: each
// message is acknowledged once, and each subscriber sees all.
func TestConcurrentReaders(t *testing.T) {
	const total = 2000
	b := newBench(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	acknowledged := make(map[string]int)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			readSome(ctx, t, b, n, func(batch *Batch) {
				mu.Lock()
				defer mu.Unlock()
				for _, m := range batch.Messages {
					acknowledged[string(m.Content)]++
				}
				if len(acknowledged) == total {
					cancel()
				}
			})
		})
	}
	for range 2 {
		c := b.Subscribe(nil)
		wg.Go(func() { watchAll(t, c, total) })
	}
	for first := 0; first < total; first += 20 {
		require.NoError(t, b.st.Update(func(tx *store.Tx) error {
			for n := first; n < first+20; n++ {
				e := &storepb.InboxEntry{Type: storepb.EntryType_ENTRY_MESSAGE, Content: fmt.Append(nil, n)}
				if err := b.Append(tx, e); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	wg.Wait()
	require.Len(t, acknowledged, total)
	for body, times := range acknowledged {
		require.Equal(t, 1, times, body)
	}
	require.NoError(t, b.Tidy())
	require.Equal(t, Status{}, b.Status())
}

func readSome(ctx context.Context, t *testing.T, b *bench, n int, done func(*Batch)) {
	r := b.NewReader()
	for round := n; ctx.Err() == nil; round++ {
		batch, err := r.Receive(ctx, Request{Max: 7})
		if err != nil {
			t.Error(err)
			return
		}
		switch {
		case len(batch.Messages) == 0:
		case round%5 == 0:
			batch.Return()
		case round%7 == 0:
			r.Close()
			r = b.NewReader()
		default:
			if err := batch.Ack(); err != nil {
				t.Error(err)
			}
			done(batch)
		}
	}
	r.Close()
}

func watchAll(t *testing.T, c *Cursor, total int) {
	for want := 0; want < total; {
		events, missed, err := c.Next(context.Background())
		if err != nil || missed > 0 {
			t.Error(err, missed)
			return
		}
		for _, e := range events {
			if string(e.Content) != fmt.Sprint(want) {
				t.Errorf("%s in place of %d", e.Content, want)
				return
			}
			want++
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestAfterAFailedCommit has Badger fail where it needs a new log file: the inbox shows afterwards what is on disk.
func TestAfterAFailedCommit(t *testing.T) {
	b := newBench(t, Options{})
	logs, err := filepath.Glob(filepath.Join(b.st.Dir(), "store", "*.mem"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	blocker := filepath.Join(b.st.Dir(), "store", "00002.mem")
	require.Equal(t, "00001.mem", filepath.Base(logs[0]))
	require.NoError(t, os.Symlink(filepath.Join(b.st.Dir(), "none", "none"), blocker))
	appended := 0
	var failed *store.CommitError
	for ; !errors.As(err, &failed); appended++ {
		require.NoError(t, err)
		err = b.st.Update(func(tx *store.Tx) error {
			return b.Append(tx, &storepb.InboxEntry{Type: storepb.EntryType_ENTRY_MESSAGE, Content: make([]byte, 100_000)})
		})
	}
	r := b.NewReader()
	_, err = r.Take(Request{})
	require.ErrorAs(t, err, &failed)
	require.NoError(t, os.Remove(blocker))
	require.NoError(t, b.st.Maintain())
	onDisk := 0
	require.NoError(t, b.st.View(func(tx *store.Tx) error {
		return tx.ScanInbox(func(uint64, *storepb.InboxMeta) error { onDisk++; return nil })
	}))
	require.GreaterOrEqual(t, onDisk, appended-1)
	require.Equal(t, onDisk, b.Status().Depth)
	batch := b.take(r, Request{MaxBytes: 1 << 30})
	require.Len(t, batch.Messages, onDisk)
	require.NoError(t, batch.Ack())
	require.Zero(t, b.Status().Depth)
	r.Close()
}
