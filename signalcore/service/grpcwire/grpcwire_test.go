package grpcwire

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFrames(t *testing.T) {
	for _, message := range [][]byte{{}, []byte("message"), make([]byte, 1000)} {
		got, err := ReadFrame(bytes.NewReader(AppendFrame(nil, message)), 1000)
		require.NoError(t, err)
		require.Equal(t, message, got)
	}
	for name, test := range map[string]struct {
		frame []byte
		want  error
	}{
		"nothing":      {nil, io.EOF},
		"cut prefix":   {[]byte{0, 0}, io.ErrUnexpectedEOF},
		"cut message":  {[]byte{0, 0, 0, 0, 2, 1}, io.ErrUnexpectedEOF},
		"compressed":   {[]byte{1, 0, 0, 0, 0}, ErrFrame},
		"too large":    {[]byte{0, 0, 0, 4, 0}, ErrFrame},
		"two messages": {AppendFrame(AppendFrame(nil, nil), nil), ErrFrame},
	} {
		_, err := ReadFrame(bytes.NewReader(test.frame), 1000)
		require.ErrorIs(t, err, test.want, name)
	}
}

func TestStatus(t *testing.T) {
	status, err := ReadStatus(nil, http.Header{
		"Grpc-Status": {"5"}, "Grpc-Message": {"a%20b"}, "Grpc-Status-Details-Bin": {"AQI="},
	})
	require.NoError(t, err)
	require.Equal(t, Status{Code: 5, Message: "a b", Details: []byte{1, 2}}, status)
	status, err = ReadStatus(http.Header{"Grpc-Status": {"12"}}, nil)
	require.NoError(t, err)
	require.Equal(t, Unimplemented, status.Code)
	for _, code := range []string{"", "x", "-1", "17"} {
		_, err := ReadStatus(http.Header{"Grpc-Status": {code}}, nil)
		require.ErrorIs(t, err, ErrFrame)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(AppendFrame(nil, []byte("message")), "0", "ok")
	f.Fuzz(func(t *testing.T, data []byte, code, message string) {
		if got, err := ReadFrame(bytes.NewReader(data), 64); err == nil {
			require.Equal(t, data, AppendFrame(nil, got))
		}
		_, _ = ReadStatus(http.Header{"Grpc-Status": {code}, "Grpc-Message": {message}, "Grpc-Status-Details-Bin": {message}}, nil)
	})
}
