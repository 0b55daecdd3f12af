package commands_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/commands"
	"signalbox/commands/signaltest"
	"signalbox/lenientjson"
	"signalbox/statuscodes"
)

// rig is a session over a fake client.
type rig struct {
	t       *testing.T
	signal  *signaltest.Client
	session *commands.Session
	drain   chan struct{}
	abort   context.CancelFunc
	pushed  chan any
	log     bytes.Buffer
}

func newRig(t *testing.T, change func(*commands.Options)) *rig {
	r := &rig{t: t, signal: signaltest.New(), drain: make(chan struct{}), pushed: make(chan any, 100)}
	options := commands.Options{
		CommandTimeout: time.Minute, Log: zerolog.New(&r.log),
		Version: commands.Version{Version: "1.2.3", Commit: "abc", Built: time.UnixMilli(1000)},
	}
	if change != nil {
		change(&options)
	}
	ctx, abort := context.WithCancel(context.Background())
	t.Cleanup(abort)
	r.abort = abort
	r.session = commands.New(r.signal, options).Open(ctx, commands.Client{
		Push:  func(line any) error { r.pushed <- line; return nil },
		Drain: r.drain,
	})
	t.Cleanup(r.session.Close)
	return r
}

// run runs one request, written as clients write it.
func (r *rig) run(request string) commands.Reply { return r.runWith(context.Background(), request) }

func (r *rig) runWith(gone context.Context, request string) commands.Reply {
	r.t.Helper()
	options := lenientjson.DefaultOptions()
	options.BlobMemory = 16 << 20 // there is no disk here
	p := lenientjson.NewParser(options)
	_, res := p.Feed([]byte(request))
	require.Nil(r.t, res.Err, request)
	require.NotNil(r.t, res.Request, request)
	reply := r.session.Run(gone, res.Request.Value)
	r.declared(reply)
	return reply
}

// declared checks that a reply's status code is among those that protocol lists for its command.
func (r *rig) declared(reply commands.Reply) {
	r.t.Helper()
	if reply.Command == nil || reply.Code == statuscodes.Success || reply.Code == statuscodes.UnknownCommand {
		return
	}
	for _, c := range commands.Describe().Commands {
		if c.Name == *reply.Command {
			require.Contains(r.t, c.StatusCodes, int(reply.Code), "%s: %s", c.Name, reply.Message)
		}
	}
}

// fails runs a request that must fail with a code, and returns the message.
func (r *rig) fails(want statuscodes.Code, request string) string {
	r.t.Helper()
	reply := r.run(request)
	require.Equal(r.t, want, reply.Code, "%s: %s", request, reply.Message)
	require.NotEmpty(r.t, reply.Message)
	return reply.Message
}

// result returns the fields of a reply that must be a success, as JSON.
func (r *rig) result(request string) string {
	r.t.Helper()
	reply := r.run(request)
	require.Equal(r.t, statuscodes.Success, reply.Code, "%s: %s", request, reply.Message)
	require.Empty(r.t, reply.Message)
	if reply.Settle != nil {
		reply.Settle(true)
	}
	if reply.Result == nil {
		return "{}"
	}
	text, err := json.Marshal(reply.Result)
	require.NoError(r.t, err)
	return string(text)
}

var errSomething = errors.New("something happened")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
