package tcpserver

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
)

// TestOtherUsersAreRefused needs to be another user for a moment.
func TestOtherUsersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	socat := needs.Programs(t, "socat")
	shared, everybodys := filepath.Join(t.TempDir(), "shared"), filepath.Join(t.TempDir(), "everybodys")
	inherited := []net.Listener{handOver(t, "unix", shared), handOver(t, "unix", everybodys)}
	require.NoError(t, os.Chmod(shared, 0o660))
	require.NoError(t, os.Chown(shared, 0, 65534))
	require.NoError(t, os.Chmod(everybodys, 0o666))
	d := start(t, func(s *setup) { s.config.Inherited = inherited })
	for _, socket := range []string{d.unix, shared, everybodys} {
		for dir := filepath.Dir(socket); dir != "/" && dir != "/tmp"; dir = filepath.Dir(dir) {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
	}
	require.NoError(t, os.Chmod(d.unix, 0o666), "only the check of the user is in the way")
	run := func(uid uint32, socket string) string {
		cmd := exec.Command(socat, "-t", "30", "-", "UNIX-CONNECT:"+socket)
		cmd.Stdin = strings.NewReader("{command:'version'}\n")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		cmd.Dir = "/"
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	require.Equal(t, 22, code(t, run(65534, d.unix)))
	require.Equal(t, 0, code(t, run(0, d.unix)))
	require.Equal(t, 0, code(t, run(65534, shared)), "its mode and group say who may")
	require.Equal(t, 22, code(t, run(65534, everybodys)))
	require.Equal(t, 0, code(t, run(0, everybodys)))
}

func TestTableAddress(t *testing.T) {
	a := netip.MustParseAddrPort("127.0.0.1:6789")
	if tableAddress("/proc/self/net/tcp", a) != "0100007F:1A85" {
		t.Skip("a big-endian machine")
	}
	require.Equal(t, "0000000000000000FFFF00000100007F:1A85", tableAddress("/proc/self/net/tcp6", a))
	require.Equal(t, "00000000000000000000000001000000:1A85",
		tableAddress("/proc/self/net/tcp6", netip.MustParseAddrPort("[::1]:6789")))
}
