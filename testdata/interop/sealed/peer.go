// Package sealed asks the official library, in a Node process (peer.mjs), to open what Go tests sealed and to seal what
// they open.
package sealed

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Peer is a running peer.mjs. It answers one request at a time.
type Peer struct {
	in  io.Writer
	out *bufio.Reader
}

// Start starts the peer for the length of a test. Where Node or the npm packages are missing it skips the test, or
// fails it if SIGNALBOX_REQUIRE_INTEROP is 1.
func Start(t testing.TB) *Peer {
	t.Helper()
	return StartScript(t, "sealed/peer.mjs")
}

// StartScript starts another script of testdata/interop, which speaks the same way.
func StartScript(t testing.TB, script string) *Peer {
	t.Helper()
	node, err := exec.LookPath("node")
	_, here, _, _ := runtime.Caller(0)
	directory := filepath.Dir(filepath.Dir(here))
	if err == nil {
		_, err = os.Stat(filepath.Join(directory, "node_modules/@signalapp/libsignal-client/package.json"))
	}
	if err != nil {
		if os.Getenv("SIGNALBOX_REQUIRE_INTEROP") == "1" {
			t.Fatalf("the interop tests are required: %v", err)
		}
		t.Skipf("the official library is not here (npm ci in testdata/interop): %v", err)
	}
	command := exec.Command(node, filepath.Join(directory, script))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	return &Peer{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

// Ask sends a request and reads the answer into result.
func (p *Peer) Ask(request map[string]any, result any) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return err
	}
	reply, err := p.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return json.Unmarshal(answer.Result, result)
}
