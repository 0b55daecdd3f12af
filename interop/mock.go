package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Versions are the mock servers: today's shape of the service, and the older one.
var Versions = []int{27, 15}

// Sandbox stands for the sandbox where a mock server's version would.
const Sandbox = 0

// ServiceName is what a service is called: "27", "15" or "sandbox".
func ServiceName(version int) string {
	if version == Sandbox {
		return "sandbox"
	}
	return strconv.Itoa(version)
}

// Options of the harness; zero values are its defaults.
type Options struct {
	// Window is how many envelopes may be unacknowledged at once (Signal-Server: 256).
	Window int `json:"window,omitempty"`
	// ServerGUIDs is how envelopes are numbered: "binary" (default), "string" or "none".
	ServerGUIDs string `json:"serverGuids,omitempty"`
	// AwaitRecipient makes a send wait until the contact has decrypted it, as the unchanged mock does.
	AwaitRecipient bool `json:"awaitRecipient,omitempty"`
	// PlainGroups leaves groups and messages for many recipients to the unchanged mock.
	PlainGroups bool `json:"plainGroups,omitempty"`
}

// Mock is a running service with people on it: a mock server, or the sandbox.
type Mock struct {
	t       testing.TB
	Version int
	// Environment is the FILE for --service.
	Environment string
	// Port is the service's port on 127.0.0.1.
	Port int
	// PID is the harness's process.
	PID int

	*shared
}

// shared is what the views of a Mock for several subtests have in common.
type shared struct {
	events  *eventLog
	stdin   io.WriteCloser
	writing sync.Mutex
	mu      sync.Mutex
	lastID  int
	waiting map[int]chan reply
	ended   chan struct{}
	sandbox *sandboxed // nil on a mock server
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

// Start starts the mock of that version, or the sandbox, and stops it with the test.
func Start(t testing.TB, version int, options Options) *Mock {
	t.Helper()
	Require(t)
	m := &Mock{t: t, Version: version, shared: &shared{events: newEventLog(), waiting: map[int]chan reply{},
		ended: make(chan struct{})}}
	var wanted any = options
	if version == Sandbox {
		require.Equal(t, Options{}, options, "the sandbox is as the live service is")
		wanted = startSandbox(t, m)
	}
	settings, err := json.Marshal(wanted)
	require.NoError(t, err)
	cmd := exec.Command("node", "harness.mjs", ServiceName(version), string(settings)) //nolint:gosec // our own script
	cmd.Dir = harnessDir()
	cmd.Stderr = newLogFile(t, fmt.Sprintf("mock-%s.log", ServiceName(version)))
	m.stdin, err = cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	m.PID = cmd.Process.Pid
	go m.read(stdout)
	t.Cleanup(func() { m.stop(cmd) })
	ready := m.Await("the service to start", func(e Event) bool { return e.Event == "ready" })
	m.Environment, m.Port = ready.File, ready.Port
	return m
}

func (m *Mock) stop(cmd *exec.Cmd) {
	_ = m.stdin.Close()
	select {
	case <-m.ended:
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		<-m.ended
	}
	_ = cmd.Wait()
}

// read takes the harness's lines until it ends; it owns the event log's writing side.
func (m *Mock) read(stdout io.Reader) {
	defer close(m.ended)
	lines := bufio.NewReaderSize(stdout, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			m.events.close()
			return
		}
		m.take(line)
	}
}

func (m *Mock) take(line []byte) {
	var kind struct{ Event string }
	if json.Unmarshal(line, &kind) != nil {
		return
	}
	if kind.Event != "" {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			e = Event{Event: "malformed", Error: err.Error()}
		}
		m.events.add(e)
		return
	}
	var answer reply
	if json.Unmarshal(line, &answer) != nil {
		return
	}
	m.mu.Lock()
	waiter := m.waiting[answer.ID]
	delete(m.waiting, answer.ID)
	m.mu.Unlock()
	if waiter != nil {
		waiter <- answer
	}
}

// Try runs a command of the harness (testdata/interop/harness/commands.mjs) and decodes its result, if wanted.
func (m *Mock) Try(command string, args, result any) error {
	if m.sandbox != nil {
		if done, err := m.sandbox.run(command, args, result); done {
			return err
		}
	}
	answer := make(chan reply, 1)
	m.mu.Lock()
	m.lastID++
	id := m.lastID
	m.waiting[id] = answer
	m.mu.Unlock()
	line, err := json.Marshal(map[string]any{"id": id, "command": command, "args": args})
	if err != nil {
		return err
	}
	m.writing.Lock()
	_, err = m.stdin.Write(append(line, '\n'))
	m.writing.Unlock()
	if err != nil {
		return fmt.Errorf("interop: %s: %w", command, err)
	}
	select {
	case got := <-answer:
		if got.Error != "" {
			return fmt.Errorf("interop: %s: %s", command, got.Error)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(got.Result, result)
	case <-m.ended:
		return fmt.Errorf("interop: %s: the mock has ended", command)
	case <-time.After(5 * time.Minute):
		return fmt.Errorf("interop: %s: no answer", command)
	}
}

// Call is Try, with an error ending the test.
func (m *Mock) Call(command string, args, result any) {
	m.t.Helper()
	require.NoError(m.t, m.Try(command, args, result))
}

// args are a command's arguments.
type args map[string]any

// newLogFile opens a file for a process's log. It stays with SIGNALBOX_INTEROP_LOGS=DIR, and is otherwise shown when
// the test fails.
func newLogFile(t testing.TB, name string) *os.File {
	t.Helper()
	dir := os.Getenv("SIGNALBOX_INTEROP_LOGS")
	if dir == "" {
		dir = t.TempDir()
	}
	file, err := os.CreateTemp(dir, "*-"+filepath.Base(name))
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s ends:\n%s", name, tail(file.Name(), 6000))
		}
		_ = file.Close()
	})
	return file
}

func tail(path string, bytes int64) string {
	file, err := os.Open(path) //nolint:gosec // a log of ours
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > bytes {
		_, _ = file.Seek(-bytes, io.SeekEnd)
	}
	text, _ := io.ReadAll(file)
	return string(text)
}
