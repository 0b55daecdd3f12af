package interop

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each code that a command about groups can answer, and that nothing changes where it fails.
func TestGroupStatusCodes(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob")
		alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
		group := r.newGroup(c, alice, "codes", Changes{"members": []string{"me", "bob"}})
		strict := r.newGroup(c, alice, "strict", Changes{"attributesAccess": "admins", "membersAccess": "admins"})
		left := r.newGroup(c, alice, "left", nil)
		c.Must(Request{"command": "leave_group", "groupId": left.ID})
		unknown := base64.StdEncoding.EncodeToString(make([]byte, 32))
		legacy := base64.StdEncoding.EncodeToString(make([]byte, 16))
		update := func(id string, fields Request) Request { return updateGroup(r.Group(id), fields) }
		tests := []struct {
			name    string
			code    int
			request Request
		}{
			{"get: malformed id", codeInvalidNumber, Request{"command": "get_group", "groupId": "short"}},
			{"get: no id", codeInvalidRecipient, Request{"command": "get_group"}},
			{"get: unknown", codeGroupNotFound, Request{"command": "get_group", "groupId": unknown}},
			{"get: groups v1", codeGroupNotFound, Request{"command": "get_group", "groupId": legacy}},
			{"send: groups v1", codeGroupNotFound, sendGroupText(legacy, "x")},
			{"send: unknown", codeGroupNotFound, sendGroupText(unknown, "x")},
			{"react: unknown", codeGroupNotFound, Request{"command": "send_reaction", "groupId": unknown,
				"reaction": map[string]any{"emoji": "👍", "author": alice.ACI, "timestamp": 1}}},
			{"create: no title", codeInvalidArgument, Request{"command": "create_group", "members": []string{alice.ACI}}},
			{"create: title too long", codeInvalidArgument, Request{"command": "create_group",
				"title": strings.Repeat("t", 1000)}},
			{"create: description too long", codeInvalidArgument, Request{"command": "create_group", "title": "x",
				"description": strings.Repeat("d", 10_000)}},
			{"create: a member who is no number", codeInvalidNumber, Request{"command": "create_group", "title": "x",
				"members": []string{"+12"}}},
			{"create: unknown link state", codeInvalidArgument, Request{"command": "create_group", "title": "x",
				"link": "perhaps"}},
			{"create: unknown permission", codeInvalidArgument, Request{"command": "create_group", "title": "x",
				"permissions": map[string]any{"addMembers": "anybody"}}},
			{"create: bad picture", codeInvalidAttachment, Request{"command": "create_group", "title": "x",
				"avatar": map[string]any{"base64Data": "not base64!"}}},
			{"update: nothing", codeInvalidArgument, update(group.ID, nil)},
			{"update: unknown group", codeGroupNotFound, update(unknown, Request{"title": "x"})},
			{"update: empty title", codeInvalidArgument, update(group.ID, Request{"title": ""})},
			{"update: title too long", codeInvalidArgument, update(group.ID, Request{"title": strings.Repeat("t", 1000)})},
			{"update: wrong type", codeInvalidArgument, update(group.ID, Request{"addMembers": map[string]any{"x": 1}})},
			{"update: label too long", codeInvalidArgument, update(group.ID, Request{"label": strings.Repeat("l", 200)})},
			{"update: unknown link state", codeInvalidArgument, update(group.ID, Request{"link": "perhaps"})},
			{"update: title, not an admin", codePermissionDenied, update(strict.ID, Request{"title": "x"})},
			{"update: member, not an admin", codePermissionDenied, update(strict.ID, Request{"addMembers": []string{bob.ACI}})},
			{"update: timer, not an admin", codePermissionDenied, update(strict.ID, Request{"expiresInSeconds": 5})},
			{"update: remove, not an admin", codePermissionDenied, update(group.ID, Request{"removeMembers": []string{bob.ACI}})},
			{"update: promote, not an admin", codePermissionDenied, update(group.ID, Request{"addAdmins": []string{bob.ACI}})},
			{"update: ban, not an admin", codePermissionDenied, update(group.ID, Request{"ban": []string{bob.ACI}})},
			{"update: link, not an admin", codePermissionDenied, update(group.ID, Request{"link": "on"})},
			{"update: permissions, not an admin", codePermissionDenied, update(group.ID, Request{
				"permissions": map[string]any{"addMembers": "admins"}})},
			{"update: announcements, not an admin", codePermissionDenied, update(group.ID, Request{"announcementsOnly": true})},
			{"timer: not an admin", codePermissionDenied, Request{"command": "set_expiration", "groupId": strict.ID,
				"expiresInSeconds": 5}},
			{"leave: unknown", codeGroupNotFound, Request{"command": "leave_group", "groupId": unknown}},
			{"join: neither", codeInvalidArgument, Request{"command": "join_group"}},
			{"join: unknown id", codeGroupNotFound, Request{"command": "join_group", "groupId": unknown}},
			{"join: not invited", codeNotAMember, Request{"command": "join_group", "groupId": left.ID}},
			{"update: left", codeNotAMember, update(left.ID, Request{"title": "x"})},
			{"join: no link", codeInvalidArgument, Request{"command": "join_group", "link": "https://signal.group/"}},
			{"preview: no link", codeInvalidArgument, Request{"command": "get_group_link_info"}},
			{"delete: unknown", codeGroupNotFound, Request{"command": "delete_group", "groupId": unknown}},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				reply := c.Do(test.request)
				require.Equal(t, test.code, reply.StatusCode, reply.Line)
				require.NotEmpty(t, reply.ErrorMessage)
			})
		}
		t.Run("groups v1 are named in the message", func(t *testing.T) {
			require.Contains(t, c.Do(sendGroupText(legacy, "x")).ErrorMessage, "legacy")
		})
		require.Equal(t, "member", c.Must(Request{"command": "join_group", "groupId": group.ID}).Group().Membership)
		require.Zero(t, group.State().Revision, "nothing was changed")
		require.Zero(t, strict.State().Revision)
	})
}

