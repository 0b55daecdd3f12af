package interop

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Groups that change: by others, by us, by both at once, and while we are away.
func TestGroupChanges(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol", "dave")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("by others, told with the change", theyChange)
		run("by others, told by the revision alone", theyMention)
		run("by us", weChange)
		run("by us, all of it in one call", weChangeAll)
		run("by our phone", phoneChanges)
		run("what others did with members", theirMembers)
		run("what we do with members", ourMembers)
		run("an invitation by our account", invitedByACI)
		run("an invitation by our number", invitedByPNI)
		run("an invitation that we decline", declined)
		run("we are removed and added again", removedAndBack)
		run("we leave, with a successor", weLeave)
		run("at the same time as others", conflicts)
		run("pictures", groupAvatars)
		run("labels", groupLabels)
		run("the end of a group", terminated)
		run("a group that is deleted here", deletedGroup)
		run("50 revisions missed", missedRevisions) // the last: the daemon that it starts ends with it
	})
}

func theyChange(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "before", Changes{"members": []string{"me"}, "admins": []string{"bob"}})
	for i, step := range []struct {
		by            *Account
		changes       Changes
		kind          string
		before, after string
	}{
		{alice, Changes{"title": "after"}, "titleChanged", "before", "after"},
		{bob, Changes{"description": "said"}, "descriptionChanged", "", "said"},
		{alice, Changes{"timer": 60}, "timerChanged", "0", "60"},
		{alice, Changes{"timer": 0}, "timerChanged", "60", "0"},
		{bob, Changes{"announcementsOnly": true}, "announcementsChanged", "false", "true"},
		{alice, Changes{"attributesAccess": "admins"}, "editDetailsChanged", "members", "admins"},
		{alice, Changes{"membersAccess": "admins"}, "addMembersChanged", "members", "admins"},
		{alice, Changes{"labelAccess": "admins"}, "editLabelsChanged", "members", "admins"},
		{alice, Changes{"link": "approval"}, "linkChanged", "off", "approval"},
		{bob, Changes{"link": "on"}, "linkChanged", "approval", "on"},
		{bob, Changes{"resetLink": true}, "linkReset", "", ""},
		{bob, Changes{"link": "off"}, "linkChanged", "on", "off"},
	} {
		require.Equal(t, i+1, group.ChangeAndTell(step.by, step.changes))
		change := c.Changes(group.ID, 1)[0]
		requireChange(t, change, step.kind, step.by, i+1)
		require.Equal(t, step.before, change.Before, "%+v", change)
		require.Equal(t, step.after, change.After, "%+v", change)
	}
	group.inSync(c)
	group.ChangeAndTell(alice, Changes{"title": "both", "description": "at once"})
	changes := c.Changes(group.ID, 2)
	require.ElementsMatch(t, []string{"titleChanged", "descriptionChanged"}, []string{changes[0].Kind, changes[1].Kind})
}

// A mention can come while the group is being fetched for another reason: several rounds meet that.
func theyMention(t *testing.T, r *Rig) {
	for range 5 {
		mention(t, r)
	}
}

func mention(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "mention", nil)
	group.Change(alice, Changes{"title": "told nobody"})
	require.Equal(t, 2, group.ChangeAndMention(alice, Changes{"timer": 30}))
	changes := c.Changes(group.ID, 2)
	requireChange(t, changes[0], "titleChanged", alice, 1)
	requireChange(t, changes[1], "timerChanged", alice, 2)
	group.inSync(c)
	// A text that names a newer revision comes after the changes that led there.
	group.Change(alice, Changes{"title": "before the text"})
	alice.SendText(r.Me, "after the change", SendOptions{In: group})
	var order []string
	c.Receive("the text", 1, nil, func(m Message) bool {
		if m.GroupID == group.ID {
			order = append(order, m.Type)
		}
		return m.Body == "after the change"
	})
	require.Equal(t, []string{"groupChange", "message"}, order)
}

// hears waits until a contact has had a message with the group's revision, and the signed change in it.
func (a *Account) hears(group *Group, revision int) {
	a.mock.t.Helper()
	a.mock.Await(a.Name+" to hear of the change", a.inGroup(group, func(m *DataMessage) bool {
		return m.GroupV2 != nil && m.GroupV2.Revision == revision && m.GroupV2.GroupChange != ""
	}))
}

