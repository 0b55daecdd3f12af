package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// These have the test binary run as another process: what to do, and on which data directory.
const (
	childVariable = "SIGNALBOX_STORE_CHILD"
	dirVariable   = "SIGNALBOX_STORE_DIR"
)

func childProcess(task, dir string) *exec.Cmd {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+task, dirVariable+"="+dir)
	return child
}

// crashBatch is how many records each transaction of the child writes.
const crashBatch = 20

// crashChild writes numbered transactions and says which are on disk, until it is killed.
func crashChild() {
	s, err := Open(os.Getenv(dirVariable), Options{Logger: zerolog.Nop()})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	var start uint64
	_ = s.View(func(tx *Tx) error {
		start, err = tx.Counter("batch")
		return err
	})
	for n := start + 1; ; n++ {
		err := s.Update(func(tx *Tx) error { return crashWrite(tx, n) })
		if err != nil {
			fmt.Println("update:", err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

func crashWrite(tx *Tx, n uint64) error {
	if err := tx.Count("batch", 1); err != nil {
		return err
	}
	for i := range uint64(crashBatch) {
		value := binary.BigEndian.AppendUint64(make([]byte, 2000), n)
		if err := tx.put(kindGroup.key(be64(n), be64(i)), value); err != nil {
			return err
		}
		if n > 50 { // so that deletions, flushes and compactions take part
			if err := tx.delete(kindGroup.key(be64(n-50), be64(i))); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestKill kills a writing process again and again: what it said is on disk must be, and nothing by half.
func TestKill(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	acknowledged := uint64(0)
	for range rounds {
		acknowledged = max(acknowledged, runAndKill(t, dir, 1+random.IntN(400)))
		s, err := Open(dir, Options{Logger: zerolog.Nop()})
		require.NoError(t, err)
		view(t, s, func(tx *Tx) { crashCheck(t, tx, acknowledged) })
		require.NoError(t, s.Close())
	}
	t.Logf("%d transactions over %d kills", acknowledged, rounds)
}

func runAndKill(t *testing.T, dir string, after int) (last uint64) {
	child := childProcess("crash", dir)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		number, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64)
		require.NoError(t, err, lines.Text())
		last = number
		if n == after {
			require.NoError(t, child.Process.Kill())
		}
	}
	_ = child.Wait()
	return last
}

func crashCheck(t *testing.T, tx *Tx, acknowledged uint64) {
	count, err := tx.Counter("batch")
	require.NoError(t, err)
	require.GreaterOrEqual(t, count, acknowledged, "what was acknowledged is there")
	first := max(count, 50) - 50 + 1 // batch n deletes batch n-50
	next, i := first, uint64(0)
	require.NoError(t, tx.scan(scanRange{prefix: kindGroup.key()}, func(suffix, value []byte) error {
		require.Equal(t, append(be64(next), be64(i)...), suffix, "no record is missing, and none too many")
		require.Equal(t, next, binary.BigEndian.Uint64(value[2000:]))
		if i++; i == crashBatch {
			next, i = next+1, 0
		}
		return nil
	}))
	require.Equal(t, count+1, next)
	require.Zero(t, i)
}
