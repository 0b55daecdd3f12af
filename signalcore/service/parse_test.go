package service

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// recorded is a stream that says what was recorded and swallows what is written.
type recorded struct{ io.Reader }

//lint:file-ignore SA1019 the frames that ws.ReadFrame reads here are ours

func (recorded) Write(p []byte) (int, error) { return len(p), nil }
func (recorded) Close() error                { return nil }
func (recorded) CloseWrite() error           { return nil }

func FuzzFrames(f *testing.F) {
	request, err := proto.Marshal(&servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{
			Verb: proto.String("PUT"), Path: proto.String(pathMessage), Headers: []string{"a:b", "c"}, Body: []byte("body"),
		},
	})
	require.NoError(f, err)
	for _, frame := range []ws.Frame{
		ws.NewBinaryFrame(request), ws.NewPingFrame([]byte("ping")), ws.NewCloseFrame(ws.NewCloseFrameBody(4409, "")),
		ws.NewFrame(ws.OpBinary, false, request), ws.NewTextFrame([]byte("text")), ws.NewCloseFrame([]byte{1}),
	} {
		f.Add(ws.MustCompileFrame(frame))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		link := &Link{network: &Network{options: Options{Logger: zerolog.Nop()}}}
		conn := newConn(link, socket{accepts: acceptsQueue}, recorded{bytes.NewReader(data)})
		conn.fail(ErrClosed) // nobody receives, so that nothing may wait
		require.Error(t, conn.read(), "what is recorded ends")
		require.LessOrEqual(t, conn.arrivals.bytes, len(data))
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(401, "Retry-After", "1", []byte(`{"missingDevices":[1]}`))
	f.Add(428, "x", "", []byte(`{"token":"t","options":["captcha"]}`))
	f.Add(200, "Retry-After", "-1", []byte(`{"identityKey":"AAAA","devices":[{"deviceId":1,"signedPreKey":{"keyId":1}}]}`))
	f.Add(206, "", "versions 5-68/100", []byte{0x0a, 0})
	f.Add(409, "", "", []byte(`[{"uuid":"9d0652a3-dcc3-4d11-975f-74d61598733f","devices":{"missingDevices":[1]}}]`))
	f.Add(200, "", "", []byte(`{"uuids404":["9d0652a3-dcc3-4d11-975f-74d61598733f"],"credentials":[{"credential":"AA"}]}`))
	f.Add(200, "", "", []byte(`{"cdn":3,"key":"k","headers":{},"signedUploadLocation":"https://x/y"}`))
	f.Fuzz(func(t *testing.T, status int, name, value string, body []byte) {
		response := &Response{Status: status, Header: http.Header{name: {value}}, Body: body}
		if err := response.Err(); err != nil {
			require.Less(t, len(err.Error()), 1<<20)
		}
		if bundles, err := parsePreKeys(body); err == nil {
			require.LessOrEqual(t, len(bundles.Devices), 127)
		}
		if form, err := parseUploadForm(body); err == nil {
			require.True(t, strings.HasPrefix(strings.ToLower(form.URL), "https:"))
		}
		_, _ = parseProfile(body)
		if credentials, _, err := parseGroupCredentials(body); err == nil {
			require.LessOrEqual(t, len(credentials), maxCredentials)
		}
		_, _ = parseMultiAnswer(body)
		_ = parseMultiMismatch(response)
		response.Header = http.Header{"Content-Range": {value}}
		if page, err := parseLogPage(response, 5); err == nil && page.More {
			require.Greater(t, page.Next, uint32(5))
		}
		_, _ = errorDetails(body)
		_ = deliveredAt(http.Header{"X-Signal-Timestamp": {value}})
		_ = parseHeaders([]string{value, name + ":" + value})
	})
}

func TestFramesOfEverySize(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 0xffff, 0x10000, 1 << 20} {
		payload := bytes.Repeat([]byte{0xa5}, size)
		frame, err := ws.ReadFrame(bytes.NewReader(appendFrame(nil, ws.OpBinary, payload)))
		require.NoError(t, err)
		require.True(t, frame.Header.Masked)
		require.True(t, bytes.Equal(payload, ws.UnmaskFrame(frame).Payload))

		op, got, err := newFrameReader(bytes.NewReader(ws.MustCompileFrame(ws.NewBinaryFrame(payload)))).next()
		require.NoError(t, err)
		require.Equal(t, ws.OpBinary, op)
		require.True(t, bytes.Equal(payload, got))
	}
}

func TestUnusableAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON": "x", "no URL": `{"key":"k"}`, "no key": `{"signedUploadLocation":"https://x"}`,
		"plain http": `{"key":"k","signedUploadLocation":"http://x"}`,
	} {
		_, err := parseUploadForm([]byte(body))
		require.ErrorIs(t, err, ErrProtocol, name)
	}
	for name, body := range map[string]string{
		"no JSON": "x", "device 0": `{"devices":[{"deviceId":0,"signedPreKey":{}}]}`, "no signed key": `{"devices":[{"deviceId":1}]}`,
		"too many": `{"devices":[` + strings.Repeat(`{"deviceId":1,"signedPreKey":{}},`, 200) + `{}]}`, "no base64": `{"identityKey":"!"}`,
	} {
		_, err := parsePreKeys([]byte(body))
		require.ErrorIs(t, err, ErrProtocol, name)
	}
}
