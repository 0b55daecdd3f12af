//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
)

// unitFiles copies the units to where systemd-analyze finds them, with this machine's own program in place of the one
// that is yet to be installed.
func unitFiles(t *testing.T) (service, socket string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"signalbox.service", "signalbox.socket"} {
		unit, err := os.ReadFile(filepath.Join("contrib", "systemd", name))
		require.NoError(t, err)
		installed := strings.Replace(string(unit), "ExecStart=/usr/local/bin/signalbox\n", "ExecStart="+self+"\n", 1)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(installed), 0o644))
	}
	return filepath.Join(dir, "signalbox.service"), filepath.Join(dir, "signalbox.socket")
}

func TestUnitsVerify(t *testing.T) {
	tool := needs.Programs(t, "systemd-analyze")
	service, socket := unitFiles(t)
	said, err := exec.Command(tool, "verify", service, socket).CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Empty(t, string(said))
}

func TestUnitSecurity(t *testing.T) {
	tool := needs.Programs(t, "systemd-analyze")
	service, _ := unitFiles(t)
	said, err := exec.Command(tool, "security", "--offline=true", "--no-pager", service).CombinedOutput()
	require.NoError(t, err, "%s", said)
	found := regexp.MustCompile(`Overall exposure level for signalbox.service: ([0-9.]+)`).FindSubmatch(said)
	require.NotNil(t, found, "%s", said)
	exposure, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	require.Less(t, exposure, 2.0, "%s", said)
}

// The unit's times have to go together with the daemon's own.
func TestUnitSettings(t *testing.T) {
	unit, err := os.ReadFile("contrib/systemd/signalbox.service")
	require.NoError(t, err)
	for _, line := range []string{
		"Type=notify", "WatchdogSec=3min", "TimeoutStopSec=30s", "DynamicUser=yes", "StateDirectory=signalbox",
		"RestartPreventExitStatus=" + strconv.Itoa(exitUsage),
	} {
		require.Contains(t, string(unit), "\n"+line+"\n")
	}
}
