package doctest

import (
	"os"
	"os/exec"
	"testing"
)

// Needs skips a test where a tool is missing; with SIGNALBOX_REQUIRE_INTEROP=1, as in CI, that is a failure.
func Needs(t testing.TB, tools ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("not in -short")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("SIGNALBOX_REQUIRE_INTEROP") == "1" {
			t.Fatalf("%s is not installed", tool)
		}
		t.Skipf("%s is not installed", tool)
	}
}
