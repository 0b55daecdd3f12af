// Package store keeps everything durable, in Badger; it is the only package that imports it.
//
// State changes only inside Update: one writer at a time, one transaction, committed with sync, nothing of it when the
// function or the commit fails. Reads use View. Keys are "<kind>/<parts>" (see keys.go, which lists every kind), values
// are the messages of package storepb, or bytes that are opaque here (sessions, sender keys). Files that belong to the
// account (received attachments) lie beside the database in the same data directory.
//
// What is not here: the network, the clock beyond Options.Now, and the meaning of what is stored.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/rs/zerolog"
)

// Options say how a store is opened. The zero value suits a small machine.
type Options struct {
	// CacheBytes is the memory Badger may use for caches and memtables beyond its minimum (--store-cache).
	CacheBytes int64
	// EncryptionKey turns on encryption at rest: 32 bytes, or none. Files beside the database are not encrypted.
	EncryptionKey []byte
	Logger        zerolog.Logger
	// Now is the clock for stored times; time.Now when nil.
	Now func() time.Time
	// ReserveBytes is the free disk space below which Update is refused; DefaultReserve when 0. See space.go.
	ReserveBytes int64
}

// Store is an open data directory. All its methods may be called from any goroutine.
type Store struct {
	dir  string
	opts Options
	log  zerolog.Logger
	lock *dirLock

	writer sync.Mutex // held by the one writer, and outside of mu
	mu     sync.RWMutex
	db     *badger.DB // nil once closed
	wal    walGuard
	space  spaceGuard
	floors floors
	// devices is the writer's.
	devices deviceLists
	failed  error // a commit whose outcome is unknown; the database must be opened again

	onReopen []func()
}

const (
	databaseDir    = "store"
	attachmentsDir = "attachments"
	temporaryDir   = "tmp"
)

// Open opens the data directory, making it when it is new. It fails with ErrInUse, ErrDiskFull, ErrReadOnly,
// ErrWrongKey or a *SchemaError where one of these is the reason.
func Open(dir string, opts Options) (*Store, error) {
	if n := len(opts.EncryptionKey); n != 0 && n != 32 {
		return nil, fmt.Errorf("the store's key has %d bytes, not 32: %w", n, ErrWrongKey)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding it: %w", err)
	}
	s := &Store{dir: dir, opts: opts, log: opts.Logger.With().Str("part", "store").Logger()}
	s.space = newSpaceGuard(dir, opts.ReserveBytes, memTableSize(opts.CacheBytes))
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) open() (err error) {
	for _, sub := range []string{"", databaseDir, attachmentsDir, temporaryDir} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o700); err != nil {
			return fmt.Errorf("making it: %w", classifyFileError(err))
		}
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	if err = s.openDatabase(); err == nil {
		if err = s.prepare(); err == nil {
			s.space.refill()
			return nil
		}
	}
	if s.db != nil {
		_ = s.closeDatabase(s.db)
	}
	s.lock.release()
	return err
}

// prepare brings the schema up to date and clears what a crash left lying about.
func (s *Store) prepare() error {
	if err := s.migrate(migrations()); err != nil {
		return err
	}
	if err := s.sweepFiles(); err != nil {
		return fmt.Errorf("clearing orphaned files: %w", err)
	}
	return nil
}

func (s *Store) openDatabase() error {
	if err := s.space.beforeOpen(); err != nil {
		return err
	}
	if err := s.checkKey(); err != nil {
		return err
	}
	if err := dropEmptyLogs(s.databasePath()); err != nil {
		return err
	}
	db, err := badger.Open(badgerOptions(s.databasePath(), s.opts, s.log))
	if err != nil {
		return fmt.Errorf("opening the store: %w", s.space.classify(err))
	}
	s.db, s.failed = db, nil
	s.floors.reset()
	s.devices = make(deviceLists)
	s.wal = walGuard{dir: s.databasePath(), size: walBytes(db.Opts())}
	return s.wal.find()
}

// checkKey tries the encryption key first: badger.Open leaves goroutines behind where it fails.
func (s *Store) checkKey() error {
	registry, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{
		Dir: s.databasePath(), ReadOnly: true, EncryptionKey: s.opts.EncryptionKey,
	})
	if errors.Is(err, badger.ErrEncryptionKeyMismatch) {
		return ErrWrongKey
	}
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	return registry.Close()
}

