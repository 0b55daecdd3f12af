package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/docs/doctest"
)

var builds sync.Map // build tags → *build

type build struct {
	once sync.Once
	path string
	err  error
}

// Binary builds signalbox once per test run and set of build tags, and answers its path. SIGNALBOX_BINARY names one
// that is built already; SIGNALBOX_INTEROP_RACE=1 builds with the race detector.
func Binary(t testing.TB, tags ...string) string {
	t.Helper()
	if path := os.Getenv("SIGNALBOX_BINARY"); path != "" && len(tags) == 0 {
		return path
	}
	joined := strings.Join(tags, ",")
	value, _ := builds.LoadOrStore(joined, &build{})
	b := value.(*build)
	b.once.Do(func() { b.path, b.err = compile(joined) })
	require.NoError(t, b.err)
	return b.path
}

func compile(tags string) (string, error) {
	dir, err := os.MkdirTemp("", "signalbox-interop-build-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "signalbox")
	arguments := []string{"build", "-buildvcs=false", "-o", path, "-tags", tags}
	cgo := "CGO_ENABLED=0"
	if os.Getenv("SIGNALBOX_INTEROP_RACE") == "1" {
		arguments, cgo = append(arguments, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(arguments, ".")...) //nolint:gosec // arguments of our own
	cmd.Dir, cmd.Env = Root(), append(os.Environ(), cgo)
	if output, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("interop: build: %w\n%s", err, output)
	}
	return path, nil
}

// RemoveBinaries deletes what Binary built; TestMain calls it.
func RemoveBinaries() {
	builds.Range(func(_, value any) bool {
		if built := value.(*build).path; built != "" {
			_ = os.RemoveAll(filepath.Dir(built))
		}
		return true
	})
}

// Daemon is one data directory of signalbox, and the daemon that runs on it now, if any.
type Daemon struct {
	t       testing.TB
	binary  string
	Dir     string
	Service string
	// Address is the TCP listener's, Unix the unix socket's.
	Address, Unix string
	// Arguments and Env are added when it is started.
	Arguments, Env []string

	*process
}

// process is a running daemon.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error
}

// NewDaemon prepares a data directory for the mock's service; nothing runs yet.
func NewDaemon(t testing.TB, mock *Mock, binary string) *Daemon {
	t.Helper()
	dir := t.TempDir()
	return &Daemon{t: t, binary: binary, Dir: filepath.Join(dir, "data"), Service: mock.Environment,
		Address: freeAddress(t), Unix: filepath.Join(dir, "s")}
}

// freeAddress is one that nobody listens at. It stays free while a daemon is down, or does not listen yet.
func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := doctest.FreePort()
	require.NoError(t, err)
	return net.JoinHostPort("127.0.0.1", port)
}

func (d *Daemon) command(arguments ...string) *exec.Cmd {
	base := []string{"--data-dir", d.Dir, "--service", d.Service, "--log-level", "debug", "--log-format", "json"}
	cmd := exec.Command(d.binary, append(base, arguments...)...) //nolint:gosec // the binary under test
	cmd.Env = append(os.Environ(), d.Env...)
	return cmd
}

// Link runs `signalbox link` and lets the account's phone scan what it prints.
func (d *Daemon) Link(account *Account) {
	d.t.Helper()
	cmd := d.command("link", "--device-name", "signalbox under test")
	cmd.Stderr = newLogFile(d.t, "link.log")
	stdout, err := cmd.StdoutPipe()
	require.NoError(d.t, err)
	require.NoError(d.t, cmd.Start())
	defer killAfter(cmd, 2*patience)()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		require.NoError(d.t, errors.Join(err, cmd.Wait()), "signalbox link printed no link")
	}
	scanned := make(chan error, 1)
	go func() {
		_, err := account.tryScan(strings.TrimSpace(line))
		scanned <- err
	}()
	require.NoError(d.t, cmd.Wait(), "signalbox link")
	require.NoError(d.t, <-scanned)
}

// Scan completes a link that signalbox printed, as the account's phone.
func (a *Account) Scan(uri string) int {
	a.mock.t.Helper()
	device, err := a.tryScan(uri)
	require.NoError(a.mock.t, err)
	return device
}

func (a *Account) tryScan(uri string) (int, error) {
	var linked struct{ Device int }
	err := a.mock.Try("link", args{"account": a.Name, "uri": uri}, &linked)
	return linked.Device, err
}

// Start starts the daemon and waits until it listens.
func (d *Daemon) Start() {
	d.t.Helper()
	require.NoError(d.t, d.TryStart())
}

// TryStart is Start, answering the error of a daemon that ended before it listened.
func (d *Daemon) TryStart() error {
	host, port, err := net.SplitHostPort(d.Address)
	if err != nil {
		return err
	}
	arguments := append([]string{"-a", host, "-p", port, "--unix-socket", d.Unix}, d.Arguments...)
	cmd := d.command(append(arguments, "serve")...)
	cmd.Stderr = newLogFile(d.t, "daemon.log")
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	d.process = p
	d.t.Cleanup(p.kill)
	return d.awaitListening()
}

func (d *Daemon) awaitListening() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", d.Address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-d.ended:
			return fmt.Errorf("interop: the daemon ended before it listened: %w", d.err)
		case <-ctx.Done():
			return fmt.Errorf("interop: the daemon does not listen: %w", err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// PID is the running daemon's process.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Kill ends the daemon with SIGKILL.
func (d *Daemon) Kill() { d.kill() }

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop ends the daemon with SIGTERM and answers how it exited.
func (d *Daemon) Stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return d.Exited()
}

// Exited waits for the daemon to end, and answers how it did.
func (d *Daemon) Exited() error {
	select {
	case <-d.ended:
		return d.err
	case <-time.After(patience):
		d.kill()
		return errors.New("interop: the daemon does not end")
	}
}

// killAfter kills a command that takes too long; the function that it answers calls that off.
func killAfter(cmd *exec.Cmd, limit time.Duration) func() bool {
	return time.AfterFunc(limit, func() { _ = cmd.Process.Kill() }).Stop
}

// Shell runs a script with bash, as a user would type it, and answers what it wrote to stdout.
func Shell(t testing.TB, script string, env ...string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", script) //nolint:gosec // a script of the test
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = newLogFile(t, "shell.log")
	defer killAfter(cmd, 2*patience)()
	output, err := cmd.Output()
	require.NoError(t, err, "%s", output)
	return string(output)
}
