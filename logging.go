package main

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// newLogger writes to out, which ends in a file: for people where that is a terminal, else as JSON.
func newLogger(opts loggingOptions, file *os.File, out io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(opts.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if opts.Format == "console" || opts.Format == "auto" && term.IsTerminal(int(file.Fd())) {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly, NoColor: !coloured(file)}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}
