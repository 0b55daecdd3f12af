package group

import (
	"bytes"
	"fmt"
	"slices"

	"signalbox/signalcore/protocol/serviceid"
)

// Apply makes the state after a change, in the order of the service (storage-service GroupsController, modifyGroup), so
// that it equals the service's own. The state itself stays as it is. A change of another revision than the next is
// ErrRevision, one that the state does not allow ErrNotApplicable.
func (s State) Apply(c Change) (State, error) {
	if c.Revision != s.Revision+1 {
		return State{}, fmt.Errorf("%w: change %d on %d", ErrRevision, c.Revision, s.Revision)
	}
	if c.GroupID != s.ID && c.GroupID != ([32]byte{}) {
		return State{}, fmt.Errorf("%w: it is a change of another group", ErrNotApplicable)
	}
	next := s.clone()
	next.Revision = c.Revision
	for _, apply := range []func(*State, Change) error{
		applyBans, applyMembers, applyInvitations, applyRequests, applyRoles, applyLabels,
	} {
		if err := apply(&next, c); err != nil {
			return State{}, err
		}
	}
	next.applyAttributes(c)
	if err := next.check(); err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrNotApplicable, err)
	}
	return next, nil
}

func applyBans(s *State, c Change) error {
	for _, b := range c.DeleteBanned {
		s.Banned = slices.DeleteFunc(s.Banned, func(have Banned) bool {
			return same(have.ServiceID, have.Ciphertext, b.ServiceID, b.Ciphertext)
		})
	}
	s.Banned = append(s.Banned, c.AddBanned...)
	return nil
}

func same(id serviceid.ServiceID, ciphertext []byte, otherID serviceid.ServiceID, other []byte) bool {
	return id == otherID && bytes.Equal(ciphertext, other)
}

func applyMembers(s *State, c Change) error {
	for _, added := range c.AddMembers {
		s.dropInvitation(added.ACI)
		s.dropRequest(added.ACI)
		s.Members = append(s.Members, added.Member)
	}
	for _, gone := range c.DeleteMembers {
		s.Members = slices.DeleteFunc(s.Members, func(m Member) bool { return m.ACI == gone })
	}
	for _, changed := range c.ProfileKeys {
		m, ok := s.Member(changed.ACI)
		if !ok {
			return fmt.Errorf("%w: a profile key of someone who is no member", ErrNotApplicable)
		}
		m.ProfileKey = changed.ProfileKey
	}
	return nil
}

func (s *State) dropInvitation(id serviceid.ServiceID) {
	s.Pending = slices.DeleteFunc(s.Pending, func(p Pending) bool { return p.ServiceID == id })
}

func (s *State) dropRequest(id serviceid.ServiceID) {
	s.Requesting = slices.DeleteFunc(s.Requesting, func(r Requesting) bool { return r.ACI == id })
}

func applyInvitations(s *State, c Change) error {
	s.Pending = append(s.Pending, c.AddPending...)
	for _, gone := range c.DeletePending {
		s.Pending = slices.DeleteFunc(s.Pending, func(p Pending) bool {
			return same(p.ServiceID, p.Ciphertext, gone.ServiceID, gone.Ciphertext)
		})
	}
	for _, p := range c.PromotePending {
		if err := s.accept(p, p.ACI, c.Revision); err != nil {
			return err
		}
	}
	for _, p := range c.PromotePNI {
		if err := s.accept(p.MemberKey, p.PNI, c.Revision); err != nil {
			return err
		}
		s.dropInvitation(p.ACI)
	}
	return nil
}

// accept makes a member of someone who was invited, with the role of the invitation.
func (s *State) accept(who MemberKey, invited serviceid.ServiceID, revision uint32) error {
	invitation, ok := s.Invited(invited)
	if !ok {
		return fmt.Errorf("%w: someone accepts an invitation that is not there", ErrNotApplicable)
	}
	role := invitation.Role
	s.dropInvitation(invited)
	s.Members = append(s.Members, Member{ACI: who.ACI, ProfileKey: who.ProfileKey, Role: role, JoinedAt: revision})
	return nil
}

func applyRequests(s *State, c Change) error {
	s.Requesting = append(s.Requesting, c.AddRequesting...)
	for _, gone := range c.DeleteRequesting {
		s.dropRequest(gone)
	}
	for _, p := range c.PromoteRequesting {
		request, ok := s.Requested(p.ACI)
		if !ok {
			return fmt.Errorf("%w: someone is let in who did not ask", ErrNotApplicable)
		}
		key := request.ProfileKey
		s.dropRequest(p.ACI)
		s.Members = append(s.Members, Member{ACI: p.ACI, ProfileKey: key, Role: p.Role, JoinedAt: c.Revision})
	}
	return nil
}

// applyRoles comes after all that makes members: where a change leaves a group without an admin, the service adds to it
// that everyone becomes one (GroupChangeApplicator, applyEnsureSomeAdminsExist).
func applyRoles(s *State, c Change) error {
	for _, changed := range c.Roles {
		m, ok := s.Member(changed.ACI)
		if !ok {
			return fmt.Errorf("%w: a role for someone who is no member", ErrNotApplicable)
		}
		m.Role = changed.Role
	}
	return nil
}

func applyLabels(s *State, c Change) error {
	for _, changed := range c.Labels {
		m, ok := s.Member(changed.ACI)
		if !ok {
			return fmt.Errorf("%w: a label for someone who is no member", ErrNotApplicable)
		}
		m.Label, m.LabelEmoji = changed.Label, changed.Emoji
	}
	return nil
}

func (s *State) applyAttributes(c Change) {
	set(&s.Title, c.Title)
	set(&s.Description, c.Description)
	set(&s.AvatarPath, c.AvatarPath)
	set(&s.TimerSeconds, c.TimerSeconds)
	set(&s.AnnouncementsOnly, c.AnnouncementsOnly)
	if len(c.LinkPassword) > 0 {
		s.LinkPassword = c.LinkPassword
	}
	for _, rule := range []struct{ have, want *Required }{
		{&s.Access.Attributes, &c.Access.Attributes},
		{&s.Access.Members, &c.Access.Members},
		{&s.Access.AddFromInviteLink, &c.Access.AddFromInviteLink},
		{&s.Access.Labels, &c.Access.Labels},
	} {
		if *rule.want != RequiredUnknown {
			*rule.have = *rule.want
		}
	}
	s.Terminated = s.Terminated || c.Terminated
}

func set[T any](have *T, want *T) {
	if want != nil {
		*have = *want
	}
}
