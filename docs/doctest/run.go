//go:build unix

package doctest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Setting is where documents are run.
type Setting struct {
	Binary string // signalbox
	Root   string // of the repository
	Dir    string // an empty directory to work in
	// Update takes what is printed for what the document shows, where that differs.
	Update bool
}

// DefaultPort is the port in documents; they are run with another one.
const DefaultPort = "6789"

// secondPort is that of a second daemon; it is another one as well.
const secondPort = "6790"

// sandboxPort is where a sandbox listens that other programs share; it is another one as well.
const sandboxPort = "8443"

// sandbox runs for documents that start nothing themselves.
const sandbox = "signalbox --sandbox"

// session is a document being run.
type session struct {
	Setting
	doc    *Document
	env    []string
	daemon *Running
	port   string
	shared string // in place of sandboxPort
	second string // in place of secondPort
	shell  *Shell
	phones *phones // where a block wants one
}

// Run runs the blocks of a document in order, with a fresh sandbox. Its error names the block and says what differs.
func (s Setting) Run(doc *Document) (err error) {
	run := &session{Setting: s, doc: doc, port: DefaultPort}
	if run.env, err = s.environment(); err != nil {
		return err
	}
	for _, port := range []*string{&run.shared, &run.second} {
		if *port, err = FreePort(); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, run.close(), run.phones.stop()) }()
	for _, b := range doc.Blocks {
		if _, skipped := b.NotRun(); skipped {
			continue
		}
		step := run.block
		switch b.Mark {
		case Daemon:
			step = run.begin
		case Phone:
			step = run.scanned
		}
		if err := step(b); err != nil {
			return fmt.Errorf("%s: %w", doc.Where(b), err)
		}
	}
	return nil
}

// environment is a new user's: a home of their own, and signalbox in the path.
func (s Setting) environment() ([]string, error) {
	bin, home := filepath.Join(s.Dir, ".bin"), filepath.Join(s.Dir, ".home")
	for _, dir := range []string{bin, home} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("doctest: %w", err)
		}
	}
	for link, target := range map[string]string{
		filepath.Join(bin, "signalbox"):  s.Binary,
		filepath.Join(s.Dir, "examples"): filepath.Join(s.Root, "examples"),
		filepath.Join(s.Dir, "contrib"):  filepath.Join(s.Root, "contrib"),
	} {
		if err := os.Symlink(target, link); err != nil {
			return nil, fmt.Errorf("doctest: %w", err)
		}
	}
	env, err := goEnvironment()
	if err != nil {
		return nil, err
	}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SIGNALBOX_") && !strings.HasPrefix(variable, "XDG_") {
			env = append(env, variable)
		}
	}
	return append(env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+home, "LC_ALL=C.UTF-8",
		"SIGNALBOX_LOG_FORMAT=console"), nil
}

// goEnvironment keeps Go's caches where they are, for a user whose home is new.
func goEnvironment() ([]string, error) {
	var env []string
	for _, variable := range []string{"GOPATH", "GOCACHE", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", variable).Output()
		if err != nil {
			return nil, fmt.Errorf("doctest: go env %s: %w", variable, err)
		}
		env = append(env, variable+"="+strings.TrimSpace(string(value)))
	}
	return env, nil
}

// start starts a command that serves the socket, in place of the one before.
func (s *session) start(command string) (err error) {
	if err := s.close(); err != nil {
		return err
	}
	dir := s.Dir
	if strings.HasPrefix(command, "go run") {
		dir = s.Root
	}
	sandboxed := strings.Contains(command, "--sandbox")
	env := append(s.env, "SIGNALBOX_PORT=0")
	if s.phones != nil && !sandboxed {
		env = append(env, s.phones.variable)
	}
	if s.daemon, err = Begin(s.asRun(command), dir, env); err != nil {
		return err
	}
	if s.port, err = s.daemon.Port(); err != nil {
		return err
	}
	if sandboxed || s.phones != nil && len(s.phones.scanned) > 0 {
		if err := s.daemon.Await("connected", Connected); err != nil {
			return err
		}
	}
	if sandboxed {
		if err := hush(s.port); err != nil {
			return err
		}
	}
	s.shell, err = NewShell(s.Dir, append(s.env, "SIGNALBOX_PORT="+s.port))
	return err
}

