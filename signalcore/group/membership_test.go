package group

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

func TestInvitations(t *testing.T) {
	for name, id := range map[string]func(*person) serviceid.ServiceID{
		"by account": func(p *person) serviceid.ServiceID { return p.ACI },
		"by number":  func(p *person) serviceid.ServiceID { return p.PNI },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20, 3, MaxSize, 1)
			me := w.people[2]
			invite := func(e *Edit) error { return e.Add(Candidate{ServiceID: id(me), Role: RoleAdmin}) }
			require.NoError(t, w.edit(0, invite))
			invited := Differences(nil, w.state, nil, me.Identity)
			require.Equal(t, []told{{model.GroupMemberInvited, w.people[0].ACI, []serviceid.ServiceID{id(me)}, "", ""}},
				tell(invited))

			decline, err := w.state.Leave(w.params, me.Identity, nil)
			require.NoError(t, err)
			byChange, byStates := w.follow(w.state, 2, nil, decline)
			require.Equal(t, []told{{model.GroupInvitationDeclined, id(me), []serviceid.ServiceID{id(me)}, "", ""}}, byChange)
			if id(me).Kind == serviceid.ACI {
				require.Equal(t, []model.GroupChangeKind{model.GroupInvitationRevoked}, kindsOf(byStates))
			} else {
				require.Empty(t, byStates, "it may as well have been accepted")
			}
			require.Equal(t, model.GroupLeft, w.state.MembershipOf(me.Identity))
			nothing, err := w.state.Leave(w.params, me.Identity, nil)
			require.NoError(t, err)
			require.Nil(t, nothing)
			_, err = w.state.Accept(w.params, me.Identity, me.presentation(w.params))
			require.ErrorIs(t, err, model.ErrNotAGroupMember)

			require.NoError(t, w.edit(0, invite))
			before := w.state
			accept, err := w.state.Accept(w.params, me.Identity, me.presentation(w.params))
			require.NoError(t, err)
			change, err := w.send(2, nil, accept)
			require.NoError(t, err)
			require.Equal(t, me.ACI, change.Editor)
			require.Equal(t, []told{{model.GroupInvitationAccepted, me.ACI, []serviceid.ServiceID{me.ACI}, "", ""}},
				tell(Differences(&before, w.state, &change, me.Identity)))
			require.True(t, w.state.IsAdmin(me.ACI), "the role is that of the invitation")
			keys, own := change.LearnedKeys()
			require.Equal(t, me.key, *own)
			require.Len(t, keys, 1)
			nothing, err = w.state.Accept(w.params, me.Identity, nil)
			require.NoError(t, err)
			require.Nil(t, nothing)
		})
	}
}

func TestJoinByLink(t *testing.T) {
	w := newWorld(t, 21, 4, MaxSize, 1)
	me, password := w.people[2], []byte("0123456789abcdef")
	_, err := JoinByLink(w.preview(2), me.presentation(w.params))
	require.ErrorIs(t, err, model.ErrNotFound)
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.Link(model.GroupLinkOn, password) }))
	join, err := JoinByLink(w.preview(2), me.presentation(w.params))
	require.NoError(t, err)
	_, err = w.send(2, []byte("another password"), join)
	require.ErrorIs(t, err, errForbidden)
	byChange, byStates := w.follow(w.state, 2, password, join)
	require.Equal(t, []told{{model.GroupMemberJoinedByLink, me.ACI, []serviceid.ServiceID{me.ACI}, "", ""}}, byChange)
	require.Equal(t, []model.GroupChangeKind{model.GroupMemberAdded}, kindsOf(byStates))
}

