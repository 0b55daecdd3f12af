package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
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
	return freest().Start(t, version, options)
}

// take is for a line of the harness that is this one's: an event, or the answer to a command.
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
			t.Logf("%s ends:\n%s", name, tail(file, 6000))
		}
		_ = file.Close()
	})
	return file
}

// tail is the end of a log, which others may be writing.
func tail(log *os.File, bytes int64) string {
	info, err := log.Stat()
	if err != nil {
		return err.Error()
	}
	text, _ := io.ReadAll(io.NewSectionReader(log, max(info.Size()-bytes, 0), bytes))
	return string(text)
}
