package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"signalbox/signalcore/signalpb/grpcpb"
)

const (
	grpcGetUploadForm = "org.signal.chat.attachments.Attachments/GetUploadForm"
	pathUploadForm    = "/v4/attachments/form/upload"
	maxFormHeaders    = 32
)

// UploadForm says where and how one attachment is to be uploaded. Package cdn does it.
type UploadForm struct {
	CDN     uint32
	Key     string // names the attachment from then on
	Headers map[string]string
	URL     string
}

// UploadForm asks for leave to upload size bytes. The service has moved this call to gRPC; where there is none, the REST
// call of before is used. ErrTooLarge means that the service takes no attachment of that size.
func (a *Authenticated) UploadForm(ctx context.Context, size int64) (*UploadForm, error) {
	if _, known := a.link.noGRPC.Load(grpcGetUploadForm); !known {
		form, err := a.uploadFormGRPC(ctx, size)
		if !errors.Is(err, ErrNoGRPC) {
			return form, err
		}
		a.link.noGRPC.Store(grpcGetUploadForm, true)
	}
	return a.uploadFormREST(ctx, size)
}

func (a *Authenticated) uploadFormGRPC(ctx context.Context, size int64) (*UploadForm, error) {
	var answer grpcpb.GetUploadFormResponse
	request := &grpcpb.GetUploadFormRequest{UploadLength: uint64(max(size, 1))}
	if err := a.callGRPC(ctx, grpcGetUploadForm, request, &answer); err != nil {
		return nil, err
	}
	if answer.GetExceedsMaxUploadLength() != nil {
		return nil, fmt.Errorf("upload of %d bytes: %w", size, ErrTooLarge)
	}
	form := answer.GetUploadForm()
	return (&UploadForm{
		CDN: form.GetCdn(), Key: form.GetKey(), Headers: form.GetHeaders(), URL: form.GetSignedUploadLocation(),
	}).checked()
}

func (a *Authenticated) uploadFormREST(ctx context.Context, size int64) (*UploadForm, error) {
	path := pathUploadForm + "?uploadLength=" + strconv.FormatInt(max(size, 1), 10)
	response, err := a.Do(ctx, &Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, err
	}
	if response.Status == http.StatusRequestEntityTooLarge {
		return nil, fmt.Errorf("upload of %d bytes: %w", size, ErrTooLarge)
	}
	if err := response.Err(); err != nil {
		return nil, err
	}
	return parseUploadForm(response.Body)
}

func parseUploadForm(body []byte) (*UploadForm, error) {
	var answer struct {
		CDN                  uint32            `json:"cdn"`
		Key                  string            `json:"key"`
		Headers              map[string]string `json:"headers"`
		SignedUploadLocation string            `json:"signedUploadLocation"`
	}
	if err := decodeJSON(body, &answer); err != nil {
		return nil, err
	}
	return (&UploadForm{answer.CDN, answer.Key, answer.Headers, answer.SignedUploadLocation}).checked()
}

func (f *UploadForm) checked() (*UploadForm, error) {
	location, err := url.Parse(f.URL)
	switch {
	case err != nil || location.Scheme != "https" || location.Host == "":
		return nil, fmt.Errorf("%w: upload form without an https URL", ErrProtocol)
	case f.Key == "" || len(f.Key) > 256 || len(f.Headers) > maxFormHeaders:
		return nil, fmt.Errorf("%w: upload form cannot be used", ErrProtocol)
	}
	return f, nil
}
