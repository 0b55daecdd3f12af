package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"

	"github.com/stretchr/testify/require"
)

// Official is a linked device that the official library plays, from a process of its own (testdata/interop/client.mjs):
// what the mock's ceiling is measured with.
type Official struct {
	// ID is its device number.
	ID    int
	mock  *Mock
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// OfficialResult is what it measured.
type OfficialResult struct {
	Count         int
	Seconds       float64
	PerSecond     float64
	P50Millis     float64
	CPUMillisEach float64 `json:"cpuMillisEach"`
}

// OfficialLine is one line of its output.
type OfficialLine struct {
	Ready bool
	Body  string
	// At is when it came, in nanoseconds of CLOCK_MONOTONIC.
	At   int64
	Done *OfficialResult
}

// OfficialDevice registers a linked device of an account and plays it: "drain", count or "send", count, ACI.
func (m *Mock) OfficialDevice(account *Account, mode ...string) *Official {
	m.t.Helper()
	var device json.RawMessage
	m.Call("registerDevice", args{"account": account.Name}, &device)
	var registered struct{ DeviceID int }
	require.NoError(m.t, json.Unmarshal(device, &registered))
	cmd := exec.Command("node", append([]string{"client.mjs", string(device)}, mode...)...) //nolint:gosec // our script
	cmd.Dir = harnessDir()
	cmd.Stderr = newLogFile(m.t, "official.log")
	stdout, err := cmd.StdoutPipe()
	require.NoError(m.t, err)
	require.NoError(m.t, cmd.Start())
	m.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	o := &Official{ID: registered.DeviceID, mock: m, cmd: cmd, lines: bufio.NewScanner(stdout)}
	require.True(m.t, o.Next().Ready)
	return o
}

// Next reads its next line.
func (o *Official) Next() OfficialLine {
	o.mock.t.Helper()
	var line OfficialLine
	require.True(o.mock.t, o.lines.Scan(), "the official client ended")
	require.NoError(o.mock.t, json.Unmarshal(o.lines.Bytes(), &line), fmt.Sprintf("%q", o.lines.Text()))
	return line
}

// Finish reads to the end: what came, and what was measured.
func (o *Official) Finish() (bodies []string, result OfficialResult) {
	o.mock.t.Helper()
	for {
		line := o.Next()
		if line.Done != nil {
			return bodies, *line.Done
		}
		bodies = append(bodies, line.Body)
	}
}
