package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxAttachmentID bounds an attachment's id, which names its file.
const MaxAttachmentID = 64

// ErrBadID means that an id cannot name a file.
var ErrBadID = errors.New("not an attachment id")

func checkAttachmentID(id string) error {
	if id == "" || len(id) > MaxAttachmentID {
		return ErrBadID
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return ErrBadID
		}
	}
	return nil
}

// AttachmentPath is where the file of an attachment lies once it is complete.
func (s *Store) AttachmentPath(id string) (string, error) {
	if err := checkAttachmentID(id); err != nil {
		return "", err
	}
	return filepath.Join(s.dir, attachmentsDir, id), nil
}

// CreateTemp makes a file for work in progress. Those that are left are removed when the store is next opened.
func (s *Store) CreateTemp() (*os.File, error) {
	if err := s.RoomForFiles(0); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Join(s.dir, temporaryDir), "")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", classifyFileError(err))
	}
	return f, nil
}

// RoomForFiles fails with ErrDiskFull or ErrReadOnly unless a file of that size leaves the store its reserve. Ask before
// a download: files must not take the space that the store needs to record them.
func (s *Store) RoomForFiles(size int64) error {
	guard := spaceGuard{dir: s.dir}
	return guard.check(s.space.reserve + size)
}

// AdoptAttachment makes a complete temporary file the file of an attachment, durably. The record that refers to it is
// written afterwards; a file without one is an orphan, removed at the next start.
func (s *Store) AdoptAttachment(temp *os.File, id string) error {
	path, err := s.AttachmentPath(id)
	if err != nil {
		return err
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("keeping an attachment: %w", classifyFileError(err))
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("keeping an attachment: %w", classifyFileError(err))
	}
	return syncDir(filepath.Dir(path))
}

// sweepFiles removes temporary files, and attachments without a record.
func (s *Store) sweepFiles() error {
	if err := removeEach(filepath.Join(s.dir, temporaryDir), func(string) (bool, error) { return true, nil }); err != nil {
		return err
	}
	return s.View(func(tx *Tx) error {
		return removeEach(filepath.Join(s.dir, attachmentsDir), func(name string) (bool, error) {
			known, err := tx.has(kindAttachment.key([]byte(name)))
			return !known, err
		})
	})
}

func removeEach(dir string, unwanted func(name string) (bool, error)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		remove, err := unwanted(e.Name())
		if err != nil {
			return err
		}
		if !remove || e.IsDir() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return classifyFileError(err)
		}
	}
	return nil
}
