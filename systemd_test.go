//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
	"signalbox/sandbox"
	"signalbox/signalcore/model"
)

// patience bounds what these tests wait for; nothing waits that long when all is well.
const patience = 2 * time.Minute

func TestReadyAndStopping(t *testing.T) {
	n, c, socket := startNotifying(t, nil)
	c.drain()
	require.Contains(t, n.await("READY=1"), "\nSTATUS=not linked: ")
	require.Contains(t, askAt(t, "unix", socket, "{command:'version'}"), `"statusCode":0`, "ready is ready")
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	require.Contains(t, n.await("STOPPING=1"), "\nSTATUS=stopping")
	require.NoError(t, c.cmd.Wait())
}

// Without an account there is nothing to receive, and the daemon is well all the same.
func TestWatchdogWithoutAnAccount(t *testing.T) {
	n, c, _ := startNotifying(t, []string{"WATCHDOG_USEC=200000"})
	c.drain()
	n.await("READY=1")
	for range 5 {
		n.await("WATCHDOG=1")
	}
	require.NoError(t, c.terminate())
}

// TestWatchdogAndStatus follows one daemon: linked, connected, its loop hung, going on, without a service.
func TestWatchdogAndStatus(t *testing.T) {
	service, err := sandbox.Start(sandbox.Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = service.Close() })
	described := filepath.Join(shortDir(t), "service.json")
	require.NoError(t, os.WriteFile(described, service.Description(), 0o600))

	const pace = 50 * time.Millisecond // a quarter of the watchdog's time
	n, c, socket := startNotifying(t, []string{"WATCHDOG_USEC=200000"}, "--service", described)
	n.await("READY=1")
	require.True(t, strings.HasPrefix(n.status, "not linked: "), n.status)
	linkChild(t, service, socket)
	n.awaitStatus("connected")
	n.await("WATCHDOG=1")

	// A full pipe hangs whoever logs, and the loss of its connection makes the receive loop log.
	c.fillLog()
	service.CutConnections()
	deadline := time.Now().Add(patience)
	for silent := false; !silent; {
		_, came := n.next(40 * pace)
		silent = !came
		require.True(t, silent || time.Now().Before(deadline), "the watchdog is fed though the loop hangs")
	}
	stop := c.followLog() // takes what is in the pipe
	t.Cleanup(stop)
	n.await("WATCHDOG=1")
	n.awaitStatus("connected")

	require.NoError(t, service.Close())
	n.awaitStatus("disconnected: ")
	for range 5 {
		n.await("WATCHDOG=1")
	}
	require.NoError(t, c.terminate())
}

func TestActivation(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "handed")
	overTCP, tcpFile := openSocket(t, "tcp", "127.0.0.1:0")
	_, unixFile := openSocket(t, "unix", path)
	// Clients may knock before there is a daemon.
	early, err := net.Dial("tcp", overTCP)
	require.NoError(t, err)
	defer early.Close()
	_, err = io.WriteString(early, "{command:'version'}\n")
	require.NoError(t, err)

	c := startChild(t, nil, []*os.File{tcpFile, unixFile}, "--data-dir", dir)
	c.drain()
	require.NoError(t, early.SetDeadline(time.Now().Add(patience)))
	reply, err := bufio.NewReader(early).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, reply, `"statusCode":0`)
	for network, address := range map[string]string{"tcp": overTCP, "unix": path} {
		require.Contains(t, askAt(t, network, address, "{command:'version'}"), `"statusCode":0`)
	}
	require.NoError(t, c.terminate())
	_, err = os.Stat(path)
	require.NoError(t, err, "the socket stays for the next daemon")
}

func TestActivationRefused(t *testing.T) {
	token := filepath.Join(shortDir(t), "token")
	require.NoError(t, os.WriteFile(token, []byte("correct horse"), 0o600))
	t.Run("beyond loopback", func(t *testing.T) {
		_, file := openSocket(t, "tcp", "0.0.0.0:0")
		c := startChild(t, nil, []*os.File{file}, "--data-dir", shortDir(t))
		require.Contains(t, c.complaint(exitUsage), "--token-file")
	})
	t.Run("with a token", func(t *testing.T) {
		address, file := openSocket(t, "tcp", "0.0.0.0:0")
		c := startChild(t, nil, []*os.File{file}, "--data-dir", shortDir(t), "--token-file", token)
		c.drain()
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		require.Contains(t, askAt(t, "tcp", "127.0.0.1:"+port, "{command:'version'}"), `"statusCode":19`)
		require.NoError(t, c.terminate())
	})
	t.Run("no stream", func(t *testing.T) {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer packets.Close()
		file, err := packets.(*net.UDPConn).File()
		require.NoError(t, err)
		defer file.Close()
		c := startChild(t, nil, []*os.File{file}, "--data-dir", shortDir(t))
		require.Contains(t, c.complaint(exitError), "no listening stream socket")
	})
}

// TestSocketActivate has systemd's own tool hand the socket over.
func TestSocketActivate(t *testing.T) {
	tool := needs.Programs(t, "systemd-socket-activate")
	dir := shortDir(t)
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(dir, "signalbox")
	require.NoError(t, os.Symlink(self, program))
	path := filepath.Join(dir, "handed")
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, tool, "-l", path, program, "--data-dir", dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	require.NoError(t, cmd.Start())
	defer func() { cancel(); _ = cmd.Wait() }()
	conn, err := dialWhenListening(path)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Contains(t, askAt(t, "unix", path, "{command:'version'}"), `"statusCode":0`)
}

func TestStatusLine(t *testing.T) {
	for _, test := range []struct {
		state  model.ConnectionState
		reason string
		want   string
	}{
		{model.StateConnected, "", "STATUS=connected"},
		{model.StateConnecting, "", "STATUS=connecting"},
		{model.StateConnecting, "no route to host", "STATUS=disconnected: no route to host"},
		{model.StateConnectedElsewhere, "another program", "STATUS=disconnected: another program"},
		{model.StateNotLinked, "run signalbox link", "STATUS=not linked: run signalbox link"},
		{model.StatePaused, "the inbox is full", "STATUS=paused: the inbox is full"},
		{model.StateConnecting, "two\nREADY=0", "STATUS=disconnected: two READY=0"},
	} {
		require.Equal(t, test.want, statusLine(test.state, test.reason))
	}
	require.LessOrEqual(t, len([]rune(statusLine(model.StatePaused, strings.Repeat("ä", 5000)))), 420)
}

// An abort, as by the watchdog, shows where each goroutine was, and does not look like wrong settings: it is started again.
func TestAbort(t *testing.T) {
	n, c, _ := startNotifying(t, nil)
	c.drain()
	n.await("READY=1")
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGABRT))
	require.Error(t, c.cmd.Wait())
	require.NotContains(t, []int{exitOK, exitUsage}, c.cmd.ProcessState.ExitCode())
}

// A manager that takes nothing must not hang the daemon.
func TestManagerThatHangs(t *testing.T) {
	n := listenForNotifications(t)
	t.Setenv("NOTIFY_SOCKET", n.path)
	var log bytes.Buffer
	m := newManager(zerolog.New(&log))
	for log.Len() == 0 { // some messages find room
		require.True(t, m.tell("STATUS=x"))
	}
	require.Contains(t, log.String(), "cannot be told")
}

// A manager that is nobody is told nothing.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	var nobody *manager
	nobody.turn()
	require.Zero(t, nobody.pace())
	newManager(zerolog.Nop()).serving(t.Context(), func() (model.ConnectionState, string) { return model.StateConnected, "" })
}
