// Command bench measures the built binary against Signal's mock server, and on its own sandbox, and prints what
// docs/benchmarks.md holds: a Markdown table, next to what signal-cli 0.13.19 (JVM) gave, and next to the mock's own
// ceiling, taken with the official library as the client in the same run.
//
// Each measurement is one function here, in the order of the table. The harness behind it is package interop. Run it on
// a machine that has nothing else to do: `make bench`.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func main() {
	version := flag.Int("mock", 15, "version of the mock server: 15 (15.2.0, as signal-cli was measured) or 27 (27.0.0)")
	only := flag.String("only", "", "parts to measure, with commas: "+
		"ceiling, start, send, drain, live, load, attachment, session, group, sandbox, sealing, zkgroup (default: all)")
	testing.Init() // package interop asks for -short
	flag.Parse()
	os.Exit(run(*version, func(part string) bool {
		return *only == "" || slices.Contains(strings.Split(*only, ","), part)
	}))
}

func run(version int, chosen func(part string) bool) int {
	t := newTB()
	defer t.cleanup()
	before := load()
	rows := t.guard(func() []row { return measure(t, version, chosen) })
	if rows == nil {
		return 1
	}
	fmt.Printf("Mock server %s; %s; %s/%s, %d cores, %s; load average at the start and at the end: %s, %s.\n\n",
		map[int]string{15: "15.2.0", 27: "27.0.0"}[version], runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), cpuModel(), before, load())
	fmt.Println("| measure | signalbox | aim | signal-cli 0.13.19 | mock ceiling in this run |")
	fmt.Println("|---|---:|---:|---:|---:|")
	for _, row := range rows {
		fmt.Printf("| %s | %s | %s | %s | %s |\n", row.what, row.ours, row.aim, row.cli, row.ceiling)
	}
	return 0
}

// row is a line of the table.
type row struct {
	what, ours, aim, cli, ceiling string
}

// load says what else the machine has to do: these figures are only comparable where it is small.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

func cpuModel() string {
	output, err := exec.Command("sh", "-c", `grep -m1 'model name' /proc/cpuinfo | cut -d: -f2`).Output()
	if err != nil {
		return "unknown CPU"
	}
	return strings.TrimSpace(string(output))
}
