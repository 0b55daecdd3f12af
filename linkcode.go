package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"signalbox/cli/qrcode"
)

// showCode shows a linking URI: as text on stdout, as a QR code on a terminal's stderr, and in the file of --qr-png.
func (l *linking) showCode(uri string) error {
	code, err := qrcode.New(uri)
	if err != nil {
		return err
	}
	if err := l.picture.write(code.PNG()); err != nil {
		return err
	}
	l.progress.next("")
	fmt.Println(uri)
	if l.progress.shown {
		_, err = fmt.Fprint(l.progress, "On the phone: Settings, Linked devices, Link a new device; then scan this code:\n", l.drawn(code))
	}
	return err
}

// drawn is the code as the terminal can show it, above the line that is shown below.
func (l *linking) drawn(code qrcode.Code) string {
	forms := codeForms(l.progress.palette.on)
	width, height, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil { // nothing is known of it
		return code.Terminal(forms[0])
	}
	last := forms[len(forms)-1]
	for _, form := range forms {
		if columns, lines := code.Size(form); columns <= width && lines < height {
			return hint(form) + code.Terminal(form)
		}
	}
	columns, lines := code.Size(last)
	if columns > width {
		return fmt.Sprintf("The terminal is too narrow for the QR code: it takes %d columns, or --qr-png FILE.\n", columns)
	}
	return hint(last) + code.Terminal(last) +
		fmt.Sprintf("If its top is out of sight: the code takes %d lines, or --qr-png FILE.\n", lines+1)
}

// hint is for a code that depends on the background.
func hint(form qrcode.Form) string {
	if form.Coloured {
		return ""
	}
	return "If it does not scan, as on a light background: unset NO_COLOR, or --qr-png FILE.\n"
}

// codeForms are the ways to draw a code here, the best first.
func codeForms(coloured bool) []qrcode.Form {
	blocks := []qrcode.Form{{Coloured: coloured, Margin: qrcode.Quiet}, {Coloured: coloured, Margin: qrcode.Tight}}
	if !coloured || hasBlocks() {
		return blocks
	}
	return append([]qrcode.Form{
		{Coloured: true, Spaces: true, Margin: qrcode.Quiet}, {Coloured: true, Spaces: true, Margin: qrcode.Tight},
	}, blocks...)
}

// hasBlocks reports whether the terminal is known to have more characters than those of ASCII.
func hasBlocks() bool {
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	return runtime.GOOS == "windows" || strings.Contains(strings.ReplaceAll(strings.ToLower(locale), "-", ""), "utf8")
}
