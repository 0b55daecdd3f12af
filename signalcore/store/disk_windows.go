package store

import (
	"errors"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

const syncsNoDirs = true

func isNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

func isReadOnlyFS(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// dirLock is a lock that ends with the process.
type dirLock struct{ f *os.File }

func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, classifyFileError(err)
	}
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped)); err != nil {
		f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, ErrInUse
		}
		return nil, classifyFileError(err)
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() { _ = l.f.Close() }

func statDisk(dir string) (diskSpace, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return diskSpace{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return diskSpace{}, err
	}
	return diskSpace{free: int64(min(free, math.MaxInt64))}, nil
}

// allocate does nothing here: a mapped file has its blocks from the start.
func allocate(*os.File, int64, bool) error { return nil }
