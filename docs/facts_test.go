//go:build unix

package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	option  = regexp.MustCompile("`(--[a-z][a-z-]+)[^`]*`")
	blocks  = regexp.MustCompile("(?ms)^```.*?^```$")
	wanted  = regexp.MustCompile(`(?m)^\t?(?:require )?(\S+\.\S+/\S+) v\S+$`)
)

// TestLinks: every link to a file or a heading leads somewhere.
func TestLinks(t *testing.T) {
	for _, document := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(blocks.ReplaceAllString(document.Text, ""), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := document.Path
			if target != "" {
				path = filepath.Join(filepath.Dir(document.Path), target)
			}
			_, err := os.Stat(path)
			require.NoError(t, err, "%s: %s", document.Path, found[1])
			if anchor != "" {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Contains(t, anchors(string(text)), anchor, "%s: %s", document.Path, found[1])
			}
		}
	}
}

// anchors are how headings are linked to.
func anchors(text string) []string {
	var all []string
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		kept := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_-", r):
				return r
			}
			return -1
		}, strings.ToLower(h[1]))
		all = append(all, kept)
	}
	return all
}

// TestOptions: every option that a document names is one.
func TestOptions(t *testing.T) {
	if testing.Short() {
		t.Skip("not in -short")
	}
	binary := interop.Binary(t)
	var help string
	for _, arguments := range [][]string{{"--help"}, {"link", "--help"}, {"call", "--help"}, {"status", "--help"}, {"config", "--help"}} {
		output, err := exec.Command(binary, arguments...).Output() //nolint:gosec // the binary under test
		require.NoError(t, err)
		help += string(output)
	}
	for _, document := range documents(t) {
		for _, found := range option.FindAllStringSubmatch(document.Text, -1) {
			require.Regexp(t, regexp.QuoteMeta(found[1])+`\b`, help, document.Path)
		}
	}
}

// TestDependencies: docs/dependencies.md names every module that go.mod asks for.
func TestDependencies(t *testing.T) {
	modules, err := os.ReadFile(filepath.Join("..", "go.mod"))
	require.NoError(t, err)
	text, err := os.ReadFile("dependencies.md")
	require.NoError(t, err)
	found := wanted.FindAllStringSubmatch(string(modules), -1)
	require.Greater(t, len(found), 10)
	for _, module := range found {
		name := module[1]
		short := strings.TrimPrefix(name, "golang.org/")
		require.True(t, strings.Contains(string(text), name) || strings.Contains(string(text), "`"+short+"`"), name)
	}
}