func TestAskToJoin(t *testing.T) {
	w := newWorld(t, 22, 4, MaxSize, 1)
	me, password := w.people[2], []byte("0123456789abcdef")
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.Link(model.GroupLinkApproval, password) }))
	ask := func() {
		request, err := JoinByLink(w.preview(2), me.presentation(w.params))
		require.NoError(t, err)
		byChange, byStates := w.follow(w.state, 2, password, request)
		require.Equal(t, []told{{model.GroupJoinRequested, me.ACI, []serviceid.ServiceID{me.ACI}, "", ""}}, byChange)
		require.Equal(t, []model.GroupChangeKind{model.GroupJoinRequested}, kindsOf(byStates))
		require.Equal(t, model.GroupRequesting, w.state.MembershipOf(me.Identity))
	}
	ask()
	again, err := JoinByLink(w.preview(2), me.presentation(w.params))
	require.NoError(t, err)
	require.Nil(t, again, "who has asked waits")
	byChange, byStates := w.follow(w.state, 2, nil, CancelRequest(w.params, me.Identity, w.state.Revision))
	require.Equal(t, []model.GroupChangeKind{model.GroupJoinRequestCanceled}, kindsOf(byChange))
	require.Equal(t, []model.GroupChangeKind{model.GroupJoinRequestDenied}, kindsOf(byStates))

	ask()
	require.ErrorIs(t, w.edit(1, func(e *Edit) error { return e.Approve(me.ACI) }), ErrNotAdmin)
	byChange, byStates = w.do(0, func(e *Edit) error { return e.Approve(me.ACI) })
	require.Equal(t, []model.GroupChangeKind{model.GroupJoinRequestApproved}, kindsOf(byChange))
	require.Equal(t, []model.GroupChangeKind{model.GroupJoinRequestApproved}, kindsOf(byStates))
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.Remove(me.ACI) }))

	ask()
	byChange, _ = w.do(0, func(e *Edit) error { return e.Deny(me.ACI) })
	require.Equal(t, []model.GroupChangeKind{model.GroupJoinRequestDenied, model.GroupMemberBanned}, kindsOf(byChange))
	_, err = JoinByLink(Preview{Access: RequiredAdmin, Full: true}, nil)
	require.ErrorIs(t, err, ErrFull)
}

func TestLeaving(t *testing.T) {
	w := newWorld(t, 23, 4, MaxSize, 1, 2)
	creator := w.people[0]
	_, err := w.state.Leave(w.params, creator.Identity, nil)
	require.ErrorIs(t, err, ErrLastAdmin)
	_, err = w.state.Leave(w.params, creator.Identity, []serviceid.ServiceID{creator.ACI})
	require.ErrorIs(t, err, ErrRule)
	_, err = w.state.Leave(w.params, creator.Identity, []serviceid.ServiceID{w.people[3].ACI})
	require.ErrorIs(t, err, ErrRule)
	_, err = w.state.Leave(w.params, w.people[1].Identity, []serviceid.ServiceID{w.people[2].ACI})
	require.ErrorIs(t, err, ErrNotAdmin)
	leave, err := w.state.Leave(w.params, creator.Identity, []serviceid.ServiceID{w.people[1].ACI})
	require.NoError(t, err)
	byChange, byStates := w.follow(w.state, 0, nil, leave)
	require.Equal(t, []model.GroupChangeKind{model.GroupMemberLeft, model.GroupRoleChanged}, kindsOf(byChange))
	require.ElementsMatch(t, []model.GroupChangeKind{model.GroupMemberRemoved, model.GroupRoleChanged}, kindsOf(byStates))
	for i := range 2 {
		leave, err := w.state.Leave(w.params, w.people[2-i].Identity, nil)
		require.NoError(t, err)
		w.follow(w.state, 2-i, nil, leave)
	}
	require.Empty(t, w.state.Members)
}

// TestMembershipAfter tells leaving from being removed and banned.
func TestMembershipAfter(t *testing.T) {
	w := newWorld(t, 24, 4, MaxSize, 1, 2)
	leave, err := w.state.Leave(w.params, w.people[1].Identity, nil)
	require.NoError(t, err)
	change, err := w.send(1, nil, leave)
	require.NoError(t, err)
	require.Equal(t, model.GroupLeft, w.state.After(change, w.people[1].Identity))
	e, err := w.state.Edit(w.params, w.people[0].Identity, w.random)
	require.NoError(t, err)
	require.NoError(t, e.Remove(w.people[2].ACI))
	actions, _ := e.Actions()
	change, err = w.send(0, nil, actions)
	require.NoError(t, err)
	require.Equal(t, model.GroupRemoved, w.state.After(change, w.people[2].Identity))
	require.Equal(t, model.GroupMember, w.state.After(change, w.people[0].Identity))
}

