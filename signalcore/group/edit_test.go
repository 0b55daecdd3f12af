package group

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// told is a difference without its revision.
type told struct {
	Kind          model.GroupChangeKind
	Editor        serviceid.ServiceID
	Affected      []serviceid.ServiceID
	Before, After string
}

func tell(changes []model.GroupChange) []told {
	var out []told
	for _, c := range changes {
		out = append(out, told{c.Kind, c.Editor, c.Affected, c.Before, c.After})
	}
	return out
}

// last is what is told of the last revision, with the change and without.
func (w *world) do(who int, wish func(*Edit) error) (byChange, byStates []told) {
	w.t.Helper()
	before := w.state
	e, err := w.state.Edit(w.params, w.people[who].Identity, w.random)
	require.NoError(w.t, err)
	require.NoError(w.t, wish(e))
	actions, something := e.Actions()
	require.True(w.t, something)
	return w.follow(before, who, nil, actions)
}

func (w *world) follow(
	before State, who int, password []byte, actions *servicepb.GroupChange_Actions,
) (byChange, byStates []told) {
	w.t.Helper()
	change, err := w.send(who, password, actions)
	require.NoError(w.t, err)
	return tell(Differences(&before, w.state, &change, w.people[0].Identity)),
		tell(Differences(&before, w.state, nil, w.people[0].Identity))
}

func TestAttributes(t *testing.T) {
	password := []byte("sixteen bytes 16")
	label, emoji := "guide", "🧭"
	for name, tc := range map[string]struct {
		wish func(*Edit) error
		want told
		// same is what the second of two wishes like this one adds: nothing.
		check func(*testing.T, State)
	}{
		"title": {
			func(e *Edit) error { return e.Title(" Climbers ") },
			told{Kind: model.GroupTitleChanged, Before: "Hikers", After: "Climbers"},
			func(t *testing.T, s State) { require.Equal(t, "Climbers", s.Title) },
		},
		"description": {
			func(e *Edit) error { return e.Description("Up.\nAnd down.") },
			told{Kind: model.GroupDescriptionChanged, After: "Up.\nAnd down."},
			func(t *testing.T, s State) { require.Equal(t, "Up.\nAnd down.", s.Description) },
		},
		"avatar": {
			func(e *Edit) error { return e.Avatar("groups/a/b") },
			told{Kind: model.GroupAvatarChanged, After: "set"},
			func(t *testing.T, s State) { require.Equal(t, "groups/a/b", s.AvatarPath) },
		},
		"timer": {
			func(e *Edit) error { return e.Timer(3600) },
			told{Kind: model.GroupTimerChanged, Before: "0", After: "3600"},
			func(t *testing.T, s State) { require.EqualValues(t, 3600, s.TimerSeconds) },
		},
		"announcements": {
			func(e *Edit) error { return e.AnnouncementsOnly(true) },
			told{Kind: model.GroupAnnouncementsChanged, Before: "false", After: "true"},
			func(t *testing.T, s State) { require.True(t, s.AnnouncementsOnly) },
		},
		"add members": {
			func(e *Edit) error { return e.AddMembersBy(model.GroupPermissionAdmins) },
			told{Kind: model.GroupAddMembersChanged, Before: "members", After: "admins"},
			func(t *testing.T, s State) { require.Equal(t, RequiredAdmin, s.Access.Members) },
		},
		"edit details": {
			func(e *Edit) error { return e.EditDetailsBy(model.GroupPermissionAdmins) },
			told{Kind: model.GroupEditDetailsChanged, Before: "members", After: "admins"},
			func(t *testing.T, s State) { require.Equal(t, RequiredAdmin, s.Access.Attributes) },
		},
		"edit labels": {
			func(e *Edit) error { return e.EditLabelsBy(model.GroupPermissionAdmins) },
			told{Kind: model.GroupEditLabelsChanged, Before: "members", After: "admins"},
			func(t *testing.T, s State) { require.Equal(t, RequiredAdmin, s.Access.Labels) },
		},
		"link": {
			func(e *Edit) error { return e.Link(model.GroupLinkApproval, password) },
			told{Kind: model.GroupLinkChanged, Before: "off", After: "approval"},
			func(t *testing.T, s State) {
				link, err := ParseInviteLink(s.LinkURL())
				require.NoError(t, err)
				require.Equal(t, InviteLink{s.MasterKey, password}, link)
			},
		},
		"link's password": {
			func(e *Edit) error { return e.ResetLink(password) },
			told{Kind: model.GroupLinkReset},
			func(t *testing.T, s State) { require.Equal(t, password, s.LinkPassword) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, 3, MaxSize, 1)
			byChange, byStates := w.do(0, tc.wish)
			require.Equal(t, []told{tc.want}, byStates)
			tc.want.Editor = w.people[0].ACI
			require.Equal(t, []told{tc.want}, byChange)
			tc.check(t, w.state)

			e, err := w.state.Edit(w.params, w.people[0].Identity, w.random)
			require.NoError(t, err)
			require.NoError(t, tc.wish(e))
			_, something := e.Actions()
			require.False(t, something, "what is so already needs no revision")
		})
	}
	t.Run("label", func(t *testing.T) {
		w := newWorld(t, 1, 3, MaxSize, 1)
		byChange, _ := w.do(1, func(e *Edit) error { return e.Label(&label, &emoji) })
		me := w.people[1].ACI
		require.Equal(t, []told{{model.GroupLabelChanged, me, []serviceid.ServiceID{me}, "", "🧭 guide"}}, byChange)
		none := ""
		byChange, byStates := w.do(1, func(e *Edit) error { return e.Label(&none, nil) })
		require.Equal(t, []told{{model.GroupLabelChanged, me, []serviceid.ServiceID{me}, "🧭 guide", ""}}, byChange)
		byChange[0].Editor = serviceid.ServiceID{}
		require.Equal(t, byChange, byStates)
	})
}

