package tcpserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands/signaltest"
	"signalbox/signalcore/model"
)

func TestTheOriginalsExample(t *testing.T) {
	d := start(t, nil)
	d.signal.Deliver(signaltest.Text("1", "hello"))
	c := d.dial()
	require.Equal(t,
		`{"command":"receive_messages","statusCode":0,"messages":[{"statusCode":0,"timestamp":1690000000000,`+
			`"sender":"+436647654321","body":"hello","attachments":[],"id":"1","type":"message",`+
			`"senderUuid":"33333333-3333-4333-8333-333333333333","senderName":"Contact","senderDevice":1,`+
			`"serverTimestamp":1690000000001,"receivedTimestamp":1690000000002}]}`,
		c.ask("{command:'receive_messages'}\n"))
	eventually(t, "removed", func() bool { all, _ := d.signal.Left(); return all == 0 })
}

func TestFieldOrder(t *testing.T) {
	c := start(t, nil).dial()
	require.Equal(t, `{"command":"send_message","reqId":"7","statusCode":0,"timestamp":1700000000000}`,
		c.ask(`{"reqId":7,"command":"send_message","recipient":"+43 664 765-43.21","dataMessage":{"message":"x"}}`))
	require.Equal(t, `{"command":"nonsense","reqId":"a","statusCode":1,`+
		`"errorMessage":"There is no such command; protocol lists those that there are."}`,
		c.ask(`{"command":"nonsense","reqId":"a"}`))
	require.Equal(t, `{"statusCode":1,"errorMessage":"The request has no command."}`, c.ask(`{}`))
	require.Equal(t, `{"statusCode":4,"errorMessage":"Invalid JSON at byte 0 of the request (byte 134 of the connection): `+
		`expected '{', the start of a command, found '1'."}`, c.ask("1\n"))
}

// TestGroupsOnTheWire: what a group's reply embeds stands in it like its own fields, details and picture as well.
func TestGroupsOnTheWire(t *testing.T) {
	d := start(t, nil)
	const kiln = `"groupId":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="`
	const head = kiln + `,"revision":3,"membership":"member","role":"admin","title":"Kiln","memberCount":2,` +
		`"expiresInSeconds":0,"announcementsOnly":false,"blocked":false`
	c := d.dial()
	require.Equal(t, `{"command":"list_groups","statusCode":0,"groups":[{`+head+`}]}`, c.ask(`{"command":"list_groups"}`))
	d.signal.List[0].HasAvatar, d.signal.Avatar = true, signaltest.Bytes([]byte("hello"))
	reply := c.ask(`{"command":"get_group",` + kiln + `,"avatar":true}`)
	require.True(t, strings.HasPrefix(reply, `{"command":"get_group","statusCode":0,`+head+`,"hasAvatar":true,"permissions":`), reply)
	require.True(t, strings.HasSuffix(reply, `}],"avatar":{"base64Data":"aGVsbG8=","size":5}}`), reply)
	d.signal.OnUpdate = func(model.GroupUpdate) (model.GroupResult, error) {
		return model.GroupResult{}, &model.GroupPartError{Part: "ban", Done: []model.GroupPart{"title"}, Err: model.ErrPermission}
	}
	require.Equal(t, `{"command":"update_group","statusCode":22,"done":["title"],`+
		`"errorMessage":"ban: this device may not do that (done before: title)."}`,
		c.ask(`{"command":"update_group",`+kiln+`,"title":"x","ban":["self"]}`))
}

func TestOrderAndIndependence(t *testing.T) {
	d := start(t, nil)
	slow := d.dial()
	slow.send(`{command:'receive_messages',timeout:-1,reqId:1}{command:'version',reqId:2}`)
	<-d.signal.Waiting()
	fast := d.dial()
	require.Contains(t, fast.ask(`{command:'version'}`), `"statusCode":0`)
	d.signal.Deliver(signaltest.Text("1", "x"))
	require.Contains(t, slow.line(), `"reqId":"1"`)
	require.Contains(t, slow.line(), `"reqId":"2"`)
}

func TestManyCommandsInOneSegment(t *testing.T) {
	c := start(t, nil).dial()
	var all strings.Builder
	for i := range 500 {
		fmt.Fprintf(&all, "{command:'version',reqId:%d}", i)
	}
	c.send("[" + strings.ReplaceAll(all.String(), "}{", "},{") + "]")
	for i := range 500 {
		require.Contains(t, c.line(), fmt.Sprintf(`"reqId":"%d"`, i))
	}
}

