package service

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/gobwas/ws"
	"github.com/rs/zerolog"
)

// maxRefusalBody bounds what is read of the answer that refuses a socket.
const maxRefusalBody = 4 << 10

// connectHTTP2 opens a websocket as a stream of the HTTP/2 connection, by extended CONNECT (RFC 8441, section 4).
func (l *Link) connectHTTP2(ctx context.Context, s socket) (duplex, error) {
	reader, writer := io.Pipe()
	streamCtx, cancel := context.WithCancel(context.Background())
	// The stream outlives the context of its opening, which must still be able to give up until it is open.
	stop := context.AfterFunc(ctx, cancel)
	request := (&http.Request{
		Method: http.MethodConnect, URL: l.network.chatURL(s.path), Host: l.network.chat.Host,
		Header: s.header(l.network), Body: reader, ContentLength: -1,
	}).WithContext(streamCtx)
	request.Header.Set(":protocol", "websocket")
	request.Header.Set("Sec-Websocket-Version", "13")
	response, err := l.h2.RoundTrip(request)
	if err != nil || !stop() {
		cancel()
		if err == nil {
			_ = response.Body.Close()
			err = ctx.Err()
		}
		return nil, &NetworkError{Err: fmt.Errorf("open socket: %w", err)}
	}
	if response.StatusCode != http.StatusOK {
		defer cancel()
		return nil, refusal(response.StatusCode, response.Header, response.Body)
	}
	logAlerts(l.network.options.Logger, response.Header)
	return &http2Stream{body: response.Body, pipe: writer, cancel: cancel}, nil
}

// lacksExtendedConnect tells a service that does not offer extended CONNECT, which is then never asked, from one that
// refuses this socket or was lost: the connection lives, yet there was no answer.
func (l *Link) lacksExtendedConnect(ctx context.Context, err error) bool {
	var network *NetworkError
	if !errors.As(err, &network) || ctx.Err() != nil {
		return false
	}
	if state := l.h2.State(); state.Closed || state.Closing {
		return false
	}
	return l.h2.Ping(ctx) == nil
}

// http2Stream is a websocket's half of an HTTP/2 connection.
type http2Stream struct {
	body   io.ReadCloser
	pipe   *io.PipeWriter
	cancel context.CancelFunc
}

func (s *http2Stream) Read(p []byte) (int, error)  { return s.body.Read(p) }
func (s *http2Stream) Write(p []byte) (int, error) { return s.pipe.Write(p) }
func (s *http2Stream) CloseWrite() error           { return s.pipe.Close() }

func (s *http2Stream) Close() error {
	_ = s.pipe.CloseWithError(ErrClosed)
	err := s.body.Close()
	s.cancel()
	return err
}

// upgradeHTTP1 opens a websocket on a connection of its own (RFC 6455, section 4).
func (n *Network) upgradeHTTP1(ctx context.Context, s socket) (duplex, error) {
	conn, err := n.dialTLS(ctx, "http/1.1")
	if err != nil {
		return nil, &NetworkError{Err: fmt.Errorf("connect: %w", err)}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	buffered, err := n.handshake(conn, s)
	if !stop() {
		err = &NetworkError{Err: fmt.Errorf("open socket: %w", ctx.Err())}
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &http1Stream{Conn: conn, reader: buffered}, nil
}

func (n *Network) handshake(conn *tls.Conn, s socket) (io.Reader, error) {
	var refused error
	answer := http.Header{}
	dialer := ws.Dialer{
		Header: ws.HandshakeHeaderHTTP(s.header(n)),
		OnHeader: func(key, value []byte) error {
			answer.Add(string(key), string(value))
			return nil
		},
		OnStatusError: func(status int, _ []byte, r io.Reader) {
			response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(r, maxRefusalBody)), nil)
			if err != nil {
				refused = refusal(status, nil, nil)
				return
			}
			defer response.Body.Close()
			refused = refusal(response.StatusCode, response.Header, response.Body)
		},
	}
	buffered, _, err := dialer.Upgrade(conn, &url.URL{Scheme: "wss", Host: n.chat.Host, Path: s.path})
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, &NetworkError{Err: fmt.Errorf("open socket: %w", err)}
	}
	logAlerts(n.options.Logger, answer)
	if buffered != nil {
		return buffered, nil
	}
	return conn, nil
}

// http1Stream is a websocket with a connection of its own. The handshake may have read the first frames already.
type http1Stream struct {
	*tls.Conn
	reader io.Reader
}

func (s *http1Stream) Read(p []byte) (int, error) { return s.reader.Read(p) }

// refusal is the error for a status that opens no socket (libsignal rust/net/src/chat/error.rs): the service's wish to
// be left alone goes before everything else.
func refusal(status int, header http.Header, body io.Reader) error {
	if wait := parseRetryAfter(header); wait > 0 {
		return &RateLimitedError{RetryAfter: wait}
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrUnlinked
	case http.StatusTooManyRequests:
		return &RateLimitedError{}
	case statusOutdated:
		return ErrOutdated
	}
	text := []byte{}
	if body != nil {
		text, _ = io.ReadAll(io.LimitReader(body, maxErrorBody))
	}
	return &StatusError{Code: status, Body: string(text)}
}

// logAlerts notes what the service says of the account; nothing depends on it.
func logAlerts(log zerolog.Logger, header http.Header) {
	if alerts := header.Values("X-Signal-Alert"); len(alerts) > 0 {
		log.Info().Strs("alerts", alerts).Msg("the service sends alerts")
	}
}
