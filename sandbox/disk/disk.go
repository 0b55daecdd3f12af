// Package disk keeps the state of a sandbox in a directory: one file, which is replaced as a whole, and beside it the
// blobs, each in a file of its own that is written once.
//
// The file has a line with the format, its version and a digest, then the state in JSON. What the state consists of is
// not known here. There is one Dir for a directory at a time: the client's data directory around it is locked.
package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	format    = "signalbox-sandbox"
	version   = 1
	stateFile = "state"
	blobDir   = "blobs"
	// maxName is that of a blob; its file's name is four thirds of it.
	maxName = 180
)

var (
	// ErrNone is returned where there is no state yet.
	ErrNone = errors.New("no sandbox was kept here")
	// ErrDamaged is returned for a state that cannot be read.
	ErrDamaged = errors.New("the state that the sandbox kept is damaged")
	// ErrNewer is returned for a state of a later version.
	ErrNewer = errors.New("a newer signalbox kept this sandbox")
)

// Dir is a directory with the state of a sandbox. Its methods may be called from any goroutine, Save from one at a time.
type Dir struct {
	path  string
	saved [sha256.Size]byte // digest of the state that is in the file
}

// Open returns a directory, which need not exist yet.
func Open(path string) *Dir { return &Dir{path: path} }

// Temporary makes a directory for blobs that nobody keeps. Its owner calls Remove.
func Temporary() (*Dir, error) {
	path, err := os.MkdirTemp("", "signalbox-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return Open(path), nil
}

// Remove takes the directory away with all that is in it.
func (d *Dir) Remove() error { return os.RemoveAll(d.path) }

// header is the first line of the file.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"`
}

// Load reads the state. ErrNone, ErrDamaged, ErrNewer.
func (d *Dir) Load(into any) error {
	content, err := os.ReadFile(filepath.Join(d.path, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	digest, err := decode(content, into)
	if err != nil {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	d.saved = digest
	return nil
}

// decode reads the content of a state file.
func decode(content []byte, into any) (digest [sha256.Size]byte, err error) {
	line, state, found := bytes.Cut(content, []byte("\n"))
	var h header
	if err := json.Unmarshal(line, &h); !found || err != nil || h.Format != format || h.Version < 1 {
		return digest, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	}
	if h.Version > version {
		return digest, ErrNewer
	}
	digest = sha256.Sum256(state)
	if h.SHA256 != hex.EncodeToString(digest[:]) {
		return digest, fmt.Errorf("%w: its digest does not fit", ErrDamaged)
	}
	if err := json.Unmarshal(state, into); err != nil {
		return digest, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return digest, nil
}

func encode(state any) (content []byte, digest [sha256.Size]byte, err error) {
	body, err := json.Marshal(state)
	if err != nil {
		return nil, digest, err
	}
	digest = sha256.Sum256(body)
	line, err := json.Marshal(header{format, version, hex.EncodeToString(digest[:])})
	return append(append(line, '\n'), body...), digest, err
}

// Save replaces the state, unless it is the same. When it returns, the new one is on disk; if it fails, or the process
// ends meanwhile, the former is.
func (d *Dir) Save(state any) error {
	content, digest, err := encode(state)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if digest == d.saved {
		return nil
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := replace(filepath.Join(d.path, stateFile), content); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	d.saved = digest
	return nil
}

// replace writes a file beside another and renames it, so that there is always one of the two.
func replace(path string, content []byte) error {
	next := path + ".new"
	if err := write(next, content); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func write(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir makes a rename last. Not all systems can.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = dir.Sync()
	return dir.Close()
}
