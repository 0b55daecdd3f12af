package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop"
)

var (
	pictureNode = regexp.MustCompile(`([a-z]+)\["<b>([a-z/]+)</b>`)
	unplaced    = regexp.MustCompile(`^(node_modules|testdata|internal|\..+|.+pb)$`)
	pictureEdge = regexp.MustCompile(`(?m)^  ([a-z]+)(?:\[.*?\])? --> ([a-z]+)`)
)

// TestPicture: what the picture of docs/architecture.md shows is there, and its arrows are imports.
func TestPicture(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	require.NoError(t, err)
	_, picture, ok := strings.Cut(string(text), "```mermaid\n")
	require.True(t, ok)
	picture, _, _ = strings.Cut(picture, "```")

	packages := map[string]string{}
	for _, node := range pictureNode.FindAllStringSubmatch(picture, -1) {
		packages[node[1]] = node[2]
	}
	require.Greater(t, len(packages), 10)
	packages["main"] = "."
	for _, dir := range packages {
		require.DirExists(t, filepath.Join(interop.Root(), dir))
	}
	edges := pictureEdge.FindAllStringSubmatch(picture, -1)
	require.Greater(t, len(edges), 15)
	for _, edge := range edges {
		from, to := packages[edge[1]], packages[edge[2]]
		require.NotEmpty(t, from, edge[0])
		require.NotEmpty(t, to, edge[0])
		require.True(t, imports(t, from, "signalbox/"+to), "%s does not import %s", from, to)
	}
}

// TestPackages: every package has its place in docs/architecture.md or, of the sandbox, in docs/sandbox.md. Generated ones
// and those that are internal to another go without.
func TestPackages(t *testing.T) {
	places := ""
	for _, name := range []string{"architecture.md", "sandbox.md"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		places += string(text)
	}
	missing := []string{}
	require.NoError(t, filepath.WalkDir(interop.Root(), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && unplaced.MatchString(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Dir(path) == interop.Root():
			return nil
		}
		dir := filepath.Base(filepath.Dir(path))
		if !strings.Contains(places, dir+"/") && !slices.Contains(missing, dir) {
			missing = append(missing, dir)
		}
		return nil
	}))
	require.Empty(t, missing)
}

// imports tells whether a part of the tree imports another; the top is its own files alone.
func imports(t *testing.T, part, wanted string) bool {
	root := filepath.Join(interop.Root(), part)
	found := false
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || found:
			return err
		case entry.IsDir() && part == "." && path != root:
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			found = found || name == wanted || strings.HasPrefix(name, wanted+"/")
		}
		return nil
	}))
	return found
}
