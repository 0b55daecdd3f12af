package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// fillChild writes as crashChild does, but goes on when the disk is full: it says so, and tries again for each line it
// reads.
func fillChild() {
	s, err := Open(os.Getenv(dirVariable), Options{Logger: zerolog.Nop()})
	check(err)
	var start uint64
	check(s.View(func(tx *Tx) error {
		start, err = tx.Counter("batch")
		return err
	}))
	again := bufio.NewScanner(os.Stdin)
	for n := start + 1; ; {
		err := s.Update(func(tx *Tx) error { return crashWrite(tx, n) })
		switch {
		case errors.Is(err, ErrDiskFull):
			fmt.Println("full")
			if !again.Scan() {
				check(s.Close())
				return
			}
		case err != nil:
			check(err)
		default:
			fmt.Println(n)
			n++
		}
	}
}

// TestDiskFullUnderLoad has another process take all space at random moments, with flushes and compactions going on. What
// was acknowledged must be there afterwards. The writer should survive; where the disk is full to the last byte while
// Badger writes a table it cannot, which space.go explains.
func TestDiskFullUnderLoad(t *testing.T) {
	dir := mountSmall(t)
	data := dir + "/data"
	random := rand.New(rand.NewPCG(5, 6))
	rounds, deaths := 10, 0
	if testing.Short() {
		rounds = 3
	}
	acknowledged := uint64(0)
	w := startFiller(t, data)
	for range rounds {
		acknowledged = max(acknowledged, w.until(random.IntN(400), ""))
		free := fill(t, dir, 0)
		acknowledged = max(acknowledged, w.until(1<<30, "full"))
		free()
		if _, err := io.WriteString(w.in, "again\n"); err != nil || w.dead {
			deaths++
			acknowledged = max(acknowledged, w.until(1<<30, "never"))
			w = startFiller(t, data)
		}
	}
	_ = w.in.Close()
	free := fill(t, dir, 0)
	acknowledged = max(acknowledged, w.until(1<<30, "never"))
	free()
	s := openPlain(t, data)
	view(t, s, func(tx *Tx) { crashCheck(t, tx, acknowledged) })
	require.NoError(t, s.Close())
	t.Logf("%d transactions, the disk filled %d times, the writer died %d times", acknowledged, rounds, deaths)
}

type filler struct {
	t     *testing.T
	cmd   *exec.Cmd
	fault strings.Builder
	in    io.WriteCloser
	lines *bufio.Scanner
	dead  bool
}

func startFiller(t *testing.T, dir string) *filler {
	w := &filler{t: t, cmd: childProcess("fill", dir)}
	w.cmd.Stderr = &w.fault
	var err error
	w.in, err = w.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := w.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, w.cmd.Start())
	w.lines = bufio.NewScanner(out)
	return w
}

// until reads so many lines, or to the given one, or to the end of the process.
func (w *filler) until(count int, line string) (last uint64) {
	for range count {
		if !w.lines.Scan() {
			if !w.dead {
				w.t.Log(w.cmd.Wait(), strings.Join(strings.SplitN(w.fault.String(), "\n", 4)[:min(3, strings.Count(w.fault.String(), "\n"))], " | "))
			}
			w.dead = true
			return last
		}
		text := strings.TrimSpace(w.lines.Text())
		if text == line {
			return last
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			last = n
		} else if text != "full" {
			w.t.Log(text)
		}
	}
	return last
}
