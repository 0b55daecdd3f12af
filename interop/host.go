package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Host is a Node process that many services share, each with people and a port of its own: to start a process for each
// takes longer than most tests do. The zero value has not started yet. It is safe for concurrent use.
type Host struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	logs   *os.File
	ended  chan struct{}
	lastID int
	mocks  map[int]*Mock

	// writing is not mu: while one mock waits for the process to read, another must be able to hear it.
	writing sync.Mutex
}

// hosts are those of Start: as many as the machine has cores, since each uses one.
var hosts = make([]Host, runtime.NumCPU())

// freest is the one with the least to do.
func freest() *Host {
	best, least := &hosts[0], hosts[0].load()
	for i := range hosts {
		if load := hosts[i].load(); load < least {
			best, least = &hosts[i], load
		}
	}
	return best
}

// StopHosts ends the processes of Start; TestMain calls it.
func StopHosts() {
	for i := range hosts {
		hosts[i].Stop()
	}
}

// load is how many services the process has.
func (h *Host) load() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.mocks)
}

// Start starts the mock of that version, or the sandbox, and stops it with the test.
func (h *Host) Start(t testing.TB, version int, options Options) *Mock {
	t.Helper()
	Require(t)
	m, err := h.add(t, version)
	require.NoError(t, err)
	var wanted any = options
	if version == Sandbox {
		require.Equal(t, Options{}, options, "the sandbox is as the live service is")
		wanted = startSandbox(t, m)
	}
	t.Cleanup(func() {
		_ = m.stdin.Close()
		<-m.ended
		if t.Failed() {
			t.Logf("the services' log ends:\n%s", tail(h.logs, 6000))
		}
	})
	start, err := json.Marshal(map[string]any{"start": []any{ServiceName(version), wanted}})
	require.NoError(t, err)
	_, err = m.stdin.Write(append(start, '\n'))
	require.NoError(t, err)
	ready := m.Await("the service to start", func(e Event) bool { return e.Event == "ready" })
	m.Environment, m.Port = ready.File, ready.Port
	return m
}

func (h *Host) add(t testing.TB, version int) (*Mock, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil {
		if err := h.run(); err != nil {
			return nil, err
		}
	}
	h.lastID++
	m := &Mock{t: t, Version: version, shared: &shared{
		events: newEventLog(), stdin: &hostPipe{host: h, id: h.lastID}, waiting: map[int]chan reply{},
		ended: make(chan struct{}),
	}}
	h.mocks[h.lastID] = m
	return m, nil
}

// run starts the process.
func (h *Host) run() (err error) {
	if h.logs, err = os.CreateTemp(os.Getenv("SIGNALBOX_INTEROP_LOGS"), "*-services.log"); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if os.Getenv("SIGNALBOX_INTEROP_LOGS") == "" {
		_ = os.Remove(h.logs.Name()) // nobody else wants to read it
	}
	cmd := exec.Command("node", "harness.mjs")
	cmd.Dir, cmd.Stderr = harnessDir(), h.logs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	h.cmd, h.stdin, h.ended, h.mocks = cmd, stdin, make(chan struct{}), map[int]*Mock{}
	go h.read(stdout)
	return nil
}

// Stop ends the process, where it runs, and waits for it.
func (h *Host) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil {
		return
	}
	_ = h.stdin.Close()
	h.mu.Unlock()
	<-h.ended
	h.mu.Lock()
	_ = h.cmd.Wait()
	_ = h.logs.Close()
	h.cmd = nil
}

// read hands the process's lines to the mocks that they are of, until it ends.
func (h *Host) read(stdout io.Reader) {
	defer close(h.ended)
	lines := bufio.NewReaderSize(stdout, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			h.mu.Lock()
			defer h.mu.Unlock()
			for id := range h.mocks {
				h.drop(id)
			}
			return
		}
		var of struct {
			Harness int
			Event   string
		}
		if json.Unmarshal(line, &of) != nil {
			continue
		}
		h.mu.Lock()
		m := h.mocks[of.Harness]
		stopped := of.Event == "stopped"
		if stopped {
			h.drop(of.Harness)
		}
		h.mu.Unlock()
		if m != nil && !stopped {
			m.take(line)
		}
	}
}

// drop is for the end of a mock. The caller holds the lock.
func (h *Host) drop(id int) {
	if m := h.mocks[id]; m != nil {
		m.events.close()
		close(m.ended)
		delete(h.mocks, id)
	}
}

// hostPipe is the standard input of one of the mocks.
type hostPipe struct {
	host *Host
	id   int
}

// Write sends one line, which is a JSON object.
func (p *hostPipe) Write(line []byte) (int, error) {
	p.host.writing.Lock()
	defer p.host.writing.Unlock()
	_, err := p.host.stdin.Write(fmt.Appendf(nil, `{"harness":%d,%s`, p.id, line[1:]))
	return len(line), err
}

// Close ends the mock.
func (p *hostPipe) Close() error {
	_, err := p.Write([]byte("{\"stop\":true}\n"))
	return err
}