func TestPeople(t *testing.T) {
	type wish = func(w *world) func(*Edit) error
	add := func(i int) wish {
		return func(w *world) func(*Edit) error {
			return func(e *Edit) error { return e.Add(w.candidate(i, RoleMember)) }
		}
	}
	invite := func(i int) wish {
		return func(w *world) func(*Edit) error {
			return func(e *Edit) error { return e.Add(Candidate{ServiceID: w.people[i].ACI, Role: RoleMember}) }
		}
	}
	by := func(method func(*Edit, ...serviceid.ServiceID) error, i int) wish {
		return func(w *world) func(*Edit) error {
			return func(e *Edit) error { return method(e, w.people[i].ACI) }
		}
	}
	type kinds = []model.GroupChangeKind
	for name, tc := range map[string]struct {
		first, then       wish
		byChange, byState kinds
		membership        model.GroupMembership
	}{
		"add":    {nil, add(3), kinds{model.GroupMemberAdded}, nil, model.GroupMember},
		"invite": {nil, invite(3), kinds{model.GroupMemberInvited}, nil, model.GroupInvited},
		"add someone invited": {
			invite(3), add(3), kinds{model.GroupMemberAdded}, kinds{model.GroupInvitationAccepted}, model.GroupMember,
		},
		"remove": {add(3), by((*Edit).Remove, 3), kinds{model.GroupMemberRemoved}, nil, model.GroupLeft},
		"revoke": {invite(3), by((*Edit).Remove, 3), kinds{model.GroupInvitationRevoked}, nil, model.GroupLeft},
		"ban a member": {
			add(3), by((*Edit).Ban, 3), kinds{model.GroupMemberRemoved, model.GroupMemberBanned}, nil, model.GroupBanned,
		},
		"ban someone invited": {
			invite(3), by((*Edit).Ban, 3), kinds{model.GroupInvitationRevoked, model.GroupMemberBanned}, nil,
			model.GroupBanned,
		},
		"ban a stranger": {nil, by((*Edit).Ban, 3), kinds{model.GroupMemberBanned}, nil, model.GroupBanned},
		"unban":          {by((*Edit).Ban, 3), by((*Edit).Unban, 3), kinds{model.GroupMemberUnbanned}, nil, model.GroupLeft},
		"add someone banned": {
			by((*Edit).Ban, 3), add(3), kinds{model.GroupMemberAdded, model.GroupMemberUnbanned}, nil, model.GroupMember,
		},
		"promote": {add(3), by((*Edit).Promote, 3), kinds{model.GroupRoleChanged}, nil, model.GroupMember},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, 5, MaxSize, 1, 2)
			if tc.first != nil {
				w.do(0, tc.first(w))
			}
			byChange, byState := w.do(0, tc.then(w))
			if tc.byState == nil {
				tc.byState = tc.byChange
			}
			require.Equal(t, tc.byChange, kindsOf(byChange))
			require.Equal(t, tc.byState, kindsOf(byState))
			require.Equal(t, w.people[0].ACI, byChange[0].Editor)
			require.Equal(t, []serviceid.ServiceID{w.people[3].ACI}, byChange[0].Affected)
			require.Equal(t, tc.membership, w.state.MembershipOf(w.people[3].Identity))
			e, err := w.state.Edit(w.params, w.people[0].Identity, w.random)
			require.NoError(t, err)
			require.NoError(t, tc.then(w)(e))
			_, something := e.Actions()
			require.False(t, something)
		})
	}
}

