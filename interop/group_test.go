package interop

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The groups of one rig: each subtest has groups of its own, and is blind to the messages of the others.
func TestGroups(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol", "dave")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("a group of two that they made", groupOfTwo)
		run("a group that we made", ownGroup)
		run("reactions, edits and deletes", groupReactions)
		run("attachments", groupAttachments)
		run("receipts and typing", groupReceipts)
		run("what the phone sends", groupTranscripts)
		run("announcements only", announcementsOnly)
		run("somebody who is no member", notAMember)
		run("what the phone has written", phoneGroups)
		run("what the phone can read", groupRecords)
		run("the list of groups", listGroups)
	})
}

// The mock with nothing added, where it can do that: a group of its primary device, texts both ways, a new title.
func TestGroupsPlainMock(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{Mock: Options{PlainGroups: true}}, "alice", "bob")
		alice, c := r.Contact("alice"), r.Daemon.Dial()
		group := alice.NewGroup("plain", Changes{"members": []string{"me", "bob"}})
		alice.SendText(r.Me, "hello from the mock", SendOptions{In: group})
		require.Equal(t, group.ID, c.ReceiveText("hello from the mock").GroupID)
		c.SendGroupText(group.ID, "hello to the mock")
		for _, name := range []string{"alice", "bob"} {
			e := r.Contact(name).AwaitText("hello to the mock")
			require.Equal(t, "SenderKey", e.Type)
		}
		c.Must(updateGroup(group, Request{"title": "plainer"}))
		require.Equal(t, "plainer", group.State().Title)
		require.Equal(t, "plainer", c.GetGroup(group.ID).Title)
	})
}

// newGroup has a contact make a group with us in it, and waits until signalbox knows of it.
func (r *Rig) newGroup(c *Conn, by *Account, title string, fields Changes) *Group {
	r.T.Helper()
	all := Changes{"members": []string{"me"}, "announceTo": "me"}
	for name, value := range fields {
		all[name] = value
	}
	group := by.NewGroup(title, all)
	c.AwaitGroup("the new group", group.ID, func(g GroupView) bool { return g.Membership == "member" })
	requireChange(r.T, c.Changes(group.ID, 1)[0], "created", by, 0)
	return group
}

// requireChange is for a change by somebody.
func requireChange(t testing.TB, change GroupChange, kind string, editor *Account, revision int) {
	t.Helper()
	require.Equal(t, kind, change.Kind, "%+v", change)
	require.Equal(t, revision, change.Revision, "%+v", change)
	require.NotNil(t, change.Editor, "%+v", change)
	require.Equal(t, editor.ACI, change.Editor.UUID, "%+v", change)
	require.NotEmpty(t, change.Text)
}

// ourGroup makes a group here, and waits until a member has heard of it: from then on the harness knows it, too.
func (r *Rig) ourGroup(c *Conn, hears *Account, title string, fields Request) *Group {
	r.T.Helper()
	request := Request{"command": "create_group", "title": title, "members": []string{hears.ACI}}
	for name, value := range fields {
		request[name] = value
	}
	id := c.Must(request).Group().GroupID
	r.Await(hears.Name+" to hear of the group", hears.Received(func(e Event) bool { return e.GroupID == id }))
	return r.Group(id)
}

func updateGroup(group *Group, fields Request) Request {
	request := Request{"command": "update_group", "groupId": group.ID}
	for name, value := range fields {
		request[name] = value
	}
	return request
}

// inSync requires that signalbox shows the group as the service has it.
func (g *Group) inSync(c *Conn) {
	g.mock.t.Helper()
	state := g.State()
	view := c.AwaitRevision(g.ID, state.Revision)
	require.Equal(g.mock.t, state.comparable(), view.comparable())
}

