//go:build groups

package interop

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Groups of 10 and of 100, some members with several devices: a message is encrypted once and uploaded once.
func TestGroupSizes(t *testing.T) {
	eachVersion(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice")
		for _, size := range []int{10, 100} {
			t.Run(fmt.Sprintf("%d, made by them", size), func(t *testing.T) { r.on(t).groupOf(size, false) })
			t.Run(fmt.Sprintf("%d, made by us", size), func(t *testing.T) { r.on(t).groupOf(size, true) })
		}
	})
}

func (r *Rig) groupOf(size int, ours bool) {
	t, c, alice := r.T, r.Daemon.Dial(), r.Contact("alice")
	title := fmt.Sprintf("group of %d, ours: %t", size, ours)
	members, names := r.Crowd(title+", ", size-2)
	var group *Group
	if ours {
		ids := []string{alice.ACI}
		for _, member := range members {
			ids = append(ids, member.ACI)
		}
		id := c.Must(Request{"command": "create_group", "title": title, "members": ids}).Group().GroupID
		r.Await("alice to hear of it", alice.Received(func(e Event) bool { return e.GroupID == id }))
		group = r.Group(id)
		require.Len(t, group.State().Members, size)
	} else {
		group = r.newGroup(c, alice, title, Changes{"members": append(names, "me")})
	}
	group.inSync(c)
	everyone := append([]*Account{alice}, members...)
	c.SendGroupText(group.ID, title+": the first")
	r.awaitEveryone(everyone, title+": the first")

	before := len(r.Uploads())
	for i := range 3 {
		c.SendGroupText(group.ID, fmt.Sprintf("%s: %d", title, i))
	}
	for i := range 3 {
		r.awaitEveryone(everyone, fmt.Sprintf("%s: %d", title, i))
	}
	uploads := r.Uploads()[before:]
	require.Len(t, uploads, 3, "one upload for each message")
	for _, upload := range uploads {
		require.Equal(t, 200, upload.Status)
		require.Equal(t, size-1, upload.Recipients)
		require.Equal(t, size-1+(size-2+9)/10, upload.Devices)
		require.False(t, upload.Identified)
	}
	for i := 0; i < len(members); i += 17 {
		body := "from " + members[i].Name
		members[i].SendText(r.Me, body, SendOptions{In: group})
		require.Equal(t, group.ID, c.ReceiveText(body).GroupID)
	}
	second := members[0]
	second.SendText(r.Me, "from the second device", SendOptions{In: group, Device: 2})
	require.Equal(t, 2, c.ReceiveText("from the second device").SenderDevice)
	require.Empty(t, r.failures())
}

// awaitEveryone waits until each device of these has the text, by sender key.
func (r *Rig) awaitEveryone(members []*Account, body string) {
	r.T.Helper()
	devices := 0
	for i := range members {
		devices++
		if i%10 == 1 { // the first of all is not of the crowd
			devices++
		}
	}
	for _, e := range r.AwaitN("everyone to get "+body, devices, patience, func(e Event) bool {
		return e.Event == "received" && e.Text() == body
	}) {
		require.Equal(r.T, "SenderKey", e.Type, e.Account)
	}
}

// What sender keys have to follow: devices that come and go, members that leave, keys that get lost.
func TestGroupSends(t *testing.T) {
	eachVersion(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol", "dave")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("a member gets a second device, and loses it", memberDevices)
		run("a member starts anew", memberReinstalls)
		run("a member who loses our sender key", lostSenderKey)
		run("a sender key that we were not told", untoldSenderKey)
		run("a garbled message by sender key", garbledSenderKey)
		run("a new key for who stays", rotation)
		run("a member who is no longer registered", unregisteredMember)
		run("the same key twice", groupKeyedSend)
		run("the upload fails", failingUploads)
		run("the token is refused", refusedToken)
		run("after a restart", afterRestart)
	})
}

func memberDevices(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "devices", Changes{"members": []string{"me", "bob"}})
	c.SendGroupText(group.ID, "one device each")
	r.awaitOn(bob, "one device each", 1)
	second := bob.AddDevice()
	c.SendGroupText(group.ID, "two for bob")
	r.awaitOn(bob, "two for bob", 1, second)
	alice.AwaitText("two for bob")
	bob.SendText(r.Me, "from my second", SendOptions{In: group, Device: second})
	require.Equal(t, second, c.ReceiveText("from my second").SenderDevice)
	bob.RemoveDevice(second)
	c.SendGroupText(group.ID, "one again")
	r.awaitOn(bob, "one again", 1)
	alice.AwaitText("one again")
	require.Empty(t, r.failures())
	require.Equal(t, 1, alice.count("two for bob"))
}

