//go:build unix

package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/docs/doctest"
	"signalbox/interop"
	"signalbox/interop/needs"
)

// elsewhere are documents whose blocks another test runs.
var elsewhere = map[string]string{
	"groups.md": "interop TestGroupsOfTheDocs",
}

// notRun are the blocks that no test runs; each says why in a comment before it.
var notRun = []string{
	"README.md: it is what runs this",
	"benchmarks.md: it takes minutes, and a machine that has nothing else to do",
	"kiosks.md: it installs a system service",
	"kiosks.md: it wants a system service",
	"kiosks.md: make cross, in CI, builds it for each platform",
}

func documents(t *testing.T) []*doctest.Document {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	require.NoError(t, err)
	var all []*doctest.Document
	for _, path := range append(paths, filepath.Join("..", "README.md")) {
		document, err := doctest.Read(path)
		require.NoError(t, err)
		all = append(all, document)
	}
	return all
}

// TestDocuments runs the shell blocks of every document with a sandbox of its own; -update takes what they print.
func TestDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("not in -short")
	}
	needs.Programs(t, "bash", "nc", "socat", "jq", "curl", "cc", "python3", "node", "make", "qrencode")
	binary := interop.Binary(t)
	for _, document := range documents(t) {
		name := filepath.Base(document.Path)
		if len(document.Blocks) == 0 || elsewhere[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			setting := doctest.Setting{Binary: binary, Root: interop.Root(), Dir: t.TempDir(), Update: *update}
			require.NoError(t, setting.Run(document))
			if *update {
				require.NoError(t, document.Write())
			}
		})
	}
}

// TestNotRun: what is left out is known, and says why.
func TestNotRun(t *testing.T) {
	found := []string{}
	for _, document := range documents(t) {
		for _, b := range document.Blocks {
			if reason, ok := b.NotRun(); ok {
				found = append(found, filepath.Base(document.Path)+": "+reason)
			} else {
				require.Contains(t, []string{"", doctest.Daemon, doctest.Phone}, b.Mark, document.Where(b))
			}
		}
	}
	t.Log("not run:\n" + strings.Join(found, "\n"))
	require.ElementsMatch(t, notRun, found)
}

// TestNoHiddenCommands: commands are in fenced blocks, where they are run, and not in indented ones.
func TestNoHiddenCommands(t *testing.T) {
	for _, document := range documents(t) {
		fenced := false
		for line := range strings.Lines(document.Text) {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			hidden := !fenced && strings.HasPrefix(line, "    ") && !strings.HasPrefix(strings.TrimSpace(line), "|")
			require.False(t, hidden, "%s: an indented block: %s", document.Path, line)
		}
	}
}
