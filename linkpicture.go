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
	name string
	file *os.File // a temporary one beside it
	path string   // where it is now; empty once it is gone
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
	return &picture{name, file, file.Name()}, nil
}

// absent refuses a file that is there already: it may be somebody's.
func absent(name string) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return usagef("--qr-png: %s is there already: remove it, or name another file", name)
	}
	return nil
}

// write gives the file its content and its name.
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
	if err := os.Rename(p.path, p.name); err != nil {
		return fmt.Errorf("--qr-png: %w", err)
	}
	p.path = p.name
	return nil
}

// remove takes the file away, wherever it is, if that has not been done yet.
func (p *picture) remove(log zerolog.Logger) {
	if p == nil || p.path == "" {
		return
	}
	_ = p.file.Close() // it is closed already once it is written
	if err := os.Remove(p.path); err != nil {
		log.Warn().Err(err).Msg("the picture of the QR code was not removed")
	}
	p.path = ""
}