func groupOfTwo(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "two of us", Changes{"description": "a description", "timer": 3600})
	view := c.GetGroup(group.ID)
	require.Equal(t, "two of us", view.Title)
	require.Equal(t, "a description", view.Description)
	require.Equal(t, 3600, view.ExpiresInSeconds)
	group.inSync(c)

	sent := alice.SendText(r.Me, "hello, group", SendOptions{In: group})
	got := c.ReceiveText("hello, group")
	require.Equal(t, group.ID, got.GroupID)
	require.Equal(t, alice.ACI, got.SenderUUID)
	require.Equal(t, sent.Timestamp, got.Timestamp)
	alice.SendText(r.Me, "sealed for each alone", SendOptions{In: group, Pairwise: true})
	require.Equal(t, group.ID, c.ReceiveText("sealed for each alone").GroupID)

	uploads := len(r.Uploads())
	timestamp := c.SendGroupText(group.ID, "hello, alice")
	e := alice.AwaitText("hello, alice")
	require.Equal(t, timestamp, e.Timestamp)
	require.Equal(t, "SenderKey", e.Type)
	require.True(t, e.Sealed)
	require.Equal(t, group.ID, e.GroupID, "the group is named for who cannot decrypt")
	require.NotNil(t, e.Content.DataMessage.GroupV2)
	require.Equal(t, 3600, e.Content.DataMessage.ExpireTimer, "the group's timer")
	require.Equal(t, r.Me.ProfileKey, e.Content.DataMessage.ProfileKey)
	require.Len(t, r.Uploads(), uploads+1)
	upload := r.Uploads()[uploads]
	require.Equal(t, 200, upload.Status)
	require.False(t, upload.Identified, "the service is not told who sends")
}

func ownGroup(t *testing.T, r *Rig) {
	bob, carol, c := r.Contact("bob"), r.Contact("carol"), r.Daemon.Dial()
	reply := c.Must(Request{"command": "create_group", "title": "our own", "description": "about it",
		"members": []string{bob.Number, carol.ACI}, "expiresInSeconds": 86400})
	id := reply.Group().GroupID
	for _, member := range []*Account{bob, carol} {
		e := r.Await("the news of the group", member.Received(func(e Event) bool {
			return e.Content.DataMessage != nil && e.Content.DataMessage.GroupV2 != nil && e.GroupID == id
		}))
		require.Equal(t, r.Me.ACI, e.Source)
	}
	group := r.Group(id)
	state := group.State()
	require.Equal(t, "our own", state.Title)
	require.Equal(t, "about it", state.Description)
	require.Equal(t, 86400, state.Timer)
	require.Equal(t, "off", state.Link)
	require.Len(t, state.Members, 3, "members, not invited: their profile keys are known")
	for _, member := range state.Members {
		require.Equal(t, map[bool]string{true: "admin", false: "member"}[member.ServiceID == r.Me.ACI], member.Role)
	}
	group.inSync(c)

	c.SendGroupText(id, "welcome")
	for _, member := range []*Account{bob, carol} {
		require.Equal(t, "SenderKey", member.AwaitText("welcome").Type)
		member.SendText(r.Me, "thanks from "+member.Name, SendOptions{In: group})
		require.Equal(t, id, c.ReceiveText("thanks from "+member.Name).GroupID)
	}
}

// inGroup are messages of a group that somebody received.
func (a *Account) inGroup(group *Group, match func(*DataMessage) bool) func(Event) bool {
	return a.Received(func(e Event) bool {
		return e.GroupID == group.ID && e.Content.DataMessage != nil && match(e.Content.DataMessage)
	})
}

