package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "crash":
		crashChild()
	case "fill":
		fillChild()
	case "memory":
		memoryChild()
	default:
		goleak.VerifyTestMain(m)
	}
}

func open(t testing.TB, dir string, opts Options) *Store {
	t.Helper()
	opts.Logger = zerolog.Nop()
	s, err := Open(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func reopenAfter(t *testing.T, s *Store) *Store {
	t.Helper()
	require.NoError(t, s.Close())
	return open(t, s.Dir(), s.opts)
}

func update(t testing.TB, s *Store, fn func(*Tx)) {
	t.Helper()
	require.NoError(t, s.Update(func(tx *Tx) error { fn(tx); return nil }))
}

func view(t testing.TB, s *Store, fn func(*Tx)) {
	t.Helper()
	require.NoError(t, s.View(func(tx *Tx) error { fn(tx); return nil }))
}

func aci(n byte) serviceid.ServiceID { return serviceid.NewACI(uuid.UUID{0: n, 15: 1}) }
func pni(n byte) serviceid.ServiceID { return serviceid.NewPNI(uuid.UUID{0: n, 15: 2}) }

func TestUpdateIsAllOrNothing(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	boom := errors.New("boom")
	hooks := 0
	err := s.Update(func(tx *Tx) error {
		tx.OnCommit(func() { hooks++ })
		require.NoError(t, tx.PutSession(serviceid.ACI, serviceid.Address{ServiceID: aci(1), DeviceID: 1}, []byte("x")))
		got, err := tx.Session(serviceid.ACI, serviceid.Address{ServiceID: aci(1), DeviceID: 1})
		require.NoError(t, err)
		require.Equal(t, "x", string(got), "a transaction reads its own writes")
		return boom
	})
	require.ErrorIs(t, err, boom)
	require.Panics(t, func() {
		_ = s.Update(func(tx *Tx) error {
			require.NoError(t, tx.PutAccount(&storepb.Account{Number: "+491"}))
			panic("in a transaction")
		})
	})
	view(t, s, func(tx *Tx) {
		_, err := tx.Account()
		require.ErrorIs(t, err, ErrNotFound)
		n, err := tx.CountSessions(serviceid.ACI)
		require.NoError(t, err)
		require.Zero(t, n)
	})
	require.Zero(t, hooks)
	update(t, s, func(tx *Tx) { tx.OnCommit(func() { hooks++ }) })
	require.Equal(t, 1, hooks)
}

func TestViewCannotWrite(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	err := s.View(func(tx *Tx) error { return tx.PutAccount(&storepb.Account{}) })
	require.ErrorIs(t, err, ErrReadOnlyTx)
}

func TestOverlookedWriteErrorFailsTheTransaction(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	big := make([]byte, MaxRecordBytes)
	address := func(n uint32) serviceid.Address { return serviceid.Address{ServiceID: aci(1), DeviceID: n} }
	err := s.Update(func(tx *Tx) error {
		for n := range uint32(3) {
			_ = tx.PutSession(serviceid.ACI, address(n), big)
		}
		return nil
	})
	require.ErrorIs(t, err, ErrBatchTooBig)
	err = s.Update(func(tx *Tx) error { return tx.PutSession(serviceid.ACI, address(1), append(big, 0)) })
	require.ErrorIs(t, err, ErrRecordTooBig)
	update(t, s, func(tx *Tx) { require.NoError(t, tx.PutSession(serviceid.ACI, address(1), big)) })
	s = reopenAfter(t, s)
	view(t, s, func(tx *Tx) {
		got, err := tx.Session(serviceid.ACI, address(1))
		require.NoError(t, err)
		require.Equal(t, big, got)
	})
}

func TestOverlookedRefusalFailsTheTransaction(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	a := serviceid.Address{ServiceID: aci(1), DeviceID: 1}
	err := s.Update(func(tx *Tx) error {
		_ = tx.PutSession(serviceid.ACI, a, make([]byte, MaxRecordBytes+1))
		return tx.Count("x", 1)
	})
	require.ErrorIs(t, err, ErrRecordTooBig)
	err = s.Update(func(tx *Tx) error { return tx.Count(string(make([]byte, 2000)), 1) })
	require.ErrorIs(t, err, ErrRecordTooBig)
	view(t, s, func(tx *Tx) {
		n, err := tx.Counter("x")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestAttempt(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	boom := errors.New("boom")
	counts := func(tx *Tx) string {
		var out []string
		for _, name := range []string{"a", "b", "c"} {
			n, err := tx.Counter(name)
			require.NoError(t, err)
			out = append(out, fmt.Sprint(n))
		}
		return strings.Join(out, " ")
	}
	hooks := ""
	hook := func(name string) func() { return func() { hooks += name } }
	update(t, s, func(tx *Tx) { require.NoError(t, tx.Count("c", 7)) })
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.Count("a", 1))
		before := tx.bytes
		require.ErrorIs(t, tx.Attempt(func() error {
			tx.OnCommit(hook("lost"))
			require.NoError(t, tx.Count("a", 1))
			require.NoError(t, tx.delete(kindCounter.key([]byte("c"))))
			require.NoError(t, tx.Attempt(func() error { return tx.Count("b", 1) }))
			require.Equal(t, "2 1 0", counts(tx))
			n, err := tx.count(kindCounter.key())
			require.NoError(t, err)
			require.Equal(t, 2, n, "a scan sees what is pending")
			return boom
		}), boom)
		require.Equal(t, "1 0 7", counts(tx))
		require.Equal(t, before, tx.bytes)
		require.Panics(t, func() {
			_ = tx.Attempt(func() error { _ = tx.Count("b", 5); panic("x") })
		})
		require.ErrorIs(t, tx.Attempt(func() error {
			_ = tx.PutSession(serviceid.ACI, serviceid.Address{}, make([]byte, MaxRecordBytes+1))
			return nil
		}), ErrRecordTooBig)
		require.NoError(t, tx.Attempt(func() error {
			tx.OnCommit(hook("kept"))
			_ = tx.Attempt(func() error { _ = tx.Count("b", 5); return boom })
			return tx.Count("b", 2)
		}))
		require.Equal(t, "1 2 7", counts(tx))
		require.Empty(t, tx.journal)
	})
	require.Equal(t, "kept", hooks)
	view(t, s, func(tx *Tx) { require.Equal(t, "1 2 7", counts(tx)) })
}

// TestScanMergesWhatIsPending compares scans with a sorted map, over stored, replaced and deleted records.
func TestScanMergesWhatIsPending(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	random := rand.New(rand.NewPCG(3, 4))
	expected := make(map[string]string)
	for round := range 30 {
		update(t, s, func(tx *Tx) {
			for range random.IntN(400) {
				key := be32(uint32(random.IntN(600)))
				if random.IntN(3) == 0 {
					require.NoError(t, tx.delete(kindGroup.key(key)))
					delete(expected, string(key))
					continue
				}
				value := fmt.Sprint(round, random.Int())
				require.NoError(t, tx.put(kindGroup.key(key), []byte(value)))
				expected[string(key)] = value
			}
			from := be32(uint32(random.IntN(600)))
			limit := random.IntN(300)
			want := slices.Sorted(maps.Keys(expected))
			start, _ := slices.BinarySearch(want, string(from))
			want = want[start:]
			if limit > 0 {
				want = want[:min(limit, len(want))]
			}
			var got []string
			r := scanRange{prefix: kindGroup.key(), from: kindGroup.key(from), limit: limit}
			require.NoError(t, tx.scan(r, func(suffix, value []byte) error {
				require.Equal(t, expected[string(suffix)], string(value))
				got = append(got, string(suffix))
				return nil
			}))
			require.Equal(t, want, got[:len(got):len(got)])
		})
	}
}

func TestFill(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for _, size := range []int{0, 100, 10_000} {
		full := func(stopAt float64) error {
			return s.Update(func(tx *Tx) error {
				for n := uint64(0); tx.Fill() < stopAt; n++ {
					if err := tx.put(kindGroup.key(be64(n)), make([]byte, size)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, full(0.95))
		require.ErrorIs(t, full(1.3), ErrBatchTooBig)
	}
}

func TestManyKeysAreTooMuchForOneTransaction(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	fill := func(n int) error {
		return s.Update(func(tx *Tx) error {
			for i := range n {
				if err := tx.MarkSeen(fmt.Append(nil, i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, fill(3000))
	require.ErrorIs(t, fill(50_000), ErrBatchTooBig)
	require.NoError(t, fill(10), "a transaction that was too big changes nothing for the next")
}

func TestSecondOpenIsRefused(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	_, err := Open(s.Dir(), Options{Logger: zerolog.Nop()})
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is no error")
	require.ErrorIs(t, s.View(func(*Tx) error { return nil }), ErrClosed)
	require.ErrorIs(t, s.Update(func(*Tx) error { return nil }), ErrClosed)
	open(t, s.Dir(), Options{})
}

func TestSchema(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	var ran []int
	steps := append(migrations(),
		func(tx *Tx) error { ran = append(ran, 1); return tx.PutAccount(&storepb.Account{Number: "+1"}) },
		func(tx *Tx) error { ran = append(ran, 2); return nil },
	)
	known := uint32(len(migrations())) + 1
	require.NoError(t, s.migrate(steps))
	require.NoError(t, s.migrate(steps), "a second time finds nothing to do")
	require.Equal(t, []int{1, 2}, ran)
	failing := append(steps, func(tx *Tx) error { _ = tx.PutAccount(&storepb.Account{}); return errors.New("no") })
	require.ErrorContains(t, s.migrate(failing), fmt.Sprint("from schema ", known+2))
	view(t, s, func(tx *Tx) {
		a, err := tx.Account()
		require.NoError(t, err)
		require.Equal(t, "+1", a.Number, "a failed step changes nothing")
	})
	require.NoError(t, s.Close())

	_, err := Open(s.Dir(), Options{Logger: zerolog.Nop()})
	var newer *SchemaError
	require.ErrorAs(t, err, &newer)
	require.Equal(t, SchemaError{Found: known + 2, Known: known}, *newer)
}

// A store from before groups were read has its storage service's manifest read again, once.
func TestSchemaRereadsTheStorageService(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	version := func(tx *Tx) uint64 {
		settings, err := tx.AccountSettings()
		require.NoError(t, err)
		return settings.StorageManifestVersion
	}
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.PutAccountSettings(&storepb.AccountSettings{StorageManifestVersion: 7, Username: "u"}))
		require.NoError(t, tx.write(schemaKey(), &storepb.Schema{Version: 1}))
	})
	s = reopenAfter(t, s)
	update(t, s, func(tx *Tx) {
		require.Zero(t, version(tx))
		require.NoError(t, tx.PutAccountSettings(&storepb.AccountSettings{StorageManifestVersion: 8}))
	})
	s = reopenAfter(t, s)
	view(t, s, func(tx *Tx) { require.EqualValues(t, 8, version(tx)) })
}

func TestEncryptionAtRest(t *testing.T) {
	secret := []byte("a very secret profile key, to be found nowhere")
	for _, encrypted := range []bool{false, true} {
		dir := t.TempDir()
		opts := Options{}
		if encrypted {
			opts.EncryptionKey = bytes.Repeat([]byte{7}, 32)
		}
		s := open(t, dir, opts)
		update(t, s, func(tx *Tx) { require.NoError(t, tx.PutAccount(&storepb.Account{ProfileKey: secret})) })
		require.Equal(t, !encrypted, onDisk(t, dir, secret), "in the log")
		s = reopenAfter(t, s)
		require.Equal(t, !encrypted, onDisk(t, dir, secret), "in a table")
		view(t, s, func(tx *Tx) {
			a, err := tx.Account()
			require.NoError(t, err)
			require.Equal(t, secret, a.ProfileKey)
		})
		require.NoError(t, s.Close())
		for _, wrong := range [][]byte{bytes.Repeat([]byte{8}, 32), nil, bytes.Repeat([]byte{7}, 16)} {
			if !encrypted && wrong == nil {
				continue
			}
			_, err := Open(dir, Options{EncryptionKey: wrong, Logger: zerolog.Nop()})
			require.ErrorIs(t, err, ErrWrongKey, "key %x", wrong)
		}
	}
}

func onDisk(t *testing.T, dir string, what []byte) bool {
	found := false
	require.NoError(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, what)
		return err
	}))
	return found
}

func TestCorruptIsNotAbsent(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	update(t, s, func(tx *Tx) { require.NoError(t, tx.put(accountKey("self"), []byte{0xff, 0xff})) })
	view(t, s, func(tx *Tx) {
		_, err := tx.Account()
		var corrupt *CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, "account", corrupt.Kind)
		require.NotErrorIs(t, err, ErrNotFound)
	})
}

func TestScanInPieces(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	const n = 3*scanPieceCount + 7
	update(t, s, func(tx *Tx) {
		for i := range uint64(n) {
			require.NoError(t, tx.put(kindGroup.key(be64(i)), make([]byte, 100)))
		}
		require.NoError(t, tx.put([]byte("grouq"), nil), "a neighbour")
		seen := uint64(0)
		require.NoError(t, tx.scan(scanRange{prefix: kindGroup.key()}, func(suffix, value []byte) error {
			require.Equal(t, be64(seen), suffix)
			require.Len(t, value, 100)
			seen++
			return tx.delete(kindGroup.key(suffix)) // and writes meanwhile
		}))
		require.Equal(t, uint64(n), seen)
		count, err := tx.count(kindGroup.key())
		require.NoError(t, err)
		require.Zero(t, count)
	})
}

func TestClockIsInjected(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	s := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	require.Equal(t, now, s.Now())
	update(t, s, func(tx *Tx) {
		_, err := tx.SaveIdentityKey(aci(1), []byte("k"))
		require.NoError(t, err)
		got, err := tx.RemoteIdentity(aci(1))
		require.NoError(t, err)
		require.True(t, proto.Equal(&storepb.RemoteIdentity{Key: []byte("k"), FirstSeen: 1_000_000}, got))
	})
}
