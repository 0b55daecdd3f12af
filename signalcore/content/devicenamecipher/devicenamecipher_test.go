package devicenamecipher

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
)

type vector struct{ Name, Identity, Encrypted string }

func load(t testing.TB) []vector {
	raw, err := os.ReadFile("../../../testdata/vectors/provisioning.json")
	require.NoError(t, err)
	var v struct{ Names []vector }
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v.Names)
	return v.Names
}

func unhex(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func TestVectorsDecrypt(t *testing.T) {
	for _, c := range load(t) {
		identity, err := curve.ParsePrivateKey(unhex(t, c.Identity))
		require.NoError(t, err)
		name, err := Decrypt(identity, unhex(t, c.Encrypted))
		require.NoError(t, err)
		require.Equal(t, c.Name, name)
	}
}

func TestRoundTrip(t *testing.T) {
	pair, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	for length := range 100 {
		name := strings.Repeat("n", length)
		encrypted, err := Encrypt(rand.Reader, pair.Public, name)
		require.NoError(t, err)
		decrypted, err := Decrypt(pair.Private, encrypted)
		require.NoError(t, err)
		require.Equal(t, name, decrypted)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	pair, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	encrypted, err := Encrypt(rand.Reader, pair.Public, "name")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*servicepb.DeviceName)
		want   error
	}{
		"ciphertext": {func(n *servicepb.DeviceName) { n.Ciphertext[0] ^= 1 }, ErrNotOurs},
		"IV":         {func(n *servicepb.DeviceName) { n.SyntheticIv[0] ^= 1 }, ErrNotOurs},
		"short IV":   {func(n *servicepb.DeviceName) { n.SyntheticIv = n.SyntheticIv[:8] }, ErrNotOurs},
		"no key":     {func(n *servicepb.DeviceName) { n.EphemeralPublic = nil }, ErrMalformed},
		"zero key":   {func(n *servicepb.DeviceName) { clear(n.EphemeralPublic[1:]) }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			var message servicepb.DeviceName
			require.NoError(t, proto.Unmarshal(encrypted, &message))
			c.change(&message)
			changed, err := proto.Marshal(&message)
			require.NoError(t, err)
			_, err = Decrypt(pair.Private, changed)
			require.ErrorIs(t, err, c.want)
		})
	}
	_, err = Decrypt(pair.Private, []byte("plain name"))
	require.ErrorIs(t, err, ErrMalformed)
}

func FuzzDecrypt(f *testing.F) {
	for _, c := range load(f) {
		f.Add(unhex(f, c.Encrypted))
	}
	f.Fuzz(func(t *testing.T, encrypted []byte) { _, _ = Decrypt(curve.PrivateKey{0x40}, encrypted) })
}
