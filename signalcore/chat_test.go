package signalcore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/signalpb/grpcpb"
)

// chat is what a party that is online says to the service. Tests may answer in the service's place.
type chat struct {
	p    *party
	stop func() // takes the party offline, and waits for it
	sent chan *submission

	mu     sync.Mutex
	answer func(*submission) reply
}

// submission is a message as the service got it.
type submission struct {
	Destination string `json:"-"`
	Anonymous   bool   `json:"-"`
	Timestamp   uint64
	Urgent      bool
	Online      bool
	Messages    []struct {
		Type           int32
		DeviceID       uint32 `json:"destinationDeviceId"`
		RegistrationID uint32 `json:"destinationRegistrationId"`
		Content        []byte
	}
	// Together is set for a message to many, in place of Messages; Token is that of a group, where there was one.
	Together *sealedsender.Sent `json:"-"`
	Token    []byte             `json:"-"`
}

// reply is an answer in place of the service's; the zero one leaves it to the service.
type reply struct {
	status     int
	retryAfter string
	body       string
	taken      bool // the service takes the message all the same
	lost       bool // it takes the message, and the connection ends before the answer
}

// accepted leaves the answer to the service.
var accepted reply

// connect gives a party its connection, and nothing that uses it but the receiver.
func (p *party) connect() *chat { return p.start(false, nil) }

// online runs what sends, too.
func (p *party) online() *chat { return p.start(true, nil) }

// onlineWith does so after preparing the service for what waits to be sent.
func (p *party) onlineWith(prepare func(*chat)) *chat { return p.start(true, prepare) }

func (p *party) start(outbox bool, prepare func(*chat)) *chat {
	p.t.Helper()
	c := &chat{p: p, sent: make(chan *submission, 1000)}
	if prepare != nil {
		prepare(c)
	}
	require.True(p.t, p.world.line.CompareAndSwap(nil, c), "one party at a time")
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.connector.run(ctx, p.serveLine) })
	if outbox {
		running.Go(func() { p.outbox.run(ctx) })
	}
	c.stop = func() { cancel(); running.Wait(); p.world.line.CompareAndSwap(c, nil) }
	p.t.Cleanup(c.stop)
	p.awaitLine()
	return c
}

func (p *party) awaitLine() {
	p.t.Helper()
	ctx, cancel := contextOf(p.t)
	defer cancel()
	_, err := p.connector.line(ctx, soon)
	require.NoError(p.t, err)
}

// takes hands a message to the service, unless the test has an answer of its own.
func (c *chat) takes(s *submission, next func() *wire.Response) *wire.Response {
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	var mine reply
	if answer != nil {
		mine = answer(s)
	}
	var response *wire.Response
	if mine.status == 0 || mine.taken {
		response = next()
	}
	switch {
	case mine.lost:
		response = nil
	case mine.status != 0:
		response = &wire.Response{Status: mine.status, Header: http.Header{}, Body: []byte(mine.body)}
		if mine.retryAfter != "" {
			response.Header.Set("Retry-After", mine.retryAfter)
		}
	}
	c.sent <- s
	return response
}

const grpcSendMany = "/org.signal.chat.messages.MessagesAnonymous/SendMultiRecipientMessage"

// submissionOf reads a message to one or to many; nil for other calls.
func submissionOf(r *wire.Request) *submission {
	s := &submission{Anonymous: r.By == nil}
	destination, single := strings.CutPrefix(r.Path, "/v1/messages/")
	switch {
	case single:
		s.Destination = destination
		s.Token, _ = base64.StdEncoding.DecodeString(r.Header.Get("Group-Send-Token"))
		if json.Unmarshal(r.Body, s) != nil {
			return nil
		}
		return s
	case r.Path != grpcSendMany:
		return nil
	}
	var request grpcpb.SendMultiRecipientMessageRequest
	if proto.Unmarshal(r.Body, &request) != nil {
		return nil
	}
	s.Token, s.Timestamp = request.GetGroupSendToken(), request.GetMessage().GetTimestamp()
	s.Online, s.Urgent = request.GetEphemeral(), request.GetUrgent()
	var err error
	if s.Together, err = sealedsender.ParseSent(request.GetMessage().GetPayload()); err != nil {
		return nil
	}
	return s
}

// addressees are the accounts that a message goes to.
func (s *submission) addressees() []string {
	if s.Together == nil {
		return []string{s.Destination}
	}
	var out []string
	for _, r := range s.Together.Recipients {
		out = append(out, r.ServiceID.String())
	}
	return out
}

// answers sets how sends are answered from now on.
func (c *chat) answers(answer func(*submission) reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// sequence answers one send after the other; the last answer stays.
func sequence(replies ...reply) func(*submission) reply {
	var mu sync.Mutex
	return func(*submission) reply {
		mu.Lock()
		defer mu.Unlock()
		next := replies[0]
		if len(replies) > 1 {
			replies = replies[1:]
		}
		return next
	}
}

// next waits for the next message that the service gets.
func (c *chat) next() *submission {
	c.p.t.Helper()
	select {
	case s := <-c.sent:
		return s
	case <-time.After(soon):
		require.Fail(c.p.t, "nothing was sent")
		return nil
	}
}

// drain has nobody interested in what is sent.
func (c *chat) drain() {
	done := make(chan struct{})
	var draining sync.WaitGroup
	draining.Go(func() {
		for {
			select {
			case <-c.sent:
			case <-done:
				return
			}
		}
	})
	c.p.t.Cleanup(func() { c.stop(); close(done); draining.Wait() })
}

// nothingSent checks that no other message has come so far.
func (c *chat) nothingSent() {
	c.p.t.Helper()
	require.Empty(c.p.t, c.sent)
}

// await waits for something that a condition holds for.
func await[T any](t testing.TB, from <-chan T, wanted func(T) bool) T {
	t.Helper()
	timeout := time.After(soon)
	for {
		select {
		case got := <-from:
			if wanted(got) {
				return got
			}
		case <-timeout:
			require.Fail(t, "it did not happen")
		}
	}
}
