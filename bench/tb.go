package main

import (
	"fmt"
	"os"
	"testing"
)

// tb lets package interop, which is written for tests, serve a program: what ends a test ends the measuring.
type tb struct {
	testing.TB
	cleanups []func()
	failed   bool
}

type stopped struct{}

func newTB() *tb { return &tb{} }

func (t *tb) Helper()          {}
func (t *tb) Name() string     { return "bench" }
func (t *tb) Failed() bool     { return t.failed }
func (t *tb) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *tb) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (t *tb) Errorf(format string, args ...any) {
	t.failed = true
	t.Logf(format, args...)
}

func (t *tb) FailNow() {
	t.failed = true
	panic(stopped{})
}

func (t *tb) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	t.FailNow()
}

func (t *tb) Skipf(format string, args ...any) { t.Fatalf(format, args...) }

func (t *tb) TempDir() string {
	dir, err := os.MkdirTemp("", "signalbox-bench-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// guard runs the measuring; it answers nil where that failed.
func (t *tb) guard(measure func() []row) (rows []row) {
	defer func() {
		switch recovered := recover(); recovered {
		case nil, stopped{}:
		default:
			panic(recovered)
		}
	}()
	return measure()
}

func (t *tb) cleanup() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
