package main

import (
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The house rules of docs/architecture.md: dependencies point downwards only. Test files may import anything.

const module = "signalbox/"

// mayImport lists, for a part of the tree, the parts it may import beside its own sub-packages. The longest name that
// fits a package counts.
var mayImport = map[string][]string{
	"":          {"cli", "tcpserver", "commands", "statuscodes", "lenientjson", "sandbox", "signalcore"},
	"cli":       {},
	"tcpserver": {"commands", "statuscodes", "lenientjson", "signalcore/model"},
	"commands":  {"statuscodes", "lenientjson", "signalcore"},
	"statuscodes": {"lenientjson", "signalcore/model", "signalcore/service", "signalcore/group",
		"signalcore/protocol/zkgroup"},
	"lenientjson": {},
	"signalcore":  {},
	"sandbox": {"signalcore/protocol", "signalcore/signalpb", "signalcore/service", "signalcore/content",
		"signalcore/group"},
	"signalcore/protocol": {"signalcore/signalpb"},
	"signalcore/content":  {"signalcore/protocol", "signalcore/signalpb"},
	"signalcore/group":    {"signalcore/model", "signalcore/protocol", "signalcore/signalpb"},
	"signalcore/model":    {"signalcore/content", "signalcore/protocol", "signalcore/signalpb"},
	"signalcore/service":  {"signalcore/protocol", "signalcore/signalpb", "signalcore/content"},
	"signalcore/store":    {"signalcore/protocol", "signalcore/signalpb", "signalcore/model"},
	"signalcore/inbox":    {"signalcore/store", "signalcore/content", "signalcore/model", "signalcore/protocol", "signalcore/signalpb"},
	"signalcore/signalpb": {},
}

// only lists libraries that belong to one part of the tree.
var only = map[string][]string{
	"github.com/dgraph-io/badger":     {"signalcore/store"},
	"github.com/gobwas/ws":            {"signalcore/service", "sandbox"},
	"golang.org/x/net":                {"signalcore/service", "sandbox"},
	"github.com/jessevdk/go-flags":    {""},
	"github.com/coreos/go-systemd":    {""},
	"rsc.io/qr":                       {"cli/qrcode"},
	"github.com/cloudflare/circl":     {"signalcore/protocol"},
	"filippo.io/edwards25519":         {"signalcore/protocol"},
	"github.com/invopop/jsonschema":   {"commands"},
	"github.com/nyaruka/phonenumbers": {"commands/phonenumber"}, // its generator: the product does without
}

// impure are packages that protocol and group do without: they have no clock, no I/O, no logger and no goroutine.
var impure = []string{"os", "net", "log", "context", "io/fs", "io/ioutil", "syscall", "runtime", "math/rand",
	"github.com/rs/zerolog"}

func TestImports(t *testing.T) {
	for _, file := range productionFiles(t) {
		t.Run(file, func(t *testing.T) {
			for _, imported := range imports(t, file) {
				checkImport(t, path.Dir(file), imported)
			}
		})
	}
}

func checkImport(t *testing.T, dir, imported string) {
	t.Helper()
	if dir == "." {
		dir = ""
	}
	if testSupport(dir) {
		return
	}
	require.Falsef(t, testSupport(strings.TrimPrefix(imported, module)) || within(imported, "github.com/stretchr/testify"),
		"%s is for tests, not for %q", imported, dir)
	if internal, ok := strings.CutPrefix(imported, module); ok {
		part := partOf(dir)
		allowed := within(internal, part) && part != "" || within(internal, mayImport[part]...)
		require.Truef(t, allowed, "%q must not import %s", dir, imported)
		return
	}
	for library, parts := range only {
		if within(imported, library) {
			require.Truef(t, within(dir, parts...), "%s is for %v, not for %q", library, parts, dir)
		}
	}
	if within(dir, "signalcore/protocol", "signalcore/group") {
		pure := imported == "net/url" || !within(imported, impure...) // net/url only takes texts apart
		require.Truef(t, pure, "%s is not pure with %s", dir, imported)
	}
	if within(dir, "signalcore/store") {
		require.Falsef(t, within(imported, "net"), "the store knows no network: %s", imported)
	}
}

// The product has the sandbox only by files of main that the tag nosandbox leaves out.
func TestSandboxCanBeLeftOut(t *testing.T) {
	used := false
	for _, file := range productionFiles(t) {
		dir := path.Dir(file)
		if within(dir, "sandbox") || testSupport(dir) || !slices.ContainsFunc(imports(t, file), func(name string) bool {
			return within(name, module+"sandbox")
		}) {
			continue
		}
		used = true
		require.Equalf(t, ".", dir, "%s must not import the sandbox", file)
		require.Truef(t, leftOut(t, file, "nosandbox"), "%s must begin with //go:build !nosandbox", file)
	}
	require.True(t, used)
}

// leftOut tells whether a build tag leaves a file out.
func leftOut(t *testing.T, file, tag string) bool {
	t.Helper()
	source, err := os.ReadFile(filepath.FromSlash(file))
	require.NoError(t, err)
	for line := range strings.Lines(string(source)) {
		if constraint.IsGoBuild(line) {
			expression, err := constraint.Parse(strings.TrimSpace(line))
			require.NoError(t, err)
			return !expression.Eval(func(other string) bool { return other == tag })
		}
	}
	return false
}

// testSupport tells of packages that only tests import: helpers, the interop driver and the measurements.
func testSupport(dir string) bool {
	return within(dir, "interop", "bench", "testdata") || strings.HasSuffix(dir, "test")
}

// partOf finds the entry of mayImport that a package falls under.
func partOf(dir string) string {
	for part := dir; part != "." && part != ""; part = path.Dir(part) {
		if _, ok := mayImport[part]; ok {
			return part
		}
	}
	return ""
}

// within tells whether a package is one of these, or inside one. "" is the top package alone.
func within(name string, parents ...string) bool {
	for _, parent := range parents {
		if name == parent || parent != "" && strings.HasPrefix(name, parent+"/") {
			return true
		}
	}
	return false
}

func productionFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	require.NoError(t, fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || name != "." && strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			files = append(files, name)
		}
		return nil
	}))
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, parser.ImportsOnly)
	require.NoError(t, err)
	names := make([]string, 0, len(parsed.Imports))
	for _, spec := range parsed.Imports {
		names = append(names, strings.Trim(spec.Path.Value, `"`))
	}
	return names
}
