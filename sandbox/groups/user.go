package groups

import (
	"bytes"

	"signalbox/signalcore/signalpb/servicepb"
)

// user is who calls: the two ciphertexts of an auth credential's presentation (auth/GroupUser).
type user struct {
	aci, pni []byte
}

func (u user) is(id []byte) bool {
	return len(id) > 0 && (bytes.Equal(id, u.aci) || bytes.Equal(id, u.pni))
}

// The functions of groups/GroupAuth; nil where the user is no such thing.

func (u user) memberOf(g *servicepb.Group) *servicepb.Member {
	for _, m := range g.GetMembers() {
		if u.is(m.GetUserId()) {
			return m
		}
	}
	return nil
}

func (u user) adminOf(g *servicepb.Group) bool {
	return u.memberOf(g).GetRole() == servicepb.Member_ADMINISTRATOR
}

func (u user) invitedTo(g *servicepb.Group) *servicepb.MemberPendingProfileKey {
	for _, m := range g.GetMembersPendingProfileKey() {
		if u.is(m.GetMember().GetUserId()) {
			return m
		}
	}
	return nil
}

func (u user) requesting(g *servicepb.Group) *servicepb.MemberPendingAdminApproval {
	for _, m := range g.GetMembersPendingAdminApproval() {
		if u.is(m.GetUserId()) {
			return m
		}
	}
	return nil
}

func (u user) bannedFrom(g *servicepb.Group) bool {
	for _, m := range g.GetMembersBanned() {
		if u.is(m.GetUserId()) {
			return true
		}
	}
	return false
}
