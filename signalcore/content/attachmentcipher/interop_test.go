package attachmentcipher

import (
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/testdata/interop/official"
)

// TestTheAppsWayOpensOurs has Node decrypt as Signal-Desktop does, with the official library's incremental MAC.
func TestTheAppsWayOpensOurs(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	for i := range 100 {
		size := mathrand.Int64N(1 << (i % 21))
		key, err := GenerateKey(rand.Reader)
		require.NoError(t, err)
		encrypted, got := encrypt(t, plaintextOf(size),
			EncryptOptions{Key: key, Size: size, Random: rand.Reader, Incremental: i%2 == 0, HashPlaintext: true})
		var opened struct {
			PlaintextHash string
			Padded        int64
		}
		require.NoError(t, peer.Ask(map[string]any{
			"op": "openAttachment", "key": hex.EncodeToString(key[:]), "encrypted": hex.EncodeToString(encrypted),
			"digest": hex.EncodeToString(got.Digest[:]), "size": size,
			"incrementalMac": hex.EncodeToString(got.IncrementalMAC), "chunkSize": got.ChunkSize,
		}, &opened))
		require.Equal(t, hex.EncodeToString(got.PlaintextHash), opened.PlaintextHash)
		require.Equal(t, PaddedSize(size), opened.Padded)
	}
}
