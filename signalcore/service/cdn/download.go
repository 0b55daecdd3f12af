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

	"signalbox/signalcore/service"
)

// Location names something on a CDN: an attachment by its Key (or, in old messages, its ID), anything else by Path.
type Location struct {
	CDN  uint32
	Key  string
	ID   uint64
	Path string // with its slash
}

func (l Location) path() string {
	switch {
	case l.Path != "":
		return l.Path
	case l.Key != "":
		return "/attachments/" + url.PathEscape(l.Key)
	default:
		return "/attachments/" + strconv.FormatUint(l.ID, 10)
	}
}

// download is one attachment on its way here.
type download struct {
	client  *Client
	address string
	out     io.Writer
	limit   int64
	written int64
	etag    string
}

// Download writes something to out and returns its size. Of more than limit bytes it returns service.ErrTooLarge; out
// can have got a part by then, as by any other error.
func (c *Client) Download(ctx context.Context, from Location, out io.Writer, limit int64) (int64, error) {
	base, err := c.network.Environment().CDN(from.CDN)
	if err != nil {
		return 0, err
	}
	d := &download{client: c, address: base + from.path(), out: out, limit: limit}
	if err := c.persist(ctx, &d.written, d.attempt); err != nil {
		return d.written, fmt.Errorf("download attachment: %w", err)
	}
	return d.written, nil
}

func (d *download) attempt(ctx context.Context) error {
	ctx, dog, cancel := d.client.watch(ctx)
	defer cancel()
	request, err := d.client.newRequest(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return err
	}
	if d.written > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.written))
		if d.etag != "" {
			request.Header.Set("If-Range", d.etag)
		}
	}
	response, err := d.client.network.HTTPClient().Do(request)
	if err != nil {
		return lost(ctx, service.WithoutURL(err))
	}
	defer response.Body.Close()
	skip, err := d.begin(response)
	if err != nil {
		return err
	}
	body := watchedReader{response.Body, dog}
	if _, err := io.CopyN(io.Discard, body, skip); err != nil {
		return lost(ctx, err)
	}
	return d.copy(ctx, body)
}

// begin judges the answer, and returns how much of the body is here already.
func (d *download) begin(response *http.Response) (skip int64, err error) {
	total := response.ContentLength
	switch response.StatusCode {
	case http.StatusOK:
		skip = d.written
	case http.StatusPartialContent:
		var start int64
		if start, total, err = contentRange(response.Header.Get("Content-Range")); err != nil || start != d.written {
			return 0, fmt.Errorf("%w: the CDN sends another part than was asked for", service.ErrProtocol)
		}
	case http.StatusNotFound, http.StatusGone:
		return 0, ErrNotFound
	default:
		return 0, statusOf(&service.Response{Status: response.StatusCode, Header: response.Header})
	}
	if total > d.limit {
		return 0, fmt.Errorf("%d bytes: %w", total, service.ErrTooLarge)
	}
	etag := response.Header.Get("ETag")
	if d.written > 0 && d.etag != "" && etag != "" && etag != d.etag {
		return 0, fmt.Errorf("%w: the attachment changed while it was fetched", service.ErrProtocol)
	}
	if !strings.HasPrefix(etag, "W/") {
		d.etag = etag
	}
	return skip, nil
}

// copy writes the rest, and tells the fault of the writer, which is for good, from that of the network.
func (d *download) copy(ctx context.Context, body io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, readErr := body.Read(buffer)
		if d.written+int64(n) > d.limit {
			return fmt.Errorf("more than %d bytes: %w", d.limit, service.ErrTooLarge)
		}
		if n > 0 {
			if _, err := d.out.Write(buffer[:n]); err != nil {
				return err
			}
			d.written += int64(n)
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return lost(ctx, readErr)
		}
	}
}

// lost is the error for a transfer that broke off.
func lost(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &service.NetworkError{Err: err, MayHaveLeft: true}
}

// contentRange reads "bytes 5-9/10". An unknown total is -1.
func contentRange(value string) (start, total int64, err error) {
	rest, found := strings.CutPrefix(value, "bytes ")
	span, size, sized := strings.Cut(rest, "/")
	first, last, dashed := strings.Cut(span, "-")
	if !found || !sized || !dashed {
		return 0, 0, fmt.Errorf("%w: Content-Range %.32q", service.ErrProtocol, value)
	}
	start, err = strconv.ParseInt(first, 10, 64)
	end, endErr := strconv.ParseInt(last, 10, 64)
	total = -1
	var totalErr error
	if size != "*" {
		total, totalErr = strconv.ParseInt(size, 10, 64)
	}
	if err := errors.Join(err, endErr, totalErr); err != nil || start < 0 || end < start || (total >= 0 && end >= total) {
		return 0, 0, fmt.Errorf("%w: Content-Range %.32q", service.ErrProtocol, value)
	}
	return start, total, nil
}
