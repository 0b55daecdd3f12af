package tcpserver

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/commands/signaltest"
	"signalbox/interop/needs"
)

// shell runs a pipeline as a person types it, with $PORT and $SOCKET.
func (d *daemon) shell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	port := d.address[strings.LastIndexByte(d.address, ':')+1:]
	cmd.Env = append(cmd.Environ(), "PORT="+port, "SOCKET="+d.unix)
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

func TestWithTools(t *testing.T) {
	for _, tc := range []struct{ tool, script string }{
		{"socat", `echo "{command:'receive_messages'}" | socat -t 30 - TCP:localhost:$PORT`},
		{"socat", `echo "{command:'receive_messages',timeout:-1}" | socat -t 30 - TCP4:127.0.0.1:$PORT`},
		{"socat", `echo "{command:'receive_messages'}" | socat -t 30 - UNIX-CONNECT:$SOCKET`},
		{"nc", `echo "{command:'receive_messages',timeout:60000}" | nc -N 127.0.0.1 $PORT`},
		{"nc", `echo "{command:'receive_messages',timeout:60000}" | nc -q 5 127.0.0.1 $PORT`},
		{"nc", `echo "{command:'receive_messages',timeout:60000}" | nc -N -U $SOCKET`},
	} {
		t.Run(tc.script, func(t *testing.T) {
			needs.Programs(t, tc.tool)
			d := start(t, nil)
			go func() {
				<-d.signal.Waiting()
				d.signal.Deliver(signaltest.Text("1", "hello"))
			}()
			require.Contains(t, d.shell(t, tc.script), `"body":"hello"`)
			eventually(t, "removed", func() bool { all, _ := d.signal.Left(); return all == 0 })
		})
	}
}

// TestImpatientTools: a tool that gives up on its long poll leaves no trace, and takes no message with it.
func TestImpatientTools(t *testing.T) {
	const request = "{command:'receive_messages',timeout:-1}\n"
	for _, tc := range []struct {
		tool      []string
		endsAlone bool
	}{
		{[]string{"socat", "-t", "0.2", "-", "TCP:localhost:PORT"}, true},
		{[]string{"nc", "127.0.0.1", "PORT"}, false},
		{[]string{"nc", "-N", "127.0.0.1", "PORT"}, false},
	} {
		t.Run(strings.Join(tc.tool, " "), func(t *testing.T) {
			needs.Programs(t, tc.tool[0])
			d := start(t, nil)
			port := d.address[strings.LastIndexByte(d.address, ':')+1:]
			cmd := exec.Command(tc.tool[0], strings.Fields(strings.ReplaceAll(strings.Join(tc.tool[1:], " "), "PORT", port))...)
			var out bytes.Buffer
			cmd.Stdin, cmd.Stdout = strings.NewReader(request), &out
			require.NoError(t, cmd.Start())
			<-d.signal.Waiting()
			if !tc.endsAlone {
				require.NoError(t, cmd.Process.Kill())
			}
			_ = cmd.Wait()
			require.Empty(t, out.String())
			eventually(t, "noticed", func() bool { return strings.Contains(d.log.String(), "connection closed") })
			d.signal.Deliver(signaltest.Text("1", "x"))
			require.NotContains(t, d.dial().ask(`{command:'receive_messages'}`), "redelivered")
		})
	}
}

// TestTheWikisExamples sends the requests of the original's documentation, as they are written there.
func TestTheWikisExamples(t *testing.T) {
	for name, tc := range map[string]struct{ request, want string }{
		"send_message": {`{
    "command": "send_message",
    "reqId": "[request ID (optional)]",

    "recipient": "+436647654321",

    "dataMessage": {
        "message": "[text message (optional)]",
        "attachments": [{
            "base64Data": "aGVsbG8=",
            "filename": "[filename (optional)]"
        }]
    }
}`, `{"command":"send_message","reqId":"[request ID (optional)]","statusCode":0,"timestamp":1700000000000}`},
		"send_reaction": {`{
    "command": "send_reaction",
    "reqId": "[request ID (optional)]",

    "recipient": "+436647654321",

    "reaction": {
        "emoji": "😀",
        "author": "+436647654321",
        "remove": false,
        "timestamp": 1234567
    }
}`, `{"command":"send_reaction","reqId":"[request ID (optional)]","statusCode":0,"timestamp":1700000000000}`},
		"receive_messages": {`{
    "command": "receive_messages",
    "reqId": "[request ID (optional)]",

    "timeout": 1000,
    "ignoreAttachments": false
}`, `{"command":"receive_messages","reqId":"[request ID (optional)]","statusCode":0,"messages":[]}`},
	} {
		for _, tool := range []string{"socat -t 30 - TCP:localhost:$PORT", "nc -N localhost $PORT"} {
			t.Run(name+" "+tool, func(t *testing.T) {
				needs.Programs(t, strings.Fields(tool)[0])
				d := start(t, nil)
				require.Equal(t, tc.want+"\n", d.shell(t, "cat <<'END' | "+tool+"\n"+tc.request+"\nEND\n"))
			})
		}
	}
}