func groupReactions(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "reactions", Changes{"members": []string{"me", "bob"}})
	sent := alice.SendText(r.Me, "like it, group?", SendOptions{In: group})
	require.Equal(t, group.ID, c.ReceiveText("like it, group?").GroupID)
	c.Must(Request{"command": "send_reaction", "groupId": group.ID, "reaction": map[string]any{
		"emoji": "👍", "author": alice.ACI, "timestamp": sent.Timestamp}})
	for _, member := range []*Account{alice, bob} {
		e := r.Await("our reaction", member.inGroup(group, func(m *DataMessage) bool { return m.Reaction != nil }))
		require.Equal(t, sent.Timestamp, e.Content.DataMessage.Reaction.TargetSentTimestamp)
		require.Equal(t, "SenderKey", e.Type)
	}
	ours := c.SendGroupText(group.ID, "tpyo")
	c.Must(Request{"command": "send_message", "groupId": group.ID,
		"dataMessage": map[string]any{"message": "typo", "editTimestamp": ours}})
	c.Must(Request{"command": "delete_message", "groupId": group.ID, "timestamp": ours})
	for _, member := range []*Account{alice, bob} {
		e := r.Await("our edit", member.Received(func(e Event) bool {
			return e.GroupID == group.ID && e.Content.EditMessage != nil
		}))
		require.Equal(t, ours, e.Content.EditMessage.TargetSentTimestamp)
		require.NotNil(t, e.Content.EditMessage.DataMessage.GroupV2)
		r.Await("our deletion", member.inGroup(group, func(m *DataMessage) bool {
			return m.Delete != nil && m.Delete.TargetSentTimestamp == ours
		}))
	}
	bob.SendData(r.Me, map[string]any{"reaction": map[string]any{"emoji": "🎉", "targetAuthorAciBinary": r.Me.Binary(),
		"targetSentTimestamp": ours}}, SendOptions{In: group})
	got := c.Receive("bob's reaction", 1, []string{"reaction"}, func(m Message) bool { return m.GroupID == group.ID })[0]
	require.Equal(t, "🎉", got.Reaction.Emoji)
	bob.SendContent(r.Me, map[string]any{"editMessage": map[string]any{"targetSentTimestamp": sent.Timestamp,
		"dataMessage": map[string]any{"body": "edited", "timestamp": sent.Timestamp + 1}}},
		SendOptions{In: group, Timestamp: sent.Timestamp + 1})
	got = c.Receive("bob's edit", 1, []string{"edit"}, func(m Message) bool { return m.GroupID == group.ID })[0]
	require.Equal(t, "edited", got.Body)
	bob.SendData(r.Me, map[string]any{"delete": map[string]any{"targetSentTimestamp": sent.Timestamp}},
		SendOptions{In: group})
	c.Receive("bob's deletion", 1, []string{"delete"}, func(m Message) bool { return m.GroupID == group.ID })
	require.Empty(t, r.failures())
}

func groupAttachments(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	group := r.newGroup(c, carol, "attachments", Changes{"members": []string{"me", "dave"}})
	data := make([]byte, 100_000)
	data[0] = 1
	c.Must(Request{"command": "send_message", "groupId": group.ID, "dataMessage": map[string]any{"message": "see this",
		"attachments": []any{map[string]any{"base64Data": base64.StdEncoding.EncodeToString(data), "filename": "a.bin"}}}})
	sum := sha256.Sum256(data)
	for _, name := range []string{"carol", "dave"} {
		e := r.Contact(name).AwaitText("see this")
		require.Len(t, e.Attachments, 1)
		require.Equal(t, hex.EncodeToString(sum[:]), e.Attachments[0].SHA256)
	}
	sent := carol.SendAttachments(r.Me, "and this", []map[string]any{{"size": 5000, "fileName": "b.bin"}},
		SendOptions{In: group})
	got := c.ReceiveText("and this")
	require.Equal(t, group.ID, got.GroupID)
	sum = sha256.Sum256(got.Attachments[0].Data(t))
	require.Equal(t, sent.Attachments[0].SHA256, hex.EncodeToString(sum[:]))
}

