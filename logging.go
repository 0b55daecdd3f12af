package main

import (
	"fmt"
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
	if opts.Format == "console" || opts.Format == "auto" && term.IsTerminal(int(file.Fd())) {
		out = console(out, newPalette(file))
	}
	return zerolog.New(discreet{out}).Level(level).With().Timestamp().Logger()
}

// console is the form for people. Only what means good or bad has a colour; the rest is the terminal's own or a fainter
// form of it, which can be read on dark and light.
func console(out io.Writer, p palette) zerolog.ConsoleWriter {
	return zerolog.ConsoleWriter{
		Out: out, NoColor: !p.on,
		FieldsOrder:         []string{"type", "account", "from", "to", "by", "group", "device", "recipients", "devices", "sealed"},
		FormatTimestamp:     func(at any) string { return p.faint(localTime(fmt.Sprint(at))) },
		FormatLevel:         func(level any) string { return p.level(fmt.Sprint(level)) },
		FormatMessage:       func(message any) string { return fmt.Sprint(message) },
		FormatFieldName:     func(name any) string { return p.faint(fmt.Sprint(name) + "=") },
		FormatErrFieldName:  func(name any) string { return p.faint(fmt.Sprint(name) + "=") },
		FormatErrFieldValue: func(value any) string { return fmt.Sprint(value) },
	}
}

// localTime is the time of day of a line.
func localTime(at string) string {
	parsed, err := time.Parse(zerolog.TimeFieldFormat, at)
	if err != nil {
		return at
	}
	return parsed.Local().Format(time.TimeOnly)
}

// level is a level in four letters' room.
func (p palette) level(name string) string {
	switch name {
	case zerolog.LevelInfoValue:
		return p.good("info ")
	case zerolog.LevelWarnValue:
		return p.fair("warn ")
	case zerolog.LevelErrorValue:
		return p.bad("error")
	}
	return p.faint(fmt.Sprintf("%-5s", name))
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
