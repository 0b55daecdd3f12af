//go:build linux && !nosandbox

package main

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/cli/qrcode/qrcodetest"
	"signalbox/sandbox"
)

// What shows only on a terminal is tried on one: the binary runs with a pseudo-terminal for its stdout and stderr.

// screen is a program on a terminal, and all that it has written there.
type screen struct {
	t        *testing.T
	terminal *os.File
	chunks   chan []byte
	text     string
	cmd      *exec.Cmd
}

// patience is far more than anything here takes.
const screenPatience = time.Minute

// onTerminal runs the binary on a terminal of a size.
func onTerminal(t *testing.T, size pty.Winsize, environment []string, arguments ...string) *screen {
	t.Helper()
	cmd := exec.Command("signalbox", arguments...)
	cmd.Env = append(os.Environ(), environment...)
	terminal, err := pty.StartWithSize(cmd, &size)
	require.NoError(t, err)
	s := &screen{t: t, terminal: terminal, chunks: make(chan []byte), cmd: cmd}
	go s.read()
	t.Cleanup(func() { _ = terminal.Close() })
	return s
}

// read ends with the program: Linux reports EIO then.
func (s *screen) read() {
	defer close(s.chunks)
	for {
		buffer := make([]byte, 4096)
		n, err := s.terminal.Read(buffer)
		if n > 0 {
			s.chunks <- buffer[:n]
		}
		if err != nil {
			return
		}
	}
}

// until reads until the text matches, and returns what the first group of the expression stands for.
func (s *screen) until(expression string) string {
	s.t.Helper()
	wanted := regexp.MustCompile(expression)
	deadline := time.After(screenPatience)
	for {
		if found := wanted.FindStringSubmatch(s.text); found != nil {
			return found[len(found)-1]
		}
		select {
		case chunk, open := <-s.chunks:
			require.True(s.t, open, "no %q in %q", expression, s.text)
			s.text += strings.ReplaceAll(string(chunk), "\r\n", "\n")
		case <-deadline:
			require.FailNow(s.t, "waited too long", "for %q, in %q", expression, s.text)
		}
	}
}

// end waits for the program's, and returns its exit code.
func (s *screen) end() int {
	for chunk := range s.chunks {
		s.text += strings.ReplaceAll(string(chunk), "\r\n", "\n")
	}
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	require.NoError(s.t, err)
	return 0
}

