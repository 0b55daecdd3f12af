package group

import (
	"signalbox/signalcore/model"
)

// MembershipOf is how an account stands to the group by its state alone: a state does not tell who left from who was
// removed, so that someone who is in no list has left.
func (s State) MembershipOf(self Identity) model.GroupMembership {
	switch {
	case s.has(self):
		return model.GroupMember
	case s.invited(self):
		return model.GroupInvited
	case s.requested(self):
		return model.GroupRequesting
	case s.IsBanned(self.ACI):
		return model.GroupBanned
	}
	return model.GroupLeft
}

func (s State) has(self Identity) bool {
	_, ok := s.Member(self.ACI)
	return ok
}

func (s State) requested(self Identity) bool {
	_, ok := s.Requested(self.ACI)
	return ok
}

func (s State) invited(self Identity) bool {
	_, byACI := s.Invited(self.ACI)
	_, byPNI := s.Invited(self.PNI)
	return byACI || byPNI
}

// After is how the account stands to the group after a change that leads to this state. It tells leaving from being
// removed, which a state alone does not.
func (s State) After(c Change, self Identity) model.GroupMembership {
	membership := s.MembershipOf(self)
	if membership == model.GroupLeft && !c.Editor.IsZero() && !self.Has(c.Editor) && c.takesAway(self) {
		return model.GroupRemoved
	}
	return membership
}

// takesAway tells whether a change ends the account's membership, invitation or request.
func (c Change) takesAway(self Identity) bool {
	for _, id := range c.DeleteMembers {
		if self.Has(id) {
			return true
		}
	}
	for _, id := range c.DeleteRequesting {
		if self.Has(id) {
			return true
		}
	}
	for _, p := range c.DeletePending {
		if self.Has(p.ServiceID) {
			return true
		}
	}
	return false
}

// Model returns the group as commands show it. Blocked is not the group's, and for the caller to set; so is a membership
// that the state does not know (removed).
func (s State) Model(self Identity) model.Group {
	out := model.Group{
		ID: s.ID[:], Revision: s.Revision, Membership: s.MembershipOf(self),
		Title: s.Title, Description: s.Description, HasAvatar: s.AvatarPath != "",
		ExpiresInSeconds: s.TimerSeconds, AnnouncementsOnly: s.AnnouncementsOnly,
		AddMembers: s.Access.Members.permission(), EditDetails: s.Access.Attributes.permission(),
		EditLabels: s.Access.labels().permission(), Link: s.linkState(), LinkURL: s.LinkURL(),
	}
	for _, m := range s.Members {
		out.Members = append(out.Members, model.GroupMemberInfo{
			ServiceID: m.ACI, Role: m.Role.Model(), JoinedAtRevision: m.JoinedAt, Label: m.Label, LabelEmoji: m.LabelEmoji,
		})
	}
	for _, p := range s.Pending {
		out.Pending = append(out.Pending, model.GroupPendingMember{
			ServiceID: p.ServiceID, Role: p.Role.Model(), InvitedBy: p.AddedBy, Timestamp: p.Timestamp,
		})
	}
	for _, r := range s.Requesting {
		out.Requesting = append(out.Requesting, model.GroupRequestingMember{ServiceID: r.ACI, Timestamp: r.Timestamp})
	}
	for _, b := range s.Banned {
		if !b.ServiceID.IsZero() {
			out.Banned = append(out.Banned, model.GroupBannedMember{ServiceID: b.ServiceID, Timestamp: b.Timestamp})
		}
	}
	return out
}

func (s State) linkState() model.GroupLinkState {
	if len(s.LinkPassword) == 0 {
		return model.GroupLinkOff
	}
	return s.Access.AddFromInviteLink.link()
}

// LinkURL is the group's link, empty where nobody can join by one.
func (s State) LinkURL() string {
	if s.linkState() == model.GroupLinkOff {
		return ""
	}
	return InviteLink{MasterKey: s.MasterKey, Password: s.LinkPassword}.String()
}
