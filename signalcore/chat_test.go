package signalcore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/service/servicetest"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
)

// chat is the service's side of a party that is online. Tests say how it answers.
type chat struct {
	p    *party
	stop func() // takes the party offline, and waits for it
	sent chan *submission
	acks chan uint64

	mu     sync.Mutex
	auth   *wire
	opened chan struct{} // closed while there is an authenticated socket
	answer func(*submission) reply
	keys   func(destination, device string) reply
	lastID uint64
	seen   []uint64
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

// reply is what the service answers; with cut it loses the connection instead.
type reply struct {
	status  uint32
	body    string
	headers []string
	cut     bool
}

var accepted = reply{status: http.StatusOK, body: `{"needsSync":false}`}

// wire is a socket that several goroutines may write to.
type wire struct {
	*servicetest.Socket
	mu sync.Mutex
}

func (w *wire) locked(write func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return write()
}

// connect gives a party its connection, and nothing that uses it but the receiver.
func (p *party) connect() *chat { return p.start(false, nil) }

// online runs what sends, too.
func (p *party) online() *chat { return p.start(true, nil) }

// onlineWith does so after preparing the service for what waits to be sent.
func (p *party) onlineWith(prepare func(*chat)) *chat { return p.start(true, prepare) }

func (p *party) start(outbox bool, prepare func(*chat)) *chat {
	p.t.Helper()
	c := &chat{p: p, sent: make(chan *submission, 1000), acks: make(chan uint64, 10_000), opened: make(chan struct{})}
	if prepare != nil {
		prepare(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.accept(ctx) })
	running.Go(func() { p.connector.run(ctx, p.serveLine) })
	if outbox {
		running.Go(func() { p.outbox.run(ctx) })
	}
	c.stop = func() { cancel(); running.Wait() }
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

// accept serves sockets until the party is gone.
func (c *chat) accept(ctx context.Context) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case socket := <-c.p.world.fake.Sockets:
			w := &wire{Socket: socket}
			authenticated := socket.Header.Get("Authorization") != ""
			if authenticated {
				c.mu.Lock()
				c.auth = w
				close(c.opened)
				c.mu.Unlock()
			}
			closer := context.AfterFunc(ctx, func() { _ = socket.Close() })
			serving.Go(func() {
				c.serve(w, !authenticated)
				closer()
				_ = socket.Close()
				if authenticated {
					c.mu.Lock()
					c.auth, c.opened = nil, make(chan struct{})
					c.mu.Unlock()
				}
			})
		}
	}
}

func (c *chat) serve(w *wire, anonymous bool) {
	for {
		message, err := w.Next()
		if err != nil {
			return
		}
		if response := message.GetResponse(); response != nil {
			c.mu.Lock()
			c.seen = append(c.seen, response.GetId())
			c.mu.Unlock()
			c.acks <- response.GetId()
			continue
		}
		request := message.GetRequest()
		answer := c.route(request, anonymous)
		if answer.cut {
			return
		}
		err = w.locked(func() error {
			return w.Respond(request.GetId(), answer.status, answer.body, answer.headers...)
		})
		if err != nil {
			return
		}
	}
}

func (c *chat) route(request *servicepb.WebSocketRequestMessage, anonymous bool) reply {
	c.mu.Lock()
	answer, keys := c.answer, c.keys
	c.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(request.GetPath(), "/"), "/")
	switch {
	case strings.HasPrefix(request.GetPath(), "/v1/messages/"):
		s := &submission{Destination: parts[2], Anonymous: anonymous, Token: tokenOf(request)}
		if err := s.read(request); err != nil {
			return reply{status: http.StatusUnprocessableEntity, body: err.Error()}
		}
		out := accepted
		if answer != nil {
			out = answer(s)
		}
		c.sent <- s
		return out
	case strings.HasPrefix(request.GetPath(), "/v2/keys/") && keys != nil:
		return keys(parts[2], parts[3])
	case strings.HasPrefix(request.GetPath(), "/v1/certificate/delivery"):
		return jsonReply(map[string]any{"certificate": c.p.certificate.Serialize()})
	case strings.HasPrefix(request.GetPath(), "/v1/certificate/auth/group"):
		return c.groupCredentials()
	case request.GetPath() == "/v1/keepalive":
		return reply{status: http.StatusOK}
	}
	return reply{status: http.StatusNotFound}
}

