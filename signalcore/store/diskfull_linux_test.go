package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const smallDisk = 128 << 20

// mountSmall makes a file system of its own, which takes root.
func mountSmall(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128m"); err != nil {
		t.Skipf("cannot mount a small disk (%v): disk-full behaviour is not tested here", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// fill takes space until only so much is left; it returns how to give it back.
func fill(t *testing.T, dir string, leave int64) (free func()) {
	t.Helper()
	space, err := statDisk(dir)
	require.NoError(t, err)
	f, err := os.CreateTemp(dir, "filler")
	require.NoError(t, err)
	defer f.Close()
	end := int64(0)
	for take := space.free - leave; take >= 4096; {
		if unix.Fallocate(int(f.Fd()), 0, end, take) != nil { // somebody else takes space meanwhile
			take /= 2
			continue
		}
		end += take
	}
	return func() { require.NoError(t, os.Remove(f.Name())) }
}

func write(s *Store, n int) error {
	value := bytes.Repeat([]byte{byte(n)}, 20_000)
	return s.Update(func(tx *Tx) error { return tx.put(kindGroup.key(be64(uint64(n))), value) })
}

func countWritten(t *testing.T, s *Store) int {
	count := 0
	view(t, s, func(tx *Tx) {
		require.NoError(t, tx.scan(scanRange{prefix: kindGroup.key()}, func(suffix, value []byte) error {
			require.Equal(t, be64(uint64(count)), suffix)
			require.Equal(t, bytes.Repeat([]byte{byte(count)}, 20_000), value)
			count++
			return nil
		}))
	})
	return count
}

func openPlain(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	return s
}

// settle waits until Badger has no work in the background: that must not meet a disk that others fill up meanwhile,
// see space.go.
func settle(t *testing.T, s *Store) *Store {
	t.Helper()
	require.NoError(t, s.Close())
	s = openPlain(t, s.Dir())
	require.NoError(t, s.db.Flatten(1))
	return s
}

func TestDiskFillsUpAndIsEmptied(t *testing.T) {
	dir := mountSmall(t)
	s := openPlain(t, filepath.Join(dir, "data"))
	written := 0
	for ; ; written++ { // by our own writing
		require.Less(t, written*20_000, smallDisk)
		if err := write(s, written); err != nil {
			require.ErrorIs(t, err, ErrDiskFull)
			break
		}
	}
	require.Greater(t, written, 1000)
	require.ErrorIs(t, s.Health(), ErrDiskFull)
	require.ErrorIs(t, write(s, written), ErrDiskFull, "and it stays refused")
	require.Equal(t, written, countWritten(t, s), "reading goes on")

	s = settle(t, s)
	free := fill(t, dir, 0) // by another process, to the last byte
	require.Equal(t, written, countWritten(t, s))
	require.ErrorIs(t, write(s, written), ErrDiskFull)
	require.NoError(t, s.Reclaim(func(tx *Tx) error { return tx.Count("x", 1) }), "the ballast makes room for reclaiming")
	require.NoError(t, s.Close(), "closing does not need space that is not there")

	free()
	s = openPlain(t, s.Dir())
	require.Equal(t, written, countWritten(t, s), "nothing that was acknowledged is lost")
	deleted := 0
	for more := true; more; {
		require.NoError(t, s.Reclaim(func(tx *Tx) error {
			n, err := tx.deleteAll(scanRange{prefix: kindGroup.key()})
			deleted, more = deleted+n, n > 0
			return err
		}))
	}
	require.Equal(t, written, deleted)
	require.NoError(t, s.Close())
}

func TestDiskFullAtOnceAndBack(t *testing.T) {
	dir := mountSmall(t)
	s := openPlain(t, filepath.Join(dir, "data"))
	for n := range 500 {
		require.NoError(t, write(s, n))
	}
	s = settle(t, s)
	free := fill(t, dir, 0)
	require.ErrorIs(t, write(s, 500), ErrDiskFull)
	require.NoError(t, s.Close())
	if again, err := Open(s.Dir(), Options{Logger: zerolog.Nop()}); err == nil {
		require.NoError(t, again.Close())
	} else { // the ballast is gone by now, and closing took its room
		require.ErrorIs(t, err, ErrDiskFull)
	}
	free()
	s = openPlain(t, s.Dir())
	require.NoError(t, write(s, 500))
	s = settle(t, s)
	free = fill(t, dir, 0)
	require.ErrorIs(t, write(s, 501), ErrDiskFull)
	free()
	require.NoError(t, s.Maintain())
	require.NoError(t, write(s, 501), "it works again without being opened again")
	require.Equal(t, 502, countWritten(t, s))
	require.NoError(t, s.Close())
}

func TestOpenOnReadOnlyDisk(t *testing.T) {
	dir := mountSmall(t)
	s := openPlain(t, filepath.Join(dir, "data"))
	require.NoError(t, write(s, 0))
	require.NoError(t, s.Close())
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	_, err := Open(s.Dir(), Options{Logger: zerolog.Nop()})
	require.ErrorIs(t, err, ErrReadOnly)
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, ""))
	s = openPlain(t, s.Dir())
	require.Equal(t, 1, countWritten(t, s))
	require.NoError(t, s.Close())
}

// TestFailedCommit has Badger fail in the middle of its work, where a new memtable cannot be made: no file may be made
// any more.
func TestFailedCommit(t *testing.T) {
	s := openPlain(t, t.TempDir())
	reopened := 0
	s.OnReopen(func() { reopened++ })
	written := 0
	// The name of the next log is taken: Badger reports it as an error, and has no memtable any more.
	blocker := s.wal.path(s.wal.current + 1)
	require.NoError(t, os.Symlink(filepath.Join(s.Dir(), "missing", "file"), blocker))
	var failed *CommitError
	for ; ; written++ {
		if err := write(s, written); err != nil {
			require.ErrorAs(t, err, &failed)
			break
		}
	}
	require.ErrorAs(t, s.View(func(*Tx) error { return nil }), &failed, "nobody reads what is not sure to be there")
	require.Error(t, s.Health())
	require.NoError(t, os.Remove(blocker))
	require.NoError(t, s.Maintain())
	require.Equal(t, 1, reopened)
	got := countWritten(t, s)
	require.True(t, got == written || got == written+1, "all or nothing of the one that failed")
	require.NoError(t, write(s, got))
	require.NoError(t, s.Close())
	s = openPlain(t, s.Dir())
	require.Equal(t, got+1, countWritten(t, s))
	require.NoError(t, s.Close())
	require.False(t, errors.Is(failed, ErrDiskFull))
}
