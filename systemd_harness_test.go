//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
)

// notifications is the service manager's end of sd_notify.
type notifications struct {
	t      testing.TB
	socket *net.UnixConn
	path   string
	status string // the last one told
}

func listenForNotifications(t testing.TB) *notifications {
	t.Helper()
	n := &notifications{t: t, path: filepath.Join(shortDir(t), "notify")}
	var err error
	n.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.socket.Close() })
	return n
}

// shortDir is a directory whose name leaves room in a socket's address.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sb")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// next returns a message; ok is false when none came for so long.
func (n *notifications) next(wait time.Duration) (message string, ok bool) {
	n.t.Helper()
	buffer := make([]byte, 8192)
	require.NoError(n.t, n.socket.SetReadDeadline(time.Now().Add(wait)))
	count, err := n.socket.Read(buffer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", false
	}
	require.NoError(n.t, err)
	message = string(buffer[:count])
	for line := range strings.Lines(message) {
		if status, ok := strings.CutPrefix(line, "STATUS="); ok {
			n.status = status
		}
	}
	return message, true
}

// awaitStatus waits until the status begins so.
func (n *notifications) awaitStatus(status string) {
	n.t.Helper()
	for !strings.HasPrefix(n.status, status) {
		_, ok := n.next(patience)
		require.True(n.t, ok, "the status stays %q", n.status)
	}
}

// await returns the next message that has a line beginning so.
func (n *notifications) await(line string) string {
	n.t.Helper()
	for {
		message, ok := n.next(patience)
		require.True(n.t, ok, "no %s", line)
		if strings.Contains("\n"+message, "\n"+line) {
			return message
		}
	}
}

// child is the daemon as a process of its own.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	// log is the reading end of its stderr, logged the other one.
	log, logged *os.File
}

// startChild runs the program, which is this test under its own name. A shell sets LISTEN_PID: it has to be that of the
// process itself.
func startChild(t testing.TB, env []string, sockets []*os.File, arguments ...string) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(shortDir(t), "signalbox")
	require.NoError(t, os.Symlink(self, program))
	c := &child{t: t}
	c.log, c.logged, err = os.Pipe()
	require.NoError(t, err)
	script := append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, program}, arguments...)
	c.cmd = exec.Command("/bin/sh", script...)
	c.cmd.Env = append(append(os.Environ(), fmt.Sprintf("LISTEN_FDS=%d", len(sockets))), env...)
	c.cmd.ExtraFiles, c.cmd.Stderr = sockets, c.logged
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		_ = c.log.Close()
		_ = c.logged.Close()
	})
	return c
}

// startNotifying runs the daemon on a data directory of its own, with a service manager that listens, and returns its
// command socket, too.
func startNotifying(t testing.TB, env []string, arguments ...string) (n *notifications, c *child, socket string) {
	t.Helper()
	n, dir := listenForNotifications(t), shortDir(t)
	socket = filepath.Join(dir, "s")
	c = startChild(t, append(env, "NOTIFY_SOCKET="+n.path), nil,
		append([]string{"--data-dir", dir, "--port", "-1", "--unix-socket", socket}, arguments...)...)
	return n, c, socket
}

// drain reads the child's log, to the end of the test.
func (c *child) drain() {
	c.t.Cleanup(c.followLog())
}

func (c *child) followLog() (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(c.log)
		for lines.Scan() {
			if text := strings.Trim(lines.Text(), filling); text != "" {
				c.t.Log(text)
			}
		}
	}()
	return func() {
		_ = c.cmd.Process.Kill()
		_ = c.logged.Close()
		<-done
	}
}

// terminate ends it as a service manager does, and returns how it ended.
func (c *child) terminate() error {
	require.NoError(c.t, c.cmd.Process.Signal(syscall.SIGTERM))
	return c.cmd.Wait()
}

// askAt sends a request to a daemon that listens, and returns the reply.
func askAt(t testing.TB, network, address, request string) string {
	t.Helper()
	conn, err := net.Dial(network, address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, request+"\n")
	require.NoError(t, err)
	reply, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return reply
}

// filling is what the pipe is filled with.
const filling = "x"

// fillLog leaves no room in the pipe that the child logs to.
func (c *child) fillLog() {
	c.t.Helper()
	// Opened anew, so that only these writes do not wait.
	fd, err := syscall.Open(fmt.Sprintf("/proc/self/fd/%d", c.logged.Fd()), syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	require.NoError(c.t, err)
	defer syscall.Close(fd)
	for line := []byte(strings.Repeat(filling, 511) + "\n"); len(line) > 0; {
		_, err := syscall.Write(fd, line)
		if errors.Is(err, syscall.EAGAIN) {
			line = line[:len(line)/2]
			continue
		}
		require.NoError(c.t, err)
	}
}

// linkChild links a running daemon to a new account.
func linkChild(t testing.TB, service *sandbox.Service, socket string) {
	t.Helper()
	phone, err := service.NewPhone("+12025550100", "Kiosk")
	require.NoError(t, err)
	var started struct {
		URI string `json:"uri"`
	}
	require.NoError(t, json.Unmarshal([]byte(askAt(t, "unix", socket, "{command:'start_link'}")), &started))
	require.NoError(t, phone.Scan(started.URI))
	finished := askAt(t, "unix", socket, fmt.Sprintf(`{"command":"finish_link","uri":%q}`, started.URI))
	require.Contains(t, finished, `"statusCode":0`)
}

// complaint waits until the child has ended so, and returns what it said.
func (c *child) complaint(exit int) string {
	c.t.Helper()
	err := c.cmd.Wait()
	require.NoError(c.t, c.logged.Close())
	said, readErr := io.ReadAll(c.log)
	require.NoError(c.t, readErr)
	var ended *exec.ExitError
	require.ErrorAs(c.t, err, &ended, "%s", said)
	require.Equal(c.t, exit, ended.ExitCode(), "%s", said)
	return string(said)
}

// openSocket listens as a service manager does.
func openSocket(t testing.TB, network, address string) (string, *os.File) {
	t.Helper()
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	file, err := l.(interface{ File() (*os.File, error) }).File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return l.Addr().String(), file
}
