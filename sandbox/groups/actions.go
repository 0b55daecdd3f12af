package groups

import (
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// inOrder are the actions in the order in which the service applies them. Each checks, changes the state, and puts into
// the actions what gets signed.
var inOrder = []func(*change, *actions) error{
	unban, ban, addMembers, removeMembers, changeRoles, changeLabels, changeProfileKeys, invite, uninvite, accept,
	describe, changeAccess, ask, deny, approve, changeLink, announce, acceptByPNI, terminate,
}

// idsOf are the ids that the entries of an action name.
func idsOf[T any](list []T, idOf func(T) []byte) [][]byte {
	out := make([][]byte, len(list))
	for i, entry := range list {
		out[i] = idOf(entry)
	}
	return out
}

func unban(c *change, a *actions) (err error) {
	if len(a.GetDeleteMembersBanned()) == 0 {
		return nil
	}
	if !c.mayManage() {
		return errForbidden
	}
	c.raise(epochBanned)
	ids := idsOf(a.DeleteMembersBanned, (*servicepb.GroupChange_Actions_DeleteMemberBannedAction).GetDeletedUserId)
	c.after.MembersBanned, err = take(c.after.MembersBanned, ids, bannedID)
	return err
}

func ban(c *change, a *actions) error {
	if len(a.GetAddMembersBanned()) == 0 {
		return nil
	}
	if !c.admin() {
		return errForbidden
	}
	c.raise(epochBanned)
	for _, one := range a.AddMembersBanned {
		one.Added = &servicepb.MemberBanned{UserId: one.GetAdded().GetUserId(), Timestamp: milliseconds(c.now)}
		c.after.MembersBanned = append(c.after.MembersBanned, one.Added)
	}
	return nil
}

// addMembers adds people with their profile keys. Who comes by a link that is open to all adds himself.
func addMembers(c *change, a *actions) error {
	if len(a.GetAddMembers()) == 0 {
		return nil
	}
	for _, one := range a.AddMembers {
		if one.GetAdded() == nil || one.GetJoinFromInviteLink() {
			return errBad
		}
		if err := openMember(one.Added, c.open, c.revision); err != nil {
			return err
		}
		if one.Added.GetRole() != servicepb.Member_DEFAULT && !c.admin() {
			return errForbidden
		}
	}
	byLink := !c.member() && c.linkOpen(servicepb.AccessControl_ANY) && len(a.AddMembers) == 1 &&
		c.by.is(a.AddMembers[0].Added.GetUserId())
	if !c.mayManage() && !byLink {
		return errForbidden
	}
	if byLink && c.by.bannedFrom(c.before) {
		return errForbidden
	}
	for _, one := range a.AddMembers {
		id := one.Added.GetUserId()
		c.after.MembersPendingProfileKey = drop(c.after.MembersPendingProfileKey, id, invitedID)
		c.after.MembersPendingAdminApproval = drop(c.after.MembersPendingAdminApproval, id, requestingID)
		c.after.Members = append(c.after.Members, proto.CloneOf(one.Added))
		one.JoinFromInviteLink = proto.Bool(byLink)
	}
	return nil
}

func removeMembers(c *change, a *actions) (err error) {
	if len(a.GetDeleteMembers()) == 0 {
		return nil
	}
	ids := idsOf(a.DeleteMembers, (*servicepb.GroupChange_Actions_DeleteMemberAction).GetDeletedUserId)
	if !c.admin() && !c.alone(ids) {
		return errForbidden
	}
	c.after.Members, err = take(c.after.Members, ids, memberID)
	return err
}

func changeRoles(c *change, a *actions) error {
	for _, one := range a.GetModifyMemberRoles() {
		m := c.find(one.GetUserId())
		switch {
		case !c.admin():
			return errForbidden
		case m == nil || !knownRole(one.GetRole()):
			return errBad
		}
		m.Role = one.Role
	}
	return nil
}

func changeLabels(c *change, a *actions) error {
	list := a.GetModifyMemberLabels()
	if len(list) == 0 {
		return nil
	}
	ids := idsOf(list, (*servicepb.GroupChange_Actions_ModifyMemberLabelAction).GetUserId)
	adminsOnly := c.before.GetAccessControl().GetMemberLabel() == servicepb.AccessControl_ADMINISTRATOR
	m := c.find(ids[0])
	if !c.member() || !c.alone(ids) || m == nil || adminsOnly && !c.admin() {
		return errForbidden
	}
	m.LabelEmoji, m.LabelString = list[0].LabelEmoji, list[0].LabelString
	c.raise(epochLabels)
	return nil
}

func changeProfileKeys(c *change, a *actions) error {
	for _, one := range a.GetModifyMemberProfileKeys() {
		id, key, err := c.own(one.GetPresentation())
		if err != nil {
			return err
		}
		m := c.find(id)
		if !c.member() || m == nil {
			return errForbidden
		}
		m.ProfileKey = key
		one.Presentation, one.UserId, one.ProfileKey = nil, id, key
	}
	return nil
}

func invite(c *change, a *actions) error {
	list := a.GetAddMembersPendingProfileKey()
	if len(list) == 0 {
		return nil
	}
	if !c.mayManage() {
		return errForbidden
	}
	for _, one := range list {
		added, err := invitation(one.GetAdded().GetMember(), c.by.memberOf(c.before), c.revision, c.now)
		switch {
		case err != nil:
			return err
		case added.GetMember().GetRole() != servicepb.Member_DEFAULT && !c.admin():
			return errForbidden
		}
		one.Added = added
		c.after.MembersPendingProfileKey = append(c.after.MembersPendingProfileKey, proto.CloneOf(added))
	}
	return nil
}

func uninvite(c *change, a *actions) (err error) {
	list := a.GetDeleteMembersPendingProfileKey()
	if len(list) == 0 {
		return nil
	}
	ids := idsOf(list, (*servicepb.GroupChange_Actions_DeleteMemberPendingProfileKeyAction).GetDeletedUserId)
	if !c.admin() && !c.alone(ids) {
		return errForbidden
	}
	c.after.MembersPendingProfileKey, err = take(c.after.MembersPendingProfileKey, ids, invitedID)
	return err
}

// accept is of invitations by ACI.
func accept(c *change, a *actions) error {
	for _, one := range a.GetPromoteMembersPendingProfileKey() {
		id, key, err := c.own(one.GetPresentation())
		if err == nil {
			err = c.promote(id, id, key)
		}
		if err != nil {
			return err
		}
		one.Presentation, one.UserId, one.ProfileKey = nil, id, key
	}
	return nil
}

// promote makes a member of who was invited.
func (c *change) promote(invited, id, profileKey []byte) error {
	for _, pending := range c.after.GetMembersPendingProfileKey() {
		if string(invitedID(pending)) != string(invited) {
			continue
		}
		c.after.MembersPendingProfileKey = drop(c.after.MembersPendingProfileKey, invited, invitedID)
		c.after.Members = append(c.after.Members, &servicepb.Member{
			UserId: id, ProfileKey: profileKey, Role: pending.GetMember().Role, JoinedAtVersion: &c.revision,
		})
		return nil
	}
	return errForbidden
}

// acceptByPNI is of an invitation by PNI: the member is the ACI.
func acceptByPNI(c *change, a *actions) error {
	for _, one := range a.GetPromoteMembersPendingPniAciProfileKey() {
		id, key, err := c.own(one.GetPresentation())
		if err == nil {
			err = c.promote(c.by.pni, id, key)
		}
		if err != nil {
			return err
		}
		c.after.MembersPendingProfileKey = drop(c.after.MembersPendingProfileKey, id, invitedID) // invited both ways
		c.source = c.by.pni
		one.Presentation, one.UserId, one.Pni, one.ProfileKey = nil, id, c.by.pni, key
		c.raise(epochPNI)
	}
	return nil
}

// describe is of title, picture, timer and description.
func describe(c *change, a *actions) error {
	if a.GetModifyTitle() == nil && a.GetModifyAvatar() == nil && a.GetModifyDisappearingMessageTimer() == nil &&
		a.GetModifyDescription() == nil {
		return nil
	}
	if !c.mayDescribe() {
		return errForbidden
	}
	if title := a.GetModifyTitle(); title != nil {
		c.after.Title = title.Title
	}
	if avatar := a.GetModifyAvatar(); avatar != nil {
		c.after.AvatarUrl = avatar.Avatar
	}
	if timer := a.GetModifyDisappearingMessageTimer(); timer != nil {
		c.after.DisappearingMessagesTimer = timer.Timer
	}
	if description := a.GetModifyDescription(); description != nil {
		c.after.Description = description.Description
		c.raise(epochDescription)
	}
	return nil
}

// changeAccess is of who may do what.
func changeAccess(c *change, a *actions) error {
	const member, admin = servicepb.AccessControl_MEMBER, servicepb.AccessControl_ADMINISTRATOR
	const anyone, nobody = servicepb.AccessControl_ANY, servicepb.AccessControl_UNSATISFIABLE
	control := c.after.AccessControl
	for _, one := range []struct {
		wanted  *access
		there   bool
		into    **access
		allowed []access
		epoch   uint32
	}{
		{a.GetModifyAttributesAccess().GetAttributesAccess().Enum(), a.ModifyAttributesAccess != nil,
			&control.Attributes, []access{member, admin}, 0},
		{a.GetModifyMemberAccess().GetMembersAccess().Enum(), a.ModifyMemberAccess != nil,
			&control.Members, []access{member, admin}, 0},
		{a.GetModifyAddFromInviteLinkAccess().GetAddFromInviteLinkAccess().Enum(), a.ModifyAddFromInviteLinkAccess != nil,
			&control.AddFromInviteLink, []access{anyone, admin, nobody}, epochLink},
		{a.GetModifyMemberLabelAccess().GetMemberLabelAccess().Enum(), a.ModifyMemberLabelAccess != nil,
			&control.MemberLabel, []access{member, admin}, epochLabels},
	} {
		if !one.there {
			continue
		}
		if !c.admin() {
			return errForbidden
		}
		if !contains(one.allowed, *one.wanted) {
			return errBad
		}
		*one.into = one.wanted
		c.raise(one.epoch)
	}
	return nil
}

func contains(list []access, wanted access) bool {
	for _, one := range list {
		if one == wanted {
			return true
		}
	}
	return false
}

// ask is to be let in by a link that admins watch.
func ask(c *change, a *actions) error {
	list := a.GetAddMembersPendingAdminApproval()
	if len(list) == 0 {
		return nil
	}
	if !c.linkOpen(servicepb.AccessControl_ADMINISTRATOR) || c.by.bannedFrom(c.before) {
		return errForbidden
	}
	added := list[0].GetAdded()
	if len(list) != 1 || len(added.GetUserId())+len(added.GetProfileKey()) > 0 || added.GetTimestamp() != 0 {
		return errBad
	}
	id, key, err := c.own(added.GetPresentation())
	if err != nil {
		return err
	}
	list[0].Added = &servicepb.MemberPendingAdminApproval{UserId: id, ProfileKey: key, Timestamp: milliseconds(c.now)}
	c.after.MembersPendingAdminApproval = append(c.after.MembersPendingAdminApproval, proto.CloneOf(list[0].Added))
	c.raise(epochLink)
	return nil
}

func deny(c *change, a *actions) (err error) {
	list := a.GetDeleteMembersPendingAdminApproval()
	if len(list) == 0 {
		return nil
	}
	ids := idsOf(list, (*servicepb.GroupChange_Actions_DeleteMemberPendingAdminApprovalAction).GetDeletedUserId)
	if !c.admin() && !c.alone(ids) {
		return errForbidden
	}
	c.raise(epochLink)
	c.after.MembersPendingAdminApproval, err = take(c.after.MembersPendingAdminApproval, ids, requestingID)
	return err
}

func approve(c *change, a *actions) error {
	for _, one := range a.GetPromoteMembersPendingAdminApproval() {
		if !c.admin() {
			return errForbidden
		}
		var request *servicepb.MemberPendingAdminApproval
		for _, pending := range c.after.GetMembersPendingAdminApproval() {
			if string(pending.GetUserId()) == string(one.GetUserId()) {
				request = pending
			}
		}
		if request == nil || !knownRole(one.GetRole()) {
			return errBad
		}
		c.after.MembersPendingAdminApproval = drop(c.after.MembersPendingAdminApproval, one.GetUserId(), requestingID)
		c.after.Members = append(c.after.Members, &servicepb.Member{
			UserId: request.GetUserId(), ProfileKey: request.GetProfileKey(), Role: one.Role, JoinedAtVersion: &c.revision,
		})
		c.raise(epochLink)
	}
	return nil
}

func changeLink(c *change, a *actions) error {
	password := a.GetModifyInviteLinkPassword()
	if password == nil {
		return nil
	}
	if !c.admin() {
		return errForbidden
	}
	c.after.InviteLinkPassword = password.InviteLinkPassword
	c.raise(epochLink)
	return nil
}

func announce(c *change, a *actions) error {
	only := a.GetModifyAnnouncementsOnly()
	if only == nil {
		return nil
	}
	if !c.admin() {
		return errForbidden
	}
	c.after.AnnouncementsOnly = only.AnnouncementsOnly
	c.raise(epochAnnouncements)
	return nil
}

func terminate(c *change, a *actions) error {
	if a.GetTerminateGroup() == nil {
		return nil
	}
	if !c.admin() {
		return errForbidden
	}
	c.after.Terminated = proto.Bool(true)
	c.raise(epochTerminate)
	return nil
}
