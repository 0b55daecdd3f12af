package devicenamecipher

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/testdata/interop/official"
)

func TestTheAppsWayOpensOurs(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	for length := range 100 {
		pair, err := curve.GenerateKeyPair(rand.Reader)
		require.NoError(t, err)
		name := strings.Repeat("Ñ", length)
		encrypted, err := Encrypt(rand.Reader, pair.Public, name)
		require.NoError(t, err)
		var message servicepb.DeviceName
		require.NoError(t, proto.Unmarshal(encrypted, &message))
		var opened struct{ Name string }
		require.NoError(t, peer.Ask(map[string]any{
			"op": "openDeviceName", "identity": hex.EncodeToString(pair.Private[:]),
			"ephemeral": hex.EncodeToString(message.GetEphemeralPublic()),
			"iv":        hex.EncodeToString(message.GetSyntheticIv()), "ciphertext": hex.EncodeToString(message.GetCiphertext()),
		}, &opened))
		require.Equal(t, name, opened.Name)
	}
}
