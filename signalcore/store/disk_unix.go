//go:build unix

package store

import (
	"errors"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const syncsNoDirs = false

func isNoSpace(err error) bool    { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
func isReadOnlyFS(err error) bool { return errors.Is(err, unix.EROFS) }

// dirLock is an advisory lock that ends with the process.
type dirLock struct{ f *os.File }

func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, classifyFileError(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, classifyFileError(err)
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() { _ = l.f.Close() }

// clampFree multiplies without overflow: network file systems claim absurd sizes.
func clampFree(blocks, size uint64) int64 {
	if size != 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
