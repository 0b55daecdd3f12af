package cdn

import (
	"errors"
	"io/fs"
)

// Blobs is where objects are kept beside the memory.
type Blobs interface {
	PutBlob(name string, data []byte) error
	RemoveBlob(name string)
	// Blobs calls keep with each, the oldest first.
	Blobs(keep func(name string, data []byte, info fs.FileInfo)) error
}

// Keep has the objects kept, and takes over those that are there already; before the first call.
func (s *Store) Keep(blobs Blobs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs = blobs
	return blobs.Blobs(func(name string, data []byte, info fs.FileInfo) { s.keep(name, data, info.ModTime()) })
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