func memberReinstalls(t *testing.T, r *Rig) {
	alice, carol, c := r.Contact("alice"), r.Contact("carol"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "anew", Changes{"members": []string{"me", "carol"}})
	for i, newIdentity := range []bool{false, true} {
		c.SendGroupText(group.ID, fmt.Sprintf("before %d", i))
		carol.AwaitText(fmt.Sprintf("before %d", i))
		carol.Reinstall(1, newIdentity)
		c.SendGroupText(group.ID, fmt.Sprintf("after %d", i))
		carol.AwaitText(fmt.Sprintf("after %d", i))
		alice.AwaitText(fmt.Sprintf("after %d", i))
		carol.SendText(r.Me, fmt.Sprintf("here %d", i), SendOptions{In: group})
		c.ReceiveText(fmt.Sprintf("here %d", i))
	}
	require.Equal(t, 1, alice.count("after 1"))
}

// The member cannot decrypt, says so, and gets the message once more, with our key.
func lostSenderKey(t *testing.T, r *Rig) {
	alice, dave, c := r.Contact("alice"), r.Contact("dave"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "lost", Changes{"members": []string{"me", "dave"}})
	c.SendGroupText(group.ID, "readable")
	dave.AwaitText("readable")
	dave.Habits("retryRequests")
	defer dave.Habits()
	dave.ForgetSenderKeys(1, r.Me)
	timestamp := c.SendGroupText(group.ID, "say again")
	r.Await("dave to fail", func(e Event) bool {
		return e.Event == "undecryptable" && e.Account == "dave" && e.GroupID == group.ID
	})
	e := dave.AwaitText("say again")
	require.Equal(t, timestamp, e.Timestamp, "the same message")
	require.NotNil(t, e.Content.DataMessage.GroupV2)
	c.SendGroupText(group.ID, "readable again")
	require.Equal(t, "SenderKey", dave.AwaitText("readable again").Type)
	require.Equal(t, 1, alice.count("say again"))
}

func untoldSenderKey(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, bob, "untold", nil)
	bob.Habits("answerRetryRequests")
	defer bob.Habits()
	sent := bob.SendText(r.Me, "you cannot read this", SendOptions{In: group, Untold: true})
	r.Await("our request", func(e Event) bool {
		return e.Event == "retryRequest" && e.Account == "bob" && e.Timestamp == sent.Timestamp
	})
	got := c.ReceiveText("you cannot read this")
	require.Equal(t, group.ID, got.GroupID)
	require.Equal(t, sent.Timestamp, got.Timestamp)
	bob.SendText(r.Me, "but this", SendOptions{In: group, Untold: true})
	c.ReceiveText("but this")
}

func garbledSenderKey(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	group := r.newGroup(c, carol, "garbled", nil)
	carol.SendText(r.Me, "clear", SendOptions{In: group})
	c.ReceiveText("clear")
	carol.Habits("answerRetryRequests")
	defer carol.Habits()
	carol.SendText(r.Me, "clear the second time", SendOptions{In: group, Garbled: true})
	require.Equal(t, group.ID, c.ReceiveText("clear the second time").GroupID)
	carol.SendText(r.Me, "clear as ever", SendOptions{In: group})
	c.ReceiveText("clear as ever")
}

// Who is removed must not be able to read what follows: the key of before is used no more.
func rotation(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "rotation", Changes{"members": []string{"me", "bob"}})
	c.SendGroupText(group.ID, "with bob")
	bob.AwaitText("with bob")
	told := func(a *Account) int {
		return len(r.Events(a.Received(func(e Event) bool {
			return e.Content.SenderKeyDistributionMessage != "" && e.GroupID == group.ID
		})))
	}
	before, bobs := told(alice), told(bob)
	group.ChangeAndTell(alice, Changes{"remove": []string{"bob"}})
	c.AwaitRevision(group.ID, 1)
	c.SendGroupText(group.ID, "without bob")
	alice.AwaitText("without bob")
	require.Equal(t, before+1, told(alice), "alice is told a new key")
	require.Equal(t, bobs, told(bob))
	require.Zero(t, bob.count("without bob"))
}

