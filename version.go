package main

import (
	"runtime/debug"
	"time"

	"signalbox/commands"
)

// version is set by the linker for a release: -ldflags "-X main.version=1.2.3".
var version = ""

// buildInfo says which build this is.
type buildInfo struct {
	Version string
	Commit  string
	Built   time.Time
}

// build reads what the toolchain recorded.
func build() buildInfo {
	info := buildInfo{Version: version}
	recorded, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range recorded.Settings {
			switch s.Key {
			case "vcs.revision":
				info.Commit = s.Value
			case "vcs.time":
				info.Built, _ = time.Parse(time.RFC3339, s.Value)
			}
		}
	}
	if info.Version == "" {
		info.Version = "0.1.0-dev"
	}
	return info
}

func (b buildInfo) String() string {
	text := "signalbox " + b.Version
	if b.Commit != "" {
		text += " (" + b.Commit[:min(12, len(b.Commit))] + ", " + b.Built.UTC().Format(time.DateOnly) + ")"
	}
	return text
}

func (b buildInfo) commands() commands.Version {
	return commands.Version{Version: b.Version, Commit: b.Commit, Built: b.Built}
}
