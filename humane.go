package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// palette colours text for a terminal. Colours are the terminal's own, and such as can be read on a dark background and
// on a light one: yellow cannot.
type palette struct{ on bool }

// newPalette has colours where the file is a terminal and nobody has asked for none (https://no-color.org).
func newPalette(file *os.File) palette {
	return palette{on: coloured(file)}
}

func coloured(file *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

func (p palette) good(text string) string  { return p.paint("32", text) }
func (p palette) fair(text string) string  { return p.paint("35", text) }
func (p palette) bad(text string) string   { return p.paint("31", text) }
func (p palette) faint(text string) string { return p.paint("2", text) }

func (p palette) paint(code, text string) string {
	if !p.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// count is a number with what it counts.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// size is a number of bytes in a unit that fits.
func size(bytes int64) string {
	const unit = 1024
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, prefix := float64(bytes)/unit, 0
	for value >= unit && prefix < 3 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[prefix])
}

// span is a duration in its two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0).Round(time.Second); {
	case d >= day:
		return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// ago is an age in seconds, where there is one.
func ago(seconds *int64) string {
	if seconds == nil {
		return "nothing yet"
	}
	return span(time.Duration(*seconds)*time.Second) + " ago"
}
