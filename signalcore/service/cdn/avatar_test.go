package cdn

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
)

func avatarForm() *servicepb.AvatarUploadAttributes {
	return &servicepb.AvatarUploadAttributes{
		Key: proto.String("groups/id/name"), Credential: proto.String("credential"), Acl: proto.String("private"),
		Algorithm: proto.String("AWS4-HMAC-SHA256"), Date: proto.String("20200101T000000Z"), Policy: proto.String("policy"),
		Signature: proto.String("signature"),
	}
}

func TestAvatarsGoByTheForm(t *testing.T) {
	attempts := 0
	pictures := map[string][]byte{}
	client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		attempts++
		if r.Method == http.MethodGet {
			_, _ = w.Write(pictures[r.URL.EscapedPath()])
			return
		}
		reader, err := r.MultipartReader()
		if err != nil || r.URL.Path != "/" || attempts == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fields := map[string]string{}
		names := []string{}
		for {
			part, err := reader.NextPart()
			if err != nil {
				break
			}
			value, _ := io.ReadAll(part)
			names = append(names, part.FormName())
			fields[part.FormName()] = string(value)
		}
		if names[len(names)-1] != "file" || fields["x-amz-signature"] != "signature" || fields["policy"] != "policy" ||
			fields["Content-Type"] != "application/octet-stream" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		pictures["/groups/id/name"] = []byte(fields["file"])
		w.WriteHeader(http.StatusNoContent)
	})
	require.NoError(t, client.UploadAvatar(context.Background(), avatarForm(), []byte("picture")))
	require.Equal(t, 2, attempts, "the first one failed")
	var got bytes.Buffer
	_, err := client.Download(context.Background(), AvatarLocation("groups/id/name"), &got, 100)
	require.NoError(t, err)
	require.Equal(t, "picture", got.String())
}

func TestAvatarsThatCannotBeUploaded(t *testing.T) {
	client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	ctx := context.Background()
	require.ErrorIs(t, client.UploadAvatar(ctx, avatarForm(), nil), ErrRefused)
	require.ErrorIs(t, client.UploadAvatar(ctx, avatarForm(), make([]byte, maxAvatarUpload+1)), service.ErrTooLarge)
	form := avatarForm()
	form.Policy = nil
	require.ErrorIs(t, client.UploadAvatar(ctx, form, nil), service.ErrProtocol)
}

func TestAvatarLocationsLeadNowhereElse(t *testing.T) {
	for key, want := range map[string]string{
		"groups/id/name": "/groups/id/name", "profiles/a b": "/profiles/a%20b", "../secret": "/%2E%2E/secret",
		"groups/../../x?y#z": "/groups/%2E%2E/%2E%2E/x%3Fy%23z", "": "/", "/host/x": "//host/x",
	} {
		require.Equal(t, Location{CDN: 0, Path: want}, AvatarLocation(key), key)
	}
}
