package profilekey

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
)

type vector struct{ Key, ACI, AccessKey, MockAccessKey, Verifier, Version string }

func load(t *testing.T) []vector {
	raw, err := os.ReadFile("../../../testdata/vectors/profile.json")
	require.NoError(t, err)
	var v struct{ Keys []vector }
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v.Keys)
	return v.Keys
}

func TestVectors(t *testing.T) {
	for _, c := range load(t) {
		raw, err := hex.DecodeString(c.Key)
		require.NoError(t, err)
		key, err := Parse(raw)
		require.NoError(t, err)
		aci, err := serviceid.Parse(c.ACI)
		require.NoError(t, err)

		access := key.AccessKey()
		verifier := access.Verifier()
		require.Equal(t, c.AccessKey, hex.EncodeToString(access[:]))
		require.Equal(t, c.MockAccessKey, hex.EncodeToString(access[:]))
		require.Equal(t, c.Verifier, hex.EncodeToString(verifier[:]))
		require.Equal(t, c.Version, key.Version(aci))

		require.True(t, access.Matches(verifier[:]))
		require.False(t, access.Matches(verifier[:31]))
		require.False(t, access.Matches(nil))
		require.False(t, AccessKey{}.Matches(verifier[:]))
	}
}

func TestMalformedIsRefused(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		_, err := Parse(make([]byte, n))
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err := Generate(bytes.NewReader(make([]byte, 31)))
	require.Error(t, err)
	key, err := Generate(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%x", "%#v", "%s"} {
		require.Equal(t, "(profile key) (access key)", fmt.Sprintf(verb+" "+verb, key, key.AccessKey()))
	}
}
