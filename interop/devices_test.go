package interop

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// awaitOn waits until each of these devices has the text, and no other event of an undecryptable message stands.
func (r *Rig) awaitOn(contact *Account, body string, devices ...int) {
	r.T.Helper()
	for _, device := range devices {
		contact.AwaitTextOn(device, body)
	}
}

// failures are messages that a contact could not open, or that came twice.
func (r *Rig) failures() []Event {
	return r.Events(func(e Event) bool { return e.Event == "undecryptable" || e.Event == "duplicate" })
}

func TestDevices(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol", "dave")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("a contact with three devices", threeDevices)
		run("a new device during a conversation", newDevice)
		run("a removed device during a conversation", removedDevice)
		run("a stale session", staleSession)
		run("a new identity", newIdentity)
		run("a contact who lost its sessions", lostSessions)
		run("a message that we cannot decrypt", retryRequest)
	})
}

func threeDevices(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	require.Equal(t, 2, alice.AddDevice())
	require.Equal(t, 3, alice.AddDevice())
	c.SendText(alice.ACI, "to all three")
	r.awaitOn(alice, "to all three", 1, 2, 3)
	for _, device := range []int{3, 1, 2} {
		body := fmt.Sprintf("from device %d", device)
		alice.SendText(r.Me, body, SendOptions{Device: device})
		require.Equal(t, device, c.ReceiveText(body).SenderDevice)
	}
	c.SendText(alice.ACI, "and again")
	r.awaitOn(alice, "and again", 1, 2, 3)
	require.Empty(t, r.failures())
}

func newDevice(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	c.SendText(bob.ACI, "one device")
	bob.AwaitText("one device")
	device := bob.AddDevice()
	c.SendText(bob.ACI, "two devices")
	r.awaitOn(bob, "two devices", 1, device)
	bob.SendText(r.Me, "from the new one", SendOptions{Device: device})
	require.Equal(t, device, c.ReceiveText("from the new one").SenderDevice)
	third := bob.AddDevice()
	bob.SendText(r.Me, "from one you never met", SendOptions{Device: third})
	c.ReceiveText("from one you never met")
	c.SendText(bob.ACI, "three devices")
	r.awaitOn(bob, "three devices", 1, device, third)
	require.Empty(t, r.failures())
}

func removedDevice(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	bob.RemoveDevice(3)
	c.SendText(bob.ACI, "two are left")
	r.awaitOn(bob, "two are left", 1, 2)
	bob.RemoveDevice(2)
	c.SendText(bob.ACI, "one is left")
	r.awaitOn(bob, "one is left", 1)
}

func staleSession(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	c.SendText(carol.ACI, "before")
	carol.AwaitText("before")
	carol.Reinstall(1, false)
	c.SendText(carol.ACI, "after")
	require.Equal(t, "PreKey", carol.AwaitText("after").Type, "a new session for new registration ids")
	carol.SendText(r.Me, "back", SendOptions{})
	c.ReceiveText("back")
	require.Empty(t, r.failures())
}

func newIdentity(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	events := r.Daemon.Dial()
	events.Must(Request{"command": "subscribe"})
	carol.Reinstall(1, true)
	c.SendText(carol.ACI, "to the new identity")
	carol.AwaitText("to the new identity")
	require.Contains(t, events.AwaitEvent("the identity change", carol.ACI, "dentity"), carol.ACI)
	carol.Reinstall(1, true)
	carol.SendText(r.Me, "from yet another", SendOptions{})
	c.ReceiveText("from yet another")
	c.SendText(carol.ACI, "welcome back")
	carol.AwaitText("welcome back")
}

// The contact cannot decrypt any more, and says so: the session is reset, and the message comes again.
func lostSessions(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	dave.SendText(r.Me, "hello", SendOptions{})
	c.ReceiveText("hello")
	c.SendText(dave.ACI, "hello too")
	dave.AwaitText("hello too")
	dave.Habits("retryRequests")
	defer dave.Habits()
	r.Call("forgetSessions", args{"account": "dave", "with": "me"}, nil)
	timestamp := c.SendText(dave.ACI, "can you read this")
	r.Await("dave to fail", func(e Event) bool { return e.Event == "undecryptable" && e.Account == "dave" })
	e := dave.AwaitText("can you read this")
	require.Equal(t, "PreKey", e.Type)
	require.Equal(t, timestamp, e.Timestamp, "the same message, not another one")
}

// We cannot decrypt, ask for it again, and get it.
func retryRequest(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	dave.SendText(r.Me, "fine so far", SendOptions{})
	c.ReceiveText("fine so far")
	dave.Habits("answerRetryRequests")
	defer dave.Habits()
	var sent Sent
	r.Call("sendGarbled", args{"from": "dave", "to": "me", "body": "garbled once"}, &sent)
	request := r.Await("our retry request", func(e Event) bool { return e.Event == "retryRequest" && e.Account == "dave" })
	require.Equal(t, sent.Timestamp, request.Timestamp)
	c.ReceiveText("garbled once")
	c.SendText(dave.ACI, "got it the second time")
	dave.AwaitText("got it the second time")
}