// TestArrivals: how an account learns that it is in a group.
func TestArrivals(t *testing.T) {
	w := newWorld(t, 25, 4, MaxSize, 1)
	require.Equal(t, []told{{model.GroupCreated, w.people[0].ACI, nil, "", "Hikers"}},
		tell(Differences(nil, w.state, nil, w.people[1].Identity)))
	e, err := w.state.Edit(w.params, w.people[0].Identity, w.random)
	require.NoError(t, err)
	require.NoError(t, e.Add(w.candidate(2, RoleMember)))
	actions, _ := e.Actions()
	change, err := w.send(0, nil, actions)
	require.NoError(t, err)
	me := []serviceid.ServiceID{w.people[2].ACI}
	require.Equal(t, []told{{model.GroupMemberAdded, w.people[0].ACI, me, "", ""}},
		tell(Differences(nil, w.state, &change, w.people[2].Identity)))
	require.Equal(t, []told{{model.GroupMemberAdded, serviceid.ServiceID{}, me, "", ""}},
		tell(Differences(nil, w.state, nil, w.people[2].Identity)))
	require.Empty(t, Differences(nil, w.state, nil, w.people[3].Identity))
}

func TestCreation(t *testing.T) {
	w := newWorld(t, 26, 5, MaxSize)
	self := w.people[0]
	full := Creation{
		Title: "New", Description: "Things", AvatarPath: "groups/x/y", TimerSeconds: 60, AnnouncementsOnly: true,
		AddMembers: model.GroupPermissionAdmins, EditDetails: model.GroupPermissionAdmins,
		EditLabels: model.GroupPermissionAdmins, Link: model.GroupLinkApproval, Password: make([]byte, 16),
		Self: self.presentation(w.params),
		Members: []Candidate{
			w.candidate(1, RoleAdmin), w.candidate(1, RoleMember), w.candidate(0, RoleMember),
			{ServiceID: w.people[2].PNI, Role: RoleMember}, {ServiceID: w.people[3].ACI, Role: RoleAdmin},
		},
	}
	made, err := Create(w.params, self.Identity, full, w.random)
	require.NoError(t, err)
	w.service, err = newService(w.params, self.user(w.params), made, MaxSize)
	require.NoError(t, err)
	got := w.fetched().Model(self.Identity)
	require.Equal(t, "New", got.Title)
	require.Equal(t, "Things", got.Description)
	require.True(t, got.HasAvatar && got.AnnouncementsOnly)
	require.EqualValues(t, 60, got.ExpiresInSeconds)
	require.Equal(t, model.GroupLinkApproval, got.Link)
	require.NotEmpty(t, got.LinkURL)
	for _, permission := range []model.GroupPermission{got.AddMembers, got.EditDetails, got.EditLabels} {
		require.Equal(t, model.GroupPermissionAdmins, permission)
	}
	require.Len(t, got.Members, 2)
	require.Equal(t, model.GroupRoleAdmin, got.Members[1].Role)
	require.Len(t, got.Pending, 2)
	require.Equal(t, self.ACI, got.Pending[0].InvitedBy)

	for name, spoil := range map[string]func(*Creation){
		"no title":    func(c *Creation) { c.Title = " " },
		"permission":  func(c *Creation) { c.AddMembers = "all" },
		"link":        func(c *Creation) { c.Link = "maybe" },
		"no password": func(c *Creation) { c.Password = nil },
		"a role":      func(c *Creation) { c.Members[0].Role = 7 },
		"nobody":      func(c *Creation) { c.Members[0].ServiceID = serviceid.ServiceID{} },
		"a crowd":     func(c *Creation) { c.Members = make([]Candidate, MaxSize) },
	} {
		bad := full
		bad.Members = append([]Candidate(nil), full.Members...)
		spoil(&bad)
		_, err := Create(w.params, self.Identity, bad, w.random)
		require.ErrorIs(t, err, ErrRule, name)
	}
}

func TestPictures(t *testing.T) {
	w := newWorld(t, 27, 1, MaxSize)
	sealed, err := EncryptAvatar(w.random, w.params, []byte("a picture"))
	require.NoError(t, err)
	got, err := DecryptAvatar(w.params, sealed)
	require.NoError(t, err)
	require.Equal(t, "a picture", string(got))
	sealed[len(sealed)/2] ^= 1
	_, err = DecryptAvatar(w.params, sealed)
	require.Error(t, err)
	_, err = EncryptAvatar(w.random, w.params, make([]byte, MaxAvatarSize))
	require.ErrorIs(t, err, ErrTooLong)
	notOne, err := sealTitle(w.random, w.params, "a title")
	require.NoError(t, err)
	_, err = DecryptAvatar(w.params, notOne)
	require.ErrorIs(t, err, ErrMalformed)
}
