package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"time"

	"signalbox/interop"
)

const (
	sends  = 500
	queued = 2000
	lives  = 200
	starts = 9
	// rest is how long a process may take to come to rest.
	rest = 5 * time.Second
)

func mockOptions() interop.Options { return interop.Options{AwaitRecipient: true} }

// measure takes the figures of the chosen parts, in the order of the table.
func measure(t *tb, version int, chosen func(part string) bool) (rows []row) {
	binary, size := strippedBinary(t)
	if err := os.Setenv("SIGNALBOX_BINARY", binary); err != nil {
		t.Fatalf("%v", err)
	}
	b := &bench{t: t}
	if chosen("ceiling") {
		b.ceiling = measureCeiling(t, version)
	}
	if slices.ContainsFunc([]string{"start", "send", "drain", "live", "load", "attachment"}, chosen) {
		b.r = interop.NewRig(t, version, interop.RigOptions{Mock: mockOptions()}, "alice")
		b.alice = b.r.Contact("alice")
	}
	rows = append(rows, row{what: "stripped binary", ours: megabytes(size), aim: "under 20 MiB"})
	for _, part := range []struct {
		name    string
		measure func() []row
	}{
		{"start", b.start}, {"send", b.sends}, {"drain", b.drain}, {"live", b.live}, {"load", b.loaded},
		{"attachment", b.attachment}, {"session", func() []row { return session(t) }},
		{"group", func() []row { return group(t, version) }},
		{"sandbox", func() []row { return practising(t, binary) }},
		{"sealing", func() []row { return sealing(t) }}, {"zkgroup", func() []row { return zkgroup(t) }},
	} {
		if chosen(part.name) {
			rows = append(rows, part.measure()...)
		}
	}
	return rows
}

// bench is a rig under measurement.
type bench struct {
	t       *tb
	r       *interop.Rig
	alice   *interop.Account
	ceiling ceiling
}

func (b *bench) memory() float64 { return resident(b.t, b.r.Daemon.PID()) }

// start is exec to listening, the median of several, and the memory of the last one once it has come to rest.
func (b *bench) start() []row {
	var each []time.Duration
	for range starts {
		connections := b.r.Connections()
		if err := b.r.Daemon.Stop(); err != nil {
			b.t.Fatalf("stop: %v", err)
		}
		started := time.Now()
		b.r.Daemon.Start()
		each = append(each, time.Since(started))
		b.r.AwaitConnected(connections + 1)
	}
	time.Sleep(rest)
	return []row{
		{what: "exec to listening, linked account", ours: millis(median(each)), aim: "80 ms", cli: "3,940 ms"},
		{what: "resident memory, idle", ours: mib(b.memory()), aim: "32 MiB", cli: "197 MiB"},
	}
}

func (b *bench) sends() []row {
	rows := b.sequential("TCP", b.r.Daemon.Dial(), "19/s")
	return append(rows, b.sequential("a unix socket", b.r.Daemon.DialUnix(), "84 to 118/s")...)
}

// loaded is the memory after what came before, once it has come to rest.
func (b *bench) loaded() []row {
	time.Sleep(rest)
	return []row{{what: "resident memory after that load", ours: mib(b.memory()), aim: "64 MiB", cli: "236 MiB"}}
}

// sequential is one send after the other over one connection.
func (b *bench) sequential(over string, c *interop.Conn, cli string) []row {
	c.SendText(b.alice.ACI, "warm")
	pid := b.r.Daemon.PID()
	used, started := cpu(b.t, pid), time.Now()
	for i := range sends {
		c.SendText(b.alice.ACI, fmt.Sprintf("send %d over %s", i, over))
	}
	elapsed, used := time.Since(started), cpu(b.t, pid)-used
	return []row{
		{what: "sequential sends over " + over, ours: perSecond(sends, elapsed), aim: "the mock's ceiling", cli: cli,
			ceiling: rate(b.ceiling.send)},
		{what: "CPU of each, transcript and receipts included", ours: millis(used / sends), aim: "0.6 ms",
			cli: "8 to 11 ms", ceiling: cost(b.ceiling.send)},
	}
}