func weChange(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.ourGroup(c, alice, "ours", Request{"members": []string{alice.ACI, bob.ACI}})
	for i, fields := range []Request{
		{"title": "ours, renamed"},
		{"description": "what it is for"},
		{"expiresInSeconds": 600},
		{"announcementsOnly": true},
		{"permissions": map[string]any{"addMembers": "admins"}},
		{"permissions": map[string]any{"editDetails": "admins"}},
		{"link": "on"},
		{"link": "approval"},
		{"resetLink": true},
		{"link": "off"},
		{"addAdmins": []string{alice.ACI}},
		{"removeAdmins": []string{alice.ACI}},
		{"removeMembers": []string{bob.ACI}},
		{"addMembers": []string{bob.ACI}},
	} {
		reply := c.Must(updateGroup(group, fields))
		require.Equal(t, i+1, reply.Group().Revision, reply.Line)
		require.Len(t, reply.Done, 1, reply.Line)
		require.Equal(t, group.State().comparable(), reply.Group().comparable(), "after %v", fields)
		alice.hears(group, i+1)
	}
	reply := c.Must(Request{"command": "set_expiration", "groupId": group.ID, "expiresInSeconds": 0})
	require.Zero(t, group.State().Timer, reply.Line)
	entries := c.Must(Request{"command": "receive_messages", "timeout": 0, "types": []string{"groupChange"}}).Messages
	require.Empty(t, entries, "what we did ourselves is no news")
}

func weChangeAll(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.ourGroup(c, alice, "all", nil)
	reply := c.Must(updateGroup(group, Request{"title": "everything", "description": "at once",
		"expiresInSeconds": 5, "announcementsOnly": true, "link": "on", "addMembers": []string{r.Contact("carol").ACI},
		"addAdmins": []string{alice.ACI}, "ban": []string{r.Contact("dave").ACI},
		"permissions": map[string]any{"addMembers": "admins", "editDetails": "admins", "editLabels": "admins"}}))
	require.Subset(t, reply.Done, []string{"title", "description", "expiresInSeconds", "announcementsOnly", "link",
		"addMembers", "addAdmins", "ban"})
	group.inSync(c)
	state := group.State()
	require.Equal(t, "everything", state.Title)
	require.Len(t, state.Members, 3)
	require.Equal(t, []string{r.Contact("dave").ACI}, state.Banned)
	require.LessOrEqual(t, state.Revision, 2, "as few revisions as the service allows")

	bob := r.Contact("bob")
	reply = c.Must(updateGroup(group, Request{"addMembers": []string{bob.ACI}, "addAdmins": []string{bob.ACI}}))
	require.ElementsMatch(t, []string{"addMembers", "addAdmins"}, reply.Done)
	group.inSync(c)
	require.Len(t, group.State().Members, 4)
}

// Another device of ours changes the group: an entry, by us.
func phoneChanges(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "phone", Changes{"members": []string{}, "admins": []string{"me"}})
	group.Change(r.Me, Changes{"title": "by the phone"})
	alice.SendText(r.Me, "nice title", SendOptions{In: group})
	change := c.Changes(group.ID, 1)[0]
	requireChange(t, change, "titleChanged", r.Me, 1)
	require.True(t, change.Editor.Self)
}

func affected(change GroupChange) []string { return uuids(change.Affected) }

