//go:build linux && !nosandbox

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cli/caller"
	"signalbox/sandbox"
)

// where a daemon for a test listens, and what it is told for that.
func daemonArguments(t *testing.T, description string) (socket string, arguments []string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	return socket, []string{"-p", "-1", "--unix-socket", socket, "--service", description, "--data-dir", t.TempDir()}
}

// replyTo is the reply of the daemon behind a socket.
func replyTo(t *testing.T, socket, request string) map[string]any {
	t.Helper()
	connection, err := caller.Dial(t.Context(), caller.Target{Network: "unix", Address: socket})
	require.NoError(t, err)
	defer connection.Close() //nolint:errcheck // it has served
	var said bytes.Buffer
	_, err = connection.Ask(t.Context(), []byte(request), &said)
	require.NoError(t, err)
	var reply map[string]any
	require.NoError(t, json.Unmarshal(said.Bytes(), &reply))
	require.EqualValues(t, 0, reply["statusCode"], said.String())
	return reply
}

// linkOver links a daemon to the sandbox's account.
func linkOver(t *testing.T, service *sandbox.Service, socket string) {
	t.Helper()
	uri := replyTo(t, socket, `{"command":"start_link"}`)["uri"].(string)
	require.NoError(t, service.Scan(sandbox.AccountNumber, uri))
	replyTo(t, socket, fmt.Sprintf(`{"command":"finish_link","uri":%q}`, uri))
}

// TestFirstSyncOnATerminal: what is awaited shows while it is, and stays for good once it is there, with both commands.
func TestFirstSyncOnATerminal(t *testing.T) {
	g := startGate(t, 0)
	s := onTerminal(t, wide, terminalType, "--service", g.description, "--data-dir", t.TempDir(), "link")
	uri := s.until(`(sgnl://linkdevice\S+)\n`)
	require.NoError(t, g.service.Scan(sandbox.AccountNumber, uri))
	s.until(`\r\x1b\[KFirst sync \.\.\. the phone's contacts are awaited`)
	g.down.open()
	require.Zero(t, s.end(), s.text)
	require.Regexp(t, `\r\x1b\[KFirst sync: `+orLate("4 contacts, 1 group")+`\nLinked as device \d+\.\n$`, s.text)

	g.down.shut()
	socket, arguments := daemonArguments(t, g.description)
	s = onTerminal(t, wide, terminalType, arguments...)
	s.until(`no account is linked here`)
	linkOver(t, g.service, socket)
	s.until(`\r\x1b\[KFirst sync \.\.\. the phone's contacts are awaited, groups: 1 of 1`)
	g.down.open()
	s.until(`First sync: 4 contacts, 1 group\n`)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
	require.Zero(t, s.end())
	requireWhole(t, s.text)

	// A list that cannot be had is not waited for.
	g.gone.Store(true)
	s = onTerminal(t, wide, terminalType, "--service", g.description, "--data-dir", t.TempDir(), "link")
	require.NoError(t, g.service.Scan(sandbox.AccountNumber, s.until(`(sgnl://linkdevice\S+)\n`)))
	require.Zero(t, s.end(), s.text)
	lost := "1 group, the phone's list of contacts is lost: it sends another when a contact changes"
	require.Regexp(t, `\r\x1b\[KFirst sync: `+orLate(lost)+`\n`, s.text)
}

// large is a request to send the echo contact a file that is shown on its way.
func large(t *testing.T) string {
	t.Helper()
	file := base64.StdEncoding.EncodeToString(make([]byte, largeTransfer))
	return fmt.Sprintf(`{"command":"send_message","recipient":%q,"dataMessage":{"attachments":[{"base64Data":%q}]}}`, echoNumber, file)
}

