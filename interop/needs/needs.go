// Package needs says what a test wants of the machine beside Go. Where that is missing the test is skipped; with
// SIGNALBOX_REQUIRE_INTEROP=1, as in CI, it fails. What installs it all is .ci/install-tools.
package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Programs wants programs in the PATH, and returns where the first of them is.
func Programs(t testing.TB, names ...string) string {
	t.Helper()
	first := ""
	for _, name := range names {
		file, err := exec.LookPath(name)
		if err != nil {
			lack(t, name+" is not installed")
		}
		if first == "" {
			first = file
		}
	}
	return first
}

// Packages wants Node and packages of testdata/interop, and returns that folder.
func Packages(t testing.TB, names ...string) string {
	t.Helper()
	Programs(t, "node")
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(Folder(), "node_modules", filepath.FromSlash(name))); err != nil {
			lack(t, name+" is not installed: npm ci --prefix testdata/interop")
		}
	}
	return Folder()
}

// Folder is testdata/interop.
func Folder() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "testdata", "interop")
}

func lack(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("SIGNALBOX_REQUIRE_INTEROP") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}
