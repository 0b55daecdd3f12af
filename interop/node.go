package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

func harnessDir() string { return filepath.Join(Root(), "testdata", "interop") }

// Require skips the test where Node or the harness's packages are missing. With SIGNALBOX_REQUIRE_INTEROP=1, as in CI,
// that is a failure.
func Require(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("interop: not in -short")
	}
	if missing := missing(); missing != "" {
		if os.Getenv("SIGNALBOX_REQUIRE_INTEROP") == "1" {
			t.Fatalf("interop: %s", missing)
		}
		t.Skipf("interop: %s", missing)
	}
}

func missing() string {
	if _, err := exec.LookPath("node"); err != nil {
		return "node is not installed"
	}
	if _, err := os.Stat(filepath.Join(harnessDir(), "node_modules", "mock-server-27")); err != nil {
		return "the harness's packages are not installed: npm ci --prefix testdata/interop"
	}
	return ""
}
