package cdn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/faults"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/service/servicetest"
)

var content = bytes.Repeat([]byte("0123456789"), 10_000)

// newClient returns a client of a CDN that answers as the test says, which a right one does not.
func newClient(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	return clientOf(t, servicetest.StartFake(t, false, handler).Environment)
}

// clientOf does not wait between attempts.
func clientOf(t *testing.T, env *environment.Environment) *Client {
	t.Helper()
	network, err := service.NewNetwork(env, service.Options{})
	require.NoError(t, err)
	t.Cleanup(network.Close)
	client := New(network)
	client.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return client
}

// cdns are those of a sandbox. They break connections after so many bytes of a body, as long as there are cuts left.
type cdns struct {
	*sandbox.Service
	client *Client
	mu     sync.Mutex
	cuts   []int
	log    []string
	// alter changes a request before it is handled, where it is set.
	alter func(*http.Request)
}

func startCDNs(t *testing.T, cuts ...int) *cdns {
	t.Helper()
	c := &cdns{cuts: cuts}
	var err error
	c.Service, err = sandbox.Start(sandbox.Options{AroundCDN: c.around, Logger: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	c.client = clientOf(t, c.Environment())
	return c
}

func (c *cdns) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.log = append(c.log, strings.TrimSpace(r.Method+" "+r.Header.Get("Content-Range")+r.Header.Get("Upload-Offset")))
		cut := -1
		if len(c.cuts) > 0 && (r.ContentLength > 0 || r.Method == http.MethodGet) {
			cut, c.cuts = c.cuts[0], c.cuts[1:]
		}
		c.mu.Unlock()
		if c.alter != nil {
			c.alter(r)
		}
		switch {
		case cut < 0:
		case r.Method == http.MethodGet:
			w = &tornAnswer{w, cut}
		default:
			r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, int64(cut)), tornBody{}))
		}
		next.ServeHTTP(w, r)
	})
}

// tornBody is where a connection breaks.
type tornBody struct{}

func (tornBody) Read([]byte) (int, error) { panic(http.ErrAbortHandler) }

// tornAnswer breaks after so many bytes.
type tornAnswer struct {
	http.ResponseWriter
	left int
}

