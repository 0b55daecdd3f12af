package groups

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

type (
	actions = servicepb.GroupChange_Actions
	access  = servicepb.AccessControl_AccessRequired
)

// change is a change on its way: before is the state it is made to, after the one that comes of it, signed what the
// service signs in place of what the client wrote.
type change struct {
	before, after *servicepb.Group
	signed        *actions
	by            user
	password      []byte // of the invite link, where it was given
	open          opener
	now           time.Time

	revision uint32
	epoch    uint32
	source   []byte // where that is not the member that by is
}

// request is what a client asks.
type request struct {
	actions  *actions
	by       user
	password []byte
	open     opener
	now      time.Time
}

// applied is what comes of a change.
type applied struct {
	after  *servicepb.Group
	signed *actions
	epoch  uint32
}

// apply applies a client's actions in the order of the service (GroupsController.modifyGroup). 409 for another revision
// than the next one.
func apply(before *servicepb.Group, r request) (*applied, error) {
	switch {
	case r.actions.GetVersion() != before.GetVersion()+1:
		return nil, wire.Refuse(http.StatusConflict)
	case len(r.actions.GetGroupId())+len(r.actions.GetSourceUserId()) > 0, !knowsAll(r.actions.ProtoReflect()):
		return nil, errBad
	case before.GetTerminated():
		return nil, errForbidden
	}
	c := &change{
		before: before, after: proto.CloneOf(before), signed: proto.CloneOf(r.actions), by: r.by, password: r.password,
		open: r.open, now: r.now, revision: before.GetVersion() + 1,
	}
	if c.after.AccessControl == nil {
		c.after.AccessControl = &servicepb.AccessControl{}
	}
	for _, action := range inOrder {
		if err := action(c, c.signed); err != nil {
			return nil, err
		}
	}
	c.ensureAdmins()
	source, err := c.sourceID()
	if err != nil {
		return nil, err
	}
	c.signed.SourceUserId = source
	c.after.Version = &c.revision
	return &applied{c.after, c.signed, c.epoch}, checkState(c.after)
}

// sourceID is as whom the change is made; a stranger makes none.
func (c *change) sourceID() ([]byte, error) {
	if c.source != nil {
		return c.source, nil
	}
	for _, id := range [][]byte{
		c.by.memberOf(c.before).GetUserId(), c.by.memberOf(c.after).GetUserId(), c.by.requesting(c.after).GetUserId(),
		c.by.requesting(c.before).GetUserId(), c.by.invitedTo(c.before).GetMember().GetUserId(),
	} {
		if len(id) > 0 {
			return id, nil
		}
	}
	return nil, errForbidden
}

// ensureAdmins makes admins where a change takes the last one: all members but those that it brings, if there are
// others.
func (c *change) ensureAdmins() {
	members := c.after.GetMembers()
	isAdmin := func(m *servicepb.Member) bool { return m.GetRole() == servicepb.Member_ADMINISTRATOR }
	if slices.ContainsFunc(members, isAdmin) {
		return
	}
	isOld := func(m *servicepb.Member) bool { return m.GetJoinedAtVersion() != c.revision }
	anyOld := slices.ContainsFunc(members, isOld)
	for _, m := range members {
		if anyOld && !isOld(m) {
			continue
		}
		m.Role = servicepb.Member_ADMINISTRATOR.Enum()
		c.signed.ModifyMemberRoles = append(c.signed.ModifyMemberRoles, &servicepb.GroupChange_Actions_ModifyMemberRoleAction{
			UserId: m.GetUserId(), Role: m.Role,
		})
	}
}

func (c *change) raise(epoch uint32) { c.epoch = max(c.epoch, epoch) }

func (c *change) admin() bool  { return c.by.adminOf(c.before) }
func (c *change) member() bool { return c.by.memberOf(c.before) != nil }

// mayManage is GroupAuth.isAddMembersAllowed for members.
func (c *change) mayManage() bool {
	required := c.before.GetAccessControl().GetMembers()
	return c.member() &&
		(c.admin() || required == servicepb.AccessControl_ANY || required == servicepb.AccessControl_MEMBER)
}

// mayDescribe is GroupAuth.isModifyAttributesAllowed.
func (c *change) mayDescribe() bool {
	return c.member() && (c.admin() || c.before.GetAccessControl().GetAttributes() != servicepb.AccessControl_ADMINISTRATOR)
}

// linkOpen reports whether the caller came by a link that lets people in so.
func (c *change) linkOpen(how access) bool {
	return c.before.GetAccessControl().GetAddFromInviteLink() == how && len(c.password) > 0 &&
		bytes.Equal(c.password, c.before.GetInviteLinkPassword())
}

// own opens a presentation, which has to be the caller's.
func (c *change) own(presentation []byte) (userID, profileKey []byte, err error) {
	userID, profileKey, err = c.open(presentation)
	if err == nil && !c.by.is(userID) {
		err = errForbidden
	}
	return userID, profileKey, err
}

// alone reports whether a list of one is about the caller.
func (c *change) alone(ids [][]byte) bool { return len(ids) == 1 && c.by.is(ids[0]) }

// take removes the entries with these ids from a list: each has to be there, and be named once.
func take[T any](list []T, ids [][]byte, idOf func(T) []byte) ([]T, error) {
	kept := slices.Clone(list)
	for _, id := range ids {
		at := slices.IndexFunc(kept, func(entry T) bool { return bytes.Equal(idOf(entry), id) })
		if at < 0 {
			return nil, errBad
		}
		kept = slices.Delete(kept, at, at+1)
	}
	return kept, nil
}

// drop removes the entries with an id from a list, if there are any.
func drop[T any](list []T, id []byte, idOf func(T) []byte) []T {
	return slices.DeleteFunc(slices.Clone(list), func(entry T) bool { return bytes.Equal(idOf(entry), id) })
}

func memberID(m *servicepb.Member) []byte { return m.GetUserId() }

func invitedID(m *servicepb.MemberPendingProfileKey) []byte { return m.GetMember().GetUserId() }

func requestingID(m *servicepb.MemberPendingAdminApproval) []byte { return m.GetUserId() }

func bannedID(m *servicepb.MemberBanned) []byte { return m.GetUserId() }

// find returns a member of the state that is being made.
func (c *change) find(id []byte) *servicepb.Member {
	at := slices.IndexFunc(c.after.GetMembers(), func(m *servicepb.Member) bool { return bytes.Equal(m.GetUserId(), id) })
	if at < 0 {
		return nil
	}
	return c.after.Members[at]
}