func theirMembers(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	carol, dave := r.Contact("carol"), r.Contact("dave")
	group := r.newGroup(c, alice, "members", nil)
	for i, step := range []struct {
		by       *Account
		changes  Changes
		kind     string
		affected *Account
	}{
		{alice, Changes{"add": []string{"bob"}}, "memberAdded", bob},
		{alice, Changes{"invite": []string{"carol"}}, "memberInvited", carol},
		{carol, Changes{"accept": true}, "invitationAccepted", carol},
		{alice, Changes{"promote": []string{"carol"}}, "roleChanged", carol},
		{carol, Changes{"demote": []string{"alice"}}, "roleChanged", alice},
		{carol, Changes{"promote": []string{"alice"}}, "roleChanged", alice},
		{alice, Changes{"invite": []string{"dave"}}, "memberInvited", dave},
		{dave, Changes{"decline": true}, "invitationDeclined", dave},
		{alice, Changes{"invite": []string{"dave"}}, "memberInvited", dave},
		{alice, Changes{"revoke": []string{"dave"}}, "invitationRevoked", dave},
		{alice, Changes{"remove": []string{"bob"}}, "memberRemoved", bob},
		{alice, Changes{"ban": []string{"bob"}}, "memberBanned", bob},
		{alice, Changes{"unban": []string{"bob"}}, "memberUnbanned", bob},
		{carol, Changes{"leave": true}, "memberLeft", carol},
	} {
		revision := group.ChangeAndTell(step.by, step.changes)
		require.Equal(t, i+1, revision)
		change := c.Changes(group.ID, 1)[0]
		requireChange(t, change, step.kind, step.by, revision)
		require.Equal(t, []string{step.affected.ACI}, affected(change), "%+v", change)
	}
	group.ChangeAndTell(alice, Changes{"invitePni": []string{"dave"}})
	require.Equal(t, "memberInvited", c.Changes(group.ID, 1)[0].Kind)
	require.Len(t, c.GetGroup(group.ID).Pending, 1)
	group.ChangeAndTell(dave, Changes{"acceptPni": true})
	require.Equal(t, "invitationAccepted", c.Changes(group.ID, 1)[0].Kind)
	group.inSync(c)
	c.SendGroupText(group.ID, "to who is left")
	alice.AwaitText("to who is left")
	dave.AwaitText("to who is left")
	require.Zero(t, bob.count("to who is left"))
	require.Zero(t, carol.count("to who is left"))
}

func ourMembers(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	stranger := r.NewAccount("stranger")
	group := r.ourGroup(c, alice, "inviting", Request{"members": []string{alice.ACI, stranger.ACI},
		"admins": []string{bob.ACI}})
	state := group.State()
	require.Len(t, state.Members, 3)
	require.Len(t, state.Pending, 1, "who has not shown us a profile key can only be invited")
	require.Equal(t, stranger.ACI, state.Pending[0].ServiceID)
	group.ChangeAndTell(stranger, Changes{"accept": true})
	require.Equal(t, "invitationAccepted", c.Changes(group.ID, 1)[0].Kind)
	c.Must(updateGroup(group, Request{"addMembers": []string{r.Contact("carol").PNI}}))
	require.Equal(t, r.Contact("carol").PNI, group.State().Pending[0].ServiceID, "by number, as asked")
	c.Must(updateGroup(group, Request{"removeMembers": []string{r.Contact("carol").PNI}}))
	require.Empty(t, group.State().Pending)
	c.Must(updateGroup(group, Request{"ban": []string{stranger.ACI}}))
	require.Equal(t, []string{stranger.ACI}, group.State().Banned)
	require.Len(t, group.State().Members, 3, "a ban removes")
	c.Must(updateGroup(group, Request{"unban": []string{stranger.ACI}}))
	require.Empty(t, group.State().Banned)
	group.inSync(c)
}

func invitedByACI(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := alice.NewGroup("invitation", Changes{"invited": []string{"me"}, "announceTo": "me"})
	c.AwaitGroup("the invitation", group.ID, func(g GroupView) bool { return g.Membership == "invited" })
	require.Equal(t, codeNotAMember, c.Do(sendGroupText(group.ID, "too early")).StatusCode)
	reply := c.Must(Request{"command": "join_group", "groupId": group.ID})
	require.Equal(t, "member", reply.Group().Membership)
	require.Len(t, group.State().Members, 2)
	group.inSync(c)
	alice.hears(group, 1)
	c.SendGroupText(group.ID, "thanks for having me")
	alice.AwaitText("thanks for having me")
}

