package service_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/service/servicetest"
	"signalbox/signalcore/signalpb/servicepb"
)

//lint:file-ignore SA1019 the frames that ws.ReadFrame reads here are ours

var someone = serviceid.NewACI([16]byte{1, 2, 3})

// openFake opens a socket to a fake and returns both ends.
func openFake(t *testing.T, options service.Options) (*service.Authenticated, *servicetest.Socket) {
	t.Helper()
	fake := servicetest.StartFake(t, false, nil)
	socket, err := dial(t, fakeNetwork(t, fake, options)).OpenAuthenticated(testContext(t), service.Credentials{})
	require.NoError(t, err)
	server := <-fake.Sockets
	t.Cleanup(func() { _ = server.Close() })
	return socket, server
}

func fakeNetwork(t *testing.T, fake *servicetest.Fake, options service.Options) *service.Network {
	t.Helper()
	network, err := service.NewNetwork(fake.Environment, options)
	require.NoError(t, err)
	t.Cleanup(network.Close)
	return network
}

// answering runs a fake that gives every request the same answer.
func answering(t *testing.T, server *servicetest.Socket, status uint32, body string, headers ...string) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { _ = server.Close(); <-done })
	go func() {
		defer close(done)
		for {
			message, err := server.Next()
			if err != nil {
				return
			}
			if server.Respond(message.GetRequest().GetId(), status, body, headers...) != nil {
				return
			}
		}
	}()
}

func TestStatusesOfASend(t *testing.T) {
	t.Parallel()
	const hour = "Retry-After: 3600"
	for name, test := range map[string]struct {
		status  uint32
		body    string
		headers []string
		want    error
	}{
		"success":              {200, `{"needsSync":true}`, nil, nil},
		"no content":           {204, "", nil, nil},
		"unauthorized":         {401, "", nil, service.ErrUnauthorized},
		"unregistered":         {404, "", nil, service.ErrUnregistered},
		"mismatched":           {409, `{"missingDevices":[2,3],"extraDevices":[4]}`, nil, &service.MismatchedDevicesError{Missing: []uint32{2, 3}, Extra: []uint32{4}}},
		"stale":                {410, `{"staleDevices":[2]}`, nil, &service.StaleDevicesError{Stale: []uint32{2}}},
		"limited":              {413, "", []string{hour}, &service.RateLimitedError{RetryAfter: time.Hour}},
		"limited, unknown":     {429, "", nil, &service.RateLimitedError{}},
		"limited for ever":     {429, "", []string{"retry-after: 99999999999"}, &service.RateLimitedError{RetryAfter: 7 * 24 * time.Hour}},
		"limited, nonsense":    {429, "", []string{"Retry-After: soon"}, &service.RateLimitedError{}},
		"challenge":            {428, `{"token":"t","options":["captcha"]}`, []string{hour}, &service.ChallengeError{Token: "t", Options: []string{"captcha"}, RetryAfter: time.Hour}},
		"outdated":             {499, "", nil, service.ErrOutdated},
		"forbidden":            {403, "no", nil, &service.StatusError{Code: 403, Body: "no"}},
		"server error":         {503, "later", nil, &service.StatusError{Code: 503, Body: "later"}},
		"mismatch of nothing":  {409, `{}`, nil, &service.StatusError{Code: 409, Body: "{}"}},
		"unreadable stale":     {410, "x", nil, &service.StatusError{Code: 410, Body: "x"}},
		"unreadable challenge": {428, "x", nil, &service.StatusError{Code: 428, Body: "x"}},
		"no status at all":     {0, "", nil, &service.StatusError{}},
	} {
		t.Run(name, func(t *testing.T) {
			socket, server := openFake(t, service.Options{})
			answering(t, server, test.status, test.body, test.headers...)
			err := socket.SendMessage(testContext(t), service.Send{Destination: someone})
			require.Equal(t, test.want, err)
			if err != nil {
				require.NotEmpty(t, err.Error())
			}
		})
	}
}

func TestEndOfTheConnectionByCode(t *testing.T) {
	for code, want := range map[uint16]error{
		4409: service.ErrConnectedElsewhere, 4401: service.ErrUnlinked, 3000: service.ErrUnlinked, 1000: nil, 1011: nil,
	} {
		socket, server := openFake(t, service.Options{})
		require.NoError(t, server.End(code))
		_, err := socket.Receive(testContext(t), service.Limits{})
		if want == nil {
			var network *service.NetworkError
			require.ErrorAs(t, err, &network)
		} else {
			require.ErrorIs(t, err, want)
		}
		require.Equal(t, err, socket.Err())
		require.NoError(t, socket.Close())
		require.Equal(t, err, socket.Err(), "closing afterwards does not change the reason")
	}
}