func kindsOf(all []told) (kinds []model.GroupChangeKind) {
	for _, c := range all {
		kinds = append(kinds, c.Kind)
	}
	return kinds
}

func TestOneRevisionForMuch(t *testing.T) {
	w := newWorld(t, 3, 6, MaxSize, 1, 2)
	byChange, _ := w.do(0, func(e *Edit) error {
		for _, wish := range []error{
			e.Title("All at once"), e.Description("x"), e.Timer(60), e.AnnouncementsOnly(true),
			e.Add(w.candidate(3, RoleAdmin), Candidate{ServiceID: w.people[4].PNI, Role: RoleMember}),
			e.Remove(w.people[1].ACI), e.Promote(w.people[2].ACI), e.Link(model.GroupLinkOn, make([]byte, 16)),
		} {
			if wish != nil {
				return wish
			}
		}
		return nil
	})
	require.Len(t, byChange, 9)
	require.EqualValues(t, 1, w.state.Revision)
	require.True(t, w.state.IsAdmin(w.people[2].ACI))
	require.True(t, w.state.IsAdmin(w.people[3].ACI))
}

func TestRules(t *testing.T) {
	long := strings.Repeat("é", MaxTitle+1)
	family := strings.Repeat("👨‍👩‍👧‍👦", MaxTitle) // one character to a reader, 25 bytes each
	for name, tc := range map[string]struct {
		who  int
		wish func(*world, *Edit) error
		want error
	}{
		"no title":         {0, func(_ *world, e *Edit) error { return e.Title("  ") }, ErrRule},
		"title too long":   {0, func(_ *world, e *Edit) error { return e.Title(long) }, ErrTooLong},
		"title of bytes":   {0, func(_ *world, e *Edit) error { return e.Title(family) }, ErrTooLong},
		"title, not text":  {0, func(_ *world, e *Edit) error { return e.Title("a\xff") }, ErrRule},
		"description":      {0, func(_ *world, e *Edit) error { return e.Description(strings.Repeat("x", 481)) }, ErrTooLong},
		"a stranger's":     {3, nil, model.ErrNotAGroupMember},
		"announcements":    {1, func(_ *world, e *Edit) error { return e.AnnouncementsOnly(true) }, model.ErrPermission},
		"permissions":      {1, func(_ *world, e *Edit) error { return e.AddMembersBy("admins") }, model.ErrPermission},
		"no permission":    {0, func(_ *world, e *Edit) error { return e.AddMembersBy("none") }, ErrRule},
		"link":             {1, func(_ *world, e *Edit) error { return e.Link("on", make([]byte, 16)) }, model.ErrPermission},
		"link without one": {0, func(_ *world, e *Edit) error { return e.Link("on", nil) }, ErrRule},
		"link state":       {0, func(_ *world, e *Edit) error { return e.Link("sometimes", nil) }, ErrRule},
		"remove":           {1, func(w *world, e *Edit) error { return e.Remove(w.people[0].ACI) }, model.ErrPermission},
		"remove oneself":   {0, func(w *world, e *Edit) error { return e.Remove(w.people[0].ACI) }, ErrRule},
		"ban":              {1, func(w *world, e *Edit) error { return e.Ban(w.people[3].ACI) }, model.ErrPermission},
		"ban oneself":      {0, func(w *world, e *Edit) error { return e.Ban(w.people[0].ACI) }, ErrRule},
		"ban a number":     {0, func(w *world, e *Edit) error { return e.Ban(w.people[3].PNI) }, ErrRule},
		"promote":          {1, func(w *world, e *Edit) error { return e.Promote(w.people[1].ACI) }, model.ErrPermission},
		"promote stranger": {0, func(w *world, e *Edit) error { return e.Promote(w.people[3].ACI) }, ErrRule},
		"last admin":       {0, func(w *world, e *Edit) error { return e.Demote(w.people[0].ACI) }, ErrLastAdmin},
		"approve stranger": {0, func(w *world, e *Edit) error { return e.Approve(w.people[3].ACI) }, ErrRule},
		"admin by member":  {1, func(w *world, e *Edit) error { return e.Add(w.candidate(3, RoleAdmin)) }, model.ErrPermission},
		"no role":          {0, func(w *world, e *Edit) error { return e.Add(w.candidate(3, 0)) }, ErrRule},
		"emoji alone":      {0, func(_ *world, e *Edit) error { return e.Label(nil, ptr("🧭")) }, ErrRule},
		"two emoji":        {0, func(_ *world, e *Edit) error { return e.Label(ptr("x"), ptr("🧭🧭")) }, ErrTooLong},
		"label":            {0, func(_ *world, e *Edit) error { return e.Label(ptr(strings.Repeat("x", 25)), nil) }, ErrTooLong},
		"add and remove": {0, func(w *world, e *Edit) error {
			if err := e.Add(w.candidate(3, RoleMember)); err != nil {
				return err
			}
			return e.Ban(w.people[3].ACI)
		}, ErrApart},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 4, 5, MaxSize, 1, 2)
			e, err := w.state.Edit(w.params, w.people[tc.who].Identity, w.random)
			if err == nil {
				err = tc.wish(w, e)
			}
			require.ErrorIs(t, err, tc.want)
		})
	}
	t.Run("full", func(t *testing.T) {
		w := newWorld(t, 4, 3, MaxSize, 1)
		for range MaxSize - 2 {
			w.state.Pending = append(w.state.Pending, Pending{ServiceID: newPerson(w.random).ACI, Role: RoleMember})
		}
		e, err := w.state.Edit(w.params, w.people[0].Identity, w.random)
		require.NoError(t, err)
		require.ErrorIs(t, e.Add(w.candidate(2, RoleMember)), ErrFull)
	})
	t.Run("ended", func(t *testing.T) {
		w := newWorld(t, 4, 3, MaxSize, 1)
		end := &servicepb.GroupChange_Actions{
			Version: proto.Uint32(1), TerminateGroup: &servicepb.GroupChange_Actions_TerminateGroupAction{},
		}
		byChange, byStates := w.follow(w.state, 0, nil, end)
		require.Equal(t, []model.GroupChangeKind{model.GroupTerminated}, kindsOf(byChange))
		require.Equal(t, []model.GroupChangeKind{model.GroupTerminated}, kindsOf(byStates))
		require.ErrorIs(t, w.edit(0, func(e *Edit) error { return e.Title("after") }), ErrTerminated)
		_, err := w.state.Accept(w.params, w.people[2].Identity, nil)
		require.ErrorIs(t, err, ErrTerminated)
	})
	t.Run("add as an admin", func(t *testing.T) {
		w := newWorld(t, 4, 5, MaxSize, 1)
		invited := Candidate{ServiceID: w.people[3].ACI, Role: RoleMember}
		require.NoError(t, w.edit(0, func(e *Edit) error {
			if err := e.Add(w.candidate(2, RoleMember), invited); err != nil {
				return err
			}
			return e.Promote(w.people[2].ACI, w.people[3].ACI)
		}))
		require.True(t, w.state.IsAdmin(w.people[2].ACI))
		invitation, _ := w.state.Invited(w.people[3].ACI)
		require.Equal(t, RoleAdmin, invitation.Role)
	})
}

