// Package cdn uploads and downloads attachments: CDN 2 by Google's resumable uploads, CDN 3 by tus 1.0.0, downloads by
// GET with Range. What breaks off is taken up again where it stopped, in constant memory.
//
// The bytes are encrypted before and decrypted after; that is not done here. Where to upload is the service's word
// (service.UploadForm).
//
// Sources: Signal-Android PushServiceSocket, Signal-Desktop ts/util/uploads/tusProtocol, Signal-Server
// TusAttachmentGenerator and GcsAttachmentGenerator.
package cdn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"signalbox/signalcore/service"
)

var (
	// ErrNotFound is returned for what the CDN does not have, or no longer.
	ErrNotFound = errors.New("the attachment is not there")
	// ErrRefused is 401 or 403: the CDN does not take the signature that the service gave us for it.
	ErrRefused = errors.New("the service's file store does not accept the permission that the service gave")
)

const (
	// maxFutile is how many attempts in a row may bring nothing.
	maxFutile = 5
	// stallTimeout ends an attempt in which nothing moves.
	stallTimeout = 30 * time.Second
	// maxAnswer bounds the answers that carry no attachment.
	maxAnswer = 64 << 10
)

// Client transfers attachments. It is safe for concurrent use.
type Client struct {
	network *service.Network
	pause   func(context.Context, time.Duration) error
	stall   time.Duration
}

// New returns a client for the CDNs of a service.
func New(network *service.Network) *Client {
	return &Client{network: network, pause: sleep, stall: stallTimeout}
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// persist repeats an attempt until it is done, it fails for good, or several in a row made no progress. Progress is a
// number that attempts increase.
func (c *Client) persist(ctx context.Context, progress *int64, attempt func(context.Context) error) error {
	backoff := service.NewBackoff()
	futile := 0
	for {
		before := *progress
		err := attempt(ctx)
		if err == nil || !transient(err) || ctx.Err() != nil {
			return err
		}
		if *progress > before {
			futile = 0
			backoff.Reset()
		}
		if futile++; futile >= maxFutile {
			return err
		}
		wait := backoff.Next()
		var limited *service.RateLimitedError
		if errors.As(err, &limited) && limited.RetryAfter > wait {
			return err
		}
		if c.pause(ctx, wait) != nil {
			return &service.NetworkError{Err: ctx.Err(), MayHaveLeft: true}
		}
	}
}

// transient reports whether the same request can succeed a little later.
func transient(err error) bool {
	var network *service.NetworkError
	var status *service.StatusError
	var limited *service.RateLimitedError
	switch {
	case errors.As(err, &network):
		return true
	case errors.As(err, &status):
		return status.Temporary()
	default:
		return errors.As(err, &limited)
	}
}

// exchange sends a request whose answer matters by its headers only.
func (c *Client) exchange(request *http.Request) (*service.Response, error) {
	response, err := c.network.HTTPClient().Do(request)
	if err != nil {
		return nil, &service.NetworkError{Err: service.WithoutURL(err), MayHaveLeft: true}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, &service.NetworkError{Err: err, MayHaveLeft: true}
	}
	return &service.Response{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// statusOf is the error that the status of an answer means, nil for a success.
func statusOf(response *service.Response) error {
	switch response.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w (status %d)", ErrRefused, response.Status)
	}
	return response.Err()
}

func (c *Client) newRequest(ctx context.Context, method, address string, body io.Reader) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("build CDN request: %w", err)
	}
	if request.URL.Scheme != "https" {
		return nil, fmt.Errorf("%w: the CDN names a place that is not https", service.ErrProtocol)
	}
	request.Header.Set("User-Agent", c.network.UserAgent())
	return request, nil
}

// watchdog cancels a context when nothing calls alive for a while.
type watchdog struct {
	timer *time.Timer
	stall time.Duration
}

func (c *Client) watch(ctx context.Context) (context.Context, *watchdog, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.stall, func() { cancel(fmt.Errorf("nothing moved for %v", c.stall)) })
	return ctx, &watchdog{timer, c.stall}, func() {
		timer.Stop()
		cancel(nil)
	}
}

func (w *watchdog) alive() { w.timer.Reset(w.stall) }

// watchedReader reports each read to a watchdog.
type watchedReader struct {
	io.Reader
	dog *watchdog
}

func (r watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.dog.alive()
	}
	return n, err
}