// scanned types a block with a phone beside it. What is called over the socket is a daemon that is not linked yet.
func (s *session) scanned(b *Block) (err error) {
	if err := s.close(); err != nil {
		return err
	}
	if s.phones == nil {
		port, err := FreePort()
		if err != nil {
			return err
		}
		if s.phones, err = newPhones(s.Dir, port, s.env); err != nil {
			return err
		}
	}
	if strings.Contains(b.Text(), "signalbox call") {
		err = s.start("signalbox")
	} else {
		s.shell, err = NewShell(s.Dir, append(s.env, s.phones.variable))
	}
	if err != nil {
		return err
	}
	s.shell.onLine = s.phones.look
	defer func() { s.shell.onLine = nil }()
	seen := len(s.phones.scanned)
	for _, step := range b.Steps {
		if err := s.step(b, step); err != nil {
			return err
		}
	}
	if len(s.phones.scanned) == seen {
		return errors.New("it shows no linking code")
	}
	return nil
}

// begin runs a block's daemon until the end of the document, and compares what it prints at first.
func (s *session) begin(b *Block) error {
	step := b.Steps[0]
	if len(b.Steps) > 1 {
		return errors.New("a daemon's block has one command")
	}
	if err := s.start(step.Command); err != nil {
		return err
	}
	if s.Update && Missing(step.Output, s.asWritten(s.daemon.Output())) != "" {
		step.Output = s.asWritten(s.daemon.Output())
	}
	return s.daemon.Await(step.Output, func(out string) bool { return Missing(step.Output, s.asWritten(out)) == "" })
}

func (s *session) block(b *Block) error {
	if s.daemon == nil {
		if err := s.start(sandbox); err != nil {
			return err
		}
	}
	for _, step := range b.Steps {
		if err := s.step(b, step); err != nil {
			return fmt.Errorf("%w\nthe daemon's output:\n%s", err, s.daemon.Output())
		}
	}
	return nil
}

// step types a command. One that asks for messages is typed again while there are none: they may take a moment.
func (s *session) step(b *Block, step *Step) error {
	const tries = 100
	var output string
	for range tries {
		var status int
		var err error
		output, status, err = s.shell.Run(s.asRun(step.Command))
		if err != nil {
			return err
		}
		output = s.asWritten(output)
		if status != 0 && (output == "" || b.Language != "console") {
			return fmt.Errorf("%s\nended with %d: %s", step.Command, status, output)
		}
		if tooEarly := strings.Contains(output, `"messages":[]`); !tooEarly || strings.Contains(step.Output, `"messages":[]`) {
			break
		}
	}
	switch {
	case b.Language != "console":
		return nil
	case s.Update:
		if !Same(step.Output, output) {
			step.Output = output
		}
	case !Same(step.Output, output):
		return fmt.Errorf("%s\nshould print\n%s\nand prints\n%s", step.Command, step.Output, output)
	}
	return nil
}

// asRun is a command with the ports of this run. What is built is built where the repository is.
func (s *session) asRun(command string) string {
	command = built.ReplaceAllString(command, filepath.Join(s.Root, "signalbox")+"$1")
	return strings.NewReplacer(DefaultPort, s.port, secondPort, s.second, sandboxPort, s.shared,
		"make build", "make -C "+s.Root+" build").Replace(command)
}

// built is signalbox where make build leaves it.
var built = regexp.MustCompile(`\./signalbox(\s|$)`)

// asWritten is an output with the ports that documents have, and the ends of lines.
func (s *session) asWritten(output string) string {
	output = strings.ReplaceAll(output, "\r\n", "\n")
	for port, written := range map[string]string{s.port: DefaultPort, s.second: secondPort, s.shared: sandboxPort} {
		output = regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(output, written)
	}
	return output
}

func (s *session) close() error {
	var errs []error
	if s.shell != nil {
		errs = append(errs, s.shell.Close())
	}
	if s.daemon != nil {
		errs = append(errs, s.daemon.Stop())
	}
	s.shell, s.daemon = nil, nil
	return errors.Join(errs...)
}
