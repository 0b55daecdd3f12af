package stickercipher

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

type vector struct {
	PackKey, Plaintext, Encrypted []byte
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("../../../testdata/vectors/sticker.json")
	require.NoError(t, err)
	var all []vector
	require.NoError(t, json.Unmarshal(raw, &all))
	require.NotEmpty(t, all)
	return all
}

func TestOpenVectors(t *testing.T) {
	for _, v := range vectors(t) {
		opened, err := Open(v.PackKey, v.Encrypted)
		require.NoError(t, err)
		require.Equal(t, string(v.Plaintext), string(opened))
	}
}

func TestChangesAreRefused(t *testing.T) {
	v := vectors(t)[3]
	for i := range v.Encrypted {
		changed := append([]byte(nil), v.Encrypted...)
		changed[i] ^= 1
		_, err := Open(v.PackKey, changed)
		require.ErrorIs(t, err, ErrCorrupt)
		_, err = Open(v.PackKey, v.Encrypted[:i])
		require.ErrorIs(t, err, ErrCorrupt)
	}
	_, err := Open(v.PackKey[:31], v.Encrypted)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = Open(make([]byte, PackKeySize), v.Encrypted)
	require.ErrorIs(t, err, ErrCorrupt)
}

func FuzzOpen(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.PackKey, v.Encrypted)
	}
	f.Fuzz(func(t *testing.T, key, encrypted []byte) {
		if opened, err := Open(key, encrypted); err == nil {
			require.Less(t, len(opened), len(encrypted))
		}
	})
}