func invitedByPNI(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	group := bob.NewGroup("invitation by number", Changes{"invitedPni": []string{"me"}, "announceTo": "me"})
	c.AwaitGroup("the invitation", group.ID, func(g GroupView) bool { return g.Membership == "invited" })
	reply := c.Must(Request{"command": "join_group", "groupId": group.ID})
	require.Equal(t, "member", reply.Group().Membership)
	state := group.State()
	require.Empty(t, state.Pending)
	require.Equal(t, r.Me.ACI, state.Members[1].ServiceID, "a member by the account, not by the number")
	group.inSync(c)
	c.SendGroupText(group.ID, "it is me")
	bob.AwaitText("it is me")
}

func declined(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	for _, how := range []string{"invited", "invitedPni"} {
		group := carol.NewGroup("declined", Changes{how: []string{"me"}, "announceTo": "me"})
		c.AwaitGroup("the invitation", group.ID, func(g GroupView) bool { return g.Membership == "invited" })
		require.Equal(t, "left", c.Must(Request{"command": "leave_group", "groupId": group.ID}).Group().Membership)
		require.Empty(t, group.State().Pending)
		require.Equal(t, codeNotAMember, c.Do(sendGroupText(group.ID, "no")).StatusCode)
	}
}

func removedAndBack(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "in and out", Changes{"members": []string{"me", "bob"}})
	c.SendGroupText(group.ID, "first time")
	bob.AwaitText("first time")
	for round := range 2 {
		group.ChangeAndTell(alice, Changes{"remove": []string{"me"}})
		change := c.Changes(group.ID, 1)[0]
		require.Equal(t, "memberRemoved", change.Kind)
		require.Equal(t, []string{r.Me.ACI}, affected(change))
		require.Equal(t, "removed", c.GetGroup(group.ID).Membership)
		require.Equal(t, codeNotAMember, c.Do(sendGroupText(group.ID, "gone")).StatusCode)
		require.Equal(t, codeNotAMember, c.Do(updateGroup(group, Request{"title": "x"})).StatusCode)
		group.Change(alice, Changes{"title": fmt.Sprintf("behind our back %d", round)})
		group.ChangeAndTell(alice, Changes{"add": []string{"me"}})
		c.AwaitGroup("to be back", group.ID, func(g GroupView) bool { return g.Membership == "member" })
		group.inSync(c)
		body := fmt.Sprintf("back again %d", round)
		c.SendGroupText(group.ID, body)
		bob.AwaitText(body)
		bob.SendText(r.Me, "welcome back "+body, SendOptions{In: group})
		c.ReceiveText("welcome back " + body)
	}
	// Removed without being told: found out when sending.
	group.Change(alice, Changes{"remove": []string{"me"}})
	require.Equal(t, codeNotAMember, c.Do(updateGroup(group, Request{"title": "x"})).StatusCode)
	c.AwaitGroup("to notice", group.ID, func(g GroupView) bool { return g.Membership == "removed" })
}

func weLeave(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.ourGroup(c, alice, "left", Request{"members": []string{alice.ACI, bob.ACI}})
	reply := c.Do(Request{"command": "leave_group", "groupId": group.ID})
	require.Equal(t, codeInvalidArgument, reply.StatusCode, "the last admin needs a successor: %s", reply.Line)
	reply = c.Must(Request{"command": "leave_group", "groupId": group.ID, "adminToPromote": bob.ACI})
	require.Equal(t, "left", reply.Group().Membership)
	state := group.State()
	require.Len(t, state.Members, 2)
	for _, member := range state.Members {
		require.Equal(t, map[bool]string{true: "admin", false: "member"}[member.ServiceID == bob.ACI], member.Role)
	}
	require.Equal(t, codeNotAMember, c.Do(sendGroupText(group.ID, "after all")).StatusCode)
	require.Equal(t, "left", c.GetGroup(group.ID).Membership)
}

