package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/interop"
	"signalbox/sandbox"
)

const (
	sandboxStarts = 5
	// answerWait is for receive_messages, in milliseconds.
	answerWait = 60_000
)

// practice is `signalbox --sandbox` as a process of its own: the daemon, the service and the contacts together.
type practice struct {
	t      *tb
	cmd    *exec.Cmd
	socket string
	began  time.Time
}

// startPractice returns as soon as the program runs; it does not listen yet.
func startPractice(t *tb, binary string) *practice {
	p := &practice{t: t, socket: filepath.Join(t.TempDir(), "s")}
	p.cmd = exec.Command(binary, "--sandbox", "--port", "-1", "--unix-socket", p.socket) //nolint:gosec // built here
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { p.stop() })
	return p
}

// dial waits until it listens.
func (p *practice) dial() *interop.Conn {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		raw, err := net.Dial("unix", p.socket)
		if err == nil {
			_ = raw.Close()
			return interop.Dial(p.t, "unix", p.socket)
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("it does not listen: %v", err)
		}
	}
}

func (p *practice) stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(unix.SIGTERM)
		_ = p.cmd.Wait()
	}
}

func number(name string) string {
	roles := sandbox.Roles()
	return roles[slices.IndexFunc(roles, func(r sandbox.Role) bool { return r.Name == name })].Number
}

// await takes messages until so many with this sender have come.
func await(c *interop.Conn, sender string, n int) {
	for n > 0 {
		reply := c.Must(interop.Request{"command": "receive_messages", "timeout": answerWait, "maxMessages": 500})
		for _, m := range reply.Messages {
			if m.Sender == sender {
				n--
			}
		}
	}
}

// practising is what --sandbox costs. The service and the contacts work in the same process, so each figure is of both
// sides, the contact's decryption and its answer included.
func practising(t *tb, binary string) []row {
	rows := []row{{what: "stripped binary without the sandbox (-tags nosandbox)", ours: megabytes(withoutSandbox(t)), aim: "under 20 MiB"}}
	rows = append(rows, firstAnswers(t, binary)...)
	p := startPractice(t, binary)
	c := p.dial()
	pid := p.cmd.Process.Pid
	c.SendText(number("Echo"), "warm")
	await(c, number("Echo"), 1)
	time.Sleep(rest)
	idle := resident(t, pid)
	rows = append(rows, row{what: "daemon and sandbox: resident memory, idle", ours: mib(idle)})
	rows = append(rows, p.throughput(c)...)
	loaded := resident(t, pid)
	return append(rows,
		row{what: "daemon and sandbox: resident memory under that load", ours: mib(loaded)},
		row{what: "the most that it ever was", ours: mib(peakResident(t, pid))})
}

// firstAnswers is exec to the reply of a first send, and to the echo's answer: medians.
func firstAnswers(t *tb, binary string) []row {
	var replies, answers []time.Duration
	for range sandboxStarts {
		p := startPractice(t, binary)
		c := p.dial()
		c.SendText(number("Echo"), "Hello")
		replies = append(replies, time.Since(p.began))
		await(c, number("Echo"), 1)
		answers = append(answers, time.Since(p.began))
		p.stop()
	}
	return []row{
		{what: "--sandbox: exec to the reply of a first send", ours: millis(median(replies))},
		{what: "--sandbox: exec to the echo's answer", ours: millis(median(answers)), aim: "5 s"},
	}
}

// throughput is one send after the other, to a contact who says nothing, and then to one who answers each.
func (p *practice) throughput(c *interop.Conn) []row {
	pid := p.cmd.Process.Pid
	sequence := func(name string) (time.Time, time.Duration) {
		used, started := cpu(p.t, pid), time.Now()
		for i := range sends {
			c.SendText(number(name), fmt.Sprintf("message %d", i))
		}
		return started, used
	}
	c.SendText(number("Silent"), "warm")
	started, used := sequence("Silent")
	sent, sentCPU := time.Since(started), cpu(p.t, pid)-used
	started, used = sequence("Echo")
	await(c, number("Echo"), sends)
	echoed, echoedCPU := time.Since(started), cpu(p.t, pid)-used
	return []row{
		{what: "daemon and sandbox: sequential sends over a unix socket", ours: perSecond(sends, sent)},
		{what: "CPU of each, both sides", ours: millis(sentCPU / sends)},
		{what: "daemon and sandbox: sent, answered by the echo, and the answers read", ours: perSecond(sends, echoed)},
		{what: "CPU of each pair, both sides", ours: millis(echoedCPU / sends)},
	}
}

// withoutSandbox is the size of the binary that leaves the sandbox out, in MiB.
func withoutSandbox(t *tb) float64 {
	path := filepath.Join(t.TempDir(), "signalbox")
	compile(t, path, "-tags", "nosandbox")
	defer os.Remove(path)
	return fileSize(t, path)
}
