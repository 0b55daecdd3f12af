package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
)

// The examples of the original's manual, sent as a script of that time would send them.
const (
	exampleSend = `{
    "command": "send_message",
    "reqId": "[request ID (optional)]",

    "recipient": "%s",

    "dataMessage": {
        "message": "[text message (optional)]",
        "attachments": [{
            "base64Data": "aGVsbG8=",
            "filename": "[filename (optional)]"
        }]
    }
}`
	exampleSendGroup = `{
    "command": "send_message",
    "reqId": "[request ID (optional)]",

    "groupId": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",

    "dataMessage": {
        "message": "[text message (optional)]"
    }
}`
	exampleSendBoth = `{
    "command": "send_message",
    "reqId": "[request ID (optional)]",

    "recipient": "%s",
    "groupId": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",

    "dataMessage": {
        "message": "[text message (optional)]"
    }
}`
	exampleReaction = `{
    "command": "send_reaction",
    "reqId": "[request ID (optional)]",

    "recipient": "%s",

    "reaction": {
        "emoji": "😀",
        "author": "%s",
        "remove": false,
        "timestamp": 1234567
    }
}`
	exampleReceive = `{
    "command": "receive_messages",
    "reqId": "[request ID (optional)]",

    "timeout": 1000,
    "ignoreAttachments": false
}`
	exampleUnquoted = `{command:'receive_messages'}`
)

// senders are the ways in which people talk to the socket; each reads stdin and leaves the replies on stdout. Those that
// only end after a time of their own run the shorter examples.
var senders = []struct {
	name, script string
	slow         bool
}{
	{"socat -t", "socat -t 30 - TCP:localhost:%[1]s", false},
	{"socat over a unix socket", "socat -t 30 - UNIX-CONNECT:%[2]s", false},
	{"nc -N", "nc -N localhost %[1]s", false},
	{"nc -q", "nc -q 4 localhost %[1]s", true},
	{"nc -w", "nc -w 4 127.0.0.1 %[1]s", true},
	{"bash's /dev/tcp", "bash -c 'exec 3<>/dev/tcp/127.0.0.1/%[1]s; cat >&3; timeout 4 cat <&3; true'", true},
}

func TestExamples(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		needs.Programs(t, "socat", "nc")
		r := NewRig(t, version, RigOptions{}, "alice")
		for _, sender := range senders {
			t.Run(sender.name, func(t *testing.T) { examples(t, r.on(t), sender.script, sender.slow) })
		}
		t.Run("the example of the manual, as written", func(t *testing.T) {
			r.Contact("alice").on(r.on(t).Mock).SendText(r.Me, "for the example", SendOptions{})
			_, port, err := net.SplitHostPort(r.Daemon.Address)
			require.NoError(t, err)
			command := `echo "{command:'receive_messages'}" | socat -t 2 TCP:localhost:6789 -`
			for range 60 {
				if output := Shell(t, strings.ReplaceAll(command, "6789", port)); strings.Contains(output, "for the example") {
					return
				}
			}
			require.Fail(t, "the message did not come")
		})
	})
}

