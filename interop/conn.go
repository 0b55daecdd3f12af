package interop

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Conn is one client of the command socket.
type Conn struct {
	t     testing.TB
	raw   net.Conn
	lines *bufio.Reader
}

// Request is one command.
type Request map[string]any

// Reply is what the daemon answered: the fields that commands of this protocol have.
type Reply struct {
	Command          string
	ReqID            string
	StatusCode       int
	ErrorMessage     string
	Timestamp        int64
	Queued, Repeated bool
	// RetryAfterSeconds is nil where the reply had none.
	RetryAfterSeconds *float64
	ChallengeToken    string
	ChallengeOptions  []string
	Messages          []Message
	Failures          []struct {
		Recipient    string
		StatusCode   int
		ErrorMessage string
	}
	URI    string `json:"uri"`
	Groups []GroupView
	// Done are the parts of a group's update that were done.
	Done  []string
	Event json.RawMessage
	// Line is the reply as it came.
	Line string `json:"-"`
}

// Message is an entry of the inbox, as receive_messages shows it.
type Message struct {
	ID, Type          string
	StatusCode        int
	ErrorMessage      string
	Timestamp         int64
	ServerTimestamp   int64
	ReceivedTimestamp int64
	Sender            string
	SenderUUID        string `json:"senderUuid"`
	SenderName        string
	SenderDevice      int
	Body              string
	GroupID           string `json:"groupId"`
	ExpiresInSeconds  int
	ViewOnce          bool
	Redelivered       bool
	Attachments       []MessageAttachment
	Quote             *struct {
		Author    string
		Timestamp int64
		Text      string
	}
	Reaction *struct {
		Emoji     string
		Author    string
		Timestamp int64
		Remove    bool
	}
	Edit    *struct{ Timestamp int64 }
	Delete  *struct{ Timestamp int64 }
	Receipt *struct {
		Type       string
		Timestamps []int64
	}
	Typing      *struct{ Action string }
	GroupChange *GroupChange
	Sync        *struct {
		Type string
		Sent *struct {
			Timestamp     int64
			Body          string
			Recipient     string
			RecipientUUID string `json:"recipientUuid"`
			GroupID       string `json:"groupId"`
		}
	}
}

// MessageAttachment is an attachment of a message in the inbox.
type MessageAttachment struct {
	ID, ContentType, Filename, Caption, ErrorMessage string
	Size                                             int64
	VoiceNote                                        bool
	Base64Data                                       string
}

// Data is the attachment's bytes.
func (a MessageAttachment) Data(t testing.TB) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(a.Base64Data)
	require.NoError(t, err)
	return data
}

// Dial connects to the daemon over TCP.
func (d *Daemon) Dial() *Conn { return dial(d.t, "tcp", d.Address) }

// DialUnix connects over the unix socket.
func (d *Daemon) DialUnix() *Conn { return dial(d.t, "unix", d.Unix) }

// Dial connects to a command socket.
func Dial(t testing.TB, network, address string) *Conn {
	t.Helper()
	return dial(t, network, address)
}

func dial(t testing.TB, network, address string) *Conn {
	t.Helper()
	c, err := tryDial(t, network, address)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func (d *Daemon) tryDial() (*Conn, error) { return tryDial(d.t, "tcp", d.Address) }

func tryDial(t testing.TB, network, address string) (*Conn, error) {
	raw, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &Conn{t: t, raw: raw, lines: bufio.NewReaderSize(raw, 1<<16)}, nil
}

// Close closes the connection.
func (c *Conn) Close() { _ = c.raw.Close() }

// CloseWrite shuts the sending side down, as nc -N does.
func (c *Conn) CloseWrite() {
	require.NoError(c.t, c.raw.(interface{ CloseWrite() error }).CloseWrite())
}

// Write sends bytes as they are.
func (c *Conn) Write(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.raw, text)
	require.NoError(c.t, err)
}

// Send sends one request.
func (c *Conn) Send(request Request) {
	c.t.Helper()
	require.NoError(c.t, c.trySend(request))
}

func (c *Conn) trySend(request Request) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	_, err = c.raw.Write(append(line, '\n'))
	return err
}

// TryReply reads the next reply.
func (c *Conn) TryReply(limit time.Duration) (Reply, error) {
	if err := c.raw.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return Reply{}, err
	}
	line, err := c.lines.ReadBytes('\n')
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Line: string(line)}
	return reply, json.Unmarshal(line, &reply)
}

// Reply reads the next reply; it must come.
func (c *Conn) Reply() Reply {
	c.t.Helper()
	reply, err := c.TryReply(3 * time.Minute)
	require.NoError(c.t, err)
	return reply
}

// Do sends a request and reads its reply.
func (c *Conn) Do(request Request) Reply {
	c.t.Helper()
	c.Send(request)
	return c.Reply()
}

// Must is Do for a request that has to succeed.
func (c *Conn) Must(request Request) Reply {
	c.t.Helper()
	reply := c.Do(request)
	require.Zerof(c.t, reply.StatusCode, "%s: %s", request["command"], reply.Line)
	return reply
}

// SendText sends a text and answers its timestamp.
func (c *Conn) SendText(recipient, text string) int64 {
	c.t.Helper()
	return c.Must(sendText(recipient, text)).Timestamp
}

// SendGroupText sends a text to a group and answers its timestamp.
func (c *Conn) SendGroupText(group, text string) int64 {
	c.t.Helper()
	return c.Must(sendGroupText(group, text)).Timestamp
}

func sendGroupText(group, text string) Request {
	return Request{"command": "send_message", "groupId": group, "dataMessage": map[string]any{"message": text}}
}

func sendText(recipient, text string) Request {
	return Request{"command": "send_message", "recipient": recipient, "dataMessage": map[string]any{"message": text}}
}

// Receive takes messages out of the inbox until n have matched; it answers these and drops the others.
func (c *Conn) Receive(what string, n int, types []string, match func(Message) bool) []Message {
	c.t.Helper()
	request := Request{"command": "receive_messages", "timeout": 2000}
	if types != nil {
		request["types"] = types
	}
	var found []Message
	for deadline := time.Now().Add(patience); len(found) < n; {
		require.Truef(c.t, time.Now().Before(deadline), "waited for %s: %d of %d", what, len(found), n)
		for _, message := range c.Must(request).Messages {
			if match(message) {
				found = append(found, message)
			}
		}
	}
	return found
}

// ReceiveText takes messages until one has that body.
func (c *Conn) ReceiveText(body string) Message {
	c.t.Helper()
	return c.Receive(body, 1, nil, func(m Message) bool { return m.Body == body })[0]
}

// AwaitEvent reads the pushed events of a subscription until one's line has all these parts; it answers the line.
func (c *Conn) AwaitEvent(what string, parts ...string) string {
	c.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		reply, err := c.TryReply(time.Until(deadline))
		require.NoErrorf(c.t, err, "waited for %s", what)
		if containsAll(reply.Line, parts) {
			return reply.Line
		}
	}
	require.Failf(c.t, "no such event", "waited for %s", what)
	return ""
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