func TestHalfClose(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			d := start(t, nil)
			c := dial(t, network, map[string]string{"tcp": d.address, "unix": d.unix}[network])
			c.send(`{command:'receive_messages',timeout:-1}{command:'version'}{command:'vers`)
			c.closeWrite()
			<-d.signal.Waiting()
			require.Never(t, func() bool { return strings.Contains(d.log.String(), "connection closed") },
				400*time.Millisecond, 50*time.Millisecond, "it is not gone, only done with sending")
			d.signal.Deliver(signaltest.Text("1", "x"))
			replies := strings.Split(c.rest(), "\n")
			require.Len(t, replies, 3)
			require.Contains(t, replies[0], `"body":"x"`)
			require.Contains(t, replies[1], `"version"`)
			require.Empty(t, replies[2])
			eventually(t, "removed", func() bool { all, _ := d.signal.Left(); return all == 0 })
		})
	}
}

// TestGoneClient: a client that is gone ends its long poll at once, and consumes nothing.
func TestGoneClient(t *testing.T) {
	for name, leave := range map[string]func(c *client){
		"closed":                       func(c *client) { _ = c.Close() },
		"reset":                        func(c *client) { _ = c.Conn.(*net.TCPConn).SetLinger(0); _ = c.Close() },
		"half-closed, closed later":    func(c *client) { c.closeWrite(); time.Sleep(300 * time.Millisecond); _ = c.Close() },
		"with more commands behind it": func(c *client) { c.send(strings.Repeat(`{command:'version'}`, 50)); _ = c.Close() },
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+" "+network, func(t *testing.T) {
				if network == "unix" && name == "reset" {
					t.Skip("unix sockets have no reset")
				}
				d := start(t, nil)
				c := dial(t, network, map[string]string{"tcp": d.address, "unix": d.unix}[network])
				c.send(`{command:'receive_messages',timeout:-1}`)
				<-d.signal.Waiting()
				leave(c)
				eventually(t, "noticed", func() bool { return strings.Contains(d.log.String(), "connection closed") })
				d.signal.Deliver(signaltest.Text("1", "x"))
				all, leased := d.signal.Left()
				require.Equal(t, []int{1, 0}, []int{all, leased})
			})
		}
	}
}

// TestNotDelivered: the client's stack refuses the reply, so the message stays for the next.
func TestNotDelivered(t *testing.T) {
	d := start(t, nil)
	c := d.dial()
	c.send(`{command:'receive_messages',timeout:-1}`)
	<-d.signal.Waiting()
	// It neither reads nor closes: the reply is longer than all buffers on the way.
	d.signal.Deliver(signaltest.File("1", signaltest.Zeros(64<<20)))
	eventually(t, "leased", func() bool { _, leased := d.signal.Left(); return leased == 1 })
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	require.NoError(t, c.Close())
	eventually(t, "given back", func() bool { _, leased := d.signal.Left(); return leased == 0 })
	next := d.dial()
	next.send(`{command:'receive_messages',ignoreAttachments:true}`)
	require.Contains(t, next.line(), `"redelivered":true`)
}

// TestClosedJustBefore: the reply fits into the daemon's own buffers, but nobody acknowledges it.
func TestClosedJustBefore(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			d := start(t, nil)
			for i := range 20 {
				c := dial(t, network, map[string]string{"tcp": d.address, "unix": d.unix}[network])
				c.send(`{command:'receive_messages',timeout:-1}`)
				<-d.signal.Waiting()
				if i%2 == 0 {
					c.closeWrite()
				}
				require.NoError(t, c.Close())
				d.signal.Deliver(signaltest.Text(fmt.Sprint(i), "x"))
				next := d.dial()
				require.Contains(t, next.ask(`{command:'receive_messages',timeout:-1}`), fmt.Sprintf(`"id":"%d"`, i))
				require.NoError(t, next.Close())
				eventually(t, "removed", func() bool { all, _ := d.signal.Left(); return all == 0 })
				for len(d.signal.Waiting()) > 0 {
					<-d.signal.Waiting()
				}
			}
		})
	}
}

func TestManualAck(t *testing.T) {
	d := start(t, nil)
	for i := range 3 {
		d.signal.Deliver(signaltest.Text(fmt.Sprint(i), "x"))
	}
	c := d.dial()
	require.Contains(t, c.ask(`{command:'receive_messages',ack:'manual',maxMessages:2}`), `"id":"1"`)
	require.Equal(t, `{"command":"ack_messages","statusCode":0,"acknowledged":1}`, c.ask(`{command:'ack_messages',ids:[0]}`))
	all, leased := d.signal.Left()
	require.Equal(t, []int{2, 1}, []int{all, leased})
	require.NoError(t, c.Close())
	eventually(t, "given back", func() bool { _, leased := d.signal.Left(); return leased == 0 })
	require.Contains(t, d.dial().ask(`{command:'receive_messages'}`), `"redelivered":true`)
}