// startSandbox runs one, and writes what --service needs to know of it.
func startSandbox(t *testing.T) (service *sandbox.Service, description string) {
	t.Helper()
	service, err := sandbox.Start(sandbox.Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	_, err = service.Populate()
	require.NoError(t, err)
	description = filepath.Join(t.TempDir(), "service.json")
	require.NoError(t, os.WriteFile(description, service.Description(), 0o600))
	return service, description
}

var wide = pty.Winsize{Rows: 50, Cols: 120}

// terminalType is what the tests run under, whatever runs them.
var terminalType = []string{"TERM=xterm-256color", "NO_COLOR=", "LC_ALL=C.UTF-8"}

// TestLinkOnATerminal: the code on the screen and in the picture is the one on stdout, and each step is shown.
func TestLinkOnATerminal(t *testing.T) {
	service, description := startSandbox(t)
	picture := filepath.Join(t.TempDir(), "code.png")
	s := onTerminal(t, wide, terminalType, "--service", description, "--data-dir", t.TempDir(), "link", "--qr-png", picture)
	uri := s.until(`(sgnl://linkdevice\S+)\n`)
	s.until(`Waiting for the phone to scan it \.\.\.`)
	for _, ground := range []qrcodetest.Ground{qrcodetest.Dark, qrcodetest.Light} {
		require.Equal(t, uri, scan(t, drawn(t, s.text, ground)))
	}
	require.Equal(t, uri, scan(t, pictured(t, picture)))

	require.NoError(t, service.Scan(sandbox.AccountNumber, uri))
	require.Zero(t, s.end(), s.text)
	for _, step := range []string{"Waiting for the phone to scan it", "Linking", "Uploading keys"} {
		require.Contains(t, s.text, "\r\x1b[K"+step+": \x1b[32mdone\x1b[0m\n")
	}
	require.Regexp(t, `\r\x1b\[KFirst sync: `+orLate("4 contacts, 1 group")+`\nLinked as device \d+\.\n$`, s.text)
	require.NotContains(t, s.text, "info")
	require.NoFileExists(t, picture)
}

// orLate is what link says of the first sync, or, on a machine so slow that it waited in vain, that more is yet to come.
func orLate(outcome string) string { return `(` + regexp.QuoteMeta(outcome) + `|.*\byet\b.*)` }

// TestLinkInterrupted: a code that nobody has scanned leaves no picture behind.
func TestLinkInterrupted(t *testing.T) {
	_, description := startSandbox(t)
	picture := filepath.Join(t.TempDir(), "code.png")
	arguments := []string{"--service", description, "--data-dir", t.TempDir(), "link", "--qr-png", picture}
	s := onTerminal(t, wide, []string{"TERM=xterm-256color", "NO_COLOR=1"}, arguments...)
	s.until(`Waiting for the phone to scan it \.\.\.`)
	require.FileExists(t, picture)
	require.NotContains(t, s.text, "\x1b[3")
	require.Contains(t, s.text, "If it does not scan, as on a light background: unset NO_COLOR, or --qr-png FILE.\n")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
	require.Equal(t, exitError, s.end())
	require.Contains(t, s.text, "Waiting for the phone to scan it: failed\n")
	require.Contains(t, s.text, "signalbox: linking was interrupted\n")
	require.NoFileExists(t, picture)

	require.NoError(t, os.WriteFile(picture, []byte("mine"), 0o600))
	s = onTerminal(t, pty.Winsize{Rows: 50, Cols: 40}, terminalType, arguments...)
	require.Equal(t, exitUsage, s.end())
	require.Contains(t, s.text, "is there already: remove it, or name another file")
	require.FileExists(t, picture)
}

// TestSmallTerminals: a code that does not fit would only look like one. Where there are no block characters it is drawn
// without, if there is room.
func TestSmallTerminals(t *testing.T) {
	_, description := startSandbox(t)
	const lines = "(?:\x1b\\[38;5;.*\n)"
	for name, test := range map[string]struct {
		size   pty.Winsize
		locale string
		want   string
		scans  bool
	}{
		"narrow":               {pty.Winsize{Rows: 50, Cols: 40}, "C.UTF-8", `too narrow for the QR code: it takes \d+ columns, or --qr-png FILE`, false},
		"low":                  {pty.Winsize{Rows: 10, Cols: 120}, "C.UTF-8", `If its top is out of sight: the code takes 24 lines, or --qr-png FILE`, true},
		"of the usual size":    {pty.Winsize{Rows: 24, Cols: 80}, "C.UTF-8", lines + `{23}`, true},
		"without blocks":       {pty.Winsize{Rows: 55, Cols: 100}, "C", lines + `{49}`, true},
		"small without blocks": {pty.Winsize{Rows: 24, Cols: 80}, "POSIX", lines + `{23}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			environment := append(slices.Clone(terminalType), "LC_ALL="+test.locale)
			s := onTerminal(t, test.size, environment, "--service", description, "--data-dir", t.TempDir(), "link")
			uri := s.until(`(sgnl://linkdevice\S+)\n`)
			s.until(test.want)
			s.until(`Waiting for the phone to scan it`)
			if test.scans {
				require.Equal(t, uri, scan(t, drawn(t, s.text, qrcodetest.Dark)))
			}
			require.Equal(t, test.scans && name != "without blocks", strings.Contains(s.text, "▀"))
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
			require.Equal(t, exitError, s.end())
		})
	}
}

// TestSilentElsewhere: without a terminal there is the URI on stdout, and the log on stderr.
func TestSilentElsewhere(t *testing.T) {
	service, description := startSandbox(t)
	cmd := exec.Command("signalbox", "--service", description, "--data-dir", t.TempDir(), "link")
	var said bytes.Buffer
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	buffer := make([]byte, 1024)
	n, err := stdout.Read(buffer)
	require.NoError(t, err)
	require.NoError(t, service.Scan(sandbox.AccountNumber, strings.TrimSpace(string(buffer[:n]))))
	require.NoError(t, cmd.Wait(), said.String())
	require.Regexp(t, `^sgnl://linkdevice\S+\n$`, string(buffer[:n]))
	require.NotContains(t, said.String(), "\x1b")
	require.NotContains(t, said.String(), "Waiting")
	require.NotContains(t, said.String(), "▀")
}

// TestColours: logs and status have them on a terminal, unless nobody wants them there.
func TestColours(t *testing.T) {
	for _, colours := range []bool{true, false} {
		environment := terminalType
		if !colours {
			environment = []string{"TERM=xterm-256color", "NO_COLOR=1"}
		}
		socket := filepath.Join(t.TempDir(), "s")
		daemon := onTerminal(t, wide, environment, "-p", "-1", "--unix-socket", socket, "--data-dir", t.TempDir())
		daemon.until(`listening`)
		daemon.until(`no account is linked here`)
		s := onTerminal(t, wide, environment, "-p", "-1", "--unix-socket", socket, "status")
		require.Zero(t, s.end())
		require.Equal(t, colours, strings.Contains(s.text, "\x1b["), "%q", s.text)
		require.NoError(t, daemon.cmd.Process.Signal(syscall.SIGINT))
		require.Zero(t, daemon.end())
		require.Equal(t, colours, strings.Contains(daemon.text, "\x1b["), "%q", daemon.text)
	}
}

// TestHelpFitsTheTerminal: it is as wide as there is room, within reason.
func TestHelpFitsTheTerminal(t *testing.T) {
	widest := 0
	s := onTerminal(t, pty.Winsize{Rows: 10, Cols: 96}, terminalType, "--help")
	require.Zero(t, s.end())
	for _, line := range strings.Split(s.text, "\n") {
		widest = max(widest, len([]rune(line)))
	}
	require.Greater(t, widest, 80)
	require.LessOrEqual(t, widest, 96)
}

var ofTheCode = regexp.MustCompile(`(?m)^\x1b\[38;5;\d+;48;5;\d+m.*\n`)

// drawn is what a camera sees of a coloured code on a screen.
func drawn(t *testing.T, text string, ground qrcodetest.Ground) image.Image {
	t.Helper()
	seen, err := qrcodetest.Photograph(strings.Join(ofTheCode.FindAllString(text, -1), ""), ground)
	require.NoError(t, err)
	return seen
}

func pictured(t *testing.T, file string) image.Image {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	picture, err := png.Decode(bytes.NewReader(content))
	require.NoError(t, err)
	return picture
}

func scan(t *testing.T, picture image.Image) string {
	t.Helper()
	text, err := qrcodetest.Scan(picture)
	require.NoError(t, err)
	return text
}
