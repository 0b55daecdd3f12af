package cdn

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/faults"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
)

func (c *cdns) avatarForm(t *testing.T) *servicepb.AvatarUploadAttributes {
	t.Helper()
	p, err := c.CDN.NewPolicy("groups/id/name", 100)
	require.NoError(t, err)
	return &servicepb.AvatarUploadAttributes{
		Key: &p.Key, Credential: &p.Credential, Acl: &p.ACL, Algorithm: &p.Algorithm, Date: &p.Date, Policy: &p.Policy,
		Signature: &p.Signature,
	}
}

func TestAvatarsGoByTheForm(t *testing.T) {
	c := startCDNs(t)
	c.befalls(t, faults.Rule{Kind: faults.Status, Path: "/cdn0", Status: http.StatusServiceUnavailable, Times: 1})
	require.NoError(t, c.client.UploadAvatar(t.Context(), c.avatarForm(t), []byte("picture")))
	require.Len(t, c.requests(), 2, "the first one failed")
	var got bytes.Buffer
	_, err := c.client.Download(t.Context(), AvatarLocation("groups/id/name"), &got, 100)
	require.NoError(t, err)
	require.Equal(t, "picture", got.String())
}

func TestAvatarsThatCannotBeUploaded(t *testing.T) {
	c := startCDNs(t)
	form := c.avatarForm(t)
	form.Signature = proto.String("forged")
	require.ErrorIs(t, c.client.UploadAvatar(t.Context(), form, nil), ErrRefused)
	require.ErrorIs(t, c.client.UploadAvatar(t.Context(), form, make([]byte, maxAvatarUpload+1)), service.ErrTooLarge)
	form.Policy = nil
	require.ErrorIs(t, c.client.UploadAvatar(t.Context(), form, nil), service.ErrProtocol)
}

func TestAvatarLocationsLeadNowhereElse(t *testing.T) {
	for key, want := range map[string]string{
		"groups/id/name": "/groups/id/name", "profiles/a b": "/profiles/a%20b", "../secret": "/%2E%2E/secret",
		"groups/../../x?y#z": "/groups/%2E%2E/%2E%2E/x%3Fy%23z", "": "/", "/host/x": "//host/x",
	} {
		require.Equal(t, Location{CDN: 0, Path: want}, AvatarLocation(key), key)
	}
}
