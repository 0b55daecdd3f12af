package lenientjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testSpool(t testing.TB) (*DirSpool, func() int) {
	dir := t.TempDir()
	spool, err := NewDirSpool(dir)
	require.NoError(t, err)
	return spool, func() int {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		return len(entries)
	}
}

func withSpool(spool Spool, memory int64) Options {
	opts := DefaultOptions()
	opts.Spool, opts.BlobMemory = spool, memory
	return opts
}

func feedAll(t testing.TB, p *Parser, input string) []Result {
	var out []Result
	for len(input) > 0 {
		n, res := p.Feed([]byte(input))
		input = input[n:]
		if res != (Result{}) {
			out = append(out, res)
		}
	}
	return out
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func TestLongBlobsAreSpooled(t *testing.T) {
	spool, files := testSpool(t)
	p := NewParser(withSpool(spool, 1000))
	short, long := randomBytes(900), randomBytes(200_000)
	input := `{a:[{base64Data:"` + base64.StdEncoding.EncodeToString(short) +
		`"},{base64Data:"` + base64.StdEncoding.EncodeToString(long) + `"},{base64Data:"` +
		base64.StdEncoding.EncodeToString(short) + `"}]}`
	results := feedAll(t, p, input)
	require.Len(t, results, 1)
	request := results[0].Request
	require.Equal(t, 2, files(), "the second for its size, the third for the sum")
	for i, want := range [][]byte{short, long, short} {
		blob := request.Value.Fields["a"].Items[i].Fields["base64Data"].Blob
		require.NoError(t, blob.Err)
		for range 2 {
			r, err := blob.Open()
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.True(t, bytes.Equal(want, got))
		}
	}
	request.Close()
	require.Zero(t, files())
}

func TestSpoolFilesGoWithTheirRequest(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(randomBytes(50_000))
	for name, tc := range map[string]struct {
		input string
		left  int
	}{
		"broken later":      {`{base64Data:"` + long + `", ?`, 0},
		"broken inside":     {`{base64Data:"` + long + "\x00", 0},
		"bad base64":        {`{base64Data:"` + long + `!!!!"} `, 1},
		"a duplicate field": {`{base64Data:"` + long + `",base64Data:""}`, 1},
		"not finished":      {`{base64Data:"` + long, 1},
	} {
		t.Run(name, func(t *testing.T) {
			spool, files := testSpool(t)
			p := NewParser(withSpool(spool, 1000))
			results := feedAll(t, p, tc.input)
			require.Equal(t, tc.left, files())
			p.Close()
			for _, res := range results {
				if res.Request != nil {
					res.Request.Close()
				}
			}
			require.Zero(t, files())
		})
	}
}

func TestNewDirSpoolSweeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "spool")
	spool, err := NewDirSpool(dir)
	require.NoError(t, err)
	_, err = spool.Create()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
	_, err = NewDirSpool(dir)
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "only its own files")
}

type brokenSpool struct{ failWrite, failFinish bool }

func (s brokenSpool) Create() (SpoolFile, error) {
	if !s.failWrite && !s.failFinish {
		return nil, errors.New("disk full")
	}
	return brokenFile(s), nil
}

type brokenFile brokenSpool

func (f brokenFile) Write(b []byte) (int, error) {
	if f.failWrite {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func (f brokenFile) Finish() error {
	if f.failFinish {
		return errors.New("disk full")
	}
	return nil
}
func (f brokenFile) Open() (io.ReadCloser, error) { return nil, errors.New("never finished") }
func (f brokenFile) Remove()                      {}

func TestSpoolErrorsAreTheBlobs(t *testing.T) {
	input := `{base64Data:"` + base64.StdEncoding.EncodeToString(randomBytes(100_000)) + `"}{b:1}`
	for _, spool := range []Spool{nil, brokenSpool{}, brokenSpool{failWrite: true}, brokenSpool{failFinish: true}} {
		results := feedAll(t, NewParser(withSpool(spool, 10)), input)
		require.Len(t, results, 2, "the stream goes on")
		require.ErrorIs(t, results[0].Request.Value.Fields["base64Data"].Blob.Err, ErrSpool)
	}
}

func TestALargeBlobCostsNoMemory(t *testing.T) {
	spool, _ := testSpool(t)
	p := NewParser(withSpool(spool, 1<<20))
	defer p.Close()
	chunk := []byte(strings.Repeat("QUJD", 16<<10))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	feedAll(t, p, `{base64Data:"`)
	for range 500 { // 24 MiB of data
		_, res := p.Feed(chunk)
		require.Nil(t, res.Err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(4<<20))
	results := feedAll(t, p, `"}`)
	require.Len(t, results, 1)
	require.EqualValues(t, 500*len(chunk)/4*3, results[0].Request.Value.Fields["base64Data"].Blob.Size)
	results[0].Request.Close()
}

func BenchmarkParseBlob(b *testing.B) {
	spool, _ := testSpool(b)
	chunk := []byte(strings.Repeat("QUJD", 16<<10))
	b.SetBytes(int64(len(chunk)))
	p := NewParser(Options{MaxBytes: 1 << 60, MaxMemory: 1 << 20, MaxDepth: 8, BlobFields: []string{"d"}, BlobMemory: 1 << 20, Spool: nullSpool{spool}})
	defer p.Close()
	_, _ = p.Feed([]byte(`{d:"`))
	for b.Loop() {
		_, _ = p.Feed(chunk)
	}
}

type nullSpool struct{ Spool }

func (nullSpool) Create() (SpoolFile, error) { return brokenFile{}, nil }
