package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
)

// picture is the file of --qr-png; nil where none is wanted. It is there, as a whole, as long as its code is good: who has
// the code can make this device one of their account.
type picture struct {
	name    string
	file    *os.File // beside it, until it is written
	removed bool
}

// reservePicture finds out whether the file can be made, before anything is asked of the service.
func reservePicture(name string) (*picture, error) {
	if name == "" {
		return nil, nil
	}
	if err := absent(name); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return nil, usagef("--qr-png: %w", err)
	}
	return &picture{name: name, file: file}, nil
}

// absent refuses a file that is there already: it may be somebody's.
func absent(name string) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return usagef("--qr-png: %s is there already: remove it, or name another file", name)
	}
	return nil
}

func (p *picture) write(png []byte) error {
	if p == nil {
		return nil
	}
	_, err := p.file.Write(png)
	if err = errors.Join(err, p.file.Close()); err != nil {
		return fmt.Errorf("--qr-png: %w", err)
	}
	if err := absent(p.name); err != nil {
		return err
	}
	if err := os.Rename(p.file.Name(), p.name); err != nil {
		return fmt.Errorf("--qr-png: %w", err)
	}
	return nil
}

// remove takes away what there is of it, if that has not been done yet.
func (p *picture) remove(log zerolog.Logger) {
	if p == nil || p.removed {
		return
	}
	p.removed = true
	_ = p.file.Close() // it may be closed
	err := os.Remove(p.file.Name())
	if errors.Is(err, fs.ErrNotExist) { // it has its own name
		err = os.Remove(p.name)
	}
	if err != nil {
		log.Warn().Err(err).Msg("the picture of the QR code was not removed")
	}
}
