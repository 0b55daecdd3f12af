package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const walSuffix = ".mem"

// walGuard follows Badger's write-ahead logs, one per memtable. A new one has its blocks allocated, so that writing into
// its mapping cannot fail for want of space, and its directory entry synced, which Badger does not do.
type walGuard struct {
	dir       string
	size      int64
	current   int
	allocated bool
}

// find starts with the newest log, after opening.
func (w *walGuard) find() error {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return fmt.Errorf("looking for write-ahead logs: %w", err)
	}
	w.current, w.allocated = 0, false
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), walSuffix)
		if n, err := strconv.Atoi(name); ok && err == nil {
			w.current = max(w.current, n)
		}
	}
	return syncDir(w.dir)
}

// follow is called after each commit: where that began a new log, it is not durable before the directory is.
func (w *walGuard) follow() error {
	moved := false
	for {
		_, err := os.Stat(w.path(w.current + 1))
		switch {
		case errors.Is(err, fs.ErrNotExist) && moved:
			return syncDir(w.dir)
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return fmt.Errorf("looking for a new write-ahead log: %w", err)
		}
		w.current++
		moved, w.allocated = true, false
	}
}

// allocate is called before each transaction.
func (w *walGuard) allocate() error {
	if w.allocated {
		return nil
	}
	f, err := os.OpenFile(w.path(w.current), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the write-ahead log: %w", classifyFileError(err))
	}
	defer f.Close()
	if err := allocate(f, w.size, true); err != nil {
		return fmt.Errorf("allocating the write-ahead log: %w", classifyFileError(err))
	}
	if err := w.allocateManifest(); err != nil {
		return fmt.Errorf("allocating the manifest: %w", classifyFileError(err))
	}
	w.allocated = true
	return nil
}

// manifestRoom is what a memtable's flush and the compactions after it add to the manifest, and much more.
const manifestRoom = 64 << 10

// allocateManifest keeps blocks ready behind the end of Badger's list of tables: half an addition, and then a whole one
// once there is room again, would leave a list that cannot be read.
func (w *walGuard) allocateManifest() error {
	f, err := os.OpenFile(filepath.Join(w.dir, "MANIFEST"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return allocate(f, info.Size()+manifestRoom, true)
}

func (w *walGuard) path(n int) string {
	return filepath.Join(w.dir, fmt.Sprintf("%05d%s", n, walSuffix))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !syncsNoDirs {
		return fmt.Errorf("syncing a directory: %w", classifyFileError(err))
	}
	return nil
}

// dropEmptyLogs removes logs that a crash left between being made and being given their size: nothing was written to
// them, and Badger refuses to open beside them.
func dropEmptyLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for empty logs: %w", classifyFileError(err))
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Size() > 0 || !info.Mode().IsRegular() {
			continue
		}
		if ext := filepath.Ext(e.Name()); ext != walSuffix && ext != ".vlog" {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("removing an empty log: %w", classifyFileError(err))
		}
	}
	return nil
}
