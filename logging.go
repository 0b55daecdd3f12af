package main

import (
	"io"
	"os"
	"regexp"
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
	out = discreet{out}
	if opts.Format == "console" || opts.Format == "auto" && term.IsTerminal(int(file.Fd())) {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly, NoColor: !coloured(file)}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

// discreet shortens what identifies a person, wherever a line of the log has it: those who write lines shorten
// identifiers themselves, but errors carry the text of others.
type discreet struct{ out io.Writer }

var (
	accountID   = regexp.MustCompile(`\b([0-9A-Fa-f]{8})(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b`)
	phoneNumber = regexp.MustCompile(`\+[1-9][0-9]{4,12}([0-9]{2})\b`)
)

// Write takes a whole line, as zerolog gives it.
func (d discreet) Write(line []byte) (int, error) {
	short := accountID.ReplaceAll(line, []byte("$1"))
	short = phoneNumber.ReplaceAll(short, []byte("+...$1"))
	if _, err := d.out.Write(short); err != nil {
		return 0, err
	}
	return len(line), nil
}
