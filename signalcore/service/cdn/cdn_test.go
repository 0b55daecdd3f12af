package cdn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/service"
	"signalbox/signalcore/service/servicetest"
)

var content = bytes.Repeat([]byte("0123456789"), 10_000)

// newClient returns a client of a fake CDN that does not wait between attempts.
func newClient(t *testing.T, handler http.HandlerFunc) (*Client, *servicetest.Fake) {
	t.Helper()
	fake := servicetest.StartFake(t, false, handler)
	network, err := service.NewNetwork(fake.Environment, service.Options{})
	require.NoError(t, err)
	t.Cleanup(network.Close)
	client := New(network)
	client.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return client, fake
}

// store is what a fake CDN keeps. It breaks connections after so many bytes of a body, as long as there are cuts left.
type store struct {
	mu    sync.Mutex
	data  []byte
	begun bool
	cuts  []int
	log   []string
}

// take reads a body, or a part of it and breaks the connection.
func (s *store) take(body io.Reader) {
	if len(s.cuts) == 0 {
		rest, _ := io.ReadAll(body)
		s.data = append(s.data, rest...)
		return
	}
	cut := s.cuts[0]
	s.cuts = s.cuts[1:]
	part, _ := io.ReadAll(io.LimitReader(body, int64(cut)))
	s.data = append(s.data, part...)
	panic(http.ErrAbortHandler)
}

// has reports whether everything arrived, and requests what was asked for.
func (s *store) has(want []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Equal(want, s.data)
}

func (s *store) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *store) note(r *http.Request) {
	s.log = append(s.log, strings.TrimSpace(r.Method+" "+r.Header.Get("Content-Range")+r.Header.Get("Upload-Offset")))
}

// google behaves like a resumable upload of CDN 2.
func (s *store) google(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(r)
	switch {
	case r.Method == http.MethodPost:
		if r.Host != "cdn2.example" || r.Header.Get("X-Goog-Resumable") != "start" || r.ContentLength != 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.data, s.begun = nil, true
		w.Header().Set("Location", "/session?upload_id=1")
		w.WriteHeader(http.StatusCreated)
	case !s.begun:
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", len(content)):
		if len(s.data) == len(content) {
			return
		}
		if len(s.data) > 0 {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(s.data)-1))
		}
		w.WriteHeader(http.StatusPermanentRedirect)
	default:
		start := fmt.Sprintf("bytes %d-%d/%d", len(s.data), len(content)-1, len(content))
		if got := r.Header.Get("Content-Range"); got != "" && got != start {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.take(r.Body)
	}
}

// tus behaves like CDN 3.
func (s *store) tus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(r)
	w.Header().Set("Tus-Resumable", "1.0.0")
	switch {
	case r.Header.Get("Tus-Resumable") != "1.0.0" || r.Header.Get("Authorization") != "Bearer token":
		w.WriteHeader(http.StatusPreconditionFailed)
	case r.Method == http.MethodPost && r.URL.Path == "/upload":
		s.data, s.begun = nil, true
		s.take(r.Body)
		w.Header().Set("Location", "/upload/key")
		w.Header().Set("Upload-Offset", strconv.Itoa(len(s.data)))
		w.WriteHeader(http.StatusCreated)
	case r.URL.Path != "/upload/key" || !s.begun:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodHead:
		w.Header().Set("Upload-Offset", strconv.Itoa(len(s.data)))
	case r.Method == http.MethodPatch && r.Header.Get("Upload-Offset") == strconv.Itoa(len(s.data)):
		s.take(r.Body)
		w.Header().Set("Upload-Offset", strconv.Itoa(len(s.data)))
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusConflict)
	}
}

func (s *store) form(number uint32, base string) *service.UploadForm {
	form := &service.UploadForm{CDN: number, Key: "key", URL: base + "/upload"}
	if number == 2 {
		form.Headers = map[string]string{"host": "cdn2.example", "x-goog-resumable": "start"}
	} else {
		form.Headers = map[string]string{"Authorization": "Bearer token"}
	}
	return form
}

func TestUploadResumes(t *testing.T) {
	for _, number := range []uint32{2, 3} {
		for name, cuts := range map[string][]int{
			"at once": {}, "broken once": {1000}, "nothing arrived": {0}, "broken often": {1, 0, 20_000, 0, 0, 5, 60_000},
		} {
			t.Run(fmt.Sprintf("CDN %d, %s", number, name), func(t *testing.T) {
				s := &store{cuts: cuts}
				client, fake := newClient(t, map[uint32]http.HandlerFunc{2: s.google, 3: s.tus}[number])
				form := s.form(number, fake.Server.URL)
				require.NoError(t, client.Upload(context.Background(), form, bytes.NewReader(content), int64(len(content))))
				require.True(t, s.has(content), "%v", s.requests())
			})
		}
	}
}

