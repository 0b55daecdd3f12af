package sandbox_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/signalpb/servicepb"
)

// net/http keeps a connection half a second longer whose request it has not read to the end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const (
	// soon is the patience with what comes by itself, on a machine with much else to do.
	soon = 2 * time.Minute
	tick = 10 * time.Millisecond
)

func start(t *testing.T, options sandbox.Options) *sandbox.Service {
	t.Helper()
	options.Logger = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
	s, err := sandbox.Start(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func contextOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	t.Cleanup(cancel)
	return ctx
}

// member is a linked client with the phone of its account.
type member struct {
	*signalcore.Client
	phone *phone.Phone
	stop  func() // ends the run that is on
}

// run has the client run until stop.
func (m *member) run() { m.stop = running(m.Client) }

// link makes an account and a client that is a device of it, and runs until the end of the test.
func link(t *testing.T, s *sandbox.Service, number, name string) *member {
	t.Helper()
	account, err := s.NewPhone(number, name)
	require.NoError(t, err)
	return linkTo(t, s, account, name)
}

// linkTo links a client to an account, and runs it until the end of the test.
func linkTo(t *testing.T, s *sandbox.Service, to *phone.Phone, name string) *member {
	t.Helper()
	m := &member{phone: to, Client: open(t, s.Environment(), name)}
	ctx := contextOf(t)
	uri, err := m.StartLink(ctx, model.LinkOptions{DeviceName: name})
	require.NoError(t, err)
	require.NoError(t, m.phone.Scan(uri))
	account, err := m.FinishLink(ctx, uri)
	require.NoError(t, err)
	require.Equal(t, to.Number, account.Number)
	m.run()
	t.Cleanup(func() { m.stop() })
	return m
}

// open makes a client in a directory of its own, until the end of the test.
func open(t *testing.T, env *environment.Environment, name string) *signalcore.Client {
	t.Helper()
	client, err := signalcore.Open(signalcore.Config{
		DataDir: t.TempDir(), Environment: env, Version: "test", Code: func(error) int { return 1 },
		Logger: zerolog.New(zerolog.NewTestWriter(t)).With().Str("who", name).Logger().Level(zerolog.InfoLevel),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// run runs a client until the end of the test.
func run(t *testing.T, client *signalcore.Client) {
	t.Helper()
	t.Cleanup(running(client))
}

// running runs a client until stop.
func running(client *signalcore.Client) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

// says sends a text to somebody by service id.
func (m *member) says(t *testing.T, to *member, text string) {
	t.Helper()
	result, err := m.Send(contextOf(t), model.SendRequest{
		To: model.Destination{Recipients: []model.Recipient{
			{Kind: model.RecipientServiceID, ServiceID: to.phone.ACI, Text: to.phone.Number},
		}},
		Event: content.Event{Message: &content.Message{Text: text}},
	})
	require.NoError(t, err)
	require.Empty(t, result.Failures)
}

// hears waits for a text.
func (m *member) hears(t *testing.T) string {
	t.Helper()
	owner := model.Owner(1)
	messages, err := m.Receive(contextOf(t), model.ReceiveOptions{
		Owner: owner, Max: 1, Types: []model.MessageType{model.TypeMessage}, Wait: soon,
	})
	require.NoError(t, err)
	require.Len(t, messages, 1)
	_, err = m.Ack(context.Background(), owner, []string{messages[0].ID})
	require.NoError(t, err)
	var read servicepb.Content
	require.NoError(t, proto.Unmarshal(messages[0].Content, &read))
	return read.GetDataMessage().GetBody()
}

func TestTextBetweenTwoClients(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/2", true: "HTTP/1.1"}[http1], func(t *testing.T) {
			s := start(t, sandbox.Options{HTTP1Only: http1})
			anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
			anna.says(t, ben, "Hello, Ben")
			require.Equal(t, "Hello, Ben", ben.hears(t))
			ben.says(t, anna, "Hello, Anna")
			require.Equal(t, "Hello, Anna", anna.hears(t))
			anna.says(t, ben, "How are you?")
			require.Equal(t, "How are you?", ben.hears(t))
		})
	}
}

// A device that is removed while its websocket opens learns of it.
func TestRemovedWhileConnecting(t *testing.T) {
	t.Parallel()
	var s *sandbox.Service
	var gone atomic.Pointer[phone.Phone]
	s = start(t, sandbox.Options{Watch: func(socket *wire.Socket, open bool) {
		if !open {
			return
		}
		if leaver := gone.Swap(nil); leaver != nil {
			s.Accounts.Remove(leaver.ACI)
		}
	}})
	anna := link(t, s, "+12025550101", "Anna")
	require.Eventually(t, func() bool {
		return anna.Status(context.Background()).Connection == model.StateConnected
	}, soon, 5*time.Millisecond)
	anna.stop()
	gone.Store(anna.phone)
	anna.run()
	require.Eventually(t, func() bool {
		return anna.Status(context.Background()).Connection == model.StateNotLinked
	}, soon, 5*time.Millisecond)
}
