//go:build unix

package doctest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a command may take: a document is run on slow machines too.
const patience = 3 * time.Minute

// Shell is a bash into which a document's commands are typed; variables last from one to the next.
type Shell struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	// onLine is told each line when it comes, where somebody waits for one.
	onLine func(line string) error
}

// prompt ends the output of a command, with its exit status.
const prompt = "\x01done "

// NewShell starts a shell in a directory. Its owner calls Close.
func NewShell(dir string, env []string) (*Shell, error) {
	cmd := exec.Command("bash", "--noprofile", "--norc")
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	return &Shell{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}, nil
}

// Run types a command, and returns what it printed, errors included, and its exit status.
func (s *Shell) Run(command string) (output string, status int, err error) {
	script := "eval '" + strings.ReplaceAll(command, "'", `'\''`) + "' </dev/null 2>&1\nprintf '" + prompt + "%d\\n' $?\n"
	if _, err := io.WriteString(s.stdin, script); err != nil {
		return "", 0, fmt.Errorf("doctest: the shell has ended: %w", err)
	}
	timer := time.AfterFunc(patience, s.kill)
	defer timer.Stop()
	var out strings.Builder
	for {
		line, err := s.stdout.ReadString('\n')
		before, code, done := strings.Cut(line, prompt)
		out.WriteString(before)
		if s.onLine != nil {
			if err := s.onLine(before); err != nil {
				return out.String(), 0, err
			}
		}
		if done {
			status, err = strconv.Atoi(strings.TrimSpace(code))
			return out.String(), status, err
		}
		if err != nil {
			return out.String(), 0, fmt.Errorf("doctest: %q ended the shell, or took longer than %v: %w", command, patience, err)
		}
	}
}

// kill ends the shell and what runs in it.
func (s *Shell) kill() { _ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) }

// Close ends the shell.
func (s *Shell) Close() error {
	s.kill()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil // it was killed, as it should be
	}
	return err
}
