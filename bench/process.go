package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/interop"
)

// ticksPerSecond is Linux's USER_HZ, the unit of /proc/PID/stat.
const ticksPerSecond = 100

// cpu is the processor time that a process has used.
func cpu(t *tb, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatalf("%v", err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

// resident is a process's resident memory in MiB.
func resident(t *tb, pid int) float64 { return memory(t, pid, "VmRSS:") }

// peakResident is the most that it ever was.
func peakResident(t *tb, pid int) float64 { return memory(t, pid, "VmHWM:") }

func memory(t *tb, pid int, field string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("%v", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field); ok {
			kibibytes, _ := strconv.Atoi(strings.Fields(value)[0])
			return float64(kibibytes) / 1024
		}
	}
	t.Fatalf("no %s", field)
	return 0
}

// monotonic is CLOCK_MONOTONIC, which Node's hrtime shows too.
func monotonic(t *tb) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatalf("%v", err)
	}
	return time.Duration(now.Nano())
}

// strippedBinary builds what is shipped, and answers its path and size in MiB. SIGNALBOX_BINARY names one that is
// built already.
func strippedBinary(t *tb) (string, float64) {
	if path := os.Getenv("SIGNALBOX_BINARY"); path != "" {
		return path, fileSize(t, path)
	}
	path := filepath.Join(t.TempDir(), "signalbox")
	compile(t, path)
	return path, fileSize(t, path)
}

// compile builds the stripped binary.
func compile(t *tb, path string, flags ...string) {
	arguments := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", path}, flags...)
	cmd := exec.Command("go", append(arguments, ".")...) //nolint:gosec // fixed
	cmd.Dir = interop.Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
}

func fileSize(t *tb, path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return float64(info.Size()) / (1 << 20)
}
