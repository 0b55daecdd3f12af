package cdn

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
)

// maxAvatarUpload is what the policy of an avatar's form allows (signalapp/storage-service GroupsController).
const maxAvatarUpload = 3 << 20

// UploadAvatar stores an encrypted picture under the form's key, by the S3 POST form of CDN 0 (Signal-Desktop
// ts/textsecure/WebAPI makePutParams). service.ErrTooLarge means that it is larger than the form allows.
func (c *Client) UploadAvatar(ctx context.Context, form *servicepb.AvatarUploadAttributes, data []byte) error {
	if len(data) > maxAvatarUpload {
		return fmt.Errorf("a picture of %d bytes: %w", len(data), service.ErrTooLarge)
	}
	base, err := c.network.Environment().CDN(0)
	if err != nil {
		return err
	}
	contentType, body, err := postForm(form, data)
	if err != nil {
		return err
	}
	futile := int64(0)
	return c.persist(ctx, &futile, func(ctx context.Context) error { return c.post(ctx, base+"/", contentType, body) })
}

func (c *Client) post(ctx context.Context, address, contentType string, body []byte) error {
	ctx, dog, cancel := c.watch(ctx)
	defer cancel()
	request, err := c.newRequest(ctx, http.MethodPost, address, watchedReader{bytes.NewReader(body), dog})
	if err != nil {
		return err
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", contentType)
	response, err := c.exchange(request)
	if err != nil {
		return err
	}
	if err := statusOf(response); err != nil {
		return fmt.Errorf("upload picture: %w", err)
	}
	return nil
}

// postForm makes the body; the file has to be its last part.
func postForm(form *servicepb.AvatarUploadAttributes, data []byte) (contentType string, body []byte, err error) {
	var out bytes.Buffer
	writer := multipart.NewWriter(&out)
	for _, field := range []struct{ name, value string }{
		{"key", form.GetKey()},
		{"x-amz-credential", form.GetCredential()},
		{"acl", form.GetAcl()},
		{"x-amz-algorithm", form.GetAlgorithm()},
		{"x-amz-date", form.GetDate()},
		{"policy", form.GetPolicy()},
		{"x-amz-signature", form.GetSignature()},
		{"Content-Type", "application/octet-stream"},
	} {
		if field.value == "" {
			return "", nil, fmt.Errorf("%w: an upload form without %s", service.ErrProtocol, field.name)
		}
		if err := writer.WriteField(field.name, field.value); err != nil {
			return "", nil, fmt.Errorf("write upload form: %w", err)
		}
	}
	part, err := writer.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"`}, "Content-Type": {"application/octet-stream"},
	})
	if err != nil {
		return "", nil, fmt.Errorf("write upload form: %w", err)
	}
	_, _ = part.Write(data) // into memory: it does not fail
	if err := writer.Close(); err != nil {
		return "", nil, fmt.Errorf("write upload form: %w", err)
	}
	return writer.FormDataContentType(), out.Bytes(), nil
}

// AvatarLocation is where a picture lies whose key a group or a profile names (Signal-Android PushServiceSocket,
// retrieveProfileAvatar). The key is somebody else's word: what could lead elsewhere in it is escaped.
func AvatarLocation(key string) Location {
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		if segments[i] = url.PathEscape(segment); segment == "." || segment == ".." {
			segments[i] = strings.ReplaceAll(segment, ".", "%2E")
		}
	}
	return Location{CDN: 0, Path: "/" + strings.Join(segments, "/")}
}
