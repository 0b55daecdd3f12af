//go:build unix

package doctest

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Running is a command that runs beside the shell, in a process group of its own.
type Running struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu      sync.Mutex
	out     strings.Builder
	written chan struct{} // closed at the next output
}

// Begin starts a command. Its owner calls Stop.
func Begin(command, dir string, env []string) (*Running, error) {
	r := &Running{
		cmd: exec.Command("bash", "-c", "exec "+command), ended: make(chan struct{}), written: make(chan struct{}),
	}
	r.cmd.Dir, r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = dir, env, r, r
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	go func() {
		_ = r.cmd.Wait() // how it ended shows in what it printed
		close(r.ended)
	}()
	return r, nil
}

// Write takes what the command prints.
func (r *Running) Write(data []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.written)
	r.written = make(chan struct{})
	return r.out.Write(data)
}

func (r *Running) output() (string, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String(), r.written
}

// Output is what it has printed up to now.
func (r *Running) Output() string {
	out, _ := r.output()
	return out
}

var listening = regexp.MustCompile(`listening.*127\.0\.0\.1:([0-9]+)|127\.0\.0\.1:([0-9]+).*listening`)

// Port waits until signalbox listens, and returns where.
func (r *Running) Port() (string, error) {
	var port string
	err := r.Await("listening", func(out string) bool {
		found := listening.FindStringSubmatch(out)
		if found != nil {
			port = found[1] + found[2]
		}
		return found != nil
	})
	return port, err
}

// Connected tells, of what signalbox has printed, whether its account is linked and at work.
func Connected(output string) bool { return strings.Contains(output, "connected") }

// Await waits until what it has printed is as wanted.
func (r *Running) Await(what string, wanted func(output string) bool) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		out, written := r.output()
		if wanted(out) {
			return nil
		}
		select {
		case <-written:
		case <-r.ended:
			return fmt.Errorf("doctest: it ended before this: %s\n%s", what, r.Output())
		case <-timeout.C:
			return fmt.Errorf("doctest: this does not come: %s\n%s", what, out)
		}
	}
}

// Stop ends it as Ctrl-C or a supervisor would.
func (r *Running) Stop() error {
	select {
	case <-r.ended:
		return nil
	default:
	}
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-r.ended:
		return nil
	case <-time.After(patience):
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		<-r.ended
		return errors.New("doctest: it does not end")
	}
}
