package group

import (
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// Accept makes the revision that accepts an invitation: presentation is that of this account's own credential. An
// invitation by number is answered as such, which takes one by account away with it. Without an invitation it is
// model.ErrNotAGroupMember; nothing is to be done (nil) where the account is in already.
func (s State) Accept(
	params *zkgroup.GroupSecretParams, self Identity, presentation []byte,
) (*servicepb.GroupChange_Actions, error) {
	if s.Terminated {
		return nil, ErrTerminated
	}
	if s.has(self) {
		return nil, nil
	}
	actions := &servicepb.GroupChange_Actions{Version: proto.Uint32(s.Revision + 1)}
	if s.IsBanned(self.ACI) {
		return nil, ErrBanned
	}
	if _, byPNI := s.Invited(self.PNI); byPNI {
		if s.requested(self) { // nobody is in two lists
			actions.DeleteMembersPendingAdminApproval =
				CancelRequest(params, self, s.Revision).GetDeleteMembersPendingAdminApproval()
		}
		actions.PromoteMembersPendingPniAciProfileKey =
			[]*servicepb.GroupChange_Actions_PromoteMemberPendingPniAciProfileKeyAction{{Presentation: presentation}}
		return actions, nil
	}
	if _, byACI := s.Invited(self.ACI); byACI {
		actions.PromoteMembersPendingProfileKey =
			[]*servicepb.GroupChange_Actions_PromoteMemberPendingProfileKeyAction{{Presentation: presentation}}
		return actions, nil
	}
	return nil, fmt.Errorf("%w: there is no invitation to accept", model.ErrNotAGroupMember)
}

// Leave makes the revision by which this account leaves, making admins of the members in promote with it; or declines;
// or takes its request back. Nothing is to be done (nil) where it is in no list. The last admin of a group with other
// members has to promote someone: ErrLastAdmin. Of an account that was invited twice, by account and by number, one
// invitation is declined at a time, as the service wants it.
func (s State) Leave(
	params *zkgroup.GroupSecretParams, self Identity, promote []serviceid.ServiceID,
) (*servicepb.GroupChange_Actions, error) {
	if s.has(self) {
		return s.leaveAsMember(params, self, promote)
	}
	actions := &servicepb.GroupChange_Actions{Version: proto.Uint32(s.Revision + 1)}
	for _, id := range []serviceid.ServiceID{self.ACI, self.PNI} {
		if _, invited := s.Invited(id); invited {
			actions.DeleteMembersPendingProfileKey =
				[]*servicepb.GroupChange_Actions_DeleteMemberPendingProfileKeyAction{
					{DeletedUserId: params.EncryptServiceID(id)},
				}
			return actions, nil
		}
	}
	if s.requested(self) {
		return CancelRequest(params, self, s.Revision), nil
	}
	return nil, nil
}

func (s State) leaveAsMember(
	params *zkgroup.GroupSecretParams, self Identity, promote []serviceid.ServiceID,
) (*servicepb.GroupChange_Actions, error) {
	e, err := s.Edit(params, self, nil)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(promote, self.Has) {
		return nil, ruleError("who leaves cannot stay its admin")
	}
	if err := e.Promote(promote...); err != nil {
		return nil, err
	}
	e.takeOut(self.ACI)
	if len(s.Members) > 1 && e.role == RoleAdmin && !e.adminsRemain() {
		return nil, ErrLastAdmin
	}
	return e.actions, nil
}

// JoinByLink makes the revision by which this account joins by the link, or asks to, as the preview says.
func JoinByLink(p Preview, presentation []byte) (*servicepb.GroupChange_Actions, error) {
	actions := &servicepb.GroupChange_Actions{Version: proto.Uint32(p.Revision + 1)}
	switch p.Access {
	case RequiredAny:
		actions.AddMembers = []*servicepb.GroupChange_Actions_AddMemberAction{
			{Added: &servicepb.Member{Role: RoleMember.wire(), Presentation: presentation}},
		}
	case RequiredAdmin:
		if p.Requested {
			return nil, nil
		}
		if p.Full {
			return nil, fmt.Errorf("%w: as many ask to join as can", ErrFull)
		}
		actions.AddMembersPendingAdminApproval =
			[]*servicepb.GroupChange_Actions_AddMemberPendingAdminApprovalAction{
				{Added: &servicepb.MemberPendingAdminApproval{Presentation: presentation}},
			}
	default:
		return nil, fmt.Errorf("%w: the link is turned off", model.ErrNotFound)
	}
	return actions, nil
}

// CancelRequest makes the revision that takes this account's request to join back, on a group of which it knows the
// revision and nothing more.
func CancelRequest(params *zkgroup.GroupSecretParams, self Identity, revision uint32) *servicepb.GroupChange_Actions {
	return &servicepb.GroupChange_Actions{
		Version: proto.Uint32(revision + 1),
		DeleteMembersPendingAdminApproval: []*servicepb.GroupChange_Actions_DeleteMemberPendingAdminApprovalAction{
			{DeletedUserId: params.EncryptServiceID(self.ACI)},
		},
	}
}

// Creation is a group to make. Avatar is the path of the uploaded picture, empty for none.
type Creation struct {
	Title             string
	Description       string
	AvatarPath        string
	TimerSeconds      uint32
	AnnouncementsOnly bool
	// The permissions and the link are empty for what the apps choose: members for all, and no link.
	AddMembers  model.GroupPermission
	EditDetails model.GroupPermission
	EditLabels  model.GroupPermission
	Link        model.GroupLinkState
	// Password is for the link.
	Password []byte
	// Self is the presentation of this account's own credential.
	Self    []byte
	Members []Candidate
}

// Create makes the state with which a group begins, and its creator, who is its admin.
func Create(
	params *zkgroup.GroupSecretParams, self Identity, c Creation, random io.Reader,
) (*servicepb.Group, error) {
	access, err := c.access()
	if err != nil {
		return nil, err
	}
	out := &servicepb.Group{
		PublicKey: params.PublicParams(), Version: proto.Uint32(0), AvatarUrl: proto.String(c.AvatarPath),
		AccessControl: access, AnnouncementsOnly: proto.Bool(c.AnnouncementsOnly),
	}
	if err := c.seal(out, params, random); err != nil {
		return nil, err
	}
	if c.Link != "" && c.Link != model.GroupLinkOff {
		if len(c.Password) != PasswordSize {
			return nil, ruleError("a link's password has %d bytes, not %d", PasswordSize, len(c.Password))
		}
		out.InviteLinkPassword = c.Password
	}
	return out, c.people(out, params, self)
}

func (c Creation) access() (*servicepb.AccessControl, error) {
	rules := []Required{RequiredMember, RequiredMember, RequiredMember}
	for i, permission := range []model.GroupPermission{c.AddMembers, c.EditDetails, c.EditLabels} {
		if permission == "" {
			continue
		}
		rule, err := requiredOf(permission)
		if err != nil {
			return nil, err
		}
		rules[i] = rule
	}
	link := RequiredNobody
	if c.Link != "" {
		var err error
		if link, err = linkRequired(c.Link); err != nil {
			return nil, err
		}
	}
	return &servicepb.AccessControl{
		Members: rules[0].wire(), Attributes: rules[1].wire(), MemberLabel: rules[2].wire(),
		AddFromInviteLink: link.wire(),
	}, nil
}

func (c Creation) seal(out *servicepb.Group, params *zkgroup.GroupSecretParams, random io.Reader) (err error) {
	if out.Title, err = sealTitle(random, params, cleanText(c.Title)); err != nil {
		return err
	}
	if text := cleanText(c.Description); text != "" {
		if out.Description, err = sealDescription(random, params, text); err != nil {
			return err
		}
	}
	if c.TimerSeconds > 0 {
		out.DisappearingMessagesTimer, err = sealTimer(random, params, c.TimerSeconds)
	}
	return err
}

func (c Creation) people(out *servicepb.Group, params *zkgroup.GroupSecretParams, self Identity) error {
	if len(c.Members)+1 > MaxSize {
		return fmt.Errorf("%w: %d members, where %d are allowed", ErrFull, len(c.Members)+1, MaxSize)
	}
	by := params.EncryptServiceID(self.ACI)
	out.Members = []*servicepb.Member{newMember(Candidate{Presentation: c.Self, Role: RoleAdmin})}
	seen := make(once, len(c.Members))
	for _, m := range c.Members {
		switch {
		case m.ServiceID.IsZero() || !m.Role.known():
			return ruleError("someone to be added has no id or no role")
		case self.Has(m.ServiceID) || !seen.first(m.ServiceID, nil):
			continue
		case len(m.Presentation) > 0 && m.ServiceID.Kind == serviceid.ACI:
			out.Members = append(out.Members, newMember(m))
		default:
			out.MembersPendingProfileKey = append(out.MembersPendingProfileKey,
				newInvitation(m, params.EncryptServiceID(m.ServiceID), by))
		}
	}
	return nil
}
