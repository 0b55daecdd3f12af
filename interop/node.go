package interop

import (
	"path/filepath"
	"testing"

	"signalbox/interop/needs"
)

// Root is the folder of the repository.
func Root() string { return filepath.Join(needs.Folder(), "..", "..") }

func harnessDir() string { return needs.Folder() }

// Require skips the test where Node or the harness's packages are missing. With SIGNALBOX_REQUIRE_INTEROP=1, as in CI,
// that is a failure.
func Require(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("interop: not in -short")
	}
	needs.Packages(t, "mock-server-27")
}
