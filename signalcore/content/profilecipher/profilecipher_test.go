package profilecipher

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/profilekey"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	*h = decoded
	return err
}

type vectors struct {
	Key   hexBytes
	Names []struct {
		Given, Family string
		Encrypted     hexBytes
	}
	Texts []struct {
		Text      string
		Length    int
		Encrypted hexBytes
	}
	Flags []struct {
		Flag      bool
		Encrypted hexBytes
	}
}

func load(t *testing.T) (vectors, profilekey.Key) {
	raw, err := os.ReadFile("../../../testdata/vectors/profile.json")
	require.NoError(t, err)
	var v struct{ Fields vectors }
	require.NoError(t, json.Unmarshal(raw, &v))
	return v.Fields, profilekey.Key(v.Fields.Key)
}

func TestNames(t *testing.T) {
	v, key := load(t)
	require.NotEmpty(t, v.Names)
	for _, c := range v.Names {
		name, err := DecryptName(key, c.Encrypted)
		require.NoError(t, err)
		require.Equal(t, Name{c.Given, c.Family}, name)
		encrypted, err := EncryptName(rand.Reader, key, name)
		require.NoError(t, err)
		require.Contains(t, []int{53 + 28, 257 + 28}, len(encrypted))
		again, err := DecryptName(key, encrypted)
		require.NoError(t, err)
		require.Equal(t, name, again)
	}
	require.Equal(t, "Alice Smith", Name{"Alice", "Smith"}.String())
	require.Equal(t, "Alice", Name{Given: "Alice"}.String())
	_, err := EncryptName(rand.Reader, key, Name{Given: "a\x00b"})
	require.ErrorIs(t, err, ErrMalformedName)
	_, err = EncryptName(rand.Reader, key, Name{Given: strings.Repeat("a", 258)})
	require.ErrorIs(t, err, ErrTooLong)
}

func TestTexts(t *testing.T) {
	v, key := load(t)
	require.NotEmpty(t, v.Texts)
	for _, c := range v.Texts {
		text, err := DecryptText(key, c.Encrypted)
		require.NoError(t, err)
		require.Equal(t, c.Text, text)
		encrypt := EncryptAbout
		if c.Length == 32 {
			encrypt = EncryptEmoji
		}
		encrypted, err := encrypt(rand.Reader, key, c.Text)
		require.NoError(t, err)
		require.Len(t, encrypted, c.Length+28)
		text, err = DecryptText(key, encrypted)
		require.NoError(t, err)
		require.Equal(t, c.Text, text)
	}
	_, err := EncryptAbout(rand.Reader, key, strings.Repeat("a", 513))
	require.ErrorIs(t, err, ErrTooLong)
	_, err = EncryptEmoji(rand.Reader, key, strings.Repeat("a", 33))
	require.ErrorIs(t, err, ErrTooLong)
}

func TestFlags(t *testing.T) {
	v, key := load(t)
	require.NotEmpty(t, v.Flags)
	for _, c := range v.Flags {
		flag, err := DecryptFlag(key, c.Encrypted)
		require.NoError(t, err)
		require.Equal(t, c.Flag, flag)
		encrypted, err := EncryptFlag(rand.Reader, key, flag)
		require.NoError(t, err)
		flag, err = DecryptFlag(key, encrypted)
		require.NoError(t, err)
		require.Equal(t, c.Flag, flag)
	}
}

func TestAvatars(t *testing.T) {
	_, key := load(t)
	image := bytes.Repeat([]byte{0, 1, 2}, 1000)
	encrypted, err := EncryptAvatar(rand.Reader, key, image)
	require.NoError(t, err)
	decrypted, err := DecryptAvatar(key, encrypted)
	require.NoError(t, err)
	require.Equal(t, image, decrypted)
}

func TestWhatDoesNotOpenIsRefused(t *testing.T) {
	v, key := load(t)
	good := v.Names[2].Encrypted
	for at := range good {
		changed := bytes.Clone(good)
		changed[at] ^= 1
		_, err := DecryptName(key, changed)
		require.ErrorIs(t, err, ErrNotReadable)
	}
	_, err := DecryptText(profilekey.Key{}, good)
	require.ErrorIs(t, err, ErrNotReadable)
	_, err = DecryptFlag(key, good[:28])
	require.ErrorIs(t, err, ErrNotReadable)
}

func TestTextsAreFitForJSON(t *testing.T) {
	_, key := load(t)
	encrypted, err := encryptPadded(rand.Reader, key, []byte("a\xff\x00b\xfe"), nameLengths)
	require.NoError(t, err)
	name, err := DecryptName(key, encrypted)
	require.NoError(t, err)
	require.Equal(t, Name{"a\uFFFD", "b\uFFFD"}, name)
}

func FuzzDecrypt(f *testing.F) {
	f.Add([]byte("Alice\x00Smith\x00\x00"))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		key := profilekey.Key{1}
		_, _ = DecryptName(key, plaintext)
		encrypted, err := seal(rand.Reader, key, plaintext)
		require.NoError(t, err)
		_, err = DecryptName(key, encrypted)
		require.Equal(t, len(plaintext) == 0, err != nil)
		_, _ = DecryptText(key, encrypted)
		_, _ = DecryptFlag(key, encrypted)
	})
}
