package signaltest

import (
	"bytes"
	"context"

	"signalbox/signalcore/model"
)

// GroupOf returns a group whose identifier is 32 times one byte: the account is its admin, and the contact a member.
func GroupOf(id byte, title string) model.Group {
	return model.Group{
		ID: bytes.Repeat([]byte{id}, 32), Revision: 3, Membership: model.GroupMember, Title: title,
		AddMembers: model.GroupPermissionMembers, EditDetails: model.GroupPermissionAdmins,
		EditLabels: model.GroupPermissionMembers, Link: model.GroupLinkOff,
		Members: []model.GroupMemberInfo{
			{ServiceID: ACI, Role: model.GroupRoleAdmin}, {ServiceID: Contact, Role: model.GroupRoleMember, JoinedAtRevision: 2},
		},
	}
}

// GroupSide is the part of Client that is about groups: a list of them, which nothing changes, and functions that a
// test may set.
type GroupSide struct {
	List []model.Group
	// Avatar is the picture of every group.
	Avatar model.Blob

	OnRefresh func(id []byte) error
	OnCreate  func(model.GroupCreation) (model.GroupResult, error)
	OnUpdate  func(model.GroupUpdate) (model.GroupResult, error)
	OnJoin    func(model.GroupJoin) (model.GroupResult, error)
	OnLeave   func(model.GroupLeave) (model.GroupResult, error)
	OnPreview func(link string) (model.GroupPreview, error)
	OnDelete  func(id []byte) error
}

func newGroupSide() *GroupSide {
	g := &GroupSide{List: []model.Group{GroupOf(1, "Kiln")}}
	first := func() (model.GroupResult, error) { return model.GroupResult{Group: g.List[0]}, nil }
	g.OnRefresh = func([]byte) error { return nil }
	g.OnCreate = func(model.GroupCreation) (model.GroupResult, error) { return first() }
	g.OnUpdate = func(model.GroupUpdate) (model.GroupResult, error) { return first() }
	g.OnJoin = func(model.GroupJoin) (model.GroupResult, error) { return first() }
	g.OnLeave = func(model.GroupLeave) (model.GroupResult, error) { return first() }
	g.OnPreview = func(string) (model.GroupPreview, error) {
		return model.GroupPreview{ID: g.List[0].ID, Title: g.List[0].Title, Members: 2, Revision: 3, Link: model.GroupLinkOn}, nil
	}
	g.OnDelete = func([]byte) error { return nil }
	return g
}

// Groups implements commands.Groups.
func (g *GroupSide) Groups(context.Context) ([]model.Group, error) { return g.List, nil }

// Group implements commands.Groups.
func (g *GroupSide) Group(_ context.Context, id []byte, refresh bool) (model.Group, error) {
	if refresh {
		if err := g.OnRefresh(id); err != nil {
			return model.Group{}, err
		}
	}
	for _, known := range g.List {
		if bytes.Equal(known.ID, id) {
			return known, nil
		}
	}
	return model.Group{}, model.ErrGroupNotFound
}

// GroupAvatar implements commands.Groups.
func (g *GroupSide) GroupAvatar(context.Context, []byte) (model.Blob, error) {
	if g.Avatar.Open == nil {
		return model.Blob{}, model.ErrNotFound
	}
	return g.Avatar, nil
}

// CreateGroup implements commands.Groups.
func (g *GroupSide) CreateGroup(_ context.Context, creation model.GroupCreation) (model.GroupResult, error) {
	return g.OnCreate(creation)
}

// UpdateGroup implements commands.Groups.
func (g *GroupSide) UpdateGroup(_ context.Context, update model.GroupUpdate) (model.GroupResult, error) {
	return g.OnUpdate(update)
}

// JoinGroup implements commands.Groups.
func (g *GroupSide) JoinGroup(_ context.Context, join model.GroupJoin) (model.GroupResult, error) {
	return g.OnJoin(join)
}

// LeaveGroup implements commands.Groups.
func (g *GroupSide) LeaveGroup(_ context.Context, leave model.GroupLeave) (model.GroupResult, error) {
	return g.OnLeave(leave)
}

// GroupLinkInfo implements commands.Groups.
func (g *GroupSide) GroupLinkInfo(_ context.Context, link string) (model.GroupPreview, error) {
	return g.OnPreview(link)
}

// DeleteGroup implements commands.Groups.
func (g *GroupSide) DeleteGroup(_ context.Context, id []byte) error { return g.OnDelete(id) }
