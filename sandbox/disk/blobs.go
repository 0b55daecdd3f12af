package disk

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// partPattern is of files that are to become blobs. No blob's file has a dot in its name.
const partPattern = "*.part"

// NewPart makes a file that is to become a blob. It is gone after a restart, unless KeepPart was called.
func (d *Dir) NewPart() (path string, err error) {
	dir := filepath.Join(d.path, blobDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	file, err := os.CreateTemp(dir, partPattern)
	if err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	return file.Name(), file.Close()
}

// KeepPart makes a part a blob. When it returns, the blob is on disk.
func (d *Dir) KeepPart(part, name string) error {
	path, err := d.blobPath(name)
	if err != nil {
		return err
	}
	if err := syncFile(part); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// OpenBlob opens one for reading.
func (d *Dir) OpenBlob(name string) (*os.File, error) {
	path, err := d.blobPath(name)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// RemoveBlob forgets one.
func (d *Dir) RemoveBlob(name string) {
	if path, err := d.blobPath(name); err == nil {
		_ = os.Remove(path)
	}
}

func (d *Dir) blobPath(name string) (string, error) {
	if name == "" || len(name) > maxName {
		return "", fmt.Errorf("sandbox: a blob's name of %d bytes", len(name))
	}
	return filepath.Join(d.path, blobDir, base64.RawURLEncoding.EncodeToString([]byte(name))), nil
}

// Blobs calls keep with each blob, the oldest first. Parts are removed, other files that are no blobs passed over.
func (d *Dir) Blobs(keep func(name string, info fs.FileInfo)) error {
	entries, err := os.ReadDir(filepath.Join(d.path, blobDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	for _, info := range byAge(entries) {
		if isPart, _ := filepath.Match(partPattern, info.Name()); isPart {
			_ = os.Remove(filepath.Join(d.path, blobDir, info.Name()))
			continue
		}
		if name, err := base64.RawURLEncoding.DecodeString(info.Name()); err == nil && len(name) > 0 {
			keep(string(name), info)
		}
	}
	return nil
}

// byAge are the files among entries, the oldest first.
func byAge(entries []fs.DirEntry) []fs.FileInfo {
	var out []fs.FileInfo
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			out = append(out, info)
		}
	}
	slices.SortStableFunc(out, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	return out
}
