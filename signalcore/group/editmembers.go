package group

import (
	"cmp"
	"fmt"
	"slices"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// The wishes about people, as errors name them.
const (
	wishAdd     = "add"
	wishRemove  = "remove"
	wishBan     = "ban"
	wishUnban   = "unban"
	wishApprove = "let in"
	wishDeny    = "refuse"
	wishPromote = "make an admin of"
	wishDemote  = "make a member of"
)

// Candidate is someone to be added: with the presentation of a profile-key credential as a member, without one, or by
// a PNI, as someone invited.
type Candidate struct {
	ServiceID    serviceid.ServiceID
	Presentation []byte
	Role         Role
}

// Add adds or invites people. Someone banned is unbanned with it; someone who asked to join is let in.
func (e *Edit) Add(candidates ...Candidate) error {
	for _, c := range candidates {
		if err := e.add(c); err != nil {
			return err
		}
	}
	if len(e.state.Members)+len(e.state.Pending)+e.added > MaxSize {
		return fmt.Errorf("%w: %d members and invitations, where %d are allowed", ErrFull,
			len(e.state.Members)+len(e.state.Pending)+e.added, MaxSize)
	}
	return nil
}

func (e *Edit) add(c Candidate) error {
	if c.ServiceID.IsZero() || !c.Role.known() {
		return ruleError("someone to be added has no id or no role")
	}
	_, member := e.state.Member(c.ServiceID)
	_, invited := e.state.Invited(c.ServiceID)
	full := len(c.Presentation) > 0 && c.ServiceID.Kind == serviceid.ACI
	if member || invited && !full || e.touched[c.ServiceID] == wishAdd {
		return nil
	}
	if !e.state.Access.Members.allows(e.role) {
		return fmt.Errorf("%w add members", ErrNotAdmin)
	}
	if c.Role == RoleAdmin {
		if err := e.admin("add an admin"); err != nil {
			return err
		}
	}
	if err := e.touch(c.ServiceID, wishAdd); err != nil {
		return err
	}
	if _, asked := e.state.Requested(c.ServiceID); asked && e.role == RoleAdmin {
		e.promote(c.ServiceID, c.Role)
		return nil
	} else if asked && !full {
		return fmt.Errorf("%w let someone in who asked to join", ErrNotAdmin)
	}
	if e.state.IsBanned(c.ServiceID) {
		e.unban(Banned{ServiceID: c.ServiceID})
	}
	if !invited {
		e.added++
	}
	if full {
		added := newMember(c)
		e.incoming[c.ServiceID] = added.Role
		e.actions.AddMembers = append(e.actions.AddMembers, &servicepb.GroupChange_Actions_AddMemberAction{Added: added})
		return nil
	}
	added := newInvitation(c, e.params.EncryptServiceID(c.ServiceID), e.params.EncryptServiceID(e.self.ACI))
	e.incoming[c.ServiceID] = added.Member.Role
	e.actions.AddMembersPendingProfileKey = append(e.actions.AddMembersPendingProfileKey,
		&servicepb.GroupChange_Actions_AddMemberPendingProfileKeyAction{Added: added})
	return nil
}

func newMember(c Candidate) *servicepb.Member {
	return &servicepb.Member{Role: c.Role.wire(), Presentation: c.Presentation}
}

func newInvitation(c Candidate, invited, by []byte) *servicepb.MemberPendingProfileKey {
	return &servicepb.MemberPendingProfileKey{
		Member: &servicepb.Member{UserId: invited, Role: c.Role.wire()}, AddedByUserId: by,
	}
}

func (e *Edit) promote(id serviceid.ServiceID, role Role) {
	e.added++
	e.incoming[id] = role.wire()
	e.actions.PromoteMembersPendingAdminApproval = append(e.actions.PromoteMembersPendingAdminApproval,
		&servicepb.GroupChange_Actions_PromoteMemberPendingAdminApprovalAction{
			UserId: e.params.EncryptServiceID(id), Role: e.incoming[id],
		})
}

// Remove takes people out: members, invitations, requests. Who is not there needs nothing.
func (e *Edit) Remove(people ...serviceid.ServiceID) error {
	for _, id := range people {
		if e.self.Has(id) {
			return ruleError("one leaves a group oneself (leave_group)")
		}
		if !e.present(id) {
			continue
		}
		if err := e.admin("remove someone"); err != nil {
			return err
		}
		if err := e.touch(id, wishRemove); err != nil {
			return err
		}
		e.takeOut(id)
	}
	return nil
}

func (e *Edit) present(id serviceid.ServiceID) bool {
	_, member := e.state.Member(id)
	_, invited := e.state.Invited(id)
	_, asked := e.state.Requested(id)
	return member || invited || asked
}

// takeOut removes someone from whatever list they are in, once.
func (e *Edit) takeOut(id serviceid.ServiceID) {
	if !e.present(id) || e.gone[id] {
		return
	}
	e.gone[id] = true
	sealed := e.params.EncryptServiceID(id)
	a := e.actions
	if _, ok := e.state.Member(id); ok {
		a.DeleteMembers = append(a.DeleteMembers,
			&servicepb.GroupChange_Actions_DeleteMemberAction{DeletedUserId: sealed})
	}
	if _, ok := e.state.Invited(id); ok {
		a.DeleteMembersPendingProfileKey = append(a.DeleteMembersPendingProfileKey,
			&servicepb.GroupChange_Actions_DeleteMemberPendingProfileKeyAction{DeletedUserId: sealed})
	}
	if _, ok := e.state.Requested(id); ok {
		a.DeleteMembersPendingAdminApproval = append(a.DeleteMembersPendingAdminApproval,
			&servicepb.GroupChange_Actions_DeleteMemberPendingAdminApprovalAction{DeletedUserId: sealed})
	}
}

// Ban takes people out and keeps them from joining by the link. Where as many are banned as can be, those who were
// banned first make room (Signal-Android GroupsV2Operations, createBanServiceIdsChange).
func (e *Edit) Ban(people ...serviceid.ServiceID) error {
	for _, id := range people {
		if e.self.Has(id) {
			return ruleError("nobody can ban themselves")
		}
		if id.Kind != serviceid.ACI || id.IsZero() {
			return ruleError("only an account can be banned, not a phone number: remove the invitation")
		}
		if e.state.IsBanned(id) || e.touched[id] == wishBan {
			continue
		}
		if err := e.admin("ban someone"); err != nil {
			return err
		}
		if err := e.touch(id, wishBan); err != nil {
			return err
		}
		e.takeOut(id)
		e.actions.AddMembersBanned = append(e.actions.AddMembersBanned,
			&servicepb.GroupChange_Actions_AddMemberBannedAction{
				Added: &servicepb.MemberBanned{UserId: e.params.EncryptServiceID(id)},
			})
	}
	return e.roomForBans(len(e.actions.GetAddMembersBanned()))
}

func (e *Edit) roomForBans(more int) error {
	excess := len(e.state.Banned) - len(e.actions.GetDeleteMembersBanned()) + more - MaxSize
	if excess <= 0 {
		return nil
	}
	if more > MaxSize {
		return fmt.Errorf("%w: %d people cannot be banned at once", ErrFull, more)
	}
	oldest := slices.SortedStableFunc(slices.Values(e.state.Banned), func(a, b Banned) int {
		return cmp.Compare(a.Timestamp, b.Timestamp)
	})
	for _, b := range oldest {
		if excess == 0 {
			break
		}
		if e.unban(b) {
			excess--
		}
	}
	return nil
}

// Unban lets people join again. Who is not banned needs nothing.
func (e *Edit) Unban(people ...serviceid.ServiceID) error {
	for _, id := range people {
		if !e.state.IsBanned(id) || e.touched[id] == wishAdd {
			continue
		}
		if !e.state.Access.Members.allows(e.role) {
			return fmt.Errorf("%w unban someone", ErrNotAdmin)
		}
		if err := e.touch(id, wishUnban); err != nil {
			return err
		}
		e.unban(Banned{ServiceID: id})
	}
	return nil
}

// unban takes a ban away, and says whether that was not asked for already.
func (e *Edit) unban(b Banned) bool {
	sealed := b.Ciphertext
	if !b.ServiceID.IsZero() {
		sealed = e.params.EncryptServiceID(b.ServiceID)
	}
	if slices.ContainsFunc(e.actions.GetDeleteMembersBanned(),
		func(d *servicepb.GroupChange_Actions_DeleteMemberBannedAction) bool {
			return slices.Equal(d.GetDeletedUserId(), sealed)
		}) {
		return false
	}
	e.actions.DeleteMembersBanned = append(e.actions.DeleteMembersBanned,
		&servicepb.GroupChange_Actions_DeleteMemberBannedAction{DeletedUserId: sealed})
	return true
}

// Approve lets people in who asked to join.
func (e *Edit) Approve(people ...serviceid.ServiceID) error {
	for _, id := range people {
		if _, member := e.state.Member(id); member || e.touched[id] == wishApprove {
			continue
		}
		if err := e.admin("let someone in"); err != nil {
			return err
		}
		if _, asked := e.state.Requested(id); !asked {
			return ruleError("%s did not ask to join", id)
		}
		if err := e.touch(id, wishApprove); err != nil {
			return err
		}
		e.promote(id, RoleMember)
	}
	return nil
}

// Deny refuses people who asked to join, and bans them, as the apps do: they could ask again at once otherwise.
func (e *Edit) Deny(people ...serviceid.ServiceID) error {
	for _, id := range people {
		if _, asked := e.state.Requested(id); !asked || e.touched[id] == wishDeny {
			continue
		}
		if err := e.admin("refuse someone"); err != nil {
			return err
		}
		if err := e.touch(id, wishDeny); err != nil {
			return err
		}
		e.takeOut(id)
		if !e.state.IsBanned(id) {
			e.actions.AddMembersBanned = append(e.actions.AddMembersBanned,
				&servicepb.GroupChange_Actions_AddMemberBannedAction{
					Added: &servicepb.MemberBanned{UserId: e.params.EncryptServiceID(id)},
				})
		}
	}
	return e.roomForBans(len(e.actions.GetAddMembersBanned()))
}

// Promote makes admins of members.
func (e *Edit) Promote(people ...serviceid.ServiceID) error {
	return e.setRoles(RoleAdmin, wishPromote, people)
}

// Demote takes the role of admin away. A group with members has an admin: the last one is ErrLastAdmin.
func (e *Edit) Demote(people ...serviceid.ServiceID) error {
	if err := e.setRoles(RoleMember, wishDemote, people); err != nil {
		return err
	}
	if !e.adminsRemain() {
		return ErrLastAdmin
	}
	return nil
}

func (e *Edit) setRoles(role Role, wish string, people []serviceid.ServiceID) error {
	for _, id := range people {
		m, ok := e.state.Member(id)
		if ok && m.Role == role {
			continue
		}
		if err := e.admin("change someone's role"); err != nil {
			return err
		}
		if incoming, ok := e.incoming[id]; ok { // who comes in by this revision comes in with the role
			*incoming = *role.wire()
			continue
		}
		if !ok {
			return ruleError("%s is not a member, who alone can be an admin", id)
		}
		if err := e.touch(id, wish); err != nil {
			return err
		}
		if e.roles[id] == role {
			continue
		}
		e.roles[id] = role
		e.actions.ModifyMemberRoles = append(e.actions.ModifyMemberRoles,
			&servicepb.GroupChange_Actions_ModifyMemberRoleAction{
				UserId: e.params.EncryptServiceID(id), Role: role.wire(),
			})
	}
	return nil
}

// adminsRemain tells whether the group has an admin after this edit.
func (e *Edit) adminsRemain() bool {
	for _, m := range e.state.Members {
		role := m.Role
		if changed, ok := e.roles[m.ACI]; ok {
			role = changed
		}
		if role == RoleAdmin && !e.gone[m.ACI] {
			return true
		}
	}
	return false
}
