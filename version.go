package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"signalbox/commands"
)

// What a release sets by the linker, as does a build outside the repository, where the toolchain knows no commit:
// -ldflags "-X main.version=1.2.3 -X main.commit=… -X main.built=2026-01-31T12:00:00Z".
var (
	version = ""
	commit  = ""
	built   = ""
)

// developmentVersion is what builds are called that nobody has given a version.
const developmentVersion = "0.1.0-dev"

// buildInfo says which build this is.
type buildInfo struct {
	Version  string
	Commit   string
	Built    time.Time // the commit's time, or what the linker was told
	Modified bool      // it has changes that the commit does not have
}

// build reads what the linker was told, and for the rest what the toolchain recorded.
var build = sync.OnceValue(func() buildInfo {
	info := buildInfo{Version: version, Commit: commit}
	info.Built, _ = time.Parse(time.RFC3339, built)
	if recorded, ok := debug.ReadBuildInfo(); ok && commit == "" {
		info.read(recorded)
	}
	if info.Commit == "" {
		info.readRepository()
	}
	if info.Version == "" {
		info.Version = developmentVersion
	}
	return info
})

func (b *buildInfo) read(recorded *debug.BuildInfo) {
	for _, s := range recorded.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Built, _ = time.Parse(time.RFC3339, s.Value)
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}

// repositoryPatience bounds what git may take.
const repositoryPatience = 5 * time.Second

// readRepository asks git for what go run does not record. Only there: an installed binary runs no other program.
func (b *buildInfo) readRepository() {
	executable, err := os.Executable()
	if err != nil || !strings.Contains(executable, string(filepath.Separator)+"go-build") {
		return
	}
	_, source, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(source) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), repositoryPatience)
	defer cancel()
	said, err := exec.CommandContext(ctx, "git", "-C", filepath.Dir(source), "log", "-1", "--format=%H %cI").Output()
	if hash, date, found := strings.Cut(strings.TrimSpace(string(said)), " "); err == nil && found {
		b.Commit = hash
		b.Built, _ = time.Parse(time.RFC3339, date)
	}
}

// String is for people: the version, the commit and its date, and what it was built with and for.
func (b buildInfo) String() string {
	return fmt.Sprintf("signalbox %s %s %s %s/%s", b.Version, b.source(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// source is what a build is made of.
func (b buildInfo) source() string {
	text := "commit not recorded"
	if b.Commit != "" {
		text = "commit " + b.Commit[:min(12, len(b.Commit))]
		if b.Modified {
			text += " with changes"
		}
	}
	if !b.Built.IsZero() {
		text += ", " + b.Built.UTC().Format(time.DateOnly)
	}
	return "(" + text + ")"
}

func (b buildInfo) commands() commands.Version {
	return commands.Version{Version: b.Version, Commit: b.Commit, Built: b.Built}
}

// printVersion is --version.
func printVersion() {
	fmt.Println(build())
	os.Exit(exitOK)
}
