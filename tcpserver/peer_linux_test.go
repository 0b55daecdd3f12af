package tcpserver

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOtherUsersAreRefused needs to be another user for a moment.
func TestOtherUsersAreRefused(t *testing.T) {
	socat, err := exec.LookPath("socat")
	if err != nil || os.Getuid() != 0 {
		t.Skip("needs socat, and root")
	}
	d := start(t, nil)
	for dir := d.unix; dir != "/" && dir != "/tmp"; dir = dir[:strings.LastIndexByte(dir, '/')] {
		if dir != d.unix {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
	}
	require.NoError(t, os.Chmod(d.unix, 0o666), "only the check of the user is in the way")
	run := func(uid uint32) string {
		cmd := exec.Command(socat, "-t", "30", "-", "UNIX-CONNECT:"+d.unix)
		cmd.Stdin = strings.NewReader("{command:'version'}\n")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		cmd.Dir = "/"
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	require.Equal(t, 22, code(t, run(65534)))
	require.Equal(t, 0, code(t, run(0)))
}

func TestTableAddress(t *testing.T) {
	a := netip.MustParseAddrPort("127.0.0.1:6789")
	if tableAddress("/proc/net/tcp", a) != "0100007F:1A85" {
		t.Skip("a big-endian machine")
	}
	require.Equal(t, "0000000000000000FFFF00000100007F:1A85", tableAddress("/proc/net/tcp6", a))
	require.Equal(t, "00000000000000000000000001000000:1A85",
		tableAddress("/proc/net/tcp6", netip.MustParseAddrPort("[::1]:6789")))
}
