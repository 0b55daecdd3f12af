// Package qrcode draws QR codes (ISO/IEC 18004): on a terminal, whatever its colours are, and as a PNG picture. The
// encoding itself is rsc.io/qr's.
package qrcode

import (
	"strings"

	"rsc.io/qr"
)

const (
	// quiet is the width of the light margin that scanners look for (ISO/IEC 18004, 5.3.8).
	quiet = 4

	// Black on white by number in the palette of 256, whose first 16 alone are the terminal's theme's.
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	plain        = "\x1b[0m"
)

// Code is a QR code.
type Code struct{ code *qr.Code }

// New makes the code of a text, with the least redundancy: it is scanned from a screen.
func New(text string) (Code, error) {
	code, err := qr.Encode(text, qr.L)
	return Code{code}, err
}

// Columns is how wide the code is on a terminal.
func (c Code) Columns() int { return c.code.Size + 2*quiet }

// Lines is how high it is there: a line shows two rows.
func (c Code) Lines() int { return (c.code.Size + 2*quiet + 1) / 2 }

// Terminal draws with half blocks. With colours it is black on white on any background; without, it is right for light
// text on a dark background, and inverted on others, which most scanners read, too.
func (c Code) Terminal(coloured bool) string {
	var text strings.Builder
	for line := range c.Lines() {
		if coloured {
			text.WriteString(blackOnWhite)
		}
		for column := range c.Columns() {
			upper, lower := c.dark(column, 2*line), c.dark(column, 2*line+1)
			if !coloured { // the blocks are the light ones
				upper, lower = !upper, !lower
			}
			text.WriteString(block(upper, lower))
		}
		if coloured {
			text.WriteString(plain)
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func (c Code) dark(column, row int) bool { return c.code.Black(column-quiet, row-quiet) }

func block(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}

// PNG is the code as a picture, eight pixels for each of its squares, with the margin.
func (c Code) PNG() []byte { return c.code.PNG() }
