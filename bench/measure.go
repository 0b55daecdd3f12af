package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"signalbox/interop"
)

const (
	sends  = 500
	queued = 2000
	lives  = 200
)

func measure(t *tb, version int) []row {
	binary, size := strippedBinary(t)
	if err := os.Setenv("SIGNALBOX_BINARY", binary); err != nil {
		t.Fatalf("%v", err)
	}
	r := interop.NewRig(t, version, interop.RigOptions{Mock: interop.Options{AwaitRecipient: true}}, "alice")
	idle := settle(t, r)
	b := &bench{t: t, r: r, alice: r.Contact("alice")}
	rows := []row{b.start(), {what: "resident memory, idle", ours: mib(idle), aim: "32 MiB", cli: "197 MiB"}}
	rows = append(rows, b.sequential("TCP", b.r.Daemon.Dial(), "19/s")...)
	rows = append(rows, b.sequential("a unix socket", b.r.Daemon.DialUnix(), "84 to 118/s")...)
	rows = append(rows, b.drain()...)
	rows = append(rows, b.live())
	rows = append(rows, row{what: "resident memory after all that", ours: mib(b.memory()), aim: "64 MiB", cli: "236 MiB"})
	b.attachment()
	rows = append(rows, row{what: "resident memory after 100 MiB each way", ours: mib(b.memory()), aim: "96 MiB"})
	rows = append(rows, session(t)...)
	return append(rows, row{what: "stripped binary", ours: mib(size), aim: "under 20 MiB"})
}

// bench is a rig under measurement.
type bench struct {
	t       *tb
	r       *interop.Rig
	alice   *interop.Account
	ceiling interop.OfficialResult
}

// settle lets a process come to rest after linking, and answers its memory.
func settle(t *tb, r *interop.Rig) float64 {
	time.Sleep(5 * time.Second)
	return resident(t, r.Daemon.PID())
}

func (b *bench) memory() float64 { return resident(b.t, b.r.Daemon.PID()) }

// start is exec to listening: the median of nine.
func (b *bench) start() row {
	var each []time.Duration
	for range 9 {
		connections := b.r.Connections()
		if err := b.r.Daemon.Stop(); err != nil {
			b.t.Fatalf("stop: %v", err)
		}
		started := time.Now()
		b.r.Daemon.Start()
		each = append(each, time.Since(started))
		b.r.AwaitConnected(connections + 1)
	}
	return row{what: "exec to listening, linked account", ours: millis(median(each)), aim: "80 ms", cli: "3,940 ms"}
}

// sequential is one send after the other over one connection.
func (b *bench) sequential(over string, c *interop.Conn, cli string) []row {
	if b.ceiling.Count == 0 {
		device := b.r.OfficialDevice(b.r.Me, "send", strconv.Itoa(sends), b.alice.ACI)
		_, b.ceiling = device.Finish()
		b.r.Call("unlink", map[string]any{"account": "me", "device": device.ID}, nil)
	}
	c.SendText(b.alice.ACI, "warm")
	pid := b.r.Daemon.PID()
	used, started := cpu(b.t, pid), time.Now()
	for i := range sends {
		c.SendText(b.alice.ACI, fmt.Sprintf("send %d over %s", i, over))
	}
	elapsed, used := time.Since(started), cpu(b.t, pid)-used
	return []row{
		{what: "sequential sends over " + over, ours: perSecond(sends, elapsed), aim: "the mock's ceiling", cli: cli,
			ceiling: fmt.Sprintf("%.0f/s", b.ceiling.PerSecond)},
		{what: "CPU of each", ours: millis(used / sends), aim: "0.6 ms", cli: "8 to 11 ms",
			ceiling: fmt.Sprintf("%.2f ms", b.ceiling.CPUMillisEach)},
	}
}

// drain is how fast queued sealed messages are on disk and acknowledged; the queue is filled while deliveries are held.
func (b *bench) drain() []row {
	bodies, ceiling := b.officialDrain()
	if len(bodies) != queued {
		b.t.Fatalf("the official client drained %d", len(bodies))
	}
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
			aim: "2,000/s", cli: "262/s", ceiling: fmt.Sprintf("%.0f/s", ceiling.PerSecond)},
		{what: "CPU of each", ours: millis(used / queued), aim: "0.4 ms", cli: "5 to 9 ms",
			ceiling: fmt.Sprintf("%.2f ms", ceiling.CPUMillisEach)},
		{what: "the same, read from the socket", ours: perSecond(queued, taken)},
	}
}

// officialDrain gives the official library the same work: on another device, from a queue that is full when it connects.
func (b *bench) officialDrain() ([]string, interop.OfficialResult) {
	device := b.r.OfficialDevice(b.r.Me, "drain", strconv.Itoa(queued))
	b.r.Call("hold", map[string]any{"account": "me", "device": device.ID, "held": true}, nil)
	b.alice.QueueMany(b.r.Me, queued, "for the official library ", interop.SendOptions{})
	b.r.Call("hold", map[string]any{"account": "me", "device": device.ID, "held": false}, nil)
	bodies, result := device.Finish()
	b.r.Call("unlink", map[string]any{"account": "me", "device": device.ID}, nil)
	b.takeAll(queued)
	return bodies, result
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
func (b *bench) live() row {
	ceiling := b.officialLive()
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
	return row{what: "live receive, p50", ours: millis(median(each)), aim: "2.6 ms", cli: "6.5 ms", ceiling: millis(ceiling)}
}

func (b *bench) officialLive() time.Duration {
	device := b.r.OfficialDevice(b.r.Me, "drain", strconv.Itoa(lives))
	var each []time.Duration
	for i := range lives {
		sent := b.alice.SendText(b.r.Me, fmt.Sprintf("live official %d", i), interop.SendOptions{})
		each = append(each, time.Duration(device.Next().At-sent.DeliveredAt))
	}
	b.r.Call("unlink", map[string]any{"account": "me", "device": device.ID}, nil)
	b.takeAll(lives)
	return median(each)
}

// attachment moves 100 MiB each way.
func (b *bench) attachment() {
	c := b.r.Daemon.Dial()
	defer c.Close()
	data := base64.StdEncoding.EncodeToString(make([]byte, 100<<20))
	c.Must(interop.Request{"command": "send_message", "recipient": b.alice.ACI, "dataMessage": map[string]any{
		"attachments": []any{map[string]any{"base64Data": data, "filename": "large.bin"}}}})
	b.alice.SendAttachments(b.r.Me, "large", []map[string]any{{"size": 100 << 20}}, interop.SendOptions{})
	c.ReceiveText("large")
}

func median(each []time.Duration) time.Duration {
	slices.Sort(each)
	return each[len(each)/2]
}

func perSecond(n int, elapsed time.Duration) string {
	return fmt.Sprintf("%.0f/s", float64(n)/elapsed.Seconds())
}
func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
func mib(n float64) string          { return fmt.Sprintf("%.0f MiB", n) }
