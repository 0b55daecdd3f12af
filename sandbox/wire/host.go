package wire

import (
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"
)

// MediaTypeProtobuf is that of the storage service's bodies.
const MediaTypeProtobuf = "application/x-protobuf"

// Proto is an answer in protobuf.
func Proto(status int, message proto.Message) (*Response, error) {
	body, err := proto.Marshal(message)
	if err != nil {
		return nil, err
	}
	return &Response{Status: status, Header: http.Header{"Content-Type": {MediaTypeProtobuf}}, Body: body}, nil
}

// DecodeProto reads a protobuf body: 415 for another media type, 400 for what cannot be read.
func (r *Request) DecodeProto(into proto.Message) error {
	if !r.IsType(MediaTypeProtobuf) {
		return Refuse(http.StatusUnsupportedMediaType)
	}
	if proto.Unmarshal(r.Body, into) != nil {
		return Refuse(http.StatusBadRequest)
	}
	return nil
}

// Host is a router as another host than chat, with an authorisation of its own: who calls is the handlers' to find out.
// Bodies of more than limit bytes are 413.
func Host(router *Router, limit int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		write(w, r, router.Route(r.Context(), &Request{
			Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Header: r.Header, Body: body,
			asked: asked(r),
		}))
	})
}