func TestUploadFindsItDone(t *testing.T) {
	// Everything arrived, but the answer did not.
	for number, want := range map[uint32]string{2: "PUT bytes */100000", 3: "HEAD"} {
		s := &store{cuts: []int{len(content)}}
		client, fake := newClient(t, map[uint32]http.HandlerFunc{2: s.google, 3: s.tus}[number])
		require.NoError(t, client.Upload(context.Background(), s.form(number, fake.Server.URL), bytes.NewReader(content), int64(len(content))))
		require.Equal(t, want, s.requests()[len(s.requests())-1])
	}
}

func TestUploadStartsOverWhenForgotten(t *testing.T) {
	for _, number := range []uint32{2, 3} {
		s := &store{cuts: []int{500}}
		handler := map[uint32]http.HandlerFunc{2: s.google, 3: s.tus}[number]
		forgotten := false
		client, fake := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			if len(s.data) == 500 && !forgotten {
				s.begun, forgotten = false, true
			}
			s.mu.Unlock()
			handler(w, r)
		})
		require.NoError(t, client.Upload(context.Background(), s.form(number, fake.Server.URL), bytes.NewReader(content), int64(len(content))))
		require.True(t, forgotten)
		require.True(t, s.has(content))
	}
}

func TestUploadErrors(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		asked := 0
		client, fake := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(http.StatusForbidden)
		})
		for _, number := range []uint32{2, 3} {
			err := client.Upload(context.Background(), new(store).form(number, fake.Server.URL), bytes.NewReader(content), 10)
			require.ErrorIs(t, err, ErrRefused)
		}
		require.Equal(t, 2, asked, "what is refused is not tried again")
	})
	t.Run("broken service", func(t *testing.T) {
		asked := 0
		client, fake := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(http.StatusBadGateway)
		})
		err := client.Upload(context.Background(), new(store).form(2, fake.Server.URL), bytes.NewReader(content), 10)
		require.Error(t, err)
		require.Equal(t, maxFutile, asked)
	})
	t.Run("unreadable body", func(t *testing.T) {
		s := &store{}
		client, fake := newClient(t, s.tus)
		broken := errors.New("disk is broken")
		err := client.Upload(context.Background(), s.form(3, fake.Server.URL), failing{broken}, 10)
		require.ErrorIs(t, err, broken)
		require.LessOrEqual(t, len(s.requests()), 1)
	})
	t.Run("cancelled", func(t *testing.T) {
		s := &store{}
		client, fake := newClient(t, s.tus)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.ErrorIs(t, client.Upload(ctx, s.form(3, fake.Server.URL), bytes.NewReader(content), 10), context.Canceled)
	})
	t.Run("unknown CDN", func(t *testing.T) {
		client, fake := newClient(t, nil)
		require.ErrorIs(t, client.Upload(context.Background(), new(store).form(9, fake.Server.URL), nil, 0), service.ErrProtocol)
	})
	t.Run("stalled", func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		client, fake := newClient(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		client.stall = 10 * time.Millisecond
		err := client.Upload(context.Background(), new(store).form(3, fake.Server.URL), bytes.NewReader(content), 10)
		require.Error(t, err)
	})
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestDownloadResumes(t *testing.T) {
	for name, ranges := range map[string]bool{"with ranges": true, "without ranges": false} {
		t.Run(name, func(t *testing.T) {
			cuts := []int{100, 30_000, 0, 99_999}
			client, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				start := 0
				w.Header().Set("ETag", `"one"`)
				if header := r.Header.Get("Range"); ranges && header != "" {
					_, _ = fmt.Sscanf(header, "bytes=%d-", &start)
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(content)-1, len(content)))
				}
				end := len(content)
				if len(cuts) > 0 {
					end, cuts = min(start+cuts[0], end), cuts[1:]
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(content)-start))
				if start > 0 {
					w.WriteHeader(http.StatusPartialContent)
				}
				_, _ = w.Write(content[start:end])
				if end < len(content) {
					panic(http.ErrAbortHandler)
				}
			})
			var out bytes.Buffer
			written, err := client.Download(context.Background(), Location{CDN: 2, Key: "a/b"}, &out, int64(len(content)))
			require.NoError(t, err)
			require.EqualValues(t, len(content), written)
			require.True(t, bytes.Equal(content, out.Bytes()))
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
			client, _ := newClient(t, test.handler)
			_, err := client.Download(context.Background(), Location{ID: 5}, io.Discard, 10)
			var status *service.StatusError
			if errors.As(test.want, &status) {
				require.ErrorAs(t, err, &status)
				return
			}
			require.ErrorIs(t, err, test.want)
		})
	}
	client, _ := newClient(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
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
