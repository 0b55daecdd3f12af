package cdn

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"signalbox/signalcore/service"
)

const (
	tusVersion     = "1.0.0"
	tusContentType = "application/offset+octet-stream"
)

// tus makes one attempt on CDN 3: create with the whole body at first, afterwards ask for the offset and send the rest
// (tus.io/protocols/resumable-upload, with the creation-with-upload extension).
func (u *upload) tus(ctx context.Context) error {
	if u.location == "" {
		return u.tusCreate(ctx)
	}
	known, err := u.tusOffset(ctx)
	if err != nil {
		return err
	}
	if !known {
		u.forget()
		return u.tusCreate(ctx)
	}
	if u.offset == u.size {
		return nil
	}
	header := http.Header{"Tus-Resumable": {tusVersion}, "Content-Type": {tusContentType}}
	header.Set("Upload-Offset", formatSize(u.offset))
	response, err := u.send(ctx, http.MethodPatch, u.location, header)
	if err != nil {
		return err
	}
	return u.tusResult(response)
}

func (u *upload) tusCreate(ctx context.Context) error {
	header := http.Header{"Tus-Resumable": {tusVersion}, "Content-Type": {tusContentType}}
	header.Set("Upload-Length", formatSize(u.size))
	header.Set("Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(u.form.Key)))
	u.location = u.tusLocation()
	response, err := u.send(ctx, http.MethodPost, u.form.URL, header)
	if err != nil {
		return err
	}
	if location, err := u.follow(response); err == nil {
		u.location = location
	}
	return u.tusResult(response)
}

// tusLocation is where an upload is continued whose creation was not answered: the form's URL with the key.
func (u *upload) tusLocation() string {
	base := strings.TrimRight(u.form.URL, "/")
	if strings.HasSuffix(base, "/"+u.form.Key) {
		return base
	}
	return base + "/" + u.form.Key
}

// tusResult is done when the CDN has everything. A success that leaves something out is taken up again.
func (u *upload) tusResult(response *service.Response) error {
	if err := statusOf(response); err != nil {
		return err
	}
	text := response.Header.Get("Upload-Offset")
	if text == "" {
		return nil // a creation need not repeat what it took
	}
	offset, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: tus offset cannot be read", service.ErrProtocol)
	}
	if err := u.advance(offset); err != nil {
		return err
	}
	if u.offset < u.size {
		return &service.NetworkError{Err: fmt.Errorf("%d of %d bytes arrived", u.offset, u.size), MayHaveLeft: true}
	}
	return nil
}

// tusOffset asks what the CDN has. It reports false when that is nothing at all.
func (u *upload) tusOffset(ctx context.Context) (known bool, err error) {
	response, err := u.ask(ctx, http.MethodHead, u.location, http.Header{"Tus-Resumable": {tusVersion}})
	if err != nil {
		return false, err
	}
	switch response.Status {
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden:
		return false, nil
	}
	if err := statusOf(response); err != nil {
		return false, err
	}
	offset, err := strconv.ParseInt(response.Header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		return false, fmt.Errorf("%w: tus offset cannot be read", service.ErrProtocol)
	}
	return true, u.advance(offset)
}
