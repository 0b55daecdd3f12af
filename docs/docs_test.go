// Package docs checks the documents: that the shell blocks of this folder and of the README print what they show, that
// the generated ones are not stale, and that the lists in them are complete.
package docs

import (
	"flag"
	"os"
	"testing"

	"signalbox/interop"
)

var update = flag.Bool("update", false, "write the generated documents anew, and the outputs that the documents show")

func TestMain(m *testing.M) {
	code := m.Run()
	interop.RemoveBinaries()
	os.Exit(code)
}
