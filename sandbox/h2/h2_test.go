package h2_test

//lint:file-ignore SA1019 net/http cannot do extended CONNECT

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/http2"

	"signalbox/sandbox/h2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect serves a connection with the handler, and returns x/net's client for it.
func connect(t *testing.T, handler http.HandlerFunc) *http2.ClientConn {
	t.Helper()
	ours, theirs := pair(t)
	served := make(chan error, 1)
	go func() { served <- h2.Serve(theirs, handler) }()
	client, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(ours)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = client.Close()
		_ = ours.Close()
		<-served
	})
	return client
}

// pair is a connection with its two ends.
func pair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	ours, err = net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	theirs, err = listener.Accept()
	require.NoError(t, err)
	return ours, theirs
}

func request(t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "https://sandbox/path?q=1", body)
	require.NoError(t, err)
	return r
}

func TestRequestAndAnswer(t *testing.T) {
	client := connect(t, func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Query().Get("q") != "1" || r.Host != "sandbox" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set(http.TrailerPrefix+"X-End", "yes")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(data)
	})
	large := strings.Repeat("0123456789abcdef", 100_000) // larger than every window
	for _, body := range []string{"", "small", large} {
		response, err := client.RoundTrip(request(t, http.MethodPut, strings.NewReader(body)))
		require.NoError(t, err)
		got, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusTeapot, response.StatusCode)
		require.Equal(t, http.MethodPut, response.Header.Get("X-Method"))
		require.Equal(t, "yes", response.Trailer.Get("X-End"))
		require.True(t, body == string(got))
	}
}

// TestTrailersAlone is how gRPC says that a call failed.
func TestTrailersAlone(t *testing.T) {
	client := connect(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(http.TrailerPrefix+"X-End", "yes") })
	response, err := client.RoundTrip(request(t, http.MethodPost, nil))
	require.NoError(t, err)
	got, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, got)
	require.Equal(t, "yes", response.Trailer.Get("X-End"))
}

func TestManyAtOnce(t *testing.T) {
	client := connect(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	body := bytes.Repeat([]byte{7}, 200_000)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			response, err := client.RoundTrip(request(t, http.MethodPost, bytes.NewReader(body)))
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(response.Body)
			if err != nil || !bytes.Equal(body, got) {
				t.Error("another body came back", err)
			}
		})
	}
	all.Wait()
}

// TestSocket is an extended CONNECT: both directions of the stream at once, until the client ends its half.
func TestSocket(t *testing.T) {
	client := connect(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get(":protocol") != "websocket" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusOK)
		_, _ = io.Copy(w, r.Body)
	})
	reader, writer := io.Pipe()
	r := request(t, http.MethodConnect, reader)
	r.Header.Set(":protocol", "websocket")
	response, err := client.RoundTrip(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	for _, word := range []string{"one", "two"} {
		_, err = writer.Write([]byte(word))
		require.NoError(t, err)
		got := make([]byte, len(word))
		_, err = io.ReadFull(response.Body, got)
		require.NoError(t, err)
		require.Equal(t, word, string(got))
	}
	require.NoError(t, writer.Close())
	rest, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, rest)
}

// TestUnreadBody leaves a body unread: the answer comes all the same, and the connection goes on.
func TestUnreadBody(t *testing.T) {
	client := connect(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	for range 40 {
		response, err := client.RoundTrip(request(t, http.MethodPut, bytes.NewReader(make([]byte, 600_000))))
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
		require.NoError(t, response.Body.Close())
	}
}

func TestPanicAndReset(t *testing.T) {
	gone := make(chan struct{}, 1)
	client := connect(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusOK)
		<-r.Context().Done()
		gone <- struct{}{}
	})
	_, err := client.RoundTrip(request(t, http.MethodGet, nil))
	require.ErrorAs(t, err, new(http2.StreamError))
	reader, writer := io.Pipe()
	response, err := client.RoundTrip(request(t, http.MethodPost, reader))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, writer.CloseWithError(io.ErrUnexpectedEOF)) // which resets the stream
	<-gone
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(http2.ClientPreface))
	f.Add([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, theirs := pair(t)
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = h2.Serve(theirs, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
		}()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, ours)
		}()
		_, _ = ours.Write(append([]byte(http2.ClientPreface), data...))
		_ = ours.(*net.TCPConn).CloseWrite()
		<-served
		<-drained
		_ = ours.Close()
	})
}