func ptr[T any](v T) *T { return &v }

func TestDetailsForAdmins(t *testing.T) {
	w := newWorld(t, 5, 3, MaxSize, 1)
	require.NoError(t, w.edit(1, func(e *Edit) error { return e.Title("Mine") }))
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.EditDetailsBy(model.GroupPermissionAdmins) }))
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.AddMembersBy(model.GroupPermissionAdmins) }))
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.EditLabelsBy(model.GroupPermissionAdmins) }))
	for name, wish := range map[string]func(*Edit) error{
		"title":       func(e *Edit) error { return e.Title("Ours") },
		"description": func(e *Edit) error { return e.Description("Ours") },
		"picture":     func(e *Edit) error { return e.Avatar("x") },
		"timer":       func(e *Edit) error { return e.Timer(5) },
		"add":         func(e *Edit) error { return e.Add(w.candidate(2, RoleMember)) },
		"label":       func(e *Edit) error { return e.Label(ptr("x"), nil) },
	} {
		require.ErrorIs(t, w.edit(1, wish), ErrNotAdmin, name)
	}
	require.ErrorIs(t, w.state.MayChangeDetails(w.people[1].Identity), model.ErrPermission)
	require.ErrorIs(t, w.state.MayChangeDetails(w.people[2].Identity), model.ErrNotAGroupMember)
	require.NoError(t, w.state.MayChangeDetails(w.people[0].Identity))
}
