package lenientjson

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Spool keeps the long blobs of requests.
type Spool interface {
	Create() (SpoolFile, error)
}

// SpoolFile is one blob: written, finished, then opened for reading any number of times, and removed.
type SpoolFile interface {
	io.Writer
	Finish() error
	Open() (io.ReadCloser, error)
	Remove()
}

const spoolPrefix = "request-"

// DirSpool spools to files in a directory of its own.
type DirSpool struct{ dir string }

// NewDirSpool makes the directory, for this user only, and removes what an earlier run left behind.
func NewDirSpool(dir string) (*DirSpool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the spool directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the spool directory: %w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), spoolPrefix) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	return &DirSpool{dir: dir}, err
}

// Create begins a file.
func (s *DirSpool) Create() (SpoolFile, error) {
	file, err := os.CreateTemp(s.dir, spoolPrefix+"*")
	if err != nil {
		return nil, err
	}
	return &dirSpoolFile{file: file}, nil
}

type dirSpoolFile struct{ file *os.File }

func (f *dirSpoolFile) Write(b []byte) (int, error)  { return f.file.Write(b) }
func (f *dirSpoolFile) Finish() error                { return f.file.Close() }
func (f *dirSpoolFile) Open() (io.ReadCloser, error) { return os.Open(f.file.Name()) }

func (f *dirSpoolFile) Remove() {
	_ = f.file.Close()
	_ = os.Remove(f.file.Name()) // what stays is removed at the next start
}
