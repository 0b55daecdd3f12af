package inbox

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func fillInbox(b *bench, count, batch int) {
	for range count / batch {
		require.NoError(b.t, b.st.Update(func(tx *store.Tx) error {
			for range batch {
				e := &storepb.InboxEntry{Type: storepb.EntryType_ENTRY_MESSAGE, Content: make([]byte, 300)}
				if err := b.Append(tx, e); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// BenchmarkDrain takes and acknowledges 100 messages at a time from an inbox of 10,000 and more.
func BenchmarkDrain(b *testing.B) {
	for _, subscribed := range []bool{false, true} {
		b.Run(fmt.Sprintf("subscribed=%v", subscribed), func(b *testing.B) {
			x := newBench(b, Options{})
			fillInbox(x, 10_000, 100)
			if subscribed {
				c := x.Subscribe(nil)
				defer func() { require.NoError(b, c.Close()) }()
			}
			r := x.NewReader()
			defer r.Close()
			for b.Loop() {
				fillInbox(x, 100, 100)
				require.NoError(b, x.take(r, Request{}).Ack())
			}
			b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkOpen reads the index of 10,000 entries.
func BenchmarkOpen(b *testing.B) {
	x := newBench(b, Options{})
	fillInbox(x, 10_000, 100)
	for b.Loop() {
		again, err := Open(x.st, x.opts)
		require.NoError(b, err)
		require.Equal(b, 10_000, again.Status().Depth)
	}
}