// TestTransfersOnATerminal: a large attachment shows on its way out and back, and leaves lines of the log behind.
func TestTransfersOnATerminal(t *testing.T) {
	g := startGate(t, 1<<20)
	socket, arguments := daemonArguments(t, g.description)
	s := onTerminal(t, wide, terminalType, arguments...)
	s.until(`no account is linked here`)
	linkOver(t, g.service, socket)
	var sending sync.WaitGroup
	sending.Go(func() { replyTo(t, socket, large(t)) })
	s.until(`\r\x1b\[KSending \d+\.\d of 5\.0 MiB, \d+%`)
	g.up.open()
	s.until(`attachment uploaded`)
	sending.Wait()
	s.until(`\r\x1b\[KReceiving \d+\.\d of 5\.0 MiB, \d+%`)
	g.down.open()
	s.until(`attachment fetched`)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
	require.Zero(t, s.end())
	requireWhole(t, s.text)
}

// requireWhole checks that no line of the log has something else in it, before or behind.
func requireWhole(t *testing.T, text string) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		if at := strings.LastIndex(line, clearLine); at >= 0 {
			line = line[at+len(clearLine):]
		}
		if strings.Contains(line, "info ") || strings.Contains(line, "warn ") {
			require.Regexp(t, `^\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m `, line)
			for _, shown := range []string{"First sync", "Sending", "Receiving"} {
				require.NotContains(t, line, shown)
			}
		}
	}
}

// TestWaitingForAReply: a person sees that a call waits, until its reply.
func TestWaitingForAReply(t *testing.T) {
	service, description := startSandbox(t)
	socket, arguments := daemonArguments(t, description)
	daemon := onTerminal(t, wide, terminalType, arguments...)
	daemon.until(`no account is linked here`)
	linkOver(t, service, socket)
	daemon.until(`connected`)
	s := onTerminal(t, wide, terminalType, "-p", "-1", "--unix-socket", socket, "call",
		`{"command":"receive_messages","timeout":-1,"types":["message"]}`)
	s.until(`\r\x1b\[KWaiting for the reply \.\.\. \d+ s`)
	_, err := service.Say(echoNumber, sandbox.AccountNumber, "Hello")
	require.NoError(t, err)
	require.Zero(t, s.end(), s.text)
	require.Regexp(t, `\r\x1b\[K\{"command":"receive_messages",.*"body":"Hello".*\}\n$`, s.text)
	require.NoError(t, daemon.cmd.Process.Signal(syscall.SIGINT))
	require.Zero(t, daemon.end())
}

// TestNoProgressElsewhere: where there is no terminal, nothing of all this is written.
func TestNoProgressElsewhere(t *testing.T) {
	g := startGate(t, 0)
	socket, arguments := daemonArguments(t, g.description)
	var said lockedBuffer
	cmd := exec.Command("signalbox", arguments...)
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	heard := func(what string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(said.String(), what) }, screenPatience, tick)
	}
	heard("no account is linked here")
	linkOver(t, g.service, socket)
	<-g.down.held
	time.Sleep(noticeable + 4*tick) // what would draw a line has had the time to
	g.down.open()
	var sending sync.WaitGroup
	sending.Go(func() { replyTo(t, socket, large(t)) })
	<-g.up.held
	time.Sleep(4 * tick)
	g.up.open()
	sending.Wait()
	heard("attachment fetched")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, cmd.Wait())
	for line := range strings.Lines(said.String()) {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

// TestNoProgressOnADumbTerminal: it could not replace a line.
func TestNoProgressOnADumbTerminal(t *testing.T) {
	g := startGate(t, 0)
	s := onTerminal(t, wide, []string{"TERM=dumb", "NO_COLOR="}, "--service", g.description, "--data-dir", t.TempDir(), "link")
	uri := s.until(`(sgnl://linkdevice\S+)\n`)
	require.NoError(t, g.service.Scan(sandbox.AccountNumber, uri))
	<-g.down.held
	time.Sleep(4 * tick)
	g.down.open()
	require.Zero(t, s.end(), s.text)
	require.NotContains(t, s.text, "\x1b")
	require.NotContains(t, s.text, "\r")
	require.NotContains(t, s.text, "First sync")
}

type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