func conflicts(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "conflict", Changes{"members": []string{}, "admins": []string{"me"}})
	group.Interpose(alice, 1, Changes{"description": "alice was faster"})
	reply := c.Must(updateGroup(group, Request{"title": "both hold"}))
	require.Equal(t, 2, reply.Group().Revision)
	group.inSync(c)
	require.Equal(t, "alice was faster", group.State().Description)
	require.Equal(t, "both hold", group.State().Title)
	requireChange(t, c.Changes(group.ID, 1)[0], "descriptionChanged", alice, 1)

	group.Interpose(alice, 4, Changes{"timer": 77})
	c.Must(updateGroup(group, Request{"title": "at the fifth try"}))
	require.Equal(t, "at the fifth try", group.State().Title)
	group.inSync(c)

	group.Interpose(alice, 1, Changes{"demote": []string{"me"}})
	reply = c.Do(updateGroup(group, Request{"link": "on"}))
	require.Equal(t, codePermissionDenied, reply.StatusCode, "no admin any more: %s", reply.Line)
	group.inSync(c)
}

func missedRevisions(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "missed", nil)
	connections := r.Connections()
	require.NoError(t, r.Daemon.Stop())
	group.Retitle(alice, 50, "title ")
	alice.SendText(r.Me, "you missed a lot", SendOptions{In: group})
	r.Daemon.Start()
	r.AwaitConnected(connections + 1)
	c = r.Daemon.Dial()
	var revisions []int
	c.Receive("the text after all that", 1, nil, func(m Message) bool {
		if m.GroupChange != nil && m.GroupID == group.ID {
			revisions = append(revisions, m.GroupChange.Revision)
		}
		return m.Body == "you missed a lot"
	})
	require.Len(t, revisions, 50, "an entry for each, before the text")
	for i, revision := range revisions {
		require.Equal(t, i+1, revision)
	}
	group.inSync(c)
	group.Retitle(alice, 150, "more ") // more than a page of the service's log
	group.ChangeAndMention(alice, Changes{"title": "enough"})
	require.Len(t, c.Changes(group.ID, 151), 151)
	group.inSync(c)
}

// A picture of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func groupAvatars(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "pictures", nil)
	group.ChangeAndTell(alice, Changes{"avatar": pixel})
	require.Equal(t, "avatarChanged", c.Changes(group.ID, 1)[0].Kind)
	avatar := c.Must(Request{"command": "get_group", "groupId": group.ID, "avatar": true}).Group().Avatar
	require.NotNil(t, avatar)
	require.Equal(t, pixel, avatar.Base64Data)
	other := base64.StdEncoding.EncodeToString(append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 50_000)...))
	c.Must(updateGroup(group, Request{"avatar": map[string]any{"base64Data": other}}))
	require.Equal(t, other, group.State().Avatar)
	c.Must(updateGroup(group, Request{"removeAvatar": true}))
	require.Empty(t, group.State().Avatar)
	require.False(t, c.GetGroup(group.ID).HasAvatar)

	pictured := r.ourGroup(c, alice, "pictured", Request{"avatar": map[string]any{"base64Data": pixel}})
	require.Equal(t, pixel, pictured.State().Avatar)
}

func groupLabels(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, bob, "labels", nil)
	group.ChangeAndTell(bob, Changes{"label": map[string]any{"text": "boss", "emoji": "🎩"}})
	require.Equal(t, "labelChanged", c.Changes(group.ID, 1)[0].Kind)
	c.Must(updateGroup(group, Request{"label": "robot", "labelEmoji": "🤖"}))
	for _, member := range group.State().Members {
		if member.ServiceID == r.Me.ACI {
			require.Equal(t, "robot", member.Label)
			require.Equal(t, "🤖", member.Emoji)
		}
	}
	group.inSync(c)
}

func terminated(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	group := r.newGroup(c, carol, "ending", nil)
	group.ChangeAndTell(carol, Changes{"terminate": true})
	require.Equal(t, "terminated", c.Changes(group.ID, 1)[0].Kind)
	require.NotZero(t, c.Do(sendGroupText(group.ID, "too late")).StatusCode)
}

func deletedGroup(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	group := r.newGroup(c, dave, "deleted", nil)
	c.Must(Request{"command": "delete_group", "groupId": group.ID})
	require.Len(t, group.State().Members, 1)
	require.Equal(t, codeGroupNotFound, c.Do(Request{"command": "get_group", "groupId": group.ID}).StatusCode)
	require.Equal(t, codeGroupNotFound, c.Do(sendGroupText(group.ID, "gone")).StatusCode)
}