func groupReceipts(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	group := r.newGroup(c, dave, "receipts", nil)
	sent := dave.SendText(r.Me, "did it come", SendOptions{In: group})
	c.ReceiveText("did it come")
	r.Await("our delivery receipt", dave.Received(func(e Event) bool {
		receipt := e.Content.ReceiptMessage
		return receipt != nil && receipt.Type == "DELIVERY" && slices.Contains(receipt.Timestamp, sent.Timestamp)
	}))
	c.Must(Request{"command": "send_typing", "groupId": group.ID})
	e := r.Await("our typing", dave.Received(func(e Event) bool {
		return e.Content.TypingMessage != nil && e.Content.TypingMessage.GroupID == group.ID
	}))
	require.Equal(t, dave.Name, e.Account)
	now := time.Now().UnixMilli()
	dave.SendContent(r.Me, map[string]any{"typingMessage": map[string]any{"timestamp": now, "action": "STARTED"}},
		SendOptions{In: group, Timestamp: now})
	c.Receive("dave's typing", 1, []string{"typing"}, func(m Message) bool { return m.GroupID == group.ID })

	dave.Habits("receipts")
	defer dave.Habits()
	ours := c.SendGroupText(group.ID, "and this")
	got := c.Receive("dave's receipt", 1, []string{"receipt"}, func(m Message) bool { return m.SenderUUID == dave.ACI })[0]
	require.Equal(t, []int64{ours}, got.Receipt.Timestamps)
}

func groupTranscripts(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "transcripts", nil)
	timestamp := c.SendGroupText(group.ID, "for the phone too")
	e := r.Await("the transcript", r.Me.Received(func(e Event) bool {
		sync := e.Content.SyncMessage
		return sync != nil && sync.Sent != nil && sync.Sent.Message != nil && sync.Sent.Message.Body == "for the phone too"
	}))
	require.NotNil(t, e.Content.SyncMessage.Sent.Message.GroupV2)
	require.Equal(t, timestamp, e.Content.SyncMessage.Sent.Timestamp)

	r.Me.SendContent(r.Me, map[string]any{"syncMessage": map[string]any{"sent": map[string]any{
		"timestamp": timestamp + 5, "message": map[string]any{"body": "the phone in the group", "timestamp": timestamp + 5,
			"groupV2": map[string]any{"masterKey": e.Content.SyncMessage.Sent.Message.GroupV2.MasterKey, "revision": 0}}}}},
		SendOptions{Unsealed: true, Timestamp: timestamp + 5})
	got := c.Receive("what the phone sent", 1, []string{"sync"}, func(m Message) bool {
		return m.Sync != nil && m.Sync.Sent != nil && m.Sync.Sent.Body == "the phone in the group"
	})[0]
	require.Contains(t, []string{got.GroupID, got.Sync.Sent.GroupID}, group.ID)
}

func announcementsOnly(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "announcements", Changes{"members": []string{"me", "bob"}, "announcementsOnly": true})
	require.True(t, c.GetGroup(group.ID).AnnouncementsOnly)
	reply := c.Do(sendGroupText(group.ID, "may I"))
	require.Equal(t, codePermissionDenied, reply.StatusCode, reply.Line)
	bob.SendText(r.Me, "bob may not", SendOptions{In: group})
	alice.SendText(r.Me, "alice may", SendOptions{In: group})
	got := c.Receive("the admin's text", 1, nil, func(m Message) bool {
		require.NotEqual(t, "bob may not", m.Body)
		return m.Body == "alice may"
	})
	require.Len(t, got, 1)
	group.ChangeAndTell(alice, Changes{"promote": []string{"me"}})
	c.AwaitRevision(group.ID, 1)
	c.SendGroupText(group.ID, "now I may")
	bob.AwaitText("now I may")
	c.Must(updateGroup(group, Request{"announcementsOnly": false}))
	require.False(t, group.State().AnnouncementsOnly)
	bob.SendText(r.Me, "now bob may", SendOptions{In: group})
	c.ReceiveText("now bob may")
}

