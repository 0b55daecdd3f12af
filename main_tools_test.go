//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
)

// machine is a PATH with what .ci/install-tools calls, and nothing else; each program appends its arguments to a log.
type machine struct {
	t   *testing.T
	bin string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, bin: t.TempDir()}
	for _, name := range []string{"awk", "sort", "tr", "grep", "ln"} {
		require.NoError(t, os.Symlink(needs.Programs(t, name), filepath.Join(m.bin, name)))
	}
	m.has("id", "echo 1000")
	return m
}

// has puts a program there.
func (m *machine) has(name, does string) {
	m.t.Helper()
	script := "#!/bin/sh\necho " + name + " \"$@\" >>\"$0.log\"\n" + does + "\n"
	require.NoError(m.t, os.WriteFile(filepath.Join(m.bin, name), []byte(script), 0o700))
}

// complete puts all there that the tests use, but for some.
func (m *machine) complete(without ...string) {
	for _, name := range []string{"cc", "gcc", "socat", "curl", "jq", "python3", "groff", "mandoc", "zsh", "fish",
		"qrencode", "systemd-analyze", "node", "npm"} {
		m.has(name, "exit 0")
	}
	m.has("nc", "echo '-N  shut the socket down' >&2; exit 1")
	for _, name := range without {
		require.NoError(m.t, os.Remove(filepath.Join(m.bin, name)))
	}
}

// called returns what a program was called with.
func (m *machine) called(name string) string {
	log, err := os.ReadFile(filepath.Join(m.bin, name+".log"))
	require.NoError(m.t, err)
	return string(log)
}

// install runs the script, and returns what it says and how it ends.
func (m *machine) install(env ...string) (said string, ok bool) {
	cmd := exec.Command("/bin/sh", ".ci/install-tools")
	cmd.Env = append([]string{"PATH=" + m.bin, "INTEROP_NODE=/cache", "BIN=" + m.bin}, env...)
	output, err := cmd.CombinedOutput()
	return string(output), err == nil
}

const required = "SIGNALBOX_REQUIRE_INTEROP=1"

func TestToolsAreAllThere(t *testing.T) {
	m := newMachine(t)
	m.complete()
	m.has("apt-get", "exit 0")
	m.has("id", "echo 0")
	said, ok := m.install(required)
	require.True(t, ok, said)
	require.Empty(t, said)
	require.NoFileExists(t, filepath.Join(m.bin, "apt-get.log"))
}

// Who may not install is told what to do, and goes on.
func TestToolsAreNamed(t *testing.T) {
	for manager, command := range map[string]string{
		"":        "To install them: the system's package manager\n",
		"apt-get": "To install them: sudo apt-get install gcc libc6-dev netcat-openbsd nodejs \n",
		"dnf":     "To install them: sudo dnf install gcc glibc-devel netcat nodejs \n",
		"brew":    "To install them: brew install node \n",
	} {
		t.Run(manager, func(t *testing.T) {
			m := newMachine(t)
			m.complete("cc", "gcc", "nc", "node")
			m.has("npm", "exit 1") // and the registry is out of reach
			m.has("nc", "echo 'no such option'")
			if manager != "" {
				m.has(manager, "exit 0")
			}
			said, ok := m.install()
			require.True(t, ok, said)
			require.Contains(t, said, "missing, or too old: cc gcc nc node\n")
			require.Contains(t, said, "without the race detector")
			require.Contains(t, said, command)
			_, ok = m.install(required)
			require.False(t, ok)
		})
	}
}

func TestToolsAreInstalled(t *testing.T) {
	for name, become := range map[string]func(*machine){
		"root": func(m *machine) { m.has("id", "echo 0"); m.has("env", `shift; exec "$@"`) },
		"sudo": func(m *machine) { m.has("sudo", `shift; "$@"`); m.has("env", `shift; exec "$@"`); m.has("true", "") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.complete("socat", "jq", "node")
			become(m)
			m.has("apt-get", `[ "$1" = update ] || for name in socat jq node; do ln -s curl "$BIN/$name"; done`)
			said, ok := m.install(required)
			require.True(t, ok, said)
			require.Equal(t, "installing jq nodejs socat \n", said)
			require.Equal(t, "apt-get update -qq\napt-get install -y -qq --no-install-recommends jq nodejs socat\n",
				m.called("apt-get"))
		})
	}
}

// A Node that is too old needs no package of the system's.
func TestNodeIsRenewed(t *testing.T) {
	m := newMachine(t)
	m.complete()
	m.has("node", "exit 1")
	m.has("npm", `ln -sf curl "$BIN/node"`)
	m.has("id", "echo 0")
	m.has("apt-get", "exit 0")
	said, ok := m.install(required)
	require.True(t, ok, said)
	require.Equal(t, "npm install --no-save --prefix /cache node@22\n", m.called("npm"))
	require.NoFileExists(t, filepath.Join(m.bin, "apt-get.log"))
}
