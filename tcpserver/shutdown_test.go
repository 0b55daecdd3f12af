package tcpserver

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands/signaltest"
	"signalbox/signalcore/model"
)

func TestShutdownAnswersWaitingPolls(t *testing.T) {
	d := start(t, nil)
	polling, linking, idle, partial := d.dial(), d.dial(), d.dial(), d.dial()
	polling.send(`{command:'receive_messages',timeout:-1}{command:'version',reqId:2}`)
	d.signal.OnLink = func(ctx context.Context, _ string) (model.Account, error) {
		d.signal.Publish(model.Event{})
		<-ctx.Done()
		return model.Account{}, ctx.Err()
	}
	idle.ask(`{command:'subscribe'}`)
	linking.send(`{command:'finish_link',uri:'x'}`)
	partial.send(`{command:`)
	<-d.signal.Waiting()
	require.Equal(t, `{"command":"subscribe","event":{"type":""}}`, idle.line(), "finish_link waits")
	stopped := make(chan error, 1)
	go func() { stopped <- d.stop() }()
	require.Equal(t, `{"command":"receive_messages","statusCode":0,"messages":[]}`, polling.line())
	if rest := polling.rest(); rest != "" {
		require.Equal(t, 23, code(t, strings.TrimSpace(rest)))
	}
	require.Equal(t, 23, code(t, linking.rest()))
	require.Empty(t, idle.rest())
	require.Empty(t, partial.rest())
	require.NoError(t, <-stopped)
}

func TestShutdownFinishesSends(t *testing.T) {
	d := start(t, nil)
	begun, finish := make(chan struct{}), make(chan struct{})
	d.signal.OnSend = func(context.Context, model.SendRequest) (model.SendResult, error) {
		close(begun)
		<-finish
		return model.SendResult{Timestamp: 5}, nil
	}
	c := d.dial()
	c.send(`{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`)
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- d.stop() }()
	<-d.server.drain
	close(finish)
	require.Contains(t, c.rest(), `"timestamp":5`)
	require.NoError(t, <-stopped)
}

func TestShutdownCutsShortWhatTakesTooLong(t *testing.T) {
	d := start(t, func(s *setup) { s.config.ShutdownTimeout = 2 * time.Second })
	begun := make(chan struct{})
	d.signal.OnSend = func(ctx context.Context, _ model.SendRequest) (model.SendResult, error) {
		close(begun)
		<-ctx.Done()
		return model.SendResult{}, &model.CutShortError{Departure: model.MayHaveLeft, Err: context.Cause(ctx)}
	}
	c := d.dial()
	c.send(`{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`)
	<-begun
	require.Error(t, d.stop())
	require.Contains(t, c.rest(), `"statusCode":23,"errorMessage":"The send was cut short: the message may have left."`)
}

func TestSendOutlivesItsClient(t *testing.T) {
	d := start(t, nil)
	begun, result := make(chan struct{}), make(chan error, 1)
	d.signal.OnSend = func(ctx context.Context, _ model.SendRequest) (model.SendResult, error) {
		close(begun)
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
		result <- ctx.Err()
		return model.SendResult{}, ctx.Err()
	}
	c := d.dial()
	c.send(`{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`)
	<-begun
	require.NoError(t, c.Close())
	require.NoError(t, <-result)
}

func TestRequestsOfAClosedConnectionReleaseTheirLeases(t *testing.T) {
	d := start(t, nil)
	d.signal.Deliver(signaltest.Text("1", "x"))
	c := d.dial()
	c.ask(`{command:'receive_messages',ack:'manual',leaseSeconds:1000}`)
	_, leased := d.signal.Left()
	require.Equal(t, 1, leased)
	c.closeWrite()
	require.Empty(t, c.rest())
	eventually(t, "given back", func() bool { _, leased := d.signal.Left(); return leased == 0 })
}