// read reads what is sent, to one or to many.
func (s *submission) read(request *servicepb.WebSocketRequestMessage) error {
	where, query, many := strings.Cut(request.GetPath(), "?")
	if where != "/v1/messages/multi_recipient" || !many {
		return json.Unmarshal(request.GetBody(), s)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	s.Destination = ""
	s.Online, s.Urgent = values.Get("online") == "true", values.Get("urgent") == "true"
	if s.Timestamp, err = strconv.ParseUint(values.Get("ts"), 10, 64); err != nil {
		return err
	}
	s.Together, err = sealedsender.ParseSent(request.GetBody())
	return err
}

func tokenOf(request *servicepb.WebSocketRequestMessage) []byte {
	for _, line := range request.GetHeaders() {
		if encoded, found := strings.CutPrefix(line, "group-send-token:"); found {
			token, _ := base64.StdEncoding.DecodeString(encoded)
			return token
		}
	}
	return nil
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

func jsonReply(value any) reply {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return reply{status: http.StatusOK, body: string(body)}
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

// hands out prekeys of the given devices, fresh ones each time; other accounts do not exist.
func (c *chat) hands(devices ...*party) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = func(destination, device string) reply {
		var bundles []prekey.Bundle
		for _, d := range devices {
			a := d.accounts.get()
			for _, id := range []string{a.aci.String(), a.pni.String()} {
				if id != destination || device != "*" && device != itoa(a.deviceID) {
					continue
				}
				if id == a.aci.String() {
					bundles = append(bundles, d.bundle(a.aci))
				} else {
					bundles = append(bundles, d.bundle(a.pni))
				}
			}
		}
		if len(bundles) == 0 {
			return reply{status: http.StatusNotFound}
		}
		return keysReply(bundles)
	}
}

func itoa(n uint32) string { b, _ := json.Marshal(n); return string(b) }

func keysReply(bundles []prekey.Bundle) reply {
	type key struct {
		KeyID     uint32 `json:"keyId"`
		PublicKey []byte `json:"publicKey"`
		Signature []byte `json:"signature,omitempty"`
	}
	var devices []map[string]any
	for _, b := range bundles {
		devices = append(devices, map[string]any{
			"deviceId": b.DeviceID, "registrationId": b.RegistrationID,
			"signedPreKey": key{b.Signed.ID, b.Signed.Key.Serialize(), b.Signed.Signature},
			"preKey":       key{b.OneTime.ID, b.OneTime.Key.Serialize(), nil},
			"pqPreKey":     key{b.Kyber.ID, b.Kyber.Key.Serialize(), b.Kyber.Signature},
		})
	}
	return jsonReply(map[string]any{"identityKey": bundles[0].Identity.Serialize(), "devices": devices})
}

// deliver sends envelopes to the party.
func (c *chat) deliver(envelopes ...*servicepb.Envelope) {
	t := c.p.t
	t.Helper()
	c.mu.Lock()
	opened := c.opened
	c.mu.Unlock()
	select {
	case <-opened:
	case <-time.After(soon):
		require.Fail(t, "no authenticated socket")
	}
	c.mu.Lock()
	auth := c.auth
	c.mu.Unlock()
	for _, e := range envelopes {
		raw, err := proto.Marshal(e)
		require.NoError(t, err)
		c.lastID++
		require.NoError(t, auth.locked(func() error { return auth.Request(c.lastID, "/api/v1/message", raw) }))
	}
}

func (c *chat) awaitAcks(count int) {
	c.p.t.Helper()
	timeout := time.After(soon)
	for range count {
		select {
		case <-c.acks:
		case <-timeout:
			require.Fail(c.p.t, "no acknowledgement")
		}
	}
}

func (c *chat) acked() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]uint64{}, c.seen...)
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

// nothingSent checks that no other message has come so far.
func (c *chat) nothingSent() {
	c.p.t.Helper()
	require.Empty(c.p.t, c.sent)
}

// envelopesFor turns a message into what the device of a recipient gets of it.
func (s *submission) envelopesFor(from, to *party) []*servicepb.Envelope {
	var out []*servicepb.Envelope
	if s.Together != nil {
		for _, r := range s.Together.Recipients {
			for _, device := range r.Devices {
				if r.ServiceID == to.aci() && device.ID == to.accounts.get().deviceID {
					l := letter{from: from, to: to, timestamp: s.Timestamp, sealed: true}
					out = append(out, l.envelope(&storepb.Ciphertext{SealedBody: s.Together.For(r)}))
				}
			}
		}
		return out
	}
	if s.Destination != to.aci().String() && s.Destination != to.pni().String() {
		return nil
	}
	for _, m := range s.Messages {
		if m.DeviceID != to.accounts.get().deviceID {
			continue
		}
		l := letter{from: from, to: to, timestamp: s.Timestamp, toPNI: strings.HasPrefix(s.Destination, "PNI:"), sealed: s.Anonymous}
		out = append(out, l.envelope(&storepb.Ciphertext{Type: uint32(m.Type), Body: m.Content, SealedBody: m.Content}))
	}
	return out
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
