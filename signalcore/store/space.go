package store

import (
	"fmt"
	"os"
	"path/filepath"
)

// DefaultReserve is the free space that Update leaves untouched on a small machine.
const DefaultReserve = 32 << 20

const reserveFile = "reserve"

// spaceGuard keeps Badger away from a disk that is full or read-only. Badger writes its logs and tables through shared
// mappings of sparse files: where the file system finds no block for a page, the kernel answers with SIGBUS, which no
// Go program survives, and its background flush and compaction do the same at any time. So:
//
//   - Update is refused while less than reserve is free, which leaves room for the flush and the compaction that earlier
//     transactions still owe; Reclaim goes on down to floor, so that a full disk can be emptied;
//   - a file of the size of ballast is kept allocated, and given up when the floor is reached, or when opening and
//     closing need room on a disk that others have filled;
//   - the write-ahead log in use is allocated in full (wal.go).
//
// What remains is another process that takes the whole reserve while Badger works in the background, a quota that
// statfs does not show, and a disk that turns read-only within a transaction: then the process dies as by kill -9, and
// the next start finds all that was acknowledged (TestDiskFullUnderLoad). Only Badger itself could prevent that, by
// allocating the blocks of a table before it maps it.
type spaceGuard struct {
	dir     string
	reserve int64
	floor   int64
	ballast int64
	held    bool
}

func newSpaceGuard(dir string, reserve, memTable int64) spaceGuard {
	if reserve <= 0 {
		reserve = max(DefaultReserve, 4*memTable)
	}
	return spaceGuard{dir: dir, reserve: reserve, floor: reserve / 4, ballast: reserve / 2}
}

// diskSpace is what the file system says of itself.
type diskSpace struct {
	free     int64 // bytes that an ordinary user may take
	noFiles  bool  // no inodes left
	readOnly bool
}

func (g *spaceGuard) check(need int64) error {
	space, err := statDisk(g.dir)
	switch {
	case err != nil:
		return fmt.Errorf("asking for free disk space: %w", classifyFileError(err))
	case space.readOnly:
		return ErrReadOnly
	case space.noFiles:
		return fmt.Errorf("%w: it can hold no more files", ErrDiskFull)
	case space.free < need:
		return fmt.Errorf("%w: %d KiB are free, %d KiB are needed", ErrDiskFull, space.free>>10, need>>10)
	}
	return nil
}

// checkOrDrop is check, with the ballast given up where that may help.
func (g *spaceGuard) checkOrDrop(need int64) error {
	err := g.check(need)
	if err == nil || !g.held {
		return err
	}
	g.drop()
	return g.check(need)
}

func (g *spaceGuard) beforeWrite(reclaim bool) error {
	if reclaim {
		return g.checkOrDrop(g.floor)
	}
	return g.check(g.reserve)
}

func (g *spaceGuard) beforeOpen() error {
	_, err := os.Stat(g.path())
	g.held = err == nil
	return g.checkOrDrop(g.floor)
}

func (g *spaceGuard) beforeClose() error { return g.checkOrDrop(g.floor) }

func (g *spaceGuard) path() string { return filepath.Join(g.dir, reserveFile) }

func (g *spaceGuard) drop() {
	_ = os.Remove(g.path())
	g.held = false
}

// refill takes the ballast again when there is plenty of room. Failing to is no error: the reserve is there.
func (g *spaceGuard) refill() {
	if g.held || g.check(2*g.reserve+g.ballast) != nil {
		return
	}
	f, err := os.OpenFile(g.path(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if allocate(f, g.ballast, false) != nil {
		_ = os.Remove(g.path())
		return
	}
	g.held = true
}

// classify says what a failed Badger call was about; Badger's errors do not tell.
func (g *spaceGuard) classify(err error) error {
	if cause := g.check(g.floor / 4); cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}
