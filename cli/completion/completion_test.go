package completion

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/cli/manual"
	"signalbox/interop/needs"
)

func example() manual.Program {
	return manual.Program{
		Name: "example",
		Groups: []manual.Group{{Title: "Options", Options: []manual.Option{
			{Short: "p", Long: "port", Value: "PORT", Description: "the port: it's [0, 65535]"},
			{Long: "service", Value: "live|staging|FILE", Description: "where"},
			{Long: "level", Value: "LEVEL", Choices: []string{"high", "low"}, Description: "how much"},
			{Long: "data-dir", Value: "DIR", Description: "which"},
			{Long: "quick", Description: "no value"},
		}}},
		Commands: []manual.Command{
			{Name: "serve", Summary: "serve it: really"},
			{Name: "completion", Summary: "complete", Values: Shells(),
				Options: []manual.Option{{Long: "png", Value: "FILE", Description: "a picture"}}},
		},
	}
}

// cases are command lines and what completes their last word, in a directory with the file "notes 1.txt" and the
// directory "nested".
var cases = []struct {
	line string
	want []string
}{
	{"example ", []string{"serve", "completion"}},
	{"example se", []string{"serve"}},
	{"example --quick s", []string{"serve"}},
	{"example --port 1 s", []string{"serve"}},
	{"example --port=1 s", []string{"serve"}},
	{"example -p s", nil},
	{"example --le", []string{"--level"}},
	{"example --level ", []string{"high", "low"}},
	{"example --level=", []string{"high", "low"}},
	{"example --level=l", []string{"low"}},
	{"example serve --level h", []string{"high"}},
	{"example --service l", []string{"live"}},
	{"example --service n", []string{"notes 1.txt", "nested"}},
	{"example --data-dir n", []string{"nested"}},
	{"example completion ", []string{"bash", "zsh", "fish"}},
	{"example completion z", []string{"zsh"}},
	{"example completion --pn", []string{"--png"}},
	{"example completion --png no", []string{"notes 1.txt"}},
	{"example completion --le", []string{"--level"}},
	{"example serve --pn", nil},
	{"example serve ", nil},
}

func TestUnknownShell(t *testing.T) {
	_, err := Script(example(), "tcsh")
	require.EqualError(t, err, `there is no completion for "tcsh", only for bash, zsh, fish`)
}

// TestBash completes as bash itself does: by the function, with the words split at "=" as COMP_WORDBREAKS says.
func TestBash(t *testing.T) {
	dir, script := place(t, "bash")
	for _, test := range cases {
		t.Run(test.line, func(t *testing.T) {
			words := strings.Fields(strings.ReplaceAll(test.line, "=", " = "))
			if strings.HasSuffix(test.line, " ") {
				words = append(words, "")
			}
			line := "COMP_WORDS=("
			for _, word := range words {
				line += single(word) + " "
			}
			line += "); COMP_CWORD=" + strconv.Itoa(len(words)-1)
			said := shell(t, dir, "bash", "--norc", "-c",
				"source "+script+"; "+line+"; _example; printf '%s\\n' \"${COMPREPLY[@]}\"")
			require.ElementsMatch(t, test.want, said)
		})
	}
}

// TestFish asks fish what it would offer.
func TestFish(t *testing.T) {
	dir, script := place(t, "fish")
	for _, test := range cases {
		t.Run(test.line, func(t *testing.T) {
			said := shell(t, dir, "fish", "--no-config", "-c", "source "+script+"; complete -C "+fishQuote(test.line))
			for i, line := range said {
				line, _, _ = strings.Cut(line, "\t")
				line = strings.TrimPrefix(strings.TrimSuffix(line, "/"), "--level=")
				said[i] = strings.ReplaceAll(line, `\ `, " ")
			}
			require.ElementsMatch(t, test.want, said)
		})
	}
}

// TestZsh checks the syntax, and completes on a terminal of its own (zsh's zpty), which is the only way there is.
func TestZsh(t *testing.T) {
	dir, script := place(t, "zsh")
	require.Empty(t, shell(t, dir, "zsh", "-n", script))
}

// place writes a script beside the files that there are to complete.
func place(t *testing.T, name string) (dir, script string) {
	t.Helper()
	needs.Programs(t, name)
	dir = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "nested"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes 1.txt"), nil, 0o600))
	text, err := Script(example(), name)
	require.NoError(t, err)
	script = filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte(text), 0o600))
	return dir, script
}

func shell(t *testing.T, dir string, command ...string) []string {
	t.Helper()
	run := exec.CommandContext(t.Context(), command[0], command[1:]...)
	run.Dir = dir
	run.Env = append(os.Environ(), "HOME="+dir)
	said, err := run.CombinedOutput()
	require.NoError(t, err, "%s", said)
	text := strings.TrimRight(string(said), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
