package signalcore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/cdn"
	"signalbox/signalcore/signalpb/servicepb"
)

// GroupAvatar implements commands.Groups. The picture is fetched and decrypted each time.
func (c *Client) GroupAvatar(ctx context.Context, id []byte) (model.Blob, error) {
	known, err := c.groups.byID(id)
	if err != nil {
		return model.Blob{}, err
	}
	if !known.fetched() || known.state.AvatarPath == "" {
		return model.Blob{}, fmt.Errorf("the group has no picture: %w", model.ErrNotFound)
	}
	var sealed bytes.Buffer
	_, err = cdn.New(c.network).Download(ctx, cdn.AvatarLocation(known.state.AvatarPath), &sealed, group.MaxAvatarSize)
	if err != nil {
		return model.Blob{}, err
	}
	picture, err := group.DecryptAvatar(known.params, sealed.Bytes())
	if err != nil {
		return model.Blob{}, err
	}
	return model.Blob{
		Size: int64(len(picture)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(picture)), nil },
	}, nil
}

// upload encrypts a picture, stores it with the service, and returns its path there. An empty one has an empty path.
func (e *groupEdit) upload(ctx context.Context, blob *model.Blob) (string, error) {
	if blob == nil || blob.Size == 0 {
		return "", nil
	}
	picture, err := readPicture(blob)
	if err != nil {
		return "", err
	}
	sealed, err := group.EncryptAvatar(e.config.Rand, e.params, picture)
	if err != nil {
		return "", err
	}
	var form *servicepb.AvatarUploadAttributes
	err = e.ask(ctx, func(groups *service.Groups, auth service.GroupAuth) error {
		form, err = groups.GroupAvatarForm(ctx, auth)
		return err
	})
	if err != nil {
		return "", err
	}
	return form.GetKey(), cdn.New(e.network).UploadAvatar(ctx, form, sealed)
}

func readPicture(blob *model.Blob) (picture []byte, err error) {
	if blob.Size > group.MaxAvatarSize {
		return nil, fmt.Errorf("%w: a picture of %d bytes, where %d are allowed", group.ErrTooLong, blob.Size,
			group.MaxAvatarSize)
	}
	reader, err := blob.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	return io.ReadAll(io.LimitReader(reader, blob.Size))
}
