package provisioningcipher

import (
	"crypto/rand"
	"encoding/hex"
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
		message := &servicepb.ProvisionMessage{ProfileKey: make([]byte, length), Number: proto.String("+15550001111")}
		envelope, err := Encrypt(rand.Reader, pair.Public, message)
		require.NoError(t, err)
		var opened struct{ Message string }
		require.NoError(t, peer.Ask(map[string]any{
			"op": "openProvisioning", "device": hex.EncodeToString(pair.Private[:]),
			"publicKey": hex.EncodeToString(envelope.GetPublicKey()), "body": hex.EncodeToString(envelope.GetBody()),
		}, &opened))
		raw, err := hex.DecodeString(opened.Message)
		require.NoError(t, err)
		got := new(servicepb.ProvisionMessage)
		require.NoError(t, proto.Unmarshal(raw, got))
		require.True(t, proto.Equal(message, got))
	}
}
