// Package qrcode draws QR codes (ISO/IEC 18004): on a terminal, whatever its colours are, and as a PNG picture. The
// encoding itself is rsc.io/qr's.
package qrcode

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

const (
	// Quiet is the width of the light margin that scanners look for (ISO/IEC 18004, 5.3.8), Tight one that most are
	// content with.
	Quiet = 4
	Tight = 2

	// Black and white by number in the palette of 256, whose first 16 alone are the terminal's theme's.
	black, white = 16, 231
	plain        = "\x1b[0m"
)

// Code is a QR code.
type Code struct{ code *qr.Code }

// New makes the code of a text, with the least redundancy: it is scanned from a screen.
func New(text string) (Code, error) {
	code, err := qr.Encode(text, qr.L)
	return Code{code}, err
}

// Form is a way to draw a code on a terminal.
type Form struct {
	// Coloured is black on white on any background. Without, a code is right for light text on a dark background, and
	// inverted on others, which not all scanners read.
	Coloured bool
	// Spaces are all that is drawn, two for a square: for terminals that lack the half block. They need Coloured.
	Spaces bool
	// Margin is Quiet or Tight, above and below.
	Margin int
}

// Size is how wide and high a code is on a terminal.
func (c Code) Size(form Form) (columns, lines int) {
	columns, lines = c.code.Size+2*Quiet, c.code.Size+2*form.Margin
	if form.Spaces {
		return 2 * columns, lines
	}
	return columns, (lines + 1) / 2
}

// Terminal draws the code. With half blocks a line shows two rows. What the background can show is left to it: unlike
// the characters of many fonts it leaves no gap between the lines, over which scanners stumble.
func (c Code) Terminal(form Form) string {
	var text strings.Builder
	columns, lines := c.Size(form)
	for line := range lines {
		look := ""
		for column := range columns {
			seen, character := c.look(form, column, line)
			if seen != look {
				text.WriteString(seen)
				look = seen
			}
			text.WriteString(character)
		}
		if look != "" {
			text.WriteString(plain)
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// look is the colours and the character of a place.
func (c Code) look(form Form, column, line int) (colours, character string) {
	if form.Spaces {
		return colour(white, shade(c.dark(column/2, line, form.Margin))), " "
	}
	upper, lower := c.dark(column, 2*line, form.Margin), c.dark(column, 2*line+1, form.Margin)
	switch {
	case !form.Coloured:
		return "", block(!upper, !lower) // the blocks are the light ones
	case upper == lower:
		return colour(white, shade(lower)), " "
	}
	return colour(shade(upper), shade(lower)), "▀"
}

func colour(foreground, background int) string {
	return fmt.Sprintf("\x1b[38;5;%d;48;5;%dm", foreground, background)
}

func shade(dark bool) int {
	if dark {
		return black
	}
	return white
}

func (c Code) dark(column, row, margin int) bool { return c.code.Black(column-Quiet, row-margin) }

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
