package interop

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// smallDisk mounts a file system of that many MiB, or skips the test where that is not allowed.
func smallDisk(t *testing.T, mebibytes string) string {
	t.Helper()
	dir := t.TempDir()
	output, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+mebibytes+"m", "tmpfs", dir).CombinedOutput() //nolint:gosec // a test's own
	if err != nil {
		t.Skipf("a full disk takes a mounted tmpfs, which takes root: %s", output)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() }) //nolint:gosec // a test's own
	return dir
}

// A full disk: nothing is acknowledged, nothing is lost, commands say what is wrong; room on the disk mends it.
func TestFullDisk(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		Require(t)
		disk := smallDisk(t, "512")
		r := NewRig(t, version, RigOptions{Unlinked: true}, "alice")
		r.Daemon.Dir = filepath.Join(disk, "data")
		r.Daemon.Link(r.Me)
		r.Daemon.Start()
		r.AwaitConnected(1)
		alice, c := r.Contact("alice"), r.Daemon.Dial()
		alice.fence(c, "room enough")
		alice.SendText(r.Me, "first", SendOptions{})
		c.ReceiveText("first")
		connections := r.Connections()

		filler := filepath.Join(disk, "filler")
		fill(t, filler)
		require.NotEmpty(t, c.untilStatus(`the disk is full`), "also where nothing arrives")
		const count = 300
		alice.QueueMany(r.Me, count, strings.Repeat("x", 1000)+" ", SendOptions{})
		status := c.untilStatus(`"state":"paused"`)
		require.NotEmpty(t, status)
		reply := c.Do(sendText(alice.ACI, "on a full disk"))
		require.Contains(t, []int{0, codeStorage}, reply.StatusCode, reply.Line)

		require.NoError(t, os.Remove(filler))
		taken := map[string]int{}
		for _, message := range r.takeAll(count) {
			taken[message.Body]++
		}
		require.Len(t, taken, count, "each once")
		r.awaitEmptyQueue()
		alice.fence(r.Daemon.Dial(), "room again")
		require.GreaterOrEqual(t, r.Connections(), connections)
	})
}

// fill writes until the disk has no room left.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path) //nolint:gosec // in the test's folder
	require.NoError(t, err)
	defer file.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = io.Copy(file, bytes.NewReader(make([]byte, size)))
		}
	}
}

// untilStatus asks for the status until its line has that word.
func (c *Conn) untilStatus(word string) string {
	c.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if line := c.Must(Request{"command": "status"}).Line; strings.Contains(strings.ToLower(line), word) {
			return line
		}
	}
	require.Failf(c.t, "no such status", "waited for %q in the status", word)
	return ""
}