func TestRefusedSocket(t *testing.T) {
	t.Parallel()
	fake := servicetest.StartFake(t, false, nil)
	link := dial(t, fakeNetwork(t, fake, service.Options{}))
	for name, test := range map[string]struct {
		status     int
		retryAfter string
		want       error
	}{
		"unlinked":       {403, "", service.ErrUnlinked},
		"wrong password": {401, "", service.ErrUnlinked},
		"outdated":       {499, "", service.ErrOutdated},
		"limited":        {429, "60", &service.RateLimitedError{RetryAfter: time.Minute}},
		"overloaded":     {508, "60", &service.RateLimitedError{RetryAfter: time.Minute}},
		"broken":         {500, "", &service.StatusError{Code: 500, Body: "why"}},
	} {
		t.Run(name, func(t *testing.T) {
			fake.Refuse(func(w http.ResponseWriter, _ *http.Request) {
				if test.retryAfter != "" {
					w.Header().Set("Retry-After", test.retryAfter)
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte("why"))
			})
			_, err := link.OpenAuthenticated(testContext(t), service.Credentials{})
			require.Equal(t, test.want, err)
		})
	}
}

func TestMayHaveLeft(t *testing.T) {
	t.Parallel()
	mayHaveLeft := func(t *testing.T, err error) bool {
		t.Helper()
		var network *service.NetworkError
		require.ErrorAs(t, err, &network)
		return network.MayHaveLeft
	}
	send := service.Send{Destination: someone}

	t.Run("lost while waiting", func(t *testing.T) {
		socket, server := openFake(t, service.Options{})
		result := make(chan error, 1)
		go func() { result <- socket.SendMessage(testContext(t), send) }()
		_, err := server.Next()
		require.NoError(t, err)
		require.NoError(t, server.Close())
		require.True(t, mayHaveLeft(t, <-result))
		require.False(t, mayHaveLeft(t, socket.SendMessage(testContext(t), send)), "nothing is written on a dead socket")
	})
	t.Run("out of patience", func(t *testing.T) {
		socket, _ := openFake(t, service.Options{RequestTimeout: 2 * time.Second})
		err := socket.SendMessage(testContext(t), send)
		require.True(t, mayHaveLeft(t, err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("behind a writer that is stuck", func(t *testing.T) {
		socket, _ := openFake(t, service.Options{RequestTimeout: 200 * time.Millisecond})
		send.Messages = []service.DeviceMessage{{Content: make([]byte, 2<<20)}}
		for left := 0; mayHaveLeft(t, socket.SendMessage(testContext(t), send)); left++ {
			require.Less(t, left, 100, "more than the buffers between take")
		}
	})
	t.Run("too large", func(t *testing.T) {
		socket, _ := openFake(t, service.Options{})
		send.Messages = []service.DeviceMessage{{Content: make([]byte, 8<<20)}}
		require.ErrorIs(t, socket.SendMessage(testContext(t), send), service.ErrTooLarge)
		require.NoError(t, socket.Err())
	})
	t.Run("nobody there", func(t *testing.T) {
		fake := servicetest.StartFake(t, false, nil)
		network := fakeNetwork(t, fake, service.Options{})
		fake.Server.Close()
		_, err := network.Dial(testContext(t))
		require.False(t, mayHaveLeft(t, err))
		_, err = network.REST().Do(testContext(t), &service.Request{Method: http.MethodGet, Path: "/"})
		require.False(t, mayHaveLeft(t, err))
	})
}

func TestKeepaliveFindsDeath(t *testing.T) {
	socket, _ := openFake(t, service.Options{KeepaliveInterval: 10 * time.Millisecond, KeepaliveTimeout: 20 * time.Millisecond})
	_, err := socket.Receive(testContext(t), service.Limits{})
	var network *service.NetworkError
	require.ErrorAs(t, err, &network)
	require.ErrorContains(t, err, "no sign of life")
}

func TestSlowReceiverIsNoDeath(t *testing.T) {
	t.Parallel()
	const count = 3000
	const keepaliveTimeout = 2 * time.Second // on a loaded machine much less can pass before a goroutine has its turn
	socket, server := openFake(t, service.Options{KeepaliveInterval: 20 * time.Millisecond, KeepaliveTimeout: keepaliveTimeout})
	sent := make(chan error, 1)
	go func() {
		for id := range uint64(count) {
			if err := server.Request(id, "/api/v1/message", make([]byte, 4<<10)); err != nil {
				sent <- err
				return
			}
		}
		sent <- server.Request(count, "/api/v1/queue/empty", nil)
	}()
	answering(t, server, 200, "")
	for received, batches := 0, 0; received < count; batches++ {
		batch, err := socket.Receive(testContext(t), service.Limits{Count: 500})
		require.NoError(t, err)
		received += len(batch.Envelopes)
		if batches < 2 {
			<-time.After(keepaliveTimeout * 5 / 4)
		}
	}
	require.NoError(t, <-sent)
	require.NoError(t, socket.Err())
}

func TestBatchesAndAcknowledgements(t *testing.T) {
	socket, server := openFake(t, service.Options{})
	require.NoError(t, server.Request(7, "/api/v1/message", []byte("seven"), "X-Signal-Timestamp: 1700000000000"))
	require.NoError(t, server.Request(8, "/api/v1/message", nil))
	require.NoError(t, server.Request(9, "/api/v1/queue/empty", nil))
	require.NoError(t, server.Request(10, "/api/v1/message", []byte("ten")))
	require.NoError(t, server.Request(11, "/api/v1/unheard-of", nil))

	answered := func() (uint64, uint32) {
		message, err := server.Next()
		require.NoError(t, err)
		return message.GetResponse().GetId(), message.GetResponse().GetStatus()
	}
	for _, want := range [][2]uint64{{9, 200}, {11, 404}} {
		id, status := answered()
		require.Equal(t, want, [2]uint64{id, uint64(status)})
	}
	first, err := socket.Receive(testContext(t), service.Limits{})
	require.NoError(t, err)
	require.True(t, first.QueueEmpty)
	require.Len(t, first.Envelopes, 2, "the mark ends the batch")
	require.Equal(t, "seven", string(first.Envelopes[0].Bytes))
	require.Equal(t, time.UnixMilli(1700000000000), first.Envelopes[0].DeliveredAt)
	require.True(t, first.Envelopes[1].DeliveredAt.IsZero())
	second, err := socket.Receive(testContext(t), service.Limits{})
	require.NoError(t, err)
	require.False(t, second.QueueEmpty)
	require.Len(t, second.Envelopes, 1)

	require.NoError(t, socket.Acknowledge(testContext(t), first.Envelopes[1:]))
	require.NoError(t, socket.Acknowledge(testContext(t), nil))
	require.NoError(t, socket.Acknowledge(testContext(t), second.Envelopes))
	for _, want := range []uint64{8, 10} {
		id, status := answered()
		require.Equal(t, want, id)
		require.EqualValues(t, 200, status)
	}

	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	_, err = socket.Receive(ctx, service.Limits{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestLimitsOfABatch(t *testing.T) {
	socket, server := openFake(t, service.Options{})
	for id := range uint64(6) {
		require.NoError(t, server.Request(id, "/api/v1/message", make([]byte, 100)))
	}
	require.NoError(t, server.Request(6, "/api/v1/queue/empty", nil))
	_, err := server.Next() // the mark is acknowledged at once, and everything is here then
	require.NoError(t, err)
	for _, test := range []struct {
		limits service.Limits
		want   int
	}{{service.Limits{Count: 1}, 1}, {service.Limits{Bytes: 250}, 2}, {service.Limits{Bytes: 1}, 1}, {service.Limits{}, 2}} {
		batch, err := socket.Receive(testContext(t), test.limits)
		require.NoError(t, err)
		require.Len(t, batch.Envelopes, test.want)
	}
}

func TestProtocolViolationsEndTheConnection(t *testing.T) {
	t.Parallel()
	garbage := &servicepb.WebSocketMessage{Type: servicepb.WebSocketMessage_UNKNOWN.Enum()}
	unknown, err := proto.Marshal(garbage)
	require.NoError(t, err)
	for name, frame := range map[string]ws.Frame{
		"text":          ws.NewTextFrame([]byte("text")),
		"masked":        ws.MaskFrame(ws.NewBinaryFrame(nil)),
		"reserved bits": {Header: ws.Header{Fin: true, OpCode: ws.OpBinary, Rsv: ws.Rsv(true, false, false)}},
		"too large":     {Header: ws.Header{Fin: true, OpCode: ws.OpBinary, Length: 1 << 40}},
		"continuation":  ws.NewFrame(ws.OpContinuation, true, nil),
		"no protobuf":   ws.NewBinaryFrame([]byte{0xff}),
		"neither":       ws.NewBinaryFrame(unknown),
	} {
		t.Run(name, func(t *testing.T) {
			socket, server := openFake(t, service.Options{})
			require.NoError(t, ws.WriteFrame(server.Conn, frame))
			<-socket.Done()
			require.ErrorIs(t, socket.Err(), service.ErrProtocol)
		})
	}
}

func TestFragmentsAndPings(t *testing.T) {
	socket, server := openFake(t, service.Options{})
	id, path := uint64(3), "/api/v1/message"
	message, err := proto.Marshal(&servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{
			Id: &id, Verb: proto.String("PUT"), Path: &path, Body: []byte(strings.Repeat("x", 70000)),
		},
	})
	require.NoError(t, err)
	half := len(message) / 2
	for _, frame := range []ws.Frame{
		ws.NewFrame(ws.OpBinary, false, message[:half]),
		ws.NewPingFrame([]byte("are you there")),
		ws.NewFrame(ws.OpContinuation, true, message[half:]),
	} {
		require.NoError(t, ws.WriteFrame(server.Conn, frame))
	}
	pong, err := ws.ReadFrame(server.Conn)
	require.NoError(t, err)
	require.True(t, pong.Header.Masked)
	require.Equal(t, ws.OpPong, pong.Header.OpCode)
	require.Equal(t, "are you there", string(ws.UnmaskFrame(pong).Payload))
	batch, err := socket.Receive(testContext(t), service.Limits{})
	require.NoError(t, err)
	require.Len(t, batch.Envelopes[0].Bytes, 70000)
}

func TestCloseSaysGoodbye(t *testing.T) {
	socket, server := openFake(t, service.Options{})
	closed := make(chan error, 1)
	go func() { closed <- socket.Close() }()
	frame, err := ws.ReadFrame(server.Conn)
	require.NoError(t, err)
	require.Equal(t, ws.OpClose, frame.Header.OpCode)
	require.NoError(t, server.Close())
	require.NoError(t, <-closed)
	require.ErrorIs(t, socket.Err(), service.ErrClosed)
	_, err = socket.WhoAmI(testContext(t))
	require.ErrorIs(t, err, service.ErrClosed)
}

func TestOnlyTheRightServerIsTrusted(t *testing.T) {
	fake := servicetest.StartFake(t, true, nil)
	live, err := environment.Load("live")
	require.NoError(t, err)
	other := servicetest.FakeEnvironment(t, fake.Server.URL, []byte(live.CACertificates[0]))
	network, err := service.NewNetwork(other, service.Options{})
	require.NoError(t, err)
	_, err = network.Dial(testContext(t))
	require.ErrorContains(t, err, "certificate")

	elsewhere := *fake.Environment
	elsewhere.ChatURL = strings.Replace(fake.Server.URL, "127.0.0.1", "localhost", 1)
	network, err = service.NewNetwork(&elsewhere, service.Options{})
	require.NoError(t, err)
	_, err = network.Dial(testContext(t))
	require.ErrorContains(t, err, "localhost", "the name in the certificate must be that of the host")
}

func TestProvisioningOutOfOrder(t *testing.T) {
	fake := servicetest.StartFake(t, false, nil)
	socket, err := dial(t, fakeNetwork(t, fake, service.Options{})).OpenProvisioning(testContext(t))
	require.NoError(t, err)
	server := <-fake.Sockets
	defer server.Close()
	require.NoError(t, server.Request(1, "/v1/message", nil))
	_, err = socket.Address(testContext(t))
	require.ErrorIs(t, err, service.ErrProtocol)
	require.NoError(t, server.Request(2, "/v1/address", []byte{0xff}))
	_, err = socket.Address(testContext(t))
	require.ErrorIs(t, err, service.ErrProtocol)
	require.NoError(t, server.End(1000))
	_, err = socket.Envelope(testContext(t))
	var network *service.NetworkError
	require.True(t, errors.As(err, &network))
}

func TestDevices(t *testing.T) {
	socket, server := openFake(t, service.Options{})
	require.Equal(t, "true", server.Header.Get("X-Signal-Receive-Stories"))
	answering(t, server, 200, `{"devices":[{"id":2,"name":"AQI=","lastSeen":86400000,"registrationId":5,"createdAtCiphertext":"AQ"}]}`)
	devices, err := socket.Devices(testContext(t))
	require.NoError(t, err)
	require.Equal(t, []service.Device{{
		ID: 2, EncryptedName: []byte{1, 2}, LastSeen: time.UnixMilli(86400000), RegistrationID: 5, CreatedAtCiphertext: []byte{1},
	}}, devices)
	require.NoError(t, socket.SetDeviceName(testContext(t), []byte("name")))
	match, err := socket.PreKeysMatch(testContext(t), serviceid.PNI, [32]byte{})
	require.NoError(t, err)
	require.True(t, match)
}

func TestRemovingOneselfEndsTheSocket(t *testing.T) {
	socket, server := openFake(t, service.Options{})
	result := make(chan error, 1)
	go func() { result <- socket.RemoveDevice(testContext(t), 2) }()
	request, err := server.Next()
	require.NoError(t, err)
	require.Equal(t, "DELETE /v1/devices/2", request.GetRequest().GetVerb()+" "+request.GetRequest().GetPath())
	require.NoError(t, server.End(4401))
	require.NoError(t, <-result)
	require.ErrorIs(t, socket.Err(), service.ErrUnlinked)
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	backoff := service.NewBackoff()
	require.Less(t, backoff.Next(), time.Second)
	for range 20 {
		require.Less(t, backoff.Next(), 91*time.Second)
	}
	backoff.Reset()
	require.Less(t, backoff.Next(), time.Second)
}