func TestSlowReaderCostsOnlyItself(t *testing.T) {
	d := start(t, func(s *setup) { s.config.WriteTimeout = 2 * time.Second })
	d.signal.Attachments = map[string]model.StoredAttachment{"a": {ID: "a", Ready: true, Data: signaltest.Zeros(64 << 20)}}
	slow := d.dial()
	slow.send(`{command:'get_attachment',id:'a'}`)
	require.Contains(t, d.dial().ask(`{command:'version'}`), `"statusCode":0`)
	eventually(t, "given up", func() bool { return strings.Contains(d.log.String(), "connection closed") })
}

// TestLargeReplyStreams: a client that reads slowly but steadily gets everything, and nobody holds it in memory.
func TestLargeReplyStreams(t *testing.T) {
	d := start(t, nil)
	const size = 32 << 20
	d.signal.Attachments = map[string]model.StoredAttachment{"a": {ID: "a", Ready: true, Data: signaltest.Zeros(size)}}
	c := d.dial()
	c.send(`{command:'get_attachment',id:'a'}`)
	const head = `{"command":"get_attachment","statusCode":0,"id":"a","size":33554432,"base64Data":"`
	got := make([]byte, len(head))
	_, err := io.ReadFull(c.in, got)
	require.NoError(t, err)
	require.Equal(t, head, string(got))
	n, err := io.CopyN(io.Discard, c.in, (size+2)/3*4)
	require.NoError(t, err)
	require.EqualValues(t, (size+2)/3*4, n)
	require.Equal(t, `"}`, c.line())
}

func TestLargeRequestSpools(t *testing.T) {
	d := start(t, nil)
	d.signal.OnSend = func(_ context.Context, request model.SendRequest) (model.SendResult, error) {
		files, err := os.ReadDir(d.spool)
		require.NoError(t, err)
		require.Len(t, files, 1)
		require.EqualValues(t, 6<<20, request.Uploads[0].Size)
		return model.SendResult{Timestamp: 1}, nil
	}
	c := d.dial()
	c.send(`{command:'send_message',recipient:'self',dataMessage:{attachments:[{base64Data:'`)
	for range 2 << 10 {
		c.send(strings.Repeat("QUJD", 1<<10))
	}
	require.Equal(t, `{"command":"send_message","statusCode":0,"timestamp":1}`, c.ask(`'}]}}`))
	eventually(t, "removed", func() bool { files, err := os.ReadDir(d.spool); return err == nil && len(files) == 0 })
}

func TestHTTPIsRefused(t *testing.T) {
	for name, request := range map[string]string{
		"post":      "POST / HTTP/1.1\r\nHost: localhost:6789\r\nContent-Length: 24\r\n\r\n",
		"get":       "GET /",
		"http2":     "PRI * HTTP/2.0\r\n",
		"own verb":  "M-SEARCH / HTTP/1.1\r\n",
		"long line": "POST /" + strings.Repeat("a", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, nil)
			d.signal.Sent = make(chan model.SendRequest, 1)
			c := d.dial()
			c.send(request + "\n{command:'send_message',recipient:'self',dataMessage:{message:'x'}}\n")
			require.True(t, strings.HasPrefix(c.rest(), "HTTP/1.1 400 Bad Request\r\n"))
			require.Empty(t, d.signal.Sent)
		})
	}
}

func TestOtherProtocolsAreRefused(t *testing.T) {
	for name, first := range map[string]string{
		"tls":  "\x16\x03\x01\x02\x00",
		"stun": "\x00\x03\x00\x44\x21\x12\xa4\x42",
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil).dial()
			c.send(first + "\n{command:'version'}\n")
			require.Empty(t, c.rest())
		})
	}
	t.Run("a NUL is just invalid", func(t *testing.T) {
		c := start(t, nil).dial()
		c.send("\x00\x00\x00\x00\x00\n{command:'version'}\n")
		require.Equal(t, 4, code(t, c.line()))
		require.Equal(t, 0, code(t, c.line()))
	})
	t.Run("so is a word", func(t *testing.T) {
		c := start(t, nil).dial()
		c.send("HELLO\n{command:'version'}\n")
		require.Equal(t, 4, code(t, c.line()))
		require.Equal(t, 0, code(t, c.line()))
	})
}

func TestHTTPInSlowPieces(t *testing.T) {
	c := start(t, nil).dial()
	for _, b := range "POST / HTTP/1.1" {
		if _, err := io.WriteString(c.Conn, string(b)); err != nil {
			break
		}
	}
	require.True(t, strings.HasPrefix(c.rest(), "HTTP/1.1 400"))
}

