// Package official has the official library, in a Node process, do for Go tests what the other side of a conversation would:
// a script of testdata/interop answers each line of JSON with another.
package official

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
)

// Peer is a running script. It answers one request at a time.
type Peer struct {
	in  io.Writer
	out *bufio.Reader
}

// Start starts a script of testdata/interop for the length of a test. Where Node or the npm packages are missing it skips
// the test, or fails it if SIGNALBOX_REQUIRE_INTEROP is 1.
func Start(t testing.TB, script string) *Peer {
	t.Helper()
	folder := needs.Packages(t, "@signalapp/libsignal-client")
	command := exec.Command("node", filepath.Join(folder, script))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait()
	})
	return &Peer{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

// Ask sends a request and reads the result; what the library refuses is an error.
func (p *Peer) Ask(request map[string]any, result any) error {
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	if err := p.Exchange(request, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return json.Unmarshal(answer.Result, result)
}

// Exchange sends a request and reads the answer, for scripts that have a form of their own.
func (p *Peer) Exchange(request, answer any) error {
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
	return json.Unmarshal(reply, answer)
}
