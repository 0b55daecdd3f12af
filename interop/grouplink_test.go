package interop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Links: made, read and followed, by us and by others.
func TestGroupLinks(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("theirs, open", joinOpen)
		run("theirs, with approval", joinApproval)
		run("theirs, and we take the request back", takeBack)
		run("ours, open", ourLink)
		run("ours, with approval", ourApproval)
		run("links that lead nowhere", deadLinks)
	})
}

func joinOpen(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := alice.NewGroup("open to all", Changes{"link": "on", "description": "come in", "members": []string{"bob"}})
	link := group.LinkURL()
	preview := c.Must(Request{"command": "get_group_link_info", "link": link}).Preview()
	require.Equal(t, GroupPreview{GroupID: group.ID, Title: "open to all", Description: "come in", MemberCount: 2,
		Link: "on"}, preview)
	view := c.Must(Request{"command": "join_group", "link": link}).Group()
	require.Equal(t, "member", view.Membership)
	require.Equal(t, 1, view.Revision)
	group.inSync(c)
	alice.hears(group, 1)
	c.SendGroupText(group.ID, "I came in")
	alice.AwaitText("I came in")
	r.Contact("bob").AwaitText("I came in")
	again := c.Do(Request{"command": "join_group", "link": link})
	require.Contains(t, []int{0, codeInvalidArgument}, again.StatusCode, again.Line)
	require.Equal(t, 1, group.State().Revision, "joining twice changes nothing")
	require.Equal(t, "member", c.Must(Request{"command": "get_group_link_info", "link": link}).Preview().Membership)
}

func joinApproval(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	group := bob.NewGroup("ask first", Changes{"link": "approval"})
	link := group.LinkURL()
	require.Equal(t, "approval", c.Must(Request{"command": "get_group_link_info", "link": link}).Preview().Link)
	require.Equal(t, "requesting", c.Must(Request{"command": "join_group", "link": link}).Group().Membership)
	require.Equal(t, []string{r.Me.ACI}, group.State().Requesting)
	require.Equal(t, codeNotAMember, c.Do(sendGroupText(group.ID, "not yet")).StatusCode)
	require.True(t, c.Must(Request{"command": "get_group_link_info", "link": link}).Preview().PendingApproval)
	group.ChangeAndTell(bob, Changes{"approve": []string{"me"}})
	c.AwaitGroup("the approval", group.ID, func(g GroupView) bool { return g.Membership == "member" })
	group.inSync(c)
	c.SendGroupText(group.ID, "thank you")
	bob.AwaitText("thank you")
}

func takeBack(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	group := carol.NewGroup("never mind", Changes{"link": "approval"})
	require.Equal(t, "requesting", c.Must(Request{"command": "join_group", "link": group.LinkURL()}).Group().Membership)
	c.Must(Request{"command": "leave_group", "groupId": group.ID})
	require.Empty(t, group.State().Requesting)
	require.NotEqual(t, "requesting", c.GetGroup(group.ID).Membership)
}

func ourLink(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.ourGroup(c, alice, "our link", Request{"link": "on"})
	view := c.GetGroup(group.ID)
	require.NotEmpty(t, view.LinkURL)
	require.Equal(t, group.LinkURL(), view.LinkURL, "as the official library writes it")
	bob.JoinByLink(view.LinkURL, Changes{"join": true})
	group.ChangeAndMention(alice, Changes{"title": "somebody came"})
	changes := c.Changes(group.ID, 2)
	requireChange(t, changes[0], "memberJoinedByLink", bob, 1)
	reset := c.Must(updateGroup(group, Request{"resetLink": true})).Group()
	require.NotEqual(t, view.LinkURL, reset.LinkURL)
	require.Equal(t, group.LinkURL(), reset.LinkURL)
	require.Empty(t, c.Must(updateGroup(group, Request{"link": "off"})).Group().LinkURL)
}

func ourApproval(t *testing.T, r *Rig) {
	alice, bob, carol, c := r.Contact("alice"), r.Contact("bob"), r.Contact("carol"), r.Daemon.Dial()
	group := r.ourGroup(c, alice, "we approve", Request{"link": "approval"})
	view := c.GetGroup(group.ID)
	for _, somebody := range []*Account{bob, carol} {
		somebody.JoinByLink(view.LinkURL, Changes{"request": true})
	}
	alice.SendText(r.Me, "two are waiting", SendOptions{In: group})
	for _, change := range c.Changes(group.ID, 2) {
		require.Equal(t, "joinRequested", change.Kind)
	}
	require.Len(t, c.GetGroup(group.ID).Requesting, 2)
	c.Must(updateGroup(group, Request{"approve": []string{bob.ACI}}))
	c.Must(updateGroup(group, Request{"deny": []string{carol.ACI}}))
	state := group.State()
	require.Len(t, state.Members, 3)
	require.Empty(t, state.Requesting)
	group.inSync(c)
	c.SendGroupText(group.ID, "welcome, bob")
	bob.AwaitText("welcome, bob")
	require.Zero(t, carol.count("welcome, bob"))
}

func deadLinks(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	off := alice.NewGroup("closed", Changes{"link": "on"})
	link := off.LinkURL()
	off.Change(alice, Changes{"resetLink": true})
	banned := alice.NewGroup("not you", Changes{"link": "on"})
	banned.Change(alice, Changes{"ban": []string{"me"}})
	for _, command := range []string{"get_group_link_info", "join_group"} {
		reply := c.Do(Request{"command": command, "link": link})
		require.Equal(t, codeNotFound, reply.StatusCode, reply.Line)
		reply = c.Do(Request{"command": command, "link": banned.LinkURL()})
		require.Equal(t, codePermissionDenied, reply.StatusCode, reply.Line)
		for _, malformed := range []string{"https://signal.group/#", "https://signal.group/#AAAA", "https://example.com/#" +
			link[len("https://signal.group/#"):], "nothing", link[:len(link)-9]} {
			reply = c.Do(Request{"command": command, "link": malformed})
			require.Equal(t, codeInvalidArgument, reply.StatusCode, "%s: %s", malformed, reply.Line)
		}
	}
	off.Change(alice, Changes{"link": "off"})
	require.Equal(t, codeNotFound, c.Do(Request{"command": "join_group", "link": off.LinkURL()}).StatusCode)
}
