package interop

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Groups of 2, 10 and 100, some members with several devices: everything that can be sent goes both ways, and each
// message is encrypted once and uploaded once.
func TestGroupSizes(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice")
		for _, size := range []int{2, 10, 100} {
			for _, ours := range []bool{false, true} {
				if size == 100 && ours != (version == Sandbox) && !soak {
					continue // each once is enough, day by day
				}
				t.Run(fmt.Sprintf("%d, made by us: %t", size, ours), func(t *testing.T) { r.on(t).groupOf(size, ours) })
			}
		}
	})
}

func (r *Rig) groupOf(size int, ours bool) {
	t, c, alice := r.T, r.Daemon.Dial(), r.Contact("alice")
	title := fmt.Sprintf("group of %d, ours: %t", size, ours)
	members, names := r.Crowd(title+", ", size-2)
	everyone := append([]*Account{alice}, members...)
	var group *Group
	if ours {
		group = r.ourGroup(c, alice, title, Request{"members": acis(everyone)})
		require.Len(t, group.State().Members, size)
	} else {
		group = r.newGroup(c, alice, title, Changes{"members": append(names, "me")})
	}
	group.inSync(c)
	all := club{Rig: r, group: group, members: everyone, devices: size - 1 + (size-2+9)/10}
	c.SendGroupText(group.ID, title+": the first")
	all.get("the first", func(e Event) bool { return e.Text() == title+": the first" })

	before := len(r.Uploads())
	all.hearUs(c, title)
	uploads := r.Uploads()[before:]
	require.Len(t, uploads, 5, "one upload for each message")
	for _, upload := range uploads {
		require.Equal(t, 200, upload.Status)
		require.Equal(t, size-1, upload.Recipients)
		require.Equal(t, all.devices, upload.Devices)
		require.False(t, upload.Identified)
	}
	for i := 0; i < len(everyone); i += 33 {
		all.weHear(c, everyone[i])
	}
	if len(members) > 0 {
		members[0].SendText(r.Me, "from the second device", SendOptions{In: group, Device: 2})
		require.Equal(t, 2, c.ReceiveText("from the second device").SenderDevice)
	}
	require.Empty(t, r.failures())
}

func acis(accounts []*Account) (ids []string) {
	for _, account := range accounts {
		ids = append(ids, account.ACI)
	}
	return ids
}

// club is a group with all who are in it but us.
type club struct {
	*Rig
	group   *Group
	members []*Account
	// devices is how many they have.
	devices int
}

// get waits until each device has something of the group, all by the same step of our sender key: the content was
// encrypted once.
func (all club) get(what string, match func(Event) bool) []Event {
	all.T.Helper()
	events := all.AwaitN("everyone to get "+what, all.devices, patience, func(e Event) bool {
		return e.Event == "received" && e.GroupID == all.group.ID && match(e)
	})
	for _, e := range events {
		require.Equal(all.T, "SenderKey", e.Type, e.Account)
		require.Equal(all.T, events[0].Iteration, e.Iteration, e.Account)
	}
	return events
}

func (all club) data(what string, match func(*DataMessage) bool) {
	all.T.Helper()
	all.get(what, func(e Event) bool { return e.Content.DataMessage != nil && match(e.Content.DataMessage) })
}

// hearUs sends a text, an attachment, an edit, a reaction and a deletion.
func (all club) hearUs(c *Conn, title string) {
	all.T.Helper()
	id := all.group.ID
	text := c.SendGroupText(id, title+": a text")
	all.get("the text", func(e Event) bool { return e.Text() == title+": a text" })
	data := bytes.Repeat([]byte(title), 1000)
	sum := sha256.Sum256(data)
	c.Must(Request{"command": "send_message", "groupId": id, "dataMessage": map[string]any{"message": title + ": a file",
		"attachments": []any{map[string]any{"base64Data": base64.StdEncoding.EncodeToString(data)}}}})
	for _, e := range all.get("the file", func(e Event) bool { return e.Text() == title+": a file" }) {
		require.Len(all.T, e.Attachments, 1)
		require.Equal(all.T, hex.EncodeToString(sum[:]), e.Attachments[0].SHA256)
	}
	c.Must(Request{"command": "send_message", "groupId": id,
		"dataMessage": map[string]any{"message": "edited", "editTimestamp": text}})
	all.get("the edit", func(e Event) bool {
		return e.Content.EditMessage != nil && e.Content.EditMessage.TargetSentTimestamp == text
	})
	c.Must(Request{"command": "send_reaction", "groupId": id, "reaction": map[string]any{
		"emoji": "👍", "author": all.Me.ACI, "timestamp": text}})
	all.data("the reaction", func(m *DataMessage) bool {
		return m.Reaction != nil && m.Reaction.TargetSentTimestamp == text && m.Reaction.Emoji == "👍"
	})
	c.Must(Request{"command": "delete_message", "groupId": id, "timestamp": text})
	all.data("the deletion", func(m *DataMessage) bool { return m.Delete != nil && m.Delete.TargetSentTimestamp == text })
}

// weHear has a member send the same.
func (all club) weHear(c *Conn, from *Account) {
	all.T.Helper()
	in := SendOptions{In: all.group}
	receive := func(kind string) Message {
		return c.Receive(from.Name+"'s "+kind, 1, []string{kind}, func(m Message) bool {
			return m.GroupID == all.group.ID && m.SenderUUID == from.ACI
		})[0]
	}
	text := from.SendText(all.Me, "text", in)
	require.Equal(all.T, text.Timestamp, receive("message").Timestamp)
	file := from.SendAttachments(all.Me, "file", []map[string]any{{"size": 3000}}, in)
	sum := sha256.Sum256(receive("message").Attachments[0].Data(all.T))
	require.Equal(all.T, file.Attachments[0].SHA256, hex.EncodeToString(sum[:]))
	from.SendData(all.Me, map[string]any{"reaction": map[string]any{"emoji": "🎉",
		"targetAuthorAciBinary": from.Binary(), "targetSentTimestamp": text.Timestamp}}, in)
	require.Equal(all.T, "🎉", receive("reaction").Reaction.Emoji)
	edit := SendOptions{In: all.group, Timestamp: time.Now().UnixMilli() + 500}
	from.SendContent(all.Me, map[string]any{"editMessage": map[string]any{"targetSentTimestamp": text.Timestamp,
		"dataMessage": map[string]any{"body": "edited", "timestamp": edit.Timestamp}}}, edit)
	require.Equal(all.T, text.Timestamp, receive("edit").Edit.Timestamp)
	from.SendData(all.Me, map[string]any{"delete": map[string]any{"targetSentTimestamp": text.Timestamp}}, in)
	require.Equal(all.T, text.Timestamp, receive("delete").Delete.Timestamp)
}

// What sender keys have to follow: devices that come and go, members that leave, keys that get lost.
func TestGroupSends(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
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
		if version != 15 || soak {
			run("the upload fails", failingUploads) // takes a while, for it is tried again
		}
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
	require.Empty(t, r.Events(func(e Event) bool { return e.Event == "undecryptable" && e.GroupID == group.ID }))
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
