package store

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// messageWrites makes about the changes of one received message: a session, the inbox, marks, a receipt.
func messageWrites(tx *Tx, n uint64) error {
	sender := serviceid.Address{ServiceID: aci(byte(n % 20)), DeviceID: 1}
	if seen, err := tx.Seen(be64(n)); seen || err != nil {
		return err
	}
	if _, err := tx.Session(serviceid.ACI, sender); orEmpty(err) != nil {
		return err
	}
	entry := &storepb.InboxEntry{Seq: n, Id: fmt.Sprint(n), Content: make([]byte, 300)}
	for _, err := range []error{
		tx.PutSession(serviceid.ACI, sender, make([]byte, 3000)),
		tx.PutInboxEntry(entry, &storepb.InboxMeta{Bytes: 300}),
		tx.AddReceipt(Receipt{serviceid.ACI, sender.ServiceID, n}),
		tx.MarkSeen(be64(n)),
		tx.DeletePreKey(serviceid.ACI, ECOneTime, uint32(n)),
		tx.Count("messages", 1),
		tx.PutPreKey(serviceid.ACI, ECOneTime, uint32(n), &storepb.PreKey{Record: make([]byte, 80)}),
		tx.PutRemoteIdentity(sender.ServiceID, &storepb.RemoteIdentity{Key: make([]byte, 33)}),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkUpdate is one durable batch of received messages.
func BenchmarkUpdate(b *testing.B) {
	for _, batch := range []int{1, 50, 100, 200} {
		b.Run(fmt.Sprintf("messages=%d", batch), func(b *testing.B) {
			s := open(b, b.TempDir(), Options{})
			n := uint64(0)
			for b.Loop() {
				require.NoError(b, s.Update(func(tx *Tx) error {
					for range batch {
						n++
						if err := messageWrites(tx, n); err != nil {
							return err
						}
					}
					return nil
				}))
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkOpen opens the data directory of an account in use.
func BenchmarkOpen(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	for n := range uint64(2000) {
		update(b, s, func(tx *Tx) { require.NoError(b, messageWrites(tx, n)) })
	}
	for b.Loop() {
		b.StopTimer()
		require.NoError(b, s.Close())
		b.StartTimer()
		s = open(b, s.Dir(), Options{})
	}
}

// TestMemory says what a process takes that has little more than a store: idle, under load, and after it.
func TestMemory(t *testing.T) {
	if _, err := os.ReadFile("/proc/self/status"); err != nil {
		t.Skip("no /proc here: memory is not measured")
	}
	out, err := childProcess("memory", t.TempDir()).CombinedOutput()
	require.NoError(t, err, string(out))
	t.Log("\n" + string(out))
}

func memoryChild() {
	debug.SetGCPercent(50)
	start := time.Now()
	s, err := Open(os.Getenv(dirVariable), Options{Logger: zerolog.Nop()})
	check(err)
	fmt.Printf("opened new in %v: %s\n", time.Since(start), memory())
	load := func(from, to uint64) {
		for n := from; n < to; n += 100 {
			check(s.Update(func(tx *Tx) error {
				for i := range uint64(100) {
					if err := messageWrites(tx, n+i); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	}
	load(0, 500)
	fmt.Printf("after 500 messages: %s\n", memory())
	check(s.Close())
	start = time.Now()
	s, err = Open(os.Getenv(dirVariable), Options{Logger: zerolog.Nop()})
	check(err)
	fmt.Printf("opened again in %v: %s\n", time.Since(start), memory())
	start = time.Now()
	load(500, 10_500)
	fmt.Printf("after 10,000 more in %v: %s\n", time.Since(start), memory())
	debug.FreeOSMemory()
	fmt.Printf("with memory given back: %s\n", memory())
	check(s.Close())
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func memory() string {
	status, _ := os.ReadFile("/proc/self/status")
	var out []string
	for line := range strings.Lines(string(status)) {
		for _, field := range []string{"VmHWM:", "VmRSS:", "RssAnon:", "RssFile:", "RssShmem:"} {
			if value, ok := strings.CutPrefix(line, field); ok {
				out = append(out, strings.TrimSuffix(field, ":")+" "+strings.TrimSpace(value))
			}
		}
	}
	return strings.Join(out, ", ")
}
