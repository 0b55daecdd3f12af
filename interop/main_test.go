package interop

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	mayWait()
	code := m.Run()
	StopHosts()
	RemoveBinaries()
	os.Exit(code)
}

// mayWait has more scenarios run at once than there are cores, unless the command line says how many: much of their time
// they wait, for pauses of the daemon or of those who talk to it.
func mayWait() {
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}
