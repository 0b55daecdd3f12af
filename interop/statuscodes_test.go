package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each status code that a request can provoke from outside; those of faults, linking and the disk have tests of their own.
func TestStatusCodes(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice")
		alice := r.Contact("alice")
		message := map[string]any{"message": "x"}
		tests := []struct {
			name    string
			code    int
			request Request
		}{
			{"unknown command", codeUnknownCommand, Request{"command": "frobnicate"}},
			{"invalid number", codeInvalidNumber, Request{"command": "send_message", "recipient": "+12", "dataMessage": message}},
			{"invalid group id", codeInvalidNumber, Request{"command": "send_message", "groupId": "short", "dataMessage": message}},
			{"invalid attachment", codeInvalidAttachment, Request{"command": "send_message", "recipient": alice.Number,
				"dataMessage": map[string]any{"attachments": []any{map[string]any{"base64Data": "not base64!"}}}}},
			{"no recipient", codeInvalidRecipient, Request{"command": "send_message", "dataMessage": message}},
			{"group not found", codeGroupNotFound, Request{"command": "send_message",
				"groupId": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "dataMessage": message}},
			{"no reaction", codeMissingReaction, Request{"command": "send_reaction", "recipient": alice.Number}},
			{"reaction without emoji", codeMissingReaction, Request{"command": "send_reaction", "recipient": alice.Number,
				"reaction": map[string]any{"author": alice.Number, "timestamp": 1}}},
			{"not one emoji", codeInvalidArgument, Request{"command": "send_reaction", "recipient": alice.Number,
				"reaction": map[string]any{"emoji": "no", "author": alice.Number, "timestamp": 1}}},
			{"nothing to send", codeInvalidArgument, Request{"command": "send_message", "recipient": alice.Number,
				"dataMessage": map[string]any{}}},
			{"wrong type", codeInvalidArgument, Request{"command": "receive_messages", "timeout": []int{1}}},
			{"another account", codeInvalidArgument, Request{"command": "version", "username": "+14155550100"}},
			{"no such attachment", codeNotFound, Request{"command": "get_attachment", "id": "nothing"}},
		}
		c := r.Daemon.Dial()
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				reply := c.Do(test.request)
				require.Equal(t, test.code, reply.StatusCode, reply.Line)
				require.NotEmpty(t, reply.ErrorMessage)
				require.Equal(t, test.request["command"], reply.Command)
			})
		}
		t.Run("invalid JSON", func(t *testing.T) {
			c.Write("{\"command\":}\n")
			reply := c.Reply()
			require.Equal(t, codeInvalidJSON, reply.StatusCode)
			require.Contains(t, reply.ErrorMessage, "11")
		})
		t.Run("unknown", func(t *testing.T) {
			fault := r.Fault(map[string]any{"verb": "PUT", "path": sendPath, "times": -1, "status": 418})
			require.Equal(t, -1, c.Do(sendText(alice.ACI, "teapot")).StatusCode)
			r.EndFault(fault)
		})
		t.Run("unreadable messages", func(t *testing.T) { unreadable(t, r.on(t)) })
	})
}

// A send that hangs is answered at the command timeout.
func TestCommandTimeout(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{Arguments: []string{"--command-timeout", "5s"}}, "alice")
		c := r.Daemon.Dial()
		fault := r.Fault(map[string]any{"verb": "PUT", "path": sendPath, "times": -1, "action": "hang"})
		reply := c.Do(sendText(r.Contact("alice").ACI, "hanging"))
		require.Equal(t, codeTimeout, reply.StatusCode, reply.Line)
		require.Contains(t, reply.ErrorMessage, "left", "it says whether the message left")
		r.EndFault(fault)
		r.Contact("alice").slowFence(c, "not hanging")
	})
}