func examples(t *testing.T, r *Rig, sender string, slow bool) {
	alice := r.Contact("alice")
	_, port, err := net.SplitHostPort(r.Daemon.Address)
	require.NoError(t, err)
	run := func(input string) Reply {
		t.Helper()
		var output string
		for tries := 0; output == "" && tries < 10; tries++ { // who gives up after a time may be too early
			output = Shell(t, `printf '%s' "$INPUT" | `+fmt.Sprintf(sender, port, r.Daemon.Unix), "INPUT="+input)
		}
		lines := strings.Split(strings.TrimSpace(output), "\n")
		require.Len(t, lines, 1, output)
		var reply Reply
		require.NoError(t, json.Unmarshal([]byte(lines[0]), &reply), lines[0])
		reply.Line = lines[0]
		return reply
	}
	const reqID = "[request ID (optional)]"
	sent := run(fmt.Sprintf(exampleSend, alice.Number))
	require.Equal(t, "send_message", sent.Command)
	require.Equal(t, reqID, sent.ReqID)
	require.Zero(t, sent.StatusCode, sent.Line)
	e := r.Await("the message", alice.Received(func(e Event) bool {
		return e.Timestamp == sent.Timestamp && e.Content.DataMessage != nil // a receipt may bear the same time
	}))
	require.Equal(t, "[filename (optional)]", e.Attachments[0].FileName)
	require.EqualValues(t, 5, e.Attachments[0].Size)

	alice.SendText(r.Me, "odd JSON", SendOptions{})
	odd := untilMessages(t, func() Reply { return run(exampleUnquoted) })
	require.Equal(t, "odd JSON", odd.Messages[0].Body)
	require.NotContains(t, odd.Line, "reqId")
	if slow {
		return
	}
	require.Equal(t, codeGroupNotFound, run(exampleSendGroup).StatusCode)
	require.Equal(t, codeInvalidRecipient, run(fmt.Sprintf(exampleSendBoth, alice.Number)).StatusCode)

	reaction := run(fmt.Sprintf(exampleReaction, alice.Number, alice.Number))
	require.Zero(t, reaction.StatusCode, reaction.Line)
	r.Await("the reaction", alice.Received(func(e Event) bool {
		data := e.Content.DataMessage
		return e.Timestamp == reaction.Timestamp && data != nil && data.Reaction.Emoji == "😀"
	}))

	alice.SendAttachments(r.Me, "[text message]", []map[string]any{{"base64": "aGVsbG8=", "fileName": "[filename (optional)]"}},
		SendOptions{})
	received := untilMessages(t, func() Reply { return run(exampleReceive) })
	require.Equal(t, reqID, received.ReqID)
	require.Equal(t, alice.Number, received.Messages[0].Sender)
	require.Equal(t, "aGVsbG8=", received.Messages[0].Attachments[0].Base64Data)
}

// untilMessages repeats a receive until it answers messages: a message takes a moment, the example waits for one second.
func untilMessages(t *testing.T, receive func() Reply) Reply {
	t.Helper()
	for range 60 {
		reply := receive()
		require.Zero(t, reply.StatusCode, reply.Line)
		if len(reply.Messages) > 0 {
			return reply
		}
	}
	require.Fail(t, "no message came")
	return Reply{}
}

// Several commands on one connection are answered in order; half-closing waits for all replies; errors end nothing.
func TestStreamOfCommands(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice")
		alice := r.Contact("alice")
		c := r.Daemon.Dial()
		c.Write(`[{"command":"receive_messages","reqId":1,"timeout":0,},{command:'version',reqId:'2'}]` + "\n" +
			`{"command": broken, "nested": {"command":"version","reqId":"no"}}` + "\n" +
			`42` + "\n" +
			`{"command":"no_such_thing","reqId":"5"}{"command":"send_message","reqId":"6","recipient":"` + alice.Number +
			`","dataMessage":{"message":"last"}}`)
		c.CloseWrite()
		var ids []string
		var codes []int
		for range 6 {
			reply := c.Reply()
			ids, codes = append(ids, reply.ReqID), append(codes, reply.StatusCode)
		}
		require.Equal(t, []string{"1", "2", "", "", "5", "6"}, ids)
		require.Equal(t, []int{0, 0, codeInvalidJSON, codeInvalidJSON, codeUnknownCommand, 0}, codes)
		alice.AwaitText("last")
		_, err := c.TryReply(patience)
		require.Error(t, err, "the daemon closes after the last reply")
	})
}

// A page in a browser posts to localhost: refused, and nothing in it runs.
func TestHTTPIsRefused(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice")
		c := r.Daemon.Dial()
		body := fmt.Sprintf(`{"command":"send_message","recipient":"%s","dataMessage":{"message":"from a page"}}`, r.Contact("alice").Number)
		c.Write(fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		line, err := c.lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 400 Bad Request\r\n", line)
		r.Contact("alice").fence(r.Daemon.Dial(), "fence after the page")
		require.Zero(t, r.Contact("alice").count("from a page"))
	})
}
