package group

import (
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// memberActions reads what was done to full members.
func (r reader) memberActions(c *Change, in *servicepb.GroupChange_Actions) error {
	for _, a := range in.GetAddMembers() {
		m, err := r.member(a.GetAdded())
		if err != nil {
			return err
		}
		m.JoinedAt = c.Revision // the action has the revision before
		c.AddMembers = append(c.AddMembers, AddedMember{m, a.GetJoinFromInviteLink()})
	}
	for _, a := range in.GetDeleteMembers() {
		aci, err := r.aci(a.GetDeletedUserId())
		if err != nil {
			return err
		}
		c.DeleteMembers = append(c.DeleteMembers, aci)
	}
	for _, a := range in.GetModifyMemberRoles() {
		m, err := r.role(a.GetUserId(), a.GetRole())
		if err != nil {
			return err
		}
		c.Roles = append(c.Roles, m)
	}
	for _, a := range in.GetModifyMemberProfileKeys() {
		aci, key, err := r.person(a.GetUserId(), a.GetProfileKey(), a.GetPresentation())
		if err != nil {
			return err
		}
		c.ProfileKeys = append(c.ProfileKeys, MemberKey{aci, key})
	}
	return nil
}

func (r reader) role(userID []byte, role servicepb.Member_Role) (MemberRole, error) {
	aci, err := r.aci(userID)
	if err != nil {
		return MemberRole{}, err
	}
	if !Role(role).known() {
		return MemberRole{}, stateError("a member gets role %d", role)
	}
	return MemberRole{aci, Role(role)}, nil
}

// pendingActions reads what became of invitations.
func (r reader) pendingActions(c *Change, in *servicepb.GroupChange_Actions) error {
	for _, a := range in.GetAddMembersPendingProfileKey() {
		c.AddPending = append(c.AddPending, r.invitation(a.GetAdded()))
	}
	for _, a := range in.GetDeleteMembersPendingProfileKey() {
		var p Pending
		p.ServiceID, p.Ciphertext = r.anyone(a.GetDeletedUserId())
		c.DeletePending = append(c.DeletePending, p)
	}
	for _, a := range in.GetPromoteMembersPendingProfileKey() {
		aci, key, err := r.person(a.GetUserId(), a.GetProfileKey(), a.GetPresentation())
		if err != nil {
			return err
		}
		c.PromotePending = append(c.PromotePending, MemberKey{aci, key})
	}
	for _, a := range in.GetPromoteMembersPendingPniAciProfileKey() {
		aci, key, err := r.person(a.GetUserId(), a.GetProfileKey(), a.GetPresentation())
		if err != nil {
			return err
		}
		pni, _ := r.anyone(a.GetPni())
		if pni.IsZero() || pni.Kind != serviceid.PNI {
			return stateError("an invitation by number is not one")
		}
		c.PromotePNI = append(c.PromotePNI, PromotedPNI{MemberKey{aci, key}, pni})
	}
	return nil
}

// requestActions reads what became of requests to join.
func (r reader) requestActions(c *Change, in *servicepb.GroupChange_Actions) error {
	for _, a := range in.GetAddMembersPendingAdminApproval() {
		request, err := r.request(a.GetAdded())
		if err != nil {
			return err
		}
		c.AddRequesting = append(c.AddRequesting, request)
	}
	for _, a := range in.GetDeleteMembersPendingAdminApproval() {
		aci, err := r.aci(a.GetDeletedUserId())
		if err != nil {
			return err
		}
		c.DeleteRequesting = append(c.DeleteRequesting, aci)
	}
	for _, a := range in.GetPromoteMembersPendingAdminApproval() {
		m, err := r.role(a.GetUserId(), a.GetRole())
		if err != nil {
			return err
		}
		c.PromoteRequesting = append(c.PromoteRequesting, m)
	}
	return nil
}

func (r reader) bans(c *Change, in *servicepb.GroupChange_Actions) error {
	for _, a := range in.GetAddMembersBanned() {
		c.AddBanned = append(c.AddBanned, r.ban(a.GetAdded()))
	}
	for _, a := range in.GetDeleteMembersBanned() {
		var b Banned
		b.ServiceID, b.Ciphertext = r.anyone(a.GetDeletedUserId())
		c.DeleteBanned = append(c.DeleteBanned, b)
	}
	return nil
}

func (r reader) labels(c *Change, in *servicepb.GroupChange_Actions) error {
	for _, a := range in.GetModifyMemberLabels() {
		aci, err := r.aci(a.GetUserId())
		if err != nil {
			return err
		}
		c.Labels = append(c.Labels, MemberLabel{
			ACI: aci, Label: label(r.params, a.GetLabelString()), Emoji: label(r.params, a.GetLabelEmoji()),
		})
	}
	return nil
}

// attributes reads what the group has one of.
func (r reader) attributes(c *Change, in *servicepb.GroupChange_Actions) error {
	if a := in.GetModifyTitle(); a != nil {
		text := title(r.params, a.GetTitle())
		c.Title = &text
	}
	if a := in.GetModifyDescription(); a != nil {
		text := description(r.params, a.GetDescription())
		c.Description = &text
	}
	if a := in.GetModifyAvatar(); a != nil {
		path := a.GetAvatar()
		c.AvatarPath = &path
	}
	if a := in.GetModifyDisappearingMessageTimer(); a != nil {
		seconds := timer(r.params, a.GetTimer())
		c.TimerSeconds = &seconds
	}
	if a := in.GetModifyAnnouncementsOnly(); a != nil {
		only := a.GetAnnouncementsOnly()
		c.AnnouncementsOnly = &only
	}
	c.LinkPassword = in.GetModifyInviteLinkPassword().GetInviteLinkPassword()
	c.Access = Access{
		Attributes:        Required(in.GetModifyAttributesAccess().GetAttributesAccess()),
		Members:           Required(in.GetModifyMemberAccess().GetMembersAccess()),
		AddFromInviteLink: Required(in.GetModifyAddFromInviteLinkAccess().GetAddFromInviteLinkAccess()),
		Labels:            Required(in.GetModifyMemberLabelAccess().GetMemberLabelAccess()),
	}
	c.Terminated = in.GetTerminateGroup() != nil
	return fitting(in.GetModifyAvatar().GetAvatar(), c.LinkPassword)
}
