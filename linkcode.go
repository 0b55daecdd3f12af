package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/term"

	"signalbox/cli/qrcode"
)

// showCode shows a linking URI: as text on stdout, as a QR code on a terminal's stderr, and in the file of --qr-png, which
// remove takes away again: who has the code can make this device one of their account.
func (l *linking) showCode(uri string) (remove func(), err error) {
	code, err := qrcode.New(uri)
	if err != nil {
		return nil, err
	}
	remove, err = l.writePicture(code)
	if err != nil {
		return nil, err
	}
	l.progress.next("")
	fmt.Println(uri)
	if l.progress.shown {
		fmt.Fprint(l.progress, l.drawn(code),
			"On the phone: Settings, Linked devices, Link a new device; then scan this code.\n")
	}
	return remove, nil
}

// drawn is the code as the terminal can show it.
func (l *linking) drawn(code qrcode.Code) string {
	width, height, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil { // nothing is known of it
		width, height = code.Columns(), code.Lines()+2
	}
	switch {
	case width < code.Columns():
		return fmt.Sprintf("The terminal is too narrow for the QR code: it takes %d columns, or --qr-png FILE.\n", code.Columns())
	case height < code.Lines()+2:
		return code.Terminal(l.progress.palette.on) +
			fmt.Sprintf("If its top is out of sight: the code takes %d lines, or --qr-png FILE.\n", code.Lines()+2)
	}
	return code.Terminal(l.progress.palette.on)
}

// writePicture leaves a file alone that is there already.
func (l *linking) writePicture(code qrcode.Code) (remove func(), err error) {
	name := l.own.Picture
	if name == "" {
		return func() {}, nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, usagef("--qr-png: %s is there already: remove it, or name another file", name)
	}
	if err != nil {
		return nil, usagef("--qr-png: %w", err)
	}
	remove = func() {
		if err := os.Remove(name); err != nil {
			l.log.Warn().Err(err).Msg("the picture of the QR code was not removed")
		}
	}
	_, err = file.Write(code.PNG())
	if err = errors.Join(err, file.Close()); err != nil {
		remove()
		return nil, fmt.Errorf("--qr-png: %w", err)
	}
	return remove, nil
}