func unregisteredMember(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	gone := r.NewAccount("gone")
	group := r.newGroup(c, alice, "unregistered", Changes{"members": []string{"me", "gone"}})
	c.SendGroupText(group.ID, "to both")
	gone.AwaitText("to both")
	for _, kind := range []string{"ACI", "PNI"} {
		r.Call("unregister", args{"account": "gone", "kind": kind}, nil)
	}
	for _, body := range []string{"to one", "to one again"} {
		reply := c.Must(sendGroupText(group.ID, body))
		require.Len(t, reply.Failures, 1, reply.Line)
		require.Equal(t, codeUnregistered, reply.Failures[0].StatusCode)
		alice.AwaitText(body)
	}
	uploads := r.Uploads()
	require.Equal(t, 1, uploads[len(uploads)-1].Recipients, "not asked again within a day")
	for _, kind := range []string{"ACI", "PNI"} {
		r.Call("register", args{"account": "gone", "kind": kind}, nil)
	}
}

func groupKeyedSend(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, bob, "keyed", nil)
	request := sendGroupText(group.ID, "once")
	request["idempotencyKey"] = "group once"
	first := c.Must(request)
	again := c.Must(request)
	require.Equal(t, first.Timestamp, again.Timestamp)
	require.True(t, again.Repeated)
	// The answer to the upload is lost: the repeat sends the same once more, and the member drops it.
	request = sendGroupText(group.ID, "lost answer")
	request["idempotencyKey"] = "group lost"
	end := r.faultyUploads(map[string]any{"action": "drop-after"})
	c.untilSent(request)
	require.Equal(t, 1, end())
	bob.AwaitText("lost answer")
	c.SendGroupText(group.ID, "a fence")
	bob.AwaitText("a fence")
	require.Equal(t, 1, bob.count("once"))
	require.Equal(t, 1, bob.count("lost answer"))
}

// faultyUploads makes uploads for many recipients fail, over the websocket as in gRPC: once, where the rule does not
// say how often. The function that it answers ends that, and answers how often it happened.
func (r *Rig) faultyUploads(rule map[string]any) (end func() int) {
	r.T.Helper()
	ws := map[string]any{"verb": "PUT", "path": "^/v1/messages/multi_recipient"}
	grpc := map[string]any{"on": "http", "path": "SendMultiRecipientMessage"}
	for name, value := range rule {
		ws[name], grpc[name] = value, value
	}
	if rule["action"] == "drop-after" {
		grpc["on"] = "answer"
	}
	faults := []int{r.Fault(ws), r.Fault(grpc)}
	return func() int { return r.EndFault(faults[0]) + r.EndFault(faults[1]) }
}

func failingUploads(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	group := r.newGroup(c, carol, "failing", nil)
	c.SendGroupText(group.ID, "fine")
	carol.AwaitText("fine")
	end := r.faultyUploads(map[string]any{"times": -1, "status": 503})
	pairwise := r.Fault(map[string]any{"verb": "PUT", "path": "^/v1/messages/", "times": -1, "status": 503})
	reply := c.Do(sendGroupText(group.ID, "not now"))
	r.EndFault(pairwise)
	require.Positive(t, end())
	require.Equal(t, codeNetwork, reply.StatusCode, reply.Line)
	c.SendGroupText(group.ID, "now")
	carol.AwaitText("now")
}

// A token that the service does not take: the endorsements are fetched anew, or the message goes pairwise.
func refusedToken(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	group := r.newGroup(c, dave, "token", nil)
	c.SendGroupText(group.ID, "taken")
	dave.AwaitText("taken")
	for i, refusals := range []int{1, 100} {
		r.Forge("token", refusals)
		body := fmt.Sprintf("taken in the end %d", i)
		c.SendGroupText(group.ID, body)
		dave.AwaitText(body)
		r.Forge("token", 0)
	}
	require.Empty(t, r.failures())
}

func afterRestart(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "restart", nil)
	c.SendGroupText(group.ID, "before the restart")
	alice.AwaitText("before the restart")
	alice.SendText(r.Me, "your key, please", SendOptions{In: group})
	c.ReceiveText("your key, please")
	told := func() int {
		return len(r.Events(alice.Received(func(e Event) bool {
			return e.GroupID == group.ID && e.Content.SenderKeyDistributionMessage != ""
		})))
	}
	before, connections := told(), r.Connections()
	require.NoError(t, r.Daemon.Stop())
	r.Daemon.Start()
	r.AwaitConnected(connections + 1)
	c = r.Daemon.Dial()
	c.SendGroupText(group.ID, "after the restart")
	require.Equal(t, "SenderKey", alice.AwaitText("after the restart").Type)
	require.Equal(t, before, told(), "the key of before goes on")
	alice.SendText(r.Me, "still readable", SendOptions{In: group})
	c.ReceiveText("still readable")
}
