package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// count is how often the account's first device showed a text; copies that the library dropped do not count.
func (a *Account) count(body string) int {
	return len(a.mock.Events(a.Received(func(e Event) bool { return e.Device == 1 && e.Text() == body })))
}

// fence sends a text and waits for it: whatever was sent before has been seen by then.
func (a *Account) fence(c *Conn, body string) {
	a.mock.t.Helper()
	c.SendText(a.ACI, body)
	a.AwaitText(body)
}

func TestSendFaults(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("rate limited", rateLimited)
		run("challenge", challenge)
		run("unregistered", unregistered)
		run("server errors", serverErrors)
		run("an answer that is lost", lostAnswer)
		run("a connection lost before the request was read", lostRequest)
		run("the same key twice", sameKeyTwice)
		run("one of several recipients fails", someFail)
	})
}

const sendPath = "^/v1/messages/"

func rateLimited(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	fault := r.Fault(map[string]any{"verb": "PUT", "path": sendPath, "times": -1, "status": 429,
		"headers": []string{"Retry-After:7"}})
	reply := c.Do(sendText(alice.ACI, "too fast"))
	require.Equal(t, codeRateLimited, reply.StatusCode, reply.Line)
	require.NotNil(t, reply.RetryAfterSeconds)
	require.Positive(t, *reply.RetryAfterSeconds)
	require.LessOrEqual(t, *reply.RetryAfterSeconds, 7.0)
	require.Positive(t, r.EndFault(fault))
	alice.fence(c, "slower now")
	require.Zero(t, alice.count("too fast"))
}

func challenge(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	fault := r.Fault(map[string]any{"verb": "PUT", "path": sendPath, "times": -1, "status": 428,
		"body": map[string]any{"token": "prove it", "options": []string{"captcha"}}})
	reply := c.Do(sendText(alice.ACI, "challenged"))
	require.Equal(t, codeChallenge, reply.StatusCode, reply.Line)
	require.Equal(t, "prove it", reply.ChallengeToken)
	require.Equal(t, []string{"captcha"}, reply.ChallengeOptions)
	r.EndFault(fault)
	alice.fence(c, "unchallenged")
	require.Zero(t, alice.count("challenged"))
}

func unregistered(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	r.Call("unregister", args{"account": "bob"}, nil)
	for _, recipient := range []string{bob.ACI, bob.Number} {
		reply := c.Do(sendText(recipient, "anybody home"))
		require.Equal(t, codeUnregistered, reply.StatusCode, reply.Line)
		require.NotEmpty(t, reply.ErrorMessage)
	}
	r.Call("register", args{"account": "bob"}, nil)
	bob.fence(c, "back again")
}

func serverErrors(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	fault := r.Fault(map[string]any{"verb": "PUT", "path": sendPath, "times": -1, "status": 503})
	reply := c.Do(sendText(alice.ACI, "into the void"))
	require.Equal(t, codeNetwork, reply.StatusCode, reply.Line)
	r.EndFault(fault)
	alice.fence(c, "out of the void")
	require.Zero(t, alice.count("into the void"))
}

// The service took the message, the connection died before it said so.
func lostAnswer(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	r.Fault(map[string]any{"verb": "PUT", "path": sendPath, "action": "drop-after"})
	request := sendText(alice.ACI, "did it leave")
	request["idempotencyKey"] = "lost answer"
	reply := c.Do(request)
	if reply.StatusCode != 0 {
		require.Equal(t, codeNetwork, reply.StatusCode, reply.Line)
		reply = c.untilSent(request)
	}
	require.NotZero(t, reply.Timestamp)
	alice.fence(c, "it did")
	require.Equal(t, 1, alice.count("did it leave"), "the repeat is the same message, and the recipient drops it")
}

func lostRequest(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	r.Fault(map[string]any{"verb": "PUT", "path": sendPath, "action": "drop-before"})
	request := sendText(alice.ACI, "never read")
	request["idempotencyKey"] = "lost request"
	c.untilSent(request)
	alice.fence(c, "read in the end")
	require.Equal(t, 1, alice.count("never read"))
}

// slowFence is fence for a daemon whose commands end so soon that a busy machine may need several tries.
func (a *Account) slowFence(c *Conn, body string) {
	a.mock.t.Helper()
	request := sendText(a.ACI, body)
	request["idempotencyKey"] = body
	c.untilSent(request)
	a.AwaitText(body)
}

// untilSent repeats a request with an idempotency key until it succeeds.
func (c *Conn) untilSent(request Request) Reply {
	c.t.Helper()
	var reply Reply
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if reply = c.Do(request); reply.StatusCode == 0 {
			return reply
		}
		require.Contains(c.t, []int{codeNetwork, codeTimeout}, reply.StatusCode, reply.Line)
	}
	require.Fail(c.t, "the send never succeeded", reply.Line)
	return reply
}

func sameKeyTwice(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	request := sendText(alice.ACI, "once is enough")
	request["idempotencyKey"] = "one"
	first := c.Must(request)
	require.False(t, first.Repeated)
	second := c.Must(request)
	require.True(t, second.Repeated)
	require.Equal(t, first.Timestamp, second.Timestamp)
	other := sendText(alice.ACI, "something else")
	other["idempotencyKey"] = "one"
	require.Equal(t, codeInvalidArgument, c.Do(other).StatusCode)
	alice.fence(c, "fence after the key")
	require.Equal(t, 1, alice.count("once is enough"))
	outgoing := c.Must(Request{"command": "get_outgoing", "idempotencyKey": "one"})
	require.Contains(t, outgoing.Line, fmt.Sprint(first.Timestamp))
}

func someFail(t *testing.T, r *Rig) {
	alice, carol, c := r.Contact("alice"), r.Contact("carol"), r.Daemon.Dial()
	r.Call("unregister", args{"account": "carol"}, nil)
	request := sendText("", "to both")
	delete(request, "recipient")
	request["recipients"] = []string{carol.ACI, alice.ACI}
	reply := c.Must(request)
	require.Len(t, reply.Failures, 1)
	require.Equal(t, codeUnregistered, reply.Failures[0].StatusCode)
	alice.AwaitText("to both")
}
