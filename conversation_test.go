//go:build linux && !nosandbox

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
)

// client is a client of a daemon's socket.
type client struct {
	t       *testing.T
	conn    net.Conn
	replies *bufio.Reader
}

func (c *client) ask(format string, arguments ...any) map[string]any {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetDeadline(time.Now().Add(2*time.Minute)))
	_, err := fmt.Fprintf(c.conn, format+"\n", arguments...)
	require.NoError(c.t, err)
	line, err := c.replies.ReadBytes('\n')
	require.NoError(c.t, err)
	var reply map[string]any
	require.NoError(c.t, json.Unmarshal(line, &reply))
	require.EqualValues(c.t, 0, reply["statusCode"], "%s", line)
	return reply
}

// await takes messages until one matches in all the fields that are named.
func (c *client) await(want map[string]any) map[string]any {
	c.t.Helper()
	for {
		reply := c.ask(`{"command":"receive_messages","timeout":60000,"maxMessages":1}`)
		messages := reply["messages"].([]any)
		require.NotEmpty(c.t, messages, "%v did not come", want)
		message := messages[0].(map[string]any)
		found := true
		for field, value := range want {
			found = found && message[field] == value
		}
		if found {
			return message
		}
	}
}

// TestLogOfAConversation: the log tells what happens, and nothing of what is said or of who they are in full, at any level.
func TestLogOfAConversation(t *testing.T) {
	for _, level := range []string{"info", "trace"} {
		t.Run(level, func(t *testing.T) {
			log, secrets := converse(t, level)
			for _, secret := range secrets {
				require.NotContains(t, log, secret)
			}
			require.NotRegexp(t, `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}`, log)
			require.NotRegexp(t, `\+1?202555`, log)
			for _, line := range []string{
				`"address":"\S+","time":"\S+","message":"listening"`,
				`"account":"[0-9a-f]{8}","device":2,"time":"\S+","message":"linked"`,
				`"message":"connected"`,
				`"type":"message","to":"[0-9a-f]{8}","recipients":1,"devices":1,"sealed":1,"took":"\S+","time":"\S+","message":"sent"`,
				`"type":"message","group":"\S{8}","recipients":\d,.*"message":"sent"`,
				`"type":"reaction","to":"[0-9a-f]{8}".*"message":"sent"`,
				`"type":"message","from":"[0-9a-f]{8}","device":1,.*"message":"received"`,
				`"type":"message","group":"\S{8}","from":"[0-9a-f]{8}",.*"message":"received"`,
				`"attachment":"\S+","bytes":\d+,"took":"\S+","time":"\S+","message":"attachment fetched"`,
				`"group":"\S{8}","revision":\d+,"by":"[0-9a-f]{8}","changes":\["titleChanged"\],.*"message":"group changed"`,
				`"message":"disconnected: signalbox is stopping"`,
			} {
				require.Regexp(t, line, log)
			}
		})
	}
}

// converse runs a sandbox's account through what a conversation has, and returns the log, without the banner, and what
// must not be in it.
func converse(t *testing.T, level string) (log string, secrets []string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	daemon := exec.Command("signalbox", "--sandbox", "-p", "-1", "--unix-socket", socket, "--log-level", level, "--log-format", "json")
	var said bytes.Buffer
	daemon.Stderr = &said
	require.NoError(t, daemon.Start())
	conn, err := dialWhenListening(socket)
	require.NoError(t, err)
	defer conn.Close()
	c := &client{t: t, conn: conn, replies: bufio.NewReader(conn)}
	uuid := c.ask(`{"command":"get_account"}`)["uuid"].(string)
	echo := "+12025550101"

	body, attached := "a body that nobody else may read", "c2VjcmV0IGF0dGFjaG1lbnQ="
	c.ask(`{"command":"send_message","recipient":"%s","dataMessage":{"message":"%s","attachments":[{"base64Data":"%s","filename":"plan.txt"}]}}`,
		echo, body, attached)
	answer := c.await(map[string]any{"body": body})
	c.ask(`{"command":"send_reaction","recipient":"%s","reaction":{"emoji":"👍","author":"%[1]s","timestamp":%.0f}}`,
		echo, answer["timestamp"])
	group := c.ask(`{"command":"create_group","title":"A title of no concern","members":["%s"]}`, echo)["groupId"].(string)
	c.ask(`{"command":"send_message","groupId":"%s","dataMessage":{"message":"%s, you all"}}`, group, body)
	c.await(map[string]any{"body": body + ", you all"})
	c.ask(`{"command":"update_group","groupId":"%s","title":"Another title"}`, group)

	require.NoError(t, daemon.Process.Signal(syscall.SIGINT))
	require.NoError(t, daemon.Wait())
	var lines []string
	for line := range strings.Lines(said.String()) {
		if strings.HasPrefix(line, "{") {
			lines = append(lines, line)
		}
	}
	fromBanner := regexp.MustCompile(`\+1202\d+`).FindAllString(said.String(), -1)
	require.Contains(t, fromBanner, sandbox.AccountNumber)
	return strings.Join(lines, ""), append(fromBanner, uuid, answer["senderUuid"].(string), group, body, attached,
		"secret attachment", "plan.txt", "👍", "title of no", "Another title", "Echo")
}