// drain is how fast queued sealed messages are on disk and acknowledged; the queue is filled while deliveries are held.
func (b *bench) drain() []row {
	hold := map[string]any{"account": "me", "held": true}
	b.r.Call("hold", hold, nil)
	b.alice.QueueMany(b.r.Me, queued, "drained ", interop.SendOptions{})
	before := b.r.Queue().Acknowledged
	pid := b.r.Daemon.PID()
	used := cpu(b.t, pid)
	hold["held"] = false
	b.r.Call("hold", hold, nil)
	var state interop.QueueState
	for state.Acknowledged < before+queued {
		state = b.r.Queue()
		time.Sleep(5 * time.Millisecond)
	}
	used = cpu(b.t, pid) - used
	elapsed := time.Duration(state.DrainMillis * float64(time.Millisecond))
	taken := b.takeAll(queued)
	return []row{
		{what: fmt.Sprintf("%d queued sealed messages, on disk and acknowledged", queued), ours: perSecond(queued, elapsed),
			aim: "2,000/s", cli: "262/s", ceiling: rate(b.ceiling.drain)},
		{what: "CPU of each", ours: millis(used / queued), aim: "0.4 ms", cli: "5 to 9 ms",
			ceiling: cost(b.ceiling.drain)},
		{what: "the same, read from the socket", ours: perSecond(queued, taken)},
	}
}

// takeAll reads n messages from the socket, and answers how long that took.
func (b *bench) takeAll(n int) time.Duration {
	c := b.r.Daemon.Dial()
	defer c.Close()
	started := time.Now()
	for taken := 0; taken < n; {
		taken += len(c.Must(interop.Request{"command": "receive_messages", "timeout": 30_000, "maxMessages": 500}).Messages)
	}
	return time.Since(started)
}

// live is the time from the contact's delivery to the line on a waiting client's socket.
func (b *bench) live() []row {
	c := b.r.Daemon.Dial()
	defer c.Close()
	var each []time.Duration
	for i := range lives {
		c.Send(interop.Request{"command": "receive_messages", "timeout": 30_000})
		came := make(chan time.Duration)
		go func() {
			c.Reply()
			came <- monotonic(b.t)
		}()
		sent := b.alice.SendText(b.r.Me, fmt.Sprintf("live %d", i), interop.SendOptions{})
		each = append(each, <-came-time.Duration(sent.DeliveredAt))
	}
	line := row{what: "live receive, p50", ours: millis(median(each)), aim: "2.6 ms", cli: "6.5 ms"}
	if b.ceiling.live > 0 {
		line.ceiling = millis(b.ceiling.live)
	}
	return []row{line}
}

// attachment moves 100 MiB each way.
func (b *bench) attachment() []row {
	c := b.r.Daemon.Dial()
	defer c.Close()
	data := base64.StdEncoding.EncodeToString(make([]byte, 100<<20))
	c.Must(interop.Request{"command": "send_message", "recipient": b.alice.ACI, "dataMessage": map[string]any{
		"attachments": []any{map[string]any{"base64Data": data, "filename": "large.bin"}}}})
	b.alice.SendAttachments(b.r.Me, "large", []map[string]any{{"size": 100 << 20}}, interop.SendOptions{})
	c.ReceiveText("large")
	peak := peakResident(b.t, b.r.Daemon.PID())
	time.Sleep(rest)
	return []row{
		{what: "resident memory after 100 MiB each way", ours: mib(b.memory()), aim: "96 MiB"},
		{what: "the most that it ever was", ours: mib(peak)},
	}
}

func median(each []time.Duration) time.Duration {
	slices.Sort(each)
	return each[len(each)/2]
}

func perSecond(n int, elapsed time.Duration) string {
	return fmt.Sprintf("%.0f/s", float64(n)/elapsed.Seconds())
}

// rate and cost show a ceiling, or nothing where that part was not chosen.
func rate(r interop.OfficialResult) string {
	if r.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f/s", r.PerSecond)
}

func cost(r interop.OfficialResult) string {
	if r.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f ms", r.CPUMillisEach)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
func mib(n float64) string          { return fmt.Sprintf("%.0f MiB", n) }
func megabytes(n float64) string    { return fmt.Sprintf("%.1f MiB", n) }
