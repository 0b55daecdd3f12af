package store

import (
	"errors"
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
		readOnly: st.Flags&unix.ST_RDONLY != 0,
	}, nil
}

// allocate takes the blocks of a file's first size bytes. File systems that cannot are left as they are.
func allocate(f *os.File, size int64, keepSize bool) error {
	mode := uint32(0)
	if keepSize {
		mode = unix.FALLOC_FL_KEEP_SIZE
	}
	for {
		err := unix.Fallocate(int(f.Fd()), mode, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return nil
		}
		return err
	}
}
