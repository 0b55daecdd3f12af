package store

import (
	"os"

	"golang.org/x/sys/unix"
)

func statDisk(dir string) (diskSpace, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return diskSpace{}, err
	}
	return diskSpace{
		free:     clampFree(st.Bavail, uint64(st.Bsize)),
		noFiles:  st.Files > 0 && st.Ffree < 8,
		readOnly: st.Flags&unix.MNT_RDONLY != 0,
	}, nil
}

// allocate does nothing here: the free-space reserve alone protects the logs.
func allocate(*os.File, int64, bool) error { return nil }
