package sandbox_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

// socket is a websocket of somebody who speaks no more than the protocol.
type socket struct{ net.Conn }

// upgrade opens a websocket, or returns the status by which that is refused.
func upgrade(t *testing.T, s *sandbox.Service, path string, header http.Header) (socket, error) {
	t.Helper()
	dialer := ws.Dialer{
		Header: ws.HandshakeHeaderHTTP(header), TLSConfig: &tls.Config{RootCAs: s.Environment().Roots()},
	}
	address := "wss" + strings.TrimPrefix(s.Environment().ChatURL, "https") + path
	conn, _, _, err := dialer.Dial(contextOf(t), address)
	if err != nil {
		return socket{}, err
	}
	require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
	t.Cleanup(func() { _ = conn.Close() })
	return socket{conn}, nil
}

// next is the next message, or the payload of a close frame.
func (s socket) next(t *testing.T) (message *servicepb.WebSocketMessage, closed []byte) {
	t.Helper()
	header, err := ws.ReadHeader(s)
	require.NoError(t, err)
	payload := make([]byte, header.Length)
	_, err = io.ReadFull(s, payload)
	require.NoError(t, err)
	if header.OpCode == ws.OpClose {
		return nil, payload
	}
	message = &servicepb.WebSocketMessage{}
	require.NoError(t, proto.Unmarshal(payload, message))
	return message, nil
}

// closes waits for the close frame, past whatever comes before.
func (s socket) closes(t *testing.T) (uint16, string) {
	t.Helper()
	for {
		if _, closed := s.next(t); closed != nil {
			code, reason := ws.ParseCloseFrameData(closed)
			return uint16(code), reason
		}
	}
}

// calls makes a request and waits for its status, past whatever comes before.
func (s socket) calls(t *testing.T, verb, path string) uint32 {
	t.Helper()
	const id = 77
	data, err := proto.Marshal(&servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_REQUEST.Enum(), Request: &servicepb.WebSocketRequestMessage{
			Id: proto.Uint64(id), Verb: &verb, Path: &path,
		},
	})
	require.NoError(t, err)
	require.NoError(t, wsutil.WriteClientBinary(s, data))
	for {
		message, closed := s.next(t)
		require.Nil(t, closed)
		if answer := message.GetResponse(); answer.GetId() == id && answer != nil {
			return answer.GetStatus()
		}
	}
}

// TestWebsockets is what WebSocketConnection, AuthenticatedConnectListener, WebSocketDisconnectionRequestListener and
// ProvisioningConnectListener of Signal-Server say.
func TestWebsockets(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := phones(t, s)
	const path, provisioning = "/v1/websocket/", "/v1/websocket/provisioning/"
	code, err := s.Accounts.NewLinkingCode(ben.ACI)
	require.NoError(t, err)
	status, body := ask(t, s, call{
		method: http.MethodPut, path: "/v1/devices/link", body: linkFields(ben, code),
		header: map[string]string{"Authorization": basic("anybody", "secret")},
	})
	require.Equal(t, 200, status, body)
	header := http.Header{"Authorization": {basic(ben.ACI.String()+".2", "secret")}}
	device := wire.Device{Account: ben.ACI.UUID, ID: 2}

	_, err = upgrade(t, s, path, http.Header{"Authorization": {basic(anna.ACI.String()+".1", "x")}})
	require.Equal(t, ws.StatusError(403), err)
	_, err = upgrade(t, s, "/v1/other/", nil)
	require.Equal(t, ws.StatusError(404), err)

	first, err := upgrade(t, s, path, header)
	require.NoError(t, err)
	require.EqualValues(t, 200, first.calls(t, http.MethodGet, "/v1/keepalive"))
	deaf := header.Clone()
	deaf.Set("X-Signal-Disable-Messages", "true")
	silent, err := upgrade(t, s, path, deaf)
	require.NoError(t, err)
	require.EqualValues(t, 200, silent.calls(t, http.MethodGet, "/v1/accounts/whoami"))
	require.EqualValues(t, 200, first.calls(t, http.MethodGet, "/v1/keepalive"), "it displaces nobody")

	second, err := upgrade(t, s, path, header)
	require.NoError(t, err)
	closed, reason := first.closes(t)
	require.Equal(t, []any{wire.CloseConnectedElsewere, "Connected elsewhere"}, []any{closed, reason})
	require.EqualValues(t, 200, silent.calls(t, http.MethodGet, "/v1/keepalive"))
	require.True(t, s.Accounts.RemoveDevice(device))
	for _, one := range []socket{second, silent} {
		closed, reason = one.closes(t)
		require.Equal(t, []any{wire.CloseReauthenticate, "Reauthentication required"}, []any{closed, reason})
	}

	fresh, err := upgrade(t, s, provisioning, nil)
	require.NoError(t, err)
	address, _ := fresh.next(t)
	require.Equal(t, "/v1/address", address.GetRequest().GetPath())
	require.EqualValues(t, 200, fresh.calls(t, http.MethodGet, "/v1/keepalive/provisioning"))
	require.EqualValues(t, 404, fresh.calls(t, http.MethodGet, "/v1/accounts/whoami"), "there is nothing else")
}

// Wrong credentials are as good as none where none are needed.
func TestWrongCredentials(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := phones(t, s)
	wrong := http.Header{"Authorization": {basic(anna.ACI.String()+".1", "x")}}
	base := s.Environment().ChatURL
	answer := roundTrip(t, s, http.MethodHead, base+"/v1/accounts/account/"+ben.ACI.String(), wrong, nil)
	require.Equal(t, 200, answer.StatusCode)
	answer = roundTrip(t, s, http.MethodGet, base+"/v1/accounts/whoami", wrong, nil)
	require.Equal(t, 401, answer.StatusCode)
	require.Equal(t, `Basic realm="realm"`, answer.Header.Get("WWW-Authenticate"))
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "Credentials are required to access this resource.", string(body))
}