// What the service makes up is not believed, and the daemon goes on.
func TestGroupForgeries(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("a state", forgedState)
		run("the signature of a change", forgedSignature)
		run("a credential of a profile key", forgedProfileCredential)
		run("endorsements", forgedEndorsements)
	})
}

func forgedState(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	link := alice.NewGroup("made up", Changes{"link": "on"}).LinkURL()
	r.Forge("state", 100)
	reply := c.Do(Request{"command": "join_group", "link": link})
	r.Forge("state", 0)
	require.Equal(t, codeNetwork, reply.StatusCode, reply.Line)
	require.NotEmpty(t, reply.ErrorMessage)
	require.Equal(t, "member", c.Must(Request{"command": "join_group", "link": link}).Group().Membership)
}

// A change that the service has not signed has no author: what is so is told, and not who did it.
func forgedSignature(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "signed", nil)
	r.Forge("signature", 100) // before the change: signalbox may still be fetching the new group
	group.Change(alice, Changes{"title": "says who"})
	c.Do(Request{"command": "get_group", "groupId": group.ID, "refresh": true})
	r.Forge("signature", 0)
	view := c.Must(Request{"command": "get_group", "groupId": group.ID, "refresh": true}).Group()
	require.Equal(t, group.State().comparable(), view.comparable())
	change := c.Changes(group.ID, 1)[0]
	require.Equal(t, "titleChanged", change.Kind)
	require.Nil(t, change.Editor)
	r.Forge("signature", 100)
	c.Do(updateGroup(group, Request{"title": "says me"}))
	r.Forge("signature", 0)
	c.Must(Request{"command": "get_group", "groupId": group.ID, "refresh": true})
	group.inSync(c)
}

func forgedProfileCredential(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	group := r.newGroup(c, alice, "credentials", nil)
	r.Forge("profileCredential", 100)
	reply := c.Do(updateGroup(group, Request{"addMembers": []string{bob.ACI}}))
	r.Forge("profileCredential", 0)
	require.Equal(t, codeNetwork, reply.StatusCode, reply.Line)
	require.Zero(t, group.State().Revision)
	c.Must(updateGroup(group, Request{"addMembers": []string{bob.ACI}}))
	require.Len(t, group.State().Members, 3)
}

// Without endorsements a message still gets there.
func forgedEndorsements(t *testing.T, r *Rig) {
	alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
	r.Forge("endorsements", 1000)
	group := r.newGroup(c, alice, "endorsements", Changes{"members": []string{"me", "bob"}})
	c.SendGroupText(group.ID, "all the same")
	r.Forge("endorsements", 0)
	alice.AwaitText("all the same")
	bob.AwaitText("all the same")
}

// Credentials of the first day do not verify: no group can be asked about, and everything else works.
func TestGroupCredentialsForged(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{Unlinked: true}, "alice")
		alice := r.Contact("alice")
		r.Forge("authCredential", 1000)
		r.Daemon.Link(r.Me)
		r.Daemon.Start()
		r.AwaitConnected(1)
		c := r.Daemon.Dial()
		link := alice.NewGroup("out of reach", Changes{"link": "on"}).LinkURL()
		reply := c.Do(Request{"command": "get_group_link_info", "link": link})
		require.Equal(t, codeNetwork, reply.StatusCode, reply.Line)
		alice.SendText(r.Me, "one to one", SendOptions{})
		c.ReceiveText("one to one")
		r.Forge("authCredential", 0)
		r.await("the credentials of an honest service", func() bool {
			return c.Do(Request{"command": "get_group_link_info", "link": link}).StatusCode == 0
		})
	})
}