// Envelopes that cannot be read are entries that say so, and stop nothing.
func unreadable(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	source := map[string]any{"type": "DOUBLE_RATCHET", "sourceServiceIdBinary": alice.Binary(), "sourceDeviceId": 1,
		"destinationServiceIdBinary": r.Me.Binary(), "clientTimestamp": 1234}
	push := func(change map[string]any) {
		fields := map[string]any{}
		for _, from := range []map[string]any{source, change} {
			for key, value := range from {
				fields[key] = value
			}
		}
		r.Call("deliver", args{"account": "me", "fields": fields}, nil)
	}
	t.Run("without content", func(t *testing.T) {
		inScope(t, r.Version)
		push(map[string]any{})
	})
	t.Run("not an envelope", func(t *testing.T) {
		inScope(t, r.Version)
		r.Call("pushEnvelope", args{"account": "me", "base64": "////"}, nil)
	})
	push(map[string]any{"content": "AAECAwQF"})    // not a message
	for _, content := range []string{"", "//8="} { // nothing, and what is no content
		r.Call("sendBytes", args{"from": "alice", "to": "me", "base64": content}, nil)
	}
	alice.SendText(r.Me, "after the unreadable", SendOptions{})
	codes := map[int]int{}
	c.Receive("the text after them", 1, nil, func(m Message) bool {
		if m.StatusCode != 0 {
			require.NotEmpty(t, m.ErrorMessage)
			codes[m.StatusCode]++
		}
		return m.Body == "after the unreadable"
	})
	for _, code := range []int{codeMessageError, codeMissingContent, codeParsingError} {
		require.Positive(t, codes[code], "%v", codes)
	}
	r.awaitEmptyQueue()
}

func TestConnectionLimits(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		token := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(token, []byte("sesame\n"), 0o600))
		r := NewRig(t, version, RigOptions{Arguments: []string{"--token-file", token, "--max-connections", "4",
			"--max-request-bytes", "100000"}})
		t.Run("unauthorized", func(t *testing.T) { unauthorized(t, r.on(t)) })
		t.Run("too large", func(t *testing.T) { tooLarge(t, r.on(t)) })
		t.Run("too many connections", func(t *testing.T) { tooMany(t, r.on(t)) })
		t.Run("shutting down", func(t *testing.T) { shuttingDown(t, r.on(t)) })
	})
}

// enter connects with the token, once there is room: a closed connection takes a moment to be noticed.
func (r *Rig) enter() *Conn {
	r.T.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		c := r.Daemon.Dial()
		if reply := c.Do(Request{"command": "auth", "token": "sesame"}); reply.StatusCode != codeTooMany {
			require.Zero(r.T, reply.StatusCode, reply.Line)
			return c
		}
		c.Close()
	}
	require.Fail(r.T, "no connection gets free")
	return nil
}

func unauthorized(t *testing.T, r *Rig) {
	c := r.Daemon.Dial()
	defer c.Close()
	require.Equal(t, codeUnauthorized, c.Do(Request{"command": "status"}).StatusCode)
	require.Zero(t, c.Do(Request{"command": "status", "token": "sesame"}).StatusCode)
	require.Equal(t, codeUnauthorized, c.Do(Request{"command": "auth", "token": "wrong"}).StatusCode)
	require.Zero(t, c.Do(Request{"command": "auth", "token": "sesame"}).StatusCode)
	require.Zero(t, c.Do(Request{"command": "status"}).StatusCode)
}

func tooLarge(t *testing.T, r *Rig) {
	c := r.enter()
	defer c.Close()
	reply := c.Do(Request{"command": "version", "padding": strings.Repeat("x", 200_000)})
	require.Equal(t, codeRequestTooLarge, reply.StatusCode)
	_, err := c.TryReply(patience)
	require.Error(t, err, "then it is closed")
}

func tooMany(t *testing.T, r *Rig) {
	var held []*Conn
	for range 4 {
		c := r.enter()
		defer c.Close()
		held = append(held, c)
	}
	require.Equal(t, codeTooMany, r.Daemon.Dial().Reply().StatusCode)
	held[0].Must(Request{"command": "version"})
}

func shuttingDown(t *testing.T, r *Rig) {
	c := r.enter()
	c.Write(`{"command":"version"}{"command":"receive_messages","timeout":-1}`)
	c.Reply()
	require.NoError(t, r.Daemon.Stop())
	require.Contains(t, []int{0, codeShuttingDown}, c.Reply().StatusCode, "a long poll is answered with what there is")
}
