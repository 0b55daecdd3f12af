package cdn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"signalbox/signalcore/service"
)

// upload is one attachment on its way, by one of the two protocols.
type upload struct {
	client *Client
	form   *service.UploadForm
	body   io.ReaderAt
	size   int64

	location string // where it is continued; empty until it was begun
	offset   int64  // what the CDN is known to have
}

// Upload stores size bytes of body under the form's key. The body must be the same at each reading.
func (c *Client) Upload(ctx context.Context, form *service.UploadForm, body io.ReaderAt, size int64) error {
	u := &upload{client: c, form: form, body: body, size: size}
	var attempt func(context.Context) error
	switch form.CDN {
	case 2:
		attempt = u.resumable
	case 3:
		attempt = u.tus
	default:
		return fmt.Errorf("%w: upload to CDN %d", service.ErrProtocol, form.CDN)
	}
	if err := c.persist(ctx, &u.offset, attempt); err != nil {
		return fmt.Errorf("upload attachment: %w", err)
	}
	return nil
}

// send sends what is left of the body from the known offset.
func (u *upload) send(ctx context.Context, method, address string, header http.Header) (*service.Response, error) {
	ctx, dog, cancel := u.client.watch(ctx)
	defer cancel()
	source := &source{ReaderAt: u.body}
	var body io.Reader = http.NoBody
	if rest := u.size - u.offset; rest > 0 {
		body = watchedReader{io.NewSectionReader(source, u.offset, rest), dog}
	}
	request, err := u.client.newRequest(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = u.size - u.offset
	u.setHeaders(request, header)
	response, err := u.client.exchange(request)
	if failed := source.failure.Load(); failed != nil {
		return nil, *failed
	}
	if err != nil && errors.Is(err, context.Canceled) {
		err = lost(ctx, err)
	}
	return response, err
}

// source remembers that the body could not be read: that is no fault of the network.
type source struct {
	io.ReaderAt
	failure atomic.Pointer[error]
}

func (s *source) ReadAt(p []byte, offset int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failure.Store(&err)
	}
	return n, err
}

// ask sends a request without a body.
func (u *upload) ask(ctx context.Context, method, address string, header http.Header) (*service.Response, error) {
	ctx, _, cancel := u.client.watch(ctx)
	defer cancel()
	request, err := u.client.newRequest(ctx, method, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	u.setHeaders(request, header)
	return u.client.exchange(request)
}

func (u *upload) setHeaders(request *http.Request, header http.Header) {
	for name, value := range u.form.Headers {
		if strings.EqualFold(name, "Host") {
			request.Host = value
			continue
		}
		request.Header.Set(name, value)
	}
	for name, values := range header {
		request.Header[name] = values
	}
}

// follow resolves the Location of an answer.
func (u *upload) follow(response *service.Response) (string, error) {
	base, err := url.Parse(u.form.URL)
	if err != nil {
		return "", fmt.Errorf("%w: upload form without a URL", service.ErrProtocol)
	}
	location, err := base.Parse(response.Header.Get("Location"))
	if err != nil || response.Header.Get("Location") == "" || location.Scheme != "https" {
		return "", fmt.Errorf("%w: the CDN does not say where to upload", service.ErrProtocol)
	}
	return location.String(), nil
}

// advance notes what the CDN says it has.
func (u *upload) advance(offset int64) error {
	if offset < 0 || offset > u.size {
		return fmt.Errorf("%w: the CDN has %d of %d bytes", service.ErrProtocol, offset, u.size)
	}
	u.offset = offset
	return nil
}

// forget starts over: the CDN knows nothing of this upload.
func (u *upload) forget() {
	u.location, u.offset = "", 0
}

func formatSize(n int64) string { return strconv.FormatInt(n, 10) }