// A stranger has the master key (somebody told), and a member was removed: neither is heard in the group.
func notAMember(t *testing.T, r *Rig) {
	alice, bob, carol, c := r.Contact("alice"), r.Contact("bob"), r.Contact("carol"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "members only", Changes{"members": []string{"me", "bob"}})
	carol.SendText(r.Me, "a stranger", SendOptions{In: group, Pairwise: true})
	bob.SendText(r.Me, "still a member", SendOptions{In: group})
	c.ReceiveText("still a member")
	group.ChangeAndTell(alice, Changes{"remove": []string{"bob"}})
	bob.SendText(r.Me, "removed", SendOptions{In: group, Revision: 1})
	alice.SendText(r.Me, "the last word", SendOptions{In: group})
	c.Receive("the last word", 1, nil, func(m Message) bool {
		require.NotContains(t, []string{"a stranger", "removed"}, m.Body)
		return m.Body == "the last word"
	})
	r.awaitEmptyQueue()
}

// Groups that the phone wrote to the storage service are known here, with all that is in them.
func phoneGroups(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	zoe, yves := r.NewAccount("zoe"), r.NewAccount("yves")
	group := dave.NewGroup("from the phone", Changes{"members": []string{"me", "alice"}, "admins": []string{"bob"},
		"invited": []string{"carol"}, "link": "approval", "description": "everything", "timer": 5,
		"membersAccess": "admins"})
	zoe.JoinByLink(group.LinkURL(), Changes{"request": true})
	group.Change(dave, Changes{"ban": []string{"yves"}, "invitePni": []string{"yves"}})
	group.Change(dave, Changes{"label": map[string]any{"text": "boss", "emoji": "🎩"}})
	r.Me.SetStorageGroup(group, nil)
	r.fetchStorage()
	c.AwaitGroup("the phone's group", group.ID, func(g GroupView) bool { return g.Membership == "member" })
	group.inSync(c)
	require.Equal(t, []string{yves.ACI}, uuids(c.GetGroup(group.ID).Banned))
}

// fetchStorage has the phone say that it wrote to the storage service.
func (r *Rig) fetchStorage() {
	r.T.Helper()
	r.Me.SendContent(r.Me, map[string]any{"syncMessage": map[string]any{"fetchLatest": map[string]any{
		"type": "STORAGE_MANIFEST"}}}, SendOptions{Unsealed: true})
}

// Groups made here are in the storage service, and the phone's writes lose nothing.
func groupRecords(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	group := r.ourGroup(c, dave, "recorded", nil)
	r.await("the record of our group", func() bool { return r.Me.StorageGroups()[group.ID].Whitelisted })
	r.Me.SetStorageGroup(group, map[string]any{"blocked": true})
	r.fetchStorage()
	c.AwaitGroup("the phone to block it", group.ID, func(g GroupView) bool { return g.Blocked })
	reply := c.Do(Request{"command": "delete_group", "groupId": group.ID})
	require.Equal(t, codeInvalidArgument, reply.StatusCode, "the last admin needs a successor: %s", reply.Line)
	c.Must(Request{"command": "leave_group", "groupId": group.ID, "adminToPromote": dave.ACI})
	c.Must(Request{"command": "delete_group", "groupId": group.ID})
	r.await("the record to go", func() bool { _, there := r.Me.StorageGroups()[group.ID]; return !there })
}

func listGroups(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	var ids []string
	for i := range 3 {
		ids = append(ids, r.newGroup(c, alice, fmt.Sprintf("listed %d", i), nil).ID)
	}
	for _, details := range []bool{false, true} {
		found := map[string]GroupView{}
		for _, group := range c.Must(Request{"command": "list_groups", "details": details}).Groups {
			found[group.GroupID] = group
		}
		for i, id := range ids {
			require.Equal(t, fmt.Sprintf("listed %d", i), found[id].Title)
			require.Equal(t, details, len(found[id].Members) == 2)
		}
	}
}
