// Package grpcwire frames unary gRPC calls and reads their outcome, without a gRPC library: gRPC over HTTP/2
// (grpc/doc/PROTOCOL-HTTP2.md), one uncompressed message each way, the status in the trailers.
//
// It knows neither connections nor the service's errors; those are in package service.
package grpcwire

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ContentType is that of requests and responses.
const ContentType = "application/grpc"

// Codes that callers tell apart (grpc/doc/statuscodes.md).
const (
	OK                = 0
	Unknown           = 2
	DeadlineExceeded  = 4
	ResourceExhausted = 8
	Unimplemented     = 12
	Internal          = 13
	Unavailable       = 14
	Unauthenticated   = 16
)

const (
	prefixSize = 5
	maxStatus  = 16
	maxText    = 1 << 10
	maxDetails = 64 << 10
)

// ErrFrame is returned for what is no single, uncompressed message.
var ErrFrame = errors.New("malformed gRPC message")

// AppendFrame appends a message with its length prefix.
func AppendFrame(out, message []byte) []byte {
	out = append(out, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(message)))
	return append(out, message...)
}

// ReadFrame reads the only message of a response of at most limit bytes. A body without any is io.EOF, as an error's is.
func ReadFrame(r io.Reader, limit uint32) ([]byte, error) {
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	if prefix[0] != 0 {
		return nil, fmt.Errorf("%w: compressed", ErrFrame)
	}
	size := binary.BigEndian.Uint32(prefix[1:])
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrFrame, size, limit)
	}
	message, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, err
	}
	if len(message) < int(size) {
		return nil, io.ErrUnexpectedEOF
	}
	switch n, err := r.Read(prefix[:1]); {
	case n > 0:
		return nil, fmt.Errorf("%w: more than one message", ErrFrame)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	}
	return message, nil
}

// Status is the outcome of a call.
type Status struct {
	Code    int
	Message string
	Details []byte // a serialised google.rpc.Status, if any
}

// ReadStatus takes the outcome from the trailers, or from the headers of a response that has nothing else.
func ReadStatus(header, trailer http.Header) (Status, error) {
	from := trailer
	if from.Get("Grpc-Status") == "" {
		from = header
	}
	text := from.Get("Grpc-Status")
	if text == "" {
		return Status{}, fmt.Errorf("%w: no status", ErrFrame)
	}
	code, err := strconv.Atoi(text)
	if err != nil || code < 0 || code > maxStatus {
		return Status{}, fmt.Errorf("%w: status %.16q", ErrFrame, text)
	}
	status := Status{Code: code, Message: from.Get("Grpc-Message")}
	status.Message = status.Message[:min(len(status.Message), maxText)]
	if plain, err := url.PathUnescape(status.Message); err == nil {
		status.Message = plain
	}
	details := strings.TrimRight(from.Get("Grpc-Status-Details-Bin"), "=")
	if len(details) <= maxDetails {
		status.Details, _ = base64.RawStdEncoding.DecodeString(details)
	}
	return status, nil
}
