package store

// Maintain is to be called now and then (once a minute) by whoever runs the account. It takes the disk reserve back
// after a full disk, and opens the database again after a failed commit. There is no value log to collect garbage
// from: see tuning.go.
func (s *Store) Maintain() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.db == nil {
		return ErrClosed
	}
	s.space.refill()
	return s.writable(true)
}

// Health says why an Update would be refused now; nil when it would not.
func (s *Store) Health() error {
	guard := spaceGuard{dir: s.dir}
	if err := guard.check(s.space.reserve); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	return s.failed
}
