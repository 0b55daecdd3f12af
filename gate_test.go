//go:build linux && !nosandbox

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
)

// gate stands before the CDNs of a sandbox, and holds up what passes until it is told to let it go.
type gate struct {
	service     *sandbox.Service
	description string // for --service
	after       int64  // how much of each body passes at once
	up, down    *latch
	gone        atomic.Bool // 404 to whoever fetches something
}

// latch is shut until it is opened, and may be shut again.
type latch struct {
	once sync.Once
	held chan struct{} // closed once something is held up

	mu     sync.Mutex
	opened chan struct{}
}

func newLatch() *latch { return &latch{held: make(chan struct{}), opened: make(chan struct{})} }

func (l *latch) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.opened:
	default:
		close(l.opened)
	}
}

func (l *latch) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = make(chan struct{})
}

func (l *latch) pass(ctx context.Context) error {
	l.once.Do(func() { close(l.held) })
	l.mu.Lock()
	opened := l.opened
	l.mu.Unlock()
	select {
	case <-opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// body is one that is held up in its midst.
type body struct {
	io.ReadCloser
	ctx   context.Context
	latch *latch
	left  int64
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		if err := b.latch.pass(b.ctx); err != nil {
			return 0, err
		}
		return b.ReadCloser.Read(p)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// startGate runs a sandbox and a gate before its CDNs.
func startGate(t *testing.T, after int64) *gate {
	t.Helper()
	service, err := sandbox.Start(sandbox.Options{Logger: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	g := &gate{service: service, after: after, up: newLatch(), down: newLatch()}
	server := httptest.NewTLSServer(g.proxy(t))
	t.Cleanup(server.Close)
	t.Cleanup(func() { g.up.open(); g.down.open() })
	service.CDN.SetBase(server.URL)
	_, err = service.Populate()
	require.NoError(t, err)

	var description map[string]any
	require.NoError(t, json.Unmarshal(service.Description(), &description))
	description["cdnUrls"] = map[string]string{"0": server.URL + "/cdn0", "2": server.URL + "/cdn2", "3": server.URL + "/cdn3"}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	description["caCertificates"] = append(description["caCertificates"].([]any), string(certificate))
	changed, err := json.Marshal(description)
	require.NoError(t, err)
	g.description = filepath.Join(t.TempDir(), "service.json")
	require.NoError(t, os.WriteFile(g.description, changed, 0o600))
	return g
}

func (g *gate) proxy(t *testing.T) http.Handler {
	t.Helper()
	var described struct{ CACertificates []string }
	require.NoError(t, json.Unmarshal(g.service.Description(), &described))
	roots := x509.NewCertPool()
	for _, certificate := range described.CACertificates {
		require.True(t, roots.AppendCertsFromPEM([]byte(certificate)))
	}
	behind, err := url.Parse(g.service.URL())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method == http.MethodGet {
			r.Body = &body{r.Body, r.Request.Context(), g.down, g.after}
		}
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && g.gone.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if r.ContentLength > 0 {
			r.Body = &body{r.Body, r.Context(), g.up, g.after}
		}
		proxy.ServeHTTP(w, r)
	})
}
