package cdn_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/signalcore/service"
	"signalbox/signalcore/service/cdn"
	"signalbox/signalcore/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pattern is a body of any size that takes no memory.
type pattern struct{}

func (pattern) ReadAt(p []byte, offset int64) (int, error) {
	for i := range p {
		at := offset + int64(i)
		p[i] = byte(at ^ at>>8 ^ at>>16)
	}
	return len(p), nil
}

// It has the process to itself: it counts what is allocated there.
func TestTransfersAgainstMock(t *testing.T) {
	for _, version := range servicetest.Versions {
		t.Run("mock-server-"+version, func(t *testing.T) {
			mock := servicetest.StartMock(t, version)
			network, err := service.NewNetwork(mock.Environment, service.Options{})
			require.NoError(t, err)
			defer network.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			client := cdn.New(network)
			for _, size := range []int64{0, 1, 1 << 20, largest} {
				roundTrip(ctx, t, client, mock, size)
			}
			_, err = client.Download(ctx, cdn.Location{CDN: 3, Key: "absent"}, io.Discard, 1)
			require.ErrorIs(t, err, cdn.ErrNotFound)
		})
	}
}

// roundTrip uploads and downloads size bytes, and checks that this takes no memory to speak of.
func roundTrip(ctx context.Context, t *testing.T, client *cdn.Client, mock *servicetest.Mock, size int64) {
	t.Helper()
	form := &service.UploadForm{CDN: 3, Key: randomKey(), Headers: map[string]string{"Expected": "header"}}
	form.URL = mock.Environment.CDNURLs["3"] + "/attachments/" + form.Key
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, client.Upload(ctx, form, pattern{}, size))

	location := cdn.Location{CDN: 3, Key: form.Key}
	got, want := sha256.New(), sha256.New()
	written, err := client.Download(ctx, location, got, size)
	require.NoError(t, err)
	require.Equal(t, size, written)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(largest*9/10), "less than one copy of the largest")

	_, err = io.Copy(want, io.NewSectionReader(pattern{}, 0, size))
	require.NoError(t, err)
	require.Equal(t, want.Sum(nil), got.Sum(nil))
	if size > 0 {
		_, err = client.Download(ctx, location, io.Discard, size-1)
		require.ErrorIs(t, err, service.ErrTooLarge)
	}
}

func TestAttachmentOfCDN0(t *testing.T) {
	t.Parallel()
	mock := servicetest.StartMock(t, "27")
	network, err := service.NewNetwork(mock.Environment, service.Options{})
	require.NoError(t, err)
	defer network.Close()
	var stored struct{ Key string }
	mock.Do("storeAttachment", map[string]any{"content": []byte("content")}, &stored)
	var out bytes.Buffer
	_, err = cdn.New(network).Download(context.Background(), cdn.Location{Key: stored.Key}, &out, http.DefaultMaxHeaderBytes)
	require.NoError(t, err)
	require.Equal(t, "content", out.String())
}

func randomKey() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	key := make([]byte, 20)
	for i := range key {
		key[i] = letters[rand.IntN(len(letters))]
	}
	return string(key)
}