// Close waits for the running transaction and closes the store. On a disk that is full or read-only the last changes
// stay in the write-ahead log, from which the next Open takes them.
func (s *Store) Close() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	err := s.closeDatabase(db)
	s.lock.release()
	return err
}

func (s *Store) closeDatabase(db *badger.DB) error {
	if err := s.space.beforeClose(); err != nil {
		// Badger would try to flush until there is room, or die in doing so. Leaving it is what kill -9 does.
		s.log.Warn().Err(err).Msg("left the write-ahead log for the next start")
		return nil
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", s.space.classify(err))
	}
	return nil
}

// Dir is the data directory.
func (s *Store) Dir() string { return s.dir }

// Now is the store's clock.
func (s *Store) Now() time.Time { return s.opts.Now() }

// View runs fn on a consistent snapshot. Views run beside one another and beside the writer.
func (s *Store) View(fn func(*Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	if s.failed != nil { // Badger would show what was not committed
		return s.failed
	}
	tx := &Tx{store: s}
	tx.puts, tx.steady = s.floors.mark()
	tx.txn = s.db.NewTransaction(false)
	defer tx.txn.Discard()
	return fn(tx)
}

// Update runs fn as the only writer and commits what it wrote, with sync. When fn returns an error, or the disk has no
// room, nothing is changed. Only a *CommitError leaves open whether the whole transaction took place, as a crash would.
// fn must not call Update, and must do no network I/O.
func (s *Store) Update(fn func(*Tx) error) error { return s.update(fn, false) }

// Reclaim is Update for transactions that give space back (acknowledging, deleting): it may use the last of the reserve, so
// that a full disk can be emptied.
func (s *Store) Reclaim(fn func(*Tx) error) error { return s.update(fn, true) }

func (s *Store) update(fn func(*Tx) error, reclaim bool) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if err := s.writable(reclaim); err != nil {
		return err
	}
	tx := &Tx{txn: s.db.NewTransaction(true), store: s, pending: make(map[string]*badger.Entry)}
	defer tx.txn.Discard()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.flush(); err != nil {
		return err
	}
	tx.lowerFloors()
	s.devices.forget(tx)
	err := s.commit(tx)
	s.floors.settled()
	if err != nil {
		return err
	}
	for _, hook := range tx.hooks {
		hook()
	}
	return nil
}

// writable says why nothing can be written now, if so. It opens the database again after a failed commit.
func (s *Store) writable(reclaim bool) error {
	if s.db == nil {
		return ErrClosed
	}
	if err := s.space.beforeWrite(reclaim); err != nil {
		return err
	}
	if s.failed != nil {
		if err := s.reopen(); err != nil {
			return err
		}
		for _, fn := range s.onReopen {
			fn()
		}
	}
	return s.wal.allocate()
}

func (s *Store) commit(tx *Tx) error {
	switch err := tx.txn.Commit(); {
	case errors.Is(err, badger.ErrTxnTooBig):
		return ErrBatchTooBig
	case err != nil:
		return s.fail(err)
	}
	if err := s.wal.follow(); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *Store) fail(err error) error {
	s.log.Error().Err(err).Msg("a transaction could not be committed; the store will be opened again")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = &CommitError{Err: s.space.classify(err)}
	return s.failed
}

// OnReopen has fn called after a *CommitError, once the database shows which side it fell on. Who keeps a copy of what
// is stored brings it up to date then; fn may call View, not Update. Call OnReopen before the store is shared.
func (s *Store) OnReopen(fn func()) { s.onReopen = append(s.onReopen, fn) }

// reopen replaces a database whose last commit failed: Badger shows such a transaction to readers, and may have lost
// its memtable. Opening again reads back what is really on disk.
func (s *Store) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.db.IsClosed() { // it is where opening failed the last time
		if err := s.db.Close(); err != nil {
			s.log.Warn().Err(err).Msg("closing after a failed commit")
		}
	}
	if err := s.openDatabase(); err != nil {
		return fmt.Errorf("opening the store again after %w: %w", s.failed, err)
	}
	s.log.Info().Msg("the store works again")
	return nil
}
