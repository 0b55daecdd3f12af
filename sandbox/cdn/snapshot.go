package cdn

import (
	"errors"
	"io/fs"
	"os"
)

// Files is where objects are. A part is a file that is to become an object.
type Files interface {
	NewPart() (path string, err error)
	KeepPart(path, name string) error
	OpenBlob(name string) (*os.File, error)
	RemoveBlob(name string)
	// Blobs calls keep with each, the oldest first.
	Blobs(keep func(name string, info fs.FileInfo)) error
}

// Load takes over the objects that are in the files already; before the first call.
func (s *Store) Load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files.Blobs(s.keep)
}

// State is a store to be stored, without its objects. Uploads under way begin anew.
type State struct{ Secret []byte }

// Snapshot is the store as it is.
func (s *Store) Snapshot() State { return State{s.secret[:]} }

// Restore is for a new store.
func (s *Store) Restore(state State) error {
	if len(state.Secret) != len(s.secret) {
		return errors.New("CDN: no secret")
	}
	s.secret = [32]byte(state.Secret)
	return nil
}
