package store

import (
	"errors"
	"fmt"
	"io/fs"
)

var (
	// ErrNotFound means that there is no such record.
	ErrNotFound = errors.New("not found in the store")
	// ErrInUse means that another process has the data directory open.
	ErrInUse = errors.New("another signalbox uses this data directory")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrDiskFull means that nothing was changed because the disk is full, or nearly so.
	ErrDiskFull = errors.New("the disk is full")
	// ErrReadOnly means that nothing was changed because the file system is read-only.
	ErrReadOnly = errors.New("the data directory is read-only")
	// ErrWrongKey means that the store's encryption key is missing, wrong, or not wanted.
	ErrWrongKey = errors.New("the store's key does not fit this data directory")
	// ErrBatchTooBig means that a transaction outgrew Badger's limit: split the batch.
	ErrBatchTooBig = errors.New("too many changes for one transaction")
	// ErrRecordTooBig means that one record is over MaxRecordBytes.
	ErrRecordTooBig = errors.New("record too big for the store")
	// ErrReadOnlyTx means that a View tried to change something.
	ErrReadOnlyTx = errors.New("a view cannot change the store")
	// ErrBaseKeyReused means that a last-resort Kyber prekey came with a base key it came with before.
	ErrBaseKeyReused = errors.New("base key used before with this last-resort prekey")
	// ErrConflict means that an idempotency key is in use for another request.
	ErrConflict = errors.New("the idempotency key belongs to a different request")
)

// SchemaError means that the data directory was written by a newer version.
type SchemaError struct{ Found, Known uint32 }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the data directory has schema %d, this version knows up to %d: use a newer signalbox", e.Found, e.Known)
}

// CorruptError means that a record is there but cannot be read. It is never the same as ErrNotFound.
type CorruptError struct {
	Kind string
	Err  error
}

func (e *CorruptError) Error() string { return fmt.Sprintf("corrupt %s record: %v", e.Kind, e.Err) }
func (e *CorruptError) Unwrap() error { return e.Err }

// CommitError means that the outcome of a transaction is unknown: all of it is there after all, or nothing.
type CommitError struct{ Err error }

func (e *CommitError) Error() string { return fmt.Sprintf("could not commit: %v", e.Err) }
func (e *CommitError) Unwrap() error { return e.Err }

func classifyFileError(err error) error {
	switch {
	case isNoSpace(err):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case isReadOnlyFS(err):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}