func TestTooManyConnections(t *testing.T) {
	d := start(t, func(s *setup) { s.config.MaxConnections = 2 })
	first, second := d.dial(), d.dial()
	first.ask(`{command:'version'}`)
	second.ask(`{command:'version'}`)
	third := d.dialUnix()
	third.send(`{command:'version'}`)
	reply := third.rest()
	require.Equal(t, 25, code(t, reply))
	require.NoError(t, first.Close())
	eventually(t, "a slot is free", func() bool {
		c := d.dial()
		defer c.Close()
		c.send(`{command:'version'}`)
		return code(t, c.line()) == 0
	})
}

func TestTooLargeRequest(t *testing.T) {
	d := start(t, func(s *setup) { s.config.Parser.MaxBytes = 100 })
	c := d.dial()
	c.send(`{a:'` + strings.Repeat("x", 1<<20) + `'}{command:'version'}`)
	require.Equal(t, 20, code(t, c.rest()))
}

func TestRequestTimeout(t *testing.T) {
	d := start(t, func(s *setup) { s.config.RequestTimeout = 50 * time.Millisecond })
	c := d.dial()
	require.Equal(t, 0, code(t, c.ask(`{command:'version'}`)))
	time.Sleep(100 * time.Millisecond) // between requests there is no hurry
	require.Equal(t, 0, code(t, c.ask(`{command:'version'}`)))
	c.send(`{command:'ver`)
	reply := c.rest()
	require.Equal(t, 4, code(t, reply))
	require.Contains(t, reply, "--request-timeout")
}

func TestSubscription(t *testing.T) {
	d := start(t, nil)
	c := d.dial()
	require.Equal(t, `{"command":"subscribe","reqId":"s","statusCode":0}`, c.ask(`{command:'subscribe',reqId:'s'}`))
	d.signal.Deliver(signaltest.Text("1", "x"))
	push := c.line()
	require.True(t, strings.HasPrefix(push, `{"command":"subscribe","reqId":"s","event":{"statusCode":0,`), push)
	require.NotContains(t, push[20:], `"errorMessage"`)
	d.signal.Publish(model.Event{Connection: &model.ConnectionEvent{State: model.StateConnecting, Timestamp: 5}})
	require.Equal(t, `{"command":"subscribe","reqId":"s","event":{"type":"connection","timestamp":5,"state":"connecting"}}`, c.line())
	all, leased := d.signal.Left()
	require.Equal(t, []int{1, 0}, []int{all, leased}, "it consumes nothing")
	require.Equal(t, `{"command":"unsubscribe","statusCode":0}`, c.ask(`{command:'unsubscribe'}`))
	require.Zero(t, d.signal.Subscribers())
	d.signal.Deliver(signaltest.Text("2", "y"))
	require.Contains(t, c.ask(`{command:'version'}`), `"command":"version"`)
}

func TestPushesNeverBreakReplies(t *testing.T) {
	d := start(t, nil)
	d.signal.Attachments = map[string]model.StoredAttachment{"a": {ID: "a", Ready: true, Data: signaltest.Zeros(100_000)}}
	c := d.dial()
	c.ask(`{command:'subscribe'}`)
	const each = 200
	go func() {
		for i := range each {
			d.signal.Publish(model.Event{Missed: &i})
		}
	}()
	go func() { _, _ = io.WriteString(c.Conn, strings.Repeat(`{command:'get_attachment',id:'a'}`, each)) }()
	pushes, replies := 0, 0
	for pushes < each || replies < each {
		line := c.line()
		switch {
		case strings.HasPrefix(line, `{"command":"subscribe","event":{"type":"missed"`):
			pushes++
		case code(t, line) == 0:
			replies++
		}
	}
}

func TestSubscriptionEndsWithItsConnection(t *testing.T) {
	d := start(t, nil)
	c := d.dial()
	c.ask(`{command:'subscribe'}`)
	require.NoError(t, c.Close())
	eventually(t, "unsubscribed", func() bool { return d.signal.Subscribers() == 0 })
	d.signal.Attachments = nil
	stuck := d.dial()
	stuck.ask(`{command:'subscribe'}`)
	d.signal.Deliver(signaltest.File("1", signaltest.Zeros(64<<20))) // which it does not read
	_ = stuck.Conn.(*net.TCPConn).SetLinger(0)
	require.NoError(t, stuck.Close())
	eventually(t, "unsubscribed", func() bool { return d.signal.Subscribers() == 0 })
}

func TestPanicCostsItsCallerAnError(t *testing.T) {
	d := start(t, nil)
	d.signal.OnTyping = func(context.Context, model.TypingRequest) error { panic("a bug") }
	c := d.dial()
	require.Equal(t, -1, code(t, c.ask(`{command:'send_typing',recipient:'self'}`)))
	require.Equal(t, 0, code(t, c.ask(`{command:'version'}`)))
	require.Contains(t, d.log.String(), "a bug")
	require.Contains(t, d.log.String(), "server_test.go", "the stack")
}
