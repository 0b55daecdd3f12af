package sandbox_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/cdn"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	servicecdn "signalbox/signalcore/service/cdn"
	"signalbox/signalcore/signalpb/servicepb"
)

func blob(data []byte) model.Blob {
	return model.Blob{Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

func readBlob(t *testing.T, b model.Blob) []byte {
	t.Helper()
	r, err := b.Open()
	require.NoError(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	return data
}

// noise is size bytes that do not compress.
func noise(size int) []byte {
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data)
	return data
}

func TestAttachment(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
	data := noise(700_000)
	result, err := anna.Send(contextOf(t), model.SendRequest{
		To: model.Destination{Recipients: []model.Recipient{recipient(ben)}},
		Event: content.Event{Message: &content.Message{
			Text: "a file", Attachments: []content.Attachment{{ContentType: "application/octet-stream", FileName: "noise"}},
		}},
		Uploads: []model.Blob{blob(data)},
	})
	require.NoError(t, err)
	require.Empty(t, result.Failures)
	messages, err := ben.Receive(contextOf(t), model.ReceiveOptions{
		Owner: 1, Max: 1, Types: []model.MessageType{model.TypeMessage}, Wait: soon, Attachments: true,
	})
	require.NoError(t, err)
	require.Len(t, messages, 1)
	require.Len(t, messages[0].Attachments, 1)
	require.True(t, messages[0].Attachments[0].Ready, messages[0].Attachments[0].ErrorMessage)
	require.Equal(t, data, readBlob(t, messages[0].Attachments[0].Data))
}

func TestGroupAvatar(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))))
	avatar := blob(picture.Bytes())
	made, err := anna.CreateGroup(contextOf(t), model.GroupCreation{Title: "Club", Avatar: &avatar})
	require.NoError(t, err)
	got, err := anna.GroupAvatar(contextOf(t), made.Group.ID)
	require.NoError(t, err)
	require.Equal(t, picture.Bytes(), readBlob(t, got))
}

