//go:build !nosandbox && linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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

// box is a signalbox in a process of its own.
type box struct {
	*exec.Cmd
	dir    string
	stderr *output
}

// output is what a process has written, and a way to wait for more.
type output struct {
	lines chan string
	done  chan struct{} // closed at the end
}

func follow(r io.Reader) *output {
	o := &output{lines: make(chan string, 1000), done: make(chan struct{})}
	go func() {
		defer close(o.done)
		defer close(o.lines)
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			select {
			case o.lines <- scanner.Text():
			default: // nobody waits for that much
			}
		}
	}()
	return o
}

// find waits for a line, and returns the first group of the expression.
func (o *output) find(t *testing.T, expression string) string {
	t.Helper()
	wanted := regexp.MustCompile(expression)
	late := time.After(patience)
	for {
		select {
		case line, more := <-o.lines:
			require.Truef(t, more, "it ended without %s", expression)
			if found := wanted.FindStringSubmatch(line); found != nil {
				return found[len(found)-1]
			}
		case <-late:
			require.Failf(t, "nothing came", "%s", expression)
		}
	}
}

// startBox runs signalbox with a data directory and a unix socket in it.
func startBox(t *testing.T, dir string, arguments ...string) *box {
	t.Helper()
	b := &box{Cmd: exec.Command("signalbox", append([]string{
		"--data-dir", dir, "-p", "-1", "--unix-socket", filepath.Join(dir, "s"),
	}, arguments...)...), dir: dir}
	stderr, err := b.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, b.Start())
	b.stderr = follow(stderr)
	t.Cleanup(b.kill)
	return b
}

// kill ends it as a power cut does.
func (b *box) kill() {
	_ = b.Process.Kill()
	<-b.stderr.done
	_ = b.Wait()
}

// ask sends a request, and returns the reply.
func (b *box) ask(t *testing.T, request string) map[string]any {
	t.Helper()
	conn, err := dialWhenListening(filepath.Join(b.dir, "s"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintln(conn, request)
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	require.NoError(t, err)
	var reply map[string]any
	require.NoError(t, json.Unmarshal(line, &reply))
	require.EqualValues(t, 0, reply["statusCode"], "%s: %s", request, line)
	return reply
}

// sending is a request with a recipient and a text.
const sending = `{"command":"send_message","recipient":%q,"dataMessage":{"message":%q}}`

func (b *box) send(t *testing.T, to, text string) {
	t.Helper()
	b.ask(t, fmt.Sprintf(sending, to, text))
}

// await takes messages until one has the text.
func (b *box) await(t *testing.T, from, text string) {
	t.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); {
		reply := b.ask(t, `{"command":"receive_messages","timeout":60000,"types":["message"]}`)
		for _, m := range reply["messages"].([]any) {
			if message := m.(map[string]any); message["body"] == text && message["sender"] == from {
				return
			}
		}
	}
	require.Failf(t, "nothing came", "%q", text)
}

const echoNumber = "+12025550101"

// A sandbox that is killed in the middle of traffic goes on after it: what the client had, it has, and contacts answer.
func TestSandboxKilled(t *testing.T) {
	dir := shortDir(t)
	for round := range 3 {
		b := startBox(t, dir, "--sandbox")
		if round > 0 {
			b.await(t, echoNumber, "kept")
		}
		b.send(t, echoNumber, "hello")
		b.await(t, echoNumber, "hello")
		b.send(t, echoNumber, "kept")
		waitForInbox(t, b, 1)

		// The connection stays, and with it the traffic, until the kill.
		conn, err := net.Dial("unix", filepath.Join(dir, "s"))
		require.NoError(t, err)
		answers := bufio.NewReader(conn)
		for i := range 20 {
			_, err := fmt.Fprintf(conn, sending, echoNumber, fmt.Sprint(i))
			require.NoError(t, err)
		}
		for range 5 + round {
			_, err := answers.ReadBytes('\n')
			require.NoError(t, err)
		}
		b.kill()
		require.NoError(t, conn.Close())
	}
	b := startBox(t, dir, "--sandbox")
	b.send(t, echoNumber, "goodbye")
	b.await(t, echoNumber, "goodbye")
}

// A terminal that is closed ends the daemon in order, as SIGTERM does.
func TestTerminalClosed(t *testing.T) {
	b := startBox(t, shortDir(t), "--sandbox")
	b.ask(t, `{"command":"version"}`)
	require.NoError(t, b.Process.Signal(syscall.SIGHUP))
	<-b.stderr.done
	require.NoError(t, b.Wait())
}

// waitForInbox waits until so many messages are in the inbox, without taking them.
func waitForInbox(t *testing.T, b *box, count float64) {
	t.Helper()
	require.Eventually(t, func() bool {
		inbox := b.ask(t, `{"command":"status"}`)["inbox"].(map[string]any)
		return inbox["messages"].(float64) >= count
	}, patience, 20*time.Millisecond)
}

// Two signalboxes share a sandbox: the second is linked with signalbox link, to an account whose phone scans its code.
func TestSandboxShared(t *testing.T) {
	first := startBox(t, shortDir(t), "--sandbox", "--sandbox-listen", "127.0.0.1:0")
	url := first.stderr.find(t, `share it at (https://[^:]*:\d+)`)
	control := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer control.CloseIdleConnections()
	post := func(path, body string) {
		response, err := control.Post(url+path, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Lessf(t, response.StatusCode, 300, "%s", text)
	}
	response, err := control.Get(url + "/sandbox/description")
	require.NoError(t, err)
	description, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	other := shortDir(t)
	file := filepath.Join(other, "sandbox.json")
	require.NoError(t, os.WriteFile(file, description, 0o600))
	const number = "+12025550111"
	post("/sandbox/accounts", `{"number":"`+number+`","name":"Anna"}`)

	link := exec.Command("signalbox", "--data-dir", other, "--service", file, "link")
	stdout, err := link.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	link.Stderr = &stderr
	require.NoError(t, link.Start())
	codes := follow(stdout)
	uri := codes.find(t, `^(sgnl://linkdevice\?.*)$`)
	post("/sandbox/scan", fmt.Sprintf(`{"number":%q,"uri":%q}`, number, uri))
	<-codes.done
	require.NoError(t, link.Wait(), stderr.String())

	second := startBox(t, other, "--service", file)
	require.Equal(t, number, second.ask(t, `{"command":"get_account"}`)["number"])
	first.send(t, number, "Hello, Anna")
	second.await(t, sandbox.AccountNumber, "Hello, Anna")
	second.send(t, sandbox.AccountNumber, "Hello back")
	first.await(t, number, "Hello back")
	post("/sandbox/contacts/"+echoNumber+"/say", `{"to":"`+number+`","text":"Hello from Echo"}`)
	second.await(t, echoNumber, "Hello from Echo")
}
