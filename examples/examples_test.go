//go:build unix

// Package examples runs the programs of this folder against a sandbox: each sends a text and a file to a contact who
// sends everything back, writes to a group, and answers a message.
package examples

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/docs/doctest"
	"signalbox/interop"
	"signalbox/interop/needs"
)

const (
	echo     = "+12025550101"
	silent   = "+12025550103"
	patience = 2 * time.Minute
)

// language is how the examples of one language are run; arguments follow.
type language struct {
	name                   string
	tools                  []string
	send, file, group, bot []string
}

var languages = []language{
	{
		name: "bash", tools: []string{"bash", "jq", "nc", "socat"},
		send: []string{"bash/notify.sh"}, file: []string{"bash/send-file.sh"}, group: []string{"bash/group.sh"},
		bot: []string{"bash/bot.sh"},
	},
	{
		name: "Python", tools: []string{"python3"},
		send: []string{"python3", "python/notify.py"}, file: []string{"python3", "python/notify.py"},
		group: []string{"python3", "python/group.py"}, bot: []string{"python3", "python/bot.py"},
	},
	{
		name: "Node", tools: []string{"node"},
		send: []string{"node", "node/notify.mjs"}, file: []string{"node", "node/notify.mjs"},
		group: []string{"node", "node/group.mjs"}, bot: []string{"node", "node/bot.mjs"},
	},
	{
		name: "C", tools: []string{"cc"},
		send: []string{"$C", "send"}, file: []string{"$C", "file"}, group: []string{"$C", "group"}, bot: []string{"$C", "bot"},
	},
}

func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("not in -short")
	}
	binary := interop.Binary(t)
	t.Cleanup(interop.RemoveBinaries)
	sandbox, err := doctest.Begin(binary+" --sandbox", t.TempDir(), append(os.Environ(), "SIGNALBOX_PORT=0"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sandbox.Stop()) })
	port, err := sandbox.Port()
	require.NoError(t, err)
	require.NoError(t, sandbox.Await("connected", doctest.Connected))
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			needs.Programs(t, l.tools...)
			r := newRig(t, port)
			l.build(t, r)
			r.sends(l)
			r.writesToGroup(l)
			r.answers(l)
		})
	}
}

// build compiles what is to be compiled, and finds what is to be run.
func (l language) build(t *testing.T, r *rig) {
	if l.name != "C" {
		return
	}
	r.c = filepath.Join(t.TempDir(), "signalbox-c")
	output, err := exec.Command("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", r.c, "c/signalbox.c").CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// rig is two connections to the sandbox, one of which is told what arrives.
type rig struct {
	t      *testing.T
	port   string
	c      string
	ask    *client
	events *client
}

func newRig(t *testing.T, port string) *rig {
	r := &rig{t: t, port: port, ask: dial(t, port), events: dial(t, port)}
	r.events.call(map[string]any{"command": "subscribe", "types": []string{"message"}})
	return r
}

func (r *rig) command(program []string, arguments ...string) *exec.Cmd {
	all := append(append([]string{}, program...), arguments...)
	if all[0] == "$C" {
		all[0] = r.c
	}
	cmd := exec.Command(all[0], all[1:]...) //nolint:gosec // an example
	cmd.Env = append(os.Environ(), "SIGNALBOX_PORT="+r.port)
	return cmd
}

// run runs a program, which must do well.
func (r *rig) run(program []string, arguments ...string) {
	r.t.Helper()
	cmd := r.command(program, arguments...)
	defer time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }).Stop()
	output, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "%v: %s", cmd.Args, output)
}

// fails runs a program that must say what is wrong.
func (r *rig) fails(want string, program []string, arguments ...string) {
	r.t.Helper()
	output, err := r.command(program, arguments...).CombinedOutput()
	require.Error(r.t, err)
	require.Contains(r.t, string(output), want)
}

// sends: the echo sends back what it got.
func (r *rig) sends(l language) {
	text := "It's \"done\"\nat " + l.name + ": \\o/ 😀"
	r.run(l.send, echo, text)
	r.await(func(m message) bool { return m.Sender == echo && m.Body == text })
	r.fails("No Signal account is known", l.send, "+12025550199", "Hello")

	data := []byte("from " + l.name + "\x00\xff")
	path := filepath.Join(r.t.TempDir(), "a file.bin")
	require.NoError(r.t, os.WriteFile(path, data, 0o600))
	arguments := []string{echo, path}
	if l.name == "Python" || l.name == "Node" {
		arguments = []string{echo, "with a file", path}
	}
	r.run(l.file, arguments...)
	r.take(func(m message) bool {
		return m.Sender == echo && len(m.Attachments) == 1 && m.Attachments[0].Filename == "a file.bin" &&
			string(m.Attachments[0].Base64Data) == string(data)
	})
}

// take takes messages until one is right: unlike events, they have their attachments with them.
func (r *rig) take(match func(message) bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		taken := r.ask.call(map[string]any{"command": "receive_messages", "maxMessages": 1, "timeout": patience.Milliseconds()})
		for _, m := range taken.Messages {
			if match(m) {
				return
			}
		}
		require.True(r.t, time.Now().Before(deadline), "it does not come")
	}
}

func (r *rig) writesToGroup(l language) {
	title := "Friends of " + l.name
	made := r.ask.call(map[string]any{"command": "create_group", "title": title, "members": []string{echo, silent}})
	text := "to the group"
	r.run(l.group, title, text)
	r.await(func(m message) bool { return m.Sender == echo && m.GroupID == made.GroupID && m.Body == text })
	r.fails("there is no", l.group, "Enemies of "+l.name, text)
}

// answers: the echo has the bot answer, and then shows what it answered.
func (r *rig) answers(l language) {
	bot := r.command(l.bot)
	bot.Stderr = os.Stderr
	stdout, err := bot.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, bot.Start())
	defer func() {
		_ = bot.Process.Kill()
		_ = bot.Wait()
	}()
	timer := time.AfterFunc(patience, func() { _ = bot.Process.Kill() })
	defer timer.Stop()
	r.ask.call(map[string]any{"command": "send_message", "recipient": echo, "dataMessage": map[string]any{"message": "ping"}})
	r.await(func(m message) bool { return m.Sender == echo && m.Body == "pong" })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(r.t, err)
	require.Equal(r.t, "answered\n", line)
}

func (r *rig) await(match func(message) bool) {
	r.t.Helper()
	for {
		if e := r.events.next().Event; e.Type == "message" && match(e) {
			return
		}
	}
}

// client is one connection.
type client struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

// message is as much of one as is looked at.
type message struct {
	Type, Sender, Body string
	GroupID            string `json:"groupId"`
	Attachments        []struct {
		Filename   string
		Base64Data []byte
	}
}

// reply is as much of one as is looked at.
type reply struct {
	StatusCode   int
	ErrorMessage string
	GroupID      string `json:"groupId"`
	Event        message
	Messages     []message
}

func dial(t *testing.T, port string) *client {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, lines: bufio.NewReader(conn)}
}

func (c *client) call(request map[string]any) reply {
	c.t.Helper()
	require.NoError(c.t, json.NewEncoder(c.conn).Encode(request))
	answer := c.next()
	require.Zero(c.t, answer.StatusCode, answer.ErrorMessage)
	return answer
}

func (c *client) next() (next reply) {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(patience)))
	line, err := c.lines.ReadBytes('\n')
	require.NoError(c.t, err, "nothing comes")
	require.NoError(c.t, json.Unmarshal(line, &next))
	return next
}
