package signalcore

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/stickercipher"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service/cdn"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	stickerCDN = 0
	// maxSticker bounds a picture, or a manifest, of a pack; the apps make pictures of at most 300 KiB.
	maxSticker = 1 << 20
)

// fetchSticker gets a sticker's picture from its pack, where the request had none, and its emoji.
func (c *Client) fetchSticker(ctx context.Context, s *content.Sticker) (model.Blob, error) {
	picture, err := c.stickerFile(ctx, s, "full/"+strconv.FormatUint(uint64(s.StickerID), 10))
	if err != nil {
		return model.Blob{}, err
	}
	if s.Emoji == "" {
		s.Emoji = c.stickerEmoji(ctx, s)
	}
	return model.Blob{Size: int64(len(picture)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(picture)), nil
	}}, nil
}

// stickerEmoji looks the emoji up in the pack's manifest; a sticker without one can be sent all the same.
func (c *Client) stickerEmoji(ctx context.Context, s *content.Sticker) string {
	raw, err := c.stickerFile(ctx, s, "manifest.proto")
	if err != nil {
		return ""
	}
	var pack servicepb.StickerPack
	if proto.Unmarshal(raw, &pack) != nil {
		return ""
	}
	for _, sticker := range pack.GetStickers() {
		if sticker.GetId() == s.StickerID {
			return sticker.GetEmoji()
		}
	}
	return ""
}

func (c *Client) stickerFile(ctx context.Context, s *content.Sticker, name string) ([]byte, error) {
	var encrypted bytes.Buffer
	from := cdn.Location{CDN: stickerCDN, Path: "/stickers/" + hex.EncodeToString(s.PackID) + "/" + name}
	if _, err := cdn.New(c.network).Download(ctx, from, &encrypted, maxSticker); err != nil {
		return nil, fmt.Errorf("sticker pack: %w", notLeft(err))
	}
	opened, err := stickercipher.Open(s.PackKey, encrypted.Bytes())
	if err != nil {
		return nil, fmt.Errorf("sticker pack: %w", err)
	}
	return opened, nil
}