// TestUploads is both ways of uploading, by the client's own code.
func TestUploads(t *testing.T) {
	s := start(t, sandbox.Options{})
	network, err := service.NewNetwork(s.Environment(), service.Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	client := servicecdn.New(network)
	data := noise(300_000)
	for _, number := range []int{2, 3} {
		form := s.CDN.NewForm(number, int64(len(data)))
		err := client.Upload(contextOf(t), uploadForm(form), bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		var got bytes.Buffer
		from := servicecdn.Location{CDN: uint32(number), Key: form.Key}
		_, err = client.Download(contextOf(t), from, &got, int64(len(data)))
		require.NoError(t, err)
		require.Equal(t, data, got.Bytes())
	}
	_, err = client.Download(contextOf(t), servicecdn.Location{CDN: 3, Key: "nothing"}, io.Discard, 10)
	require.ErrorIs(t, err, servicecdn.ErrNotFound)
}

func uploadForm(f cdn.Form) *service.UploadForm {
	return &service.UploadForm{CDN: uint32(f.CDN), Key: f.Key, Headers: f.Headers, URL: f.Location}
}

func TestPictureForm(t *testing.T) {
	s := start(t, sandbox.Options{})
	network, err := service.NewNetwork(s.Environment(), service.Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	client := servicecdn.New(network)
	p, err := s.CDN.NewPolicy("groups/a/b", 100)
	require.NoError(t, err)
	form := func(key string) *servicepb.AvatarUploadAttributes {
		return &servicepb.AvatarUploadAttributes{
			Key: &key, Credential: &p.Credential, Acl: &p.ACL, Algorithm: &p.Algorithm, Date: &p.Date, Policy: &p.Policy,
			Signature: &p.Signature,
		}
	}
	require.NoError(t, client.UploadAvatar(contextOf(t), form("groups/a/b"), noise(100)))
	require.Error(t, client.UploadAvatar(contextOf(t), form("groups/a/c"), noise(100)), "another key")
	require.Error(t, client.UploadAvatar(contextOf(t), form("groups/a/b"), noise(101)), "more than allowed")
	var got bytes.Buffer
	_, err = client.Download(context.Background(), servicecdn.AvatarLocation("groups/a/b"), &got, 100)
	require.NoError(t, err)
	require.Equal(t, noise(100), got.Bytes())
}

// TestUploadRefusals is what the CDNs say to who does not keep to a form.
func TestUploadRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	two, three := s.CDN.NewForm(2, 10), s.CDN.NewForm(3, 10)
	begun := roundTrip(t, s, http.MethodPost, two.Location, http.Header{
		"X-Goog-Resumable": {"start"}, "X-Goog-Content-Length-Range": {"1,10"},
	}, nil)
	require.Equal(t, http.StatusCreated, begun.StatusCode)
	tus := func(header ...string) http.Header {
		out := http.Header{
			"Tus-Resumable": {"1.0.0"}, "Authorization": {three.Headers["Authorization"]},
			"Upload-Metadata": {three.Headers["Upload-Metadata"]}, "Upload-Length": {"10"},
			"Content-Type": {"application/offset+octet-stream"},
		}
		for i := 0; i < len(header); i += 2 {
			out.Set(header[i], header[i+1])
		}
		return out
	}
	for _, c := range []struct {
		name, method, address string
		header                http.Header
		size, status          int
	}{
		{"no ticket", http.MethodPost, two.Location + "0", nil, 0, http.StatusForbidden},
		{"not resumable", http.MethodPost, two.Location, http.Header{"X-Goog-Content-Length-Range": {"1,10"}}, 0,
			http.StatusForbidden},
		{"another size", http.MethodPost, two.Location,
			http.Header{"X-Goog-Resumable": {"start"}, "X-Goog-Content-Length-Range": {"1,11"}}, 0, http.StatusForbidden},
		{"too much", http.MethodPut, begun.Header.Get("Location"), nil, 11, http.StatusRequestEntityTooLarge},
		{"a part that is not next", http.MethodPut, begun.Header.Get("Location"),
			http.Header{"Content-Range": {"bytes 5-9/10"}}, 5, http.StatusBadRequest},
		{"a part", http.MethodPut, begun.Header.Get("Location"), http.Header{"Content-Range": {"bytes 0-4/10"}}, 5,
			http.StatusPermanentRedirect},
		{"another version", http.MethodPost, three.Location, tus("Tus-Resumable", "0.9"), 0, http.StatusPreconditionFailed},
		{"no token", http.MethodPost, three.Location, tus("Authorization", "Bearer x"), 0, http.StatusUnauthorized},
		{"another key", http.MethodPost, three.Location, tus("Upload-Metadata", "filename AAAA"), 0, http.StatusUnauthorized},
		{"too long", http.MethodPost, three.Location, tus("Upload-Length", "11"), 0, http.StatusRequestEntityTooLarge},
		{"more than announced", http.MethodPost, three.Location, tus("Upload-Length", "3"), 4,
			http.StatusRequestEntityTooLarge},
		{"not begun", http.MethodHead, three.Location + "/" + s.CDN.NewForm(3, 1).Key, tus(), 0, http.StatusUnauthorized},
		{"begun", http.MethodPost, three.Location, tus(), 4, http.StatusCreated},
		{"another offset", http.MethodPatch, three.Location + "/" + three.Key, tus("Upload-Offset", "5"), 5,
			http.StatusConflict},
		{"the rest", http.MethodPatch, three.Location + "/" + three.Key, tus("Upload-Offset", "4"), 6, http.StatusNoContent},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.status, roundTrip(t, s, c.method, c.address, c.header, make([]byte, c.size)).StatusCode)
		})
	}
}

// roundTrip sends one request as it is.
func roundTrip(
	t *testing.T, s *sandbox.Service, method, address string, header http.Header, body []byte,
) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(contextOf(t), method, address, bytes.NewReader(body))
	require.NoError(t, err)
	for name, values := range header {
		request.Header[name] = values
	}
	client := &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: s.Environment().Roots()}, DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	response.Body = io.NopCloser(bytes.NewReader(data))
	return response
}
