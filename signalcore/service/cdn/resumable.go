package cdn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"signalbox/signalcore/service"
)

// statusResume is how Google's resumable uploads say that more is wanted.
const statusResume = http.StatusPermanentRedirect

// resumable makes one attempt on CDN 2: begin a session (POST), or ask it what it has, then PUT the rest
// (cloud.google.com/storage/docs/performing-resumable-uploads).
func (u *upload) resumable(ctx context.Context) error {
	if u.location == "" {
		if err := u.beginResumable(ctx); err != nil {
			return err
		}
	} else if done, err := u.queryResumable(ctx); done || err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if u.offset > 0 {
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", u.offset, u.size-1, u.size))
	}
	response, err := u.session().send(ctx, http.MethodPut, u.location, header)
	if err != nil {
		return err
	}
	if response.Status == statusResume {
		return &service.NetworkError{Err: errors.New("the CDN took a part only"), MayHaveLeft: true}
	}
	return statusOf(response)
}

// session is the upload without the form's headers, which were for beginning it.
func (u *upload) session() *upload {
	session := *u
	session.form = &service.UploadForm{CDN: u.form.CDN, Key: u.form.Key, URL: u.form.URL}
	return &session
}

func (u *upload) beginResumable(ctx context.Context) error {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	response, err := u.ask(ctx, http.MethodPost, u.form.URL, header)
	if err != nil {
		return err
	}
	if err := statusOf(response); err != nil {
		return err
	}
	u.location, err = u.follow(response)
	return err
}

// queryResumable asks what the session has; it may have everything.
func (u *upload) queryResumable(ctx context.Context) (done bool, err error) {
	header := http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", u.size)}}
	response, err := u.session().ask(ctx, http.MethodPut, u.location, header)
	if err != nil {
		return false, err
	}
	switch {
	case response.Status == statusResume:
		return false, u.advance(receivedRange(response.Header.Get("Range")))
	case response.Status == http.StatusNotFound || response.Status == http.StatusGone:
		u.forget()
		return false, u.beginResumable(ctx)
	}
	return response.Status < 300, statusOf(response)
}

// receivedRange reads "bytes=0-41", which means 42 bytes. Without the header there are none; -1 is no answer.
func receivedRange(value string) int64 {
	if value == "" {
		return 0
	}
	last, found := strings.CutPrefix(value, "bytes=0-")
	if !found {
		return -1
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 || n+1 < 0 {
		return -1
	}
	return n + 1
}
