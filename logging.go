package main

import (
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// newLogger writes to stderr: for people where that is a terminal, else as JSON.
func newLogger(opts loggingOptions) zerolog.Logger {
	level, err := zerolog.ParseLevel(opts.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	if opts.Format == "console" || opts.Format == "auto" && terminal {
		writer := zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly, NoColor: !terminal}
		return zerolog.New(writer).Level(level).With().Timestamp().Logger()
	}
	return zerolog.New(os.Stderr).Level(level).With().Timestamp().Logger()
}
