package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// A kill can come between the making of a log and its first byte.
func TestOpenBesideAnEmptyLog(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	update(t, s, func(tx *Tx) { require.NoError(t, tx.Count("kept", 1)) })
	require.NoError(t, s.Close())
	for _, name := range []string{"00900.mem", "000900.vlog"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, databaseDir, name), nil, 0o600))
	}
	s, err = Open(dir, Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	view(t, s, func(tx *Tx) {
		count, err := tx.Counter("kept")
		require.NoError(t, err)
		require.EqualValues(t, 1, count)
	})
	require.NoError(t, s.Close())
}

// The floor under a queue follows what comes and goes, also what comes below it and what is never committed.
func TestQueueFloors(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	due := func() (times []int64) {
		view(t, s, func(tx *Tx) {
			jobs, err := tx.DueJobs(10)
			require.NoError(t, err)
			for _, j := range jobs {
				times = append(times, j.NextAttempt)
			}
		})
		return times
	}
	add := func(at int64) (id uint64) {
		update(t, s, func(tx *Tx) {
			j := &storepb.Job{NextAttempt: at}
			require.NoError(t, tx.AddJob(j))
			id = j.Id
		})
		return id
	}
	remove := func(id uint64) { update(t, s, func(tx *Tx) { require.NoError(t, tx.DeleteJob(id)) }) }
	require.Empty(t, due())
	late := add(500)
	require.Equal(t, []int64{500}, due())
	early := add(100)
	require.Equal(t, []int64{100, 500}, due())
	remove(early)
	require.Equal(t, []int64{500}, due())
	require.Equal(t, []int64{500}, due())
	failed := fmt.Errorf("no")
	require.ErrorIs(t, s.Update(func(tx *Tx) error {
		require.NoError(t, tx.DeleteJob(late))
		jobs, err := tx.DueJobs(10)
		require.NoError(t, err)
		require.Empty(t, jobs)
		return failed
	}), failed)
	require.Equal(t, []int64{500}, due())
	remove(late)
	require.Empty(t, due())
	add(50)
	require.Equal(t, []int64{50}, due())
}

// A view that began before a job was written must not hide it from later ones.
func TestQueueFloorOfAnOldView(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	view(t, s, func(old *Tx) {
		update(t, s, func(tx *Tx) { require.NoError(t, tx.AddJob(&storepb.Job{NextAttempt: 7})) })
		jobs, err := old.DueJobs(10)
		require.NoError(t, err)
		require.Empty(t, jobs)
	})
	view(t, s, func(tx *Tx) {
		jobs, err := tx.DueJobs(10)
		require.NoError(t, err)
		require.Len(t, jobs, 1)
	})
}

// The remembered lists of devices follow what is written, deleted and not committed.
func TestSessionDevicesAreFollowed(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	of := func(device uint32) serviceid.Address { return serviceid.Address{ServiceID: aci(1), DeviceID: device} }
	devices := func(tx *Tx, want ...uint32) {
		got, err := tx.SessionDevices(serviceid.ACI, aci(1))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	put := func(tx *Tx, device uint32) {
		require.NoError(t, tx.PutSession(serviceid.ACI, of(device), []byte{1}))
	}
	update(t, s, func(tx *Tx) { devices(tx); put(tx, 2); devices(tx, 2) })
	update(t, s, func(tx *Tx) { devices(tx, 2); put(tx, 1); devices(tx, 1, 2) })
	require.Error(t, s.Update(func(tx *Tx) error {
		require.NoError(t, tx.DeleteSession(serviceid.ACI, of(1)))
		put(tx, 9)
		devices(tx, 2, 9)
		return fmt.Errorf("no")
	}))
	update(t, s, func(tx *Tx) { devices(tx, 1, 2); put(tx, 2) })
	update(t, s, func(tx *Tx) { require.NoError(t, tx.DeleteSession(serviceid.ACI, of(1))); devices(tx, 2) })
	update(t, s, func(tx *Tx) { devices(tx, 2) })
	view(t, s, func(tx *Tx) { devices(tx, 2) })
}

// Former versions of a key, and deleted ones, do not show.
func TestScanSeesOneVersion(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for round := range 20 {
		update(t, s, func(tx *Tx) {
			for n := range uint64(5) {
				require.NoError(t, tx.put(kindGroup.key(be64(n)), []byte{byte(round)}))
			}
		})
	}
	update(t, s, func(tx *Tx) { require.NoError(t, tx.delete(kindGroup.key(be64(3)))) })
	view(t, s, func(tx *Tx) {
		var seen []byte
		require.NoError(t, tx.scan(scanRange{prefix: kindGroup.key()}, func(suffix, value []byte) error {
			require.Equal(t, []byte{19}, value)
			seen = append(seen, suffix[7])
			return nil
		}))
		require.Equal(t, []byte{0, 1, 2, 4}, seen)
	})
}
