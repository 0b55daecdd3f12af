package disk

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type thing struct{ Name string }

func TestStateSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sandbox")
	var got thing
	require.ErrorIs(t, Open(path).Load(&got), ErrNone)
	d := Open(path)
	require.NoError(t, d.Save(thing{"one"}))
	require.NoError(t, d.Save(thing{"two"}))
	require.NoError(t, Open(path).Load(&got))
	require.Equal(t, "two", got.Name)

	// A write that was cut short leaves the former.
	require.NoError(t, os.WriteFile(filepath.Join(path, stateFile+".new"), []byte("{"), 0o600))
	require.NoError(t, Open(path).Load(&got))
	require.Equal(t, "two", got.Name)
}

func TestTheSameIsNotWrittenAgain(t *testing.T) {
	path := t.TempDir()
	d := Open(path)
	require.NoError(t, d.Save(thing{"one"}))
	require.NoError(t, os.Remove(filepath.Join(path, stateFile)))
	require.NoError(t, d.Save(thing{"one"}))
	require.NoFileExists(t, filepath.Join(path, stateFile))
	require.NoError(t, d.Save(thing{"two"}))
	require.FileExists(t, filepath.Join(path, stateFile))
}

func TestWhatCannotBeRead(t *testing.T) {
	good, _, err := encode(thing{"one"})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		content []byte
		is      error
	}{
		"empty":         {nil, ErrDamaged},
		"cut short":     {good[:len(good)-3], ErrDamaged},
		"changed":       {bytes.Replace(good, []byte("one"), []byte("two"), 1), ErrDamaged},
		"something":     {[]byte("hello\n{}"), ErrDamaged},
		"newer":         {bytes.Replace(good, []byte(`"version":1`), []byte(`"version":2`), 1), ErrNewer},
		"another thing": {bytes.Replace(good, []byte("signalbox-sandbox"), []byte("something"), 1), ErrDamaged},
	} {
		path := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(path, stateFile), test.content, 0o600))
		var got thing
		err := Open(path).Load(&got)
		require.ErrorIs(t, err, test.is, name)
		require.Contains(t, err.Error(), path, "a person has to know which")
	}
}

func TestBlobs(t *testing.T) {
	path := t.TempDir()
	d := Open(path)
	list := func() map[string]string {
		out := map[string]string{}
		require.NoError(t, d.Blobs(func(name string, _ fs.FileInfo) {
			file, err := d.OpenBlob(name)
			require.NoError(t, err)
			data, err := io.ReadAll(file)
			require.NoError(t, err)
			require.NoError(t, file.Close())
			out[name] = string(data)
		}))
		return out
	}
	put := func(name, data string) error {
		part, err := d.NewPart()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(part, []byte(data), 0o600))
		return d.KeepPart(part, name)
	}
	require.Empty(t, list())
	require.NoError(t, put("3/attachments/../../x", "data"))
	require.NoError(t, put("0/b", ""))
	require.Error(t, put(strings.Repeat("x", maxName+1), ""))
	require.NoError(t, os.WriteFile(filepath.Join(path, blobDir, "x.new"), []byte("other"), 0o600))
	files, err := os.ReadDir(filepath.Join(path, blobDir))
	require.NoError(t, err)
	require.Len(t, files, 4)
	require.Equal(t, map[string]string{"3/attachments/../../x": "data", "0/b": ""}, list())
	d.RemoveBlob("0/b")
	require.Len(t, list(), 1)
	files, err = os.ReadDir(filepath.Join(path, blobDir))
	require.NoError(t, err)
	require.Len(t, files, 2, "parts are gone")
}

func FuzzDecode(f *testing.F) {
	good, _, err := encode(thing{"one"})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte("{}\n{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		var got any
		if _, err := decode(content, &got); err != nil {
			require.True(t, strings.Contains(err.Error(), ErrDamaged.Error()) || err == ErrNewer)
		}
	})
}
