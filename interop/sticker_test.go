package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sticker that is named by its pack alone: the picture is fetched from the CDN, opened with the pack's key, and sent
// along. The pack is the vector that testdata/interop/vectors/sticker.mjs made.
func TestStickerFromPack(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		raw, err := os.ReadFile(filepath.Join(Root(), "testdata", "vectors", "sticker.json"))
		require.NoError(t, err)
		var vectors []struct{ PackKey, Plaintext, Encrypted []byte }
		require.NoError(t, json.Unmarshal(raw, &vectors))
		picture := vectors[len(vectors)-1]

		r := NewRig(t, version, RigOptions{}, "alice")
		alice, c := r.Contact("alice"), r.Daemon.Dial()
		pack := strings.Repeat("0f", 16)
		r.Call("storeStickerPack", args{"id": pack, "stickers": [][]byte{picture.Encrypted}}, nil)
		send := func(id int, key []byte) Reply {
			return c.Do(Request{"command": "send_message", "recipient": alice.Number, "dataMessage": map[string]any{
				"sticker": map[string]any{"packId": pack, "packKey": key, "stickerId": id}}})
		}
		sent := send(0, picture.PackKey)
		require.Zero(t, sent.StatusCode, sent.Line)
		e := r.Await("the sticker", alice.Received(func(e Event) bool {
			return e.Timestamp == sent.Timestamp && e.Content.DataMessage != nil && e.Content.DataMessage.Sticker != nil
		}))
		require.Zero(t, e.Content.DataMessage.Sticker.StickerID)
		require.Equal(t, len(picture.Plaintext), e.Content.DataMessage.Sticker.Data.Size)

		require.Equal(t, codeInvalidAttachment, send(0, make([]byte, 32)).StatusCode, "another pack's key")
		require.Equal(t, codeInvalidAttachment, send(7, picture.PackKey).StatusCode, "no such sticker")
	})
}
