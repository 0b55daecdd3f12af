//go:build unix

package doctest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = "# Title\n\n```console\n$ echo one\none\n# Somebody calls.\n$ cat <<end\n> two\n> end\ntwo\n```\n\n" +
	"<!-- not run: it needs a phone -->\n```sh\nsignalbox link\n```\n\n```json\n{}\n```\n\n" +
	"<!-- daemon -->\n```console\n$ signalbox --sandbox\nlistening\n```\n"

func TestParse(t *testing.T) {
	d, err := parse("sample.md", sample)
	require.NoError(t, err)
	require.Len(t, d.Blocks, 3)
	first := d.Blocks[0]
	require.Equal(t, []*Step{
		{Command: "echo one", Output: "one\n"},
		{Command: "cat <<end\ntwo\nend", Output: "two\n", notes: "# Somebody calls.\n"},
	}, first.Steps)
	require.Equal(t, "sample.md:4", d.Where(first))
	reason, skipped := d.Blocks[1].NotRun()
	require.True(t, skipped)
	require.Equal(t, "it needs a phone", reason)
	require.Equal(t, Daemon, d.Blocks[2].Mark)

	for _, b := range d.Blocks {
		require.Equal(t, sample[b.start:b.end], b.Text(), "a block is written as it was read")
	}
	_, err = parse("sample.md", "```text\n$ echo one\n```\n")
	require.ErrorContains(t, err, "sample.md:2: a block with commands needs the language console")
	_, err = parse("sample.md", "```console\necho one\n```\n")
	require.ErrorContains(t, err, "without a command")
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sample.md")
	require.NoError(t, os.WriteFile(path, []byte(sample), 0o600))
	d, err := Read(path)
	require.NoError(t, err)
	d.Blocks[0].Steps[0].Output = "another\nthing\n"
	d.Blocks[2].Steps[0].Output = ""
	require.NoError(t, d.Write())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "```console\n$ echo one\nanother\nthing\n# Somebody calls.\n$ cat")
	require.Contains(t, string(text), "$ signalbox --sandbox\n```\n")
}

func TestSame(t *testing.T) {
	for _, test := range []struct {
		shown, got string
		same       bool
	}{
		{`{"timestamp":1795310081242,"statusCode":0}`, `{"timestamp":1795310099999,"statusCode":0}`, true},
		{`{"timestamp":1795310081242,"statusCode":0}`, `{"timestamp":1795310099999,"statusCode":1}`, false},
		{`{"timestamp":1795310081242}`, `{"timestamp":0}`, false},
		{"2026-11-22T01:14:40Z", "2027-01-01T00:00:00+01:00", true},
		{"11:04AM INF connected", "3:05PM INF connected", true},
		{"11:04AM INF connected", "3:05PM INF linked", false},
	} {
		require.Equal(t, test.same, Same(test.shown, test.got), "%s and %s", test.shown, test.got)
	}
	require.Empty(t, Missing("b\na\n", "a\nc\nb\n"))
	require.Equal(t, "d\n", Missing("b\nd\n", "a\nb\n"))
}

func TestShell(t *testing.T) {
	s, err := NewShell(t.TempDir(), os.Environ())
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for _, test := range []struct {
		command, output string
		status          int
	}{
		{"name='a b'; echo \"$name\"", "a b\n", 0},
		{"printf '%s' \"it's $name\"", "it's a b", 0},
		{"echo wrong >&2; false", "wrong\n", 1},
		{"cat <<end\nhere\nend", "here\n", 0},
		{"cat", "", 0},
		{"(exit 3)", "", 3},
	} {
		output, status, err := s.Run(test.command)
		require.NoError(t, err, test.command)
		require.Equal(t, test.output, output, test.command)
		require.Equal(t, test.status, status, test.command)
	}
	_, _, err = s.Run("exit")
	require.Error(t, err)
}

func TestRunning(t *testing.T) {
	r, err := Begin("printf 'listening at 127.0.0.1:%d\\n' 4711", t.TempDir(), os.Environ())
	require.NoError(t, err)
	port, err := r.Port()
	require.NoError(t, err)
	require.Equal(t, "4711", port)
	require.Error(t, r.Await("more", func(string) bool { return false }), "it has ended")
	require.NoError(t, r.Stop())

	r, err = Begin("sleep 1000", t.TempDir(), os.Environ())
	require.NoError(t, err)
	require.NoError(t, r.Stop())
}