func (a *tornAnswer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p[:min(a.left, len(p))])
	if a.left -= n; err == nil && n < len(p) {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func (c *cdns) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

func (c *cdns) befalls(t *testing.T, rules ...faults.Rule) {
	t.Helper()
	require.NoError(t, c.Faults.Set(rules...))
}

func (c *cdns) form(number int) *service.UploadForm {
	form := c.CDN.NewForm(number, int64(len(content)))
	return &service.UploadForm{CDN: uint32(form.CDN), Key: form.Key, URL: form.Location, Headers: form.Headers}
}

// uploads sends everything, and checks that it arrived.
func (c *cdns) uploads(t *testing.T, number int) {
	t.Helper()
	form := c.form(number)
	require.NoError(t, c.client.Upload(t.Context(), form, bytes.NewReader(content), int64(len(content))))
	require.True(t, bytes.Equal(content, c.CDN.Get(number, "attachments/"+form.Key)), "%v", c.requests())
}

func TestUploadResumes(t *testing.T) {
	for _, number := range []int{2, 3} {
		for name, cuts := range map[string][]int{
			"at once": {}, "broken once": {1000}, "nothing arrived": {0}, "broken often": {1, 0, 20_000, 0, 0, 5, 60_000},
		} {
			t.Run(fmt.Sprintf("CDN %d, %s", number, name), func(t *testing.T) {
				c := startCDNs(t, cuts...)
				c.uploads(t, number)
				require.Empty(t, c.cuts)
			})
		}
	}
}

func TestUploadFindsItDone(t *testing.T) {
	// Everything arrived, but the answer did not.
	for number, want := range map[int]struct{ method, last string }{
		2: {http.MethodPut, "PUT bytes */100000"}, 3: {http.MethodPost, "HEAD"},
	} {
		c := startCDNs(t)
		c.befalls(t, faults.Rule{Kind: faults.Lost, Method: want.method, Path: "/cdn", Times: 1})
		c.uploads(t, number)
		require.Equal(t, want.last, c.requests()[len(c.requests())-1])
	}
}

func TestUploadStartsOverWhenForgotten(t *testing.T) {
	for number, asks := range map[int]string{2: "PUT bytes */100000", 3: "HEAD"} {
		c := startCDNs(t, 500)
		forgotten := false
		c.alter = func(*http.Request) {
			if log := c.requests(); !forgotten && log[len(log)-1] == asks {
				forgotten = true
				c.befalls(t, faults.Rule{Kind: faults.Status, Status: http.StatusNotFound, Times: 1})
			}
		}
		c.uploads(t, number)
		require.True(t, forgotten)
	}
}

func TestUploadErrors(t *testing.T) {
	ctx := context.Background()
	t.Run("refused", func(t *testing.T) {
		c := startCDNs(t)
		for _, number := range []int{2, 3} {
			form := c.form(number)
			form.URL, form.Headers["Authorization"] = strings.Replace(form.URL, "ticket=", "ticket=x", 1), "Bearer x"
			require.ErrorIs(t, c.client.Upload(ctx, form, bytes.NewReader(content), 10), ErrRefused)
		}
		require.Len(t, c.requests(), 2, "what is refused is not tried again")
	})
	t.Run("not as it was signed", func(t *testing.T) {
		c := startCDNs(t)
		for _, header := range []string{"host", "x-goog-content-length-range"} {
			form := c.form(2)
			form.Headers[header] = "another"
			require.ErrorIs(t, c.client.Upload(ctx, form, bytes.NewReader(content), 10), ErrRefused)
		}
	})
	t.Run("broken service", func(t *testing.T) {
		c := startCDNs(t)
		c.befalls(t, faults.Rule{Kind: faults.Status, Path: "/cdn2", Status: http.StatusBadGateway})
		require.Error(t, c.client.Upload(ctx, c.form(2), bytes.NewReader(content), 10))
		require.Len(t, c.requests(), maxFutile)
	})
	t.Run("unreadable body", func(t *testing.T) {
		c := startCDNs(t)
		broken := errors.New("disk is broken")
		require.ErrorIs(t, c.client.Upload(ctx, c.form(3), failing{broken}, 10), broken)
		require.LessOrEqual(t, len(c.requests()), 1)
	})
	t.Run("cancelled", func(t *testing.T) {
		c := startCDNs(t)
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, c.client.Upload(ctx, c.form(3), bytes.NewReader(content), 10), context.Canceled)
	})
	t.Run("unknown CDN", func(t *testing.T) {
		c := startCDNs(t)
		form := c.form(3)
		form.CDN = 9
		require.ErrorIs(t, c.client.Upload(ctx, form, nil, 0), service.ErrProtocol)
	})
	t.Run("stalled", func(t *testing.T) {
		c := startCDNs(t)
		c.befalls(t, faults.Rule{Kind: faults.Latency, Path: "/cdn3", LatencyMS: int(time.Minute / time.Millisecond)})
		c.client.stall = 10 * time.Millisecond
		require.Error(t, c.client.Upload(ctx, c.form(3), bytes.NewReader(content), 10))
	})
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestDownloadResumes(t *testing.T) {
	for name, ranges := range map[string]bool{"with ranges": true, "without ranges": false} {
		t.Run(name, func(t *testing.T) {
			c := startCDNs(t, 100, 30_000, 0, 99_999)
			if !ranges {
				c.alter = func(r *http.Request) { r.Header.Del("Range") }
			}
			c.CDN.Put(2, "attachments/a/b", content)
			var out bytes.Buffer
			written, err := c.client.Download(context.Background(), Location{CDN: 2, Key: "a/b"}, &out, int64(len(content)))
			require.NoError(t, err)
			require.EqualValues(t, len(content), written)
			require.True(t, bytes.Equal(content, out.Bytes()))
			require.Empty(t, c.cuts)
		})
	}
}

func TestDownloadErrors(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"not there":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, ErrNotFound},
		"unauthorized": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, ErrRefused},
		"forbidden":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, ErrRefused},
		"announced too large": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "11")
		}, service.ErrTooLarge},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("0123456789"))
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("x"))
		}, service.ErrTooLarge},
		"another part": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-9/10")
			w.WriteHeader(206)
		}, service.ErrProtocol},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, &service.StatusError{}},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, test.handler)
			_, err := client.Download(context.Background(), Location{ID: 5}, io.Discard, 10)
			var status *service.StatusError
			if errors.As(test.want, &status) {
				require.ErrorAs(t, err, &status)
				return
			}
			require.ErrorIs(t, err, test.want)
		})
	}
	client := newClient(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	full := errors.New("disk is full")
	_, err := client.Download(context.Background(), Location{}, writerFunc(func([]byte) (int, error) { return 0, full }), 1<<20)
	require.ErrorIs(t, err, full)
	_, err = client.Download(context.Background(), Location{CDN: 7}, io.Discard, 10)
	require.ErrorContains(t, err, "cdnUrls.7")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestPaths(t *testing.T) {
	require.Equal(t, "/attachments/a%2Fb", Location{CDN: 3, Key: "a/b"}.path())
	require.Equal(t, "/attachments/18446744073709551615", Location{ID: 1<<64 - 1}.path())
	require.Equal(t, "/profiles/x", Location{Path: "/profiles/x"}.path())
}

func FuzzHeaders(f *testing.F) {
	for _, value := range []string{"", "bytes=0-41", "bytes 5-9/10", "bytes 0-0/*", "bytes=0-9223372036854775807"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		require.GreaterOrEqual(t, receivedRange(value), int64(-1))
		if start, total, err := contentRange(value); err == nil {
			require.True(t, start >= 0 && (total == -1 || start < total))
		}
	})
}
