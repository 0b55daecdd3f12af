package group

import (
	"bytes"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// service is the group server by its published source (signalapp/storage-service, controllers/GroupsController,
// groups/GroupChangeApplicator, GroupAuth, GroupValidator): it knows ciphertexts alone, and shares no code with what it
// tests. Its presentations are a user id and a profile key, one behind the other, without a proof.
type service struct {
	id    []byte
	group *servicepb.Group
	size  int
	clock uint64
}

var (
	errBadRequest = errors.New("400")
	errForbidden  = errors.New("403")
	errConflict   = errors.New("409")
)

// user is who the credentials of a request belong to.
type user struct{ aci, pni []byte }

func (u user) is(id []byte) bool { return bytes.Equal(u.aci, id) || bytes.Equal(u.pni, id) }

func presented(p []byte) (userID, key []byte, err error) {
	if len(p) != 130 {
		return nil, nil, errBadRequest
	}
	return p[:65], p[65:], nil
}

func newService(params *zkgroup.GroupSecretParams, u user, in *servicepb.Group, size int) (*service, error) {
	g := proto.CloneOf(in)
	id := params.GroupID()
	s := &service{id: id[:], group: g, size: size, clock: 1_700_000_000_000}
	if g.GetVersion() != 0 || len(g.GetTitle()) == 0 || !bytes.Equal(g.GetPublicKey(), params.PublicParams()) {
		return nil, errBadRequest
	}
	for _, m := range g.GetMembers() {
		if err := s.settle(m); err != nil {
			return nil, err
		}
	}
	for _, p := range g.GetMembersPendingProfileKey() {
		if !role(p.GetMember().GetRole()) || len(p.GetMember().GetPresentation()) > 0 {
			return nil, errBadRequest
		}
		p.AddedByUserId, p.Timestamp = u.aci, proto.Uint64(s.tick())
	}
	at := s.member(u.aci)
	if at < 0 || g.GetMembers()[at].GetRole() != servicepb.Member_ADMINISTRATOR {
		return nil, errBadRequest
	}
	return s, s.valid(g)
}

func (s *service) tick() uint64 { s.clock++; return s.clock }

func role(r servicepb.Member_Role) bool {
	return r == servicepb.Member_DEFAULT || r == servicepb.Member_ADMINISTRATOR
}

// settle puts the two ciphertexts of a presentation in its place.
func (s *service) settle(m *servicepb.Member) error {
	if !role(m.GetRole()) {
		return errBadRequest
	}
	userID, key, err := presented(m.GetPresentation())
	m.UserId, m.ProfileKey, m.Presentation = userID, key, nil
	m.JoinedAtVersion = proto.Uint32(s.group.GetVersion())
	return err
}

func (s *service) member(id []byte) int {
	return slices.IndexFunc(s.group.GetMembers(), func(m *servicepb.Member) bool { return bytes.Equal(m.GetUserId(), id) })
}

func (s *service) admin(u user) bool {
	at := s.member(u.aci)
	return at >= 0 && s.group.GetMembers()[at].GetRole() == servicepb.Member_ADMINISTRATOR
}

func (s *service) mayAdd(u user) bool {
	return s.admin(u) || s.member(u.aci) >= 0 &&
		s.group.GetAccessControl().GetMembers() == servicepb.AccessControl_MEMBER
}

func (s *service) mayEdit(u user) bool {
	return s.admin(u) || s.member(u.aci) >= 0 &&
		s.group.GetAccessControl().GetAttributes() == servicepb.AccessControl_MEMBER
}

// modify makes the next revision, and returns the change as members get it.
func (s *service) modify(u user, password []byte, in *servicepb.GroupChange_Actions) (*servicepb.GroupChange, error) {
	if in.GetVersion() != s.group.GetVersion()+1 {
		return nil, errConflict
	}
	if len(in.GetGroupId()) > 0 {
		return nil, errBadRequest
	}
	m := &modification{s: s, u: u, a: proto.CloneOf(in), g: proto.CloneOf(s.group), password: password}
	m.a.GroupId = s.id
	for _, step := range []func() error{
		m.unban, m.ban, m.add, m.remove, m.roles, m.keys, m.invite, m.revoke, m.accept, m.attributes,
		m.ask, m.refuse, m.letIn, m.acceptPNI, m.labels, m.ensureAdmins,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if m.a.SourceUserId = m.source(); m.a.GetSourceUserId() == nil {
		return nil, errForbidden
	}
	m.g.Version = m.a.Version
	if err := s.valid(m.g); err != nil {
		return nil, err
	}
	s.group = m.g
	b, err := proto.Marshal(m.a)
	return &servicepb.GroupChange{Actions: b, ChangeEpoch: proto.Uint32(HighestEpoch)}, err
}

// valid is the service's last look at a state.
func (s *service) valid(g *servicepb.Group) error {
	seen := make(map[string]bool)
	first := func(id []byte) bool { twice := seen[string(id)]; seen[string(id)] = true; return !twice }
	ok := len(g.GetTitle()) > 0 && len(g.GetTitle()) <= 1024 && len(g.GetDescription()) <= 8192 &&
		len(g.GetMembers())+len(g.GetMembersPendingProfileKey()) <= s.size &&
		len(g.GetMembersPendingAdminApproval()) <= s.size && len(g.GetMembersBanned()) <= s.size
	link := g.GetAccessControl().GetAddFromInviteLink()
	ok = ok && (len(g.GetInviteLinkPassword()) == 16 || len(g.GetInviteLinkPassword()) == 0 &&
		(link == servicepb.AccessControl_UNSATISFIABLE || link == servicepb.AccessControl_UNKNOWN))
	for _, m := range g.GetMembers() {
		ok = ok && first(m.GetUserId()) && role(m.GetRole())
	}
	for _, p := range g.GetMembersPendingProfileKey() {
		ok = ok && first(p.GetMember().GetUserId()) && role(p.GetMember().GetRole())
	}
	for _, r := range g.GetMembersPendingAdminApproval() {
		ok = ok && first(r.GetUserId())
	}
	for _, b := range g.GetMembersBanned() {
		ok = ok && first(b.GetUserId())
	}
	if !ok {
		return errBadRequest
	}
	return nil
}

// modification is a change on its way.
type modification struct {
	s        *service
	u        user
	a        *servicepb.GroupChange_Actions
	g        *servicepb.Group
	password []byte
}

func (m *modification) byLink() bool {
	return len(m.password) > 0 && bytes.Equal(m.password, m.s.group.GetInviteLinkPassword())
}

func (m *modification) unban() error {
	for _, d := range m.a.GetDeleteMembersBanned() {
		if !m.s.mayAdd(m.u) {
			return errForbidden
		}
		before := len(m.g.GetMembersBanned())
		m.g.MembersBanned = slices.DeleteFunc(m.g.GetMembersBanned(), func(b *servicepb.MemberBanned) bool {
			return bytes.Equal(b.GetUserId(), d.GetDeletedUserId())
		})
		if len(m.g.GetMembersBanned()) == before {
			return errBadRequest
		}
	}
	return nil
}

func (m *modification) ban() error {
	for _, b := range m.a.GetAddMembersBanned() {
		if !m.s.admin(m.u) {
			return errForbidden
		}
		if len(b.GetAdded().GetUserId()) == 0 {
			return errBadRequest
		}
		b.Added.Timestamp = proto.Uint64(m.s.tick())
		m.g.MembersBanned = append(m.g.MembersBanned, b.GetAdded())
	}
	return nil
}

func (m *modification) add() error {
	for _, a := range m.a.GetAddMembers() {
		if err := m.s.settle(a.GetAdded()); err != nil || a.GetJoinFromInviteLink() {
			return errBadRequest
		}
		self := m.u.is(a.GetAdded().GetUserId())
		byLink := m.byLink() && self && m.s.member(m.u.aci) < 0 &&
			m.s.group.GetAccessControl().GetAddFromInviteLink() == servicepb.AccessControl_ANY
		admin := a.GetAdded().GetRole() == servicepb.Member_ADMINISTRATOR
		switch {
		case m.s.member(a.GetAdded().GetUserId()) >= 0:
			return errBadRequest
		case !byLink && !m.s.mayAdd(m.u), admin && !m.s.admin(m.u):
			return errForbidden
		}
		if byLink {
			a.JoinFromInviteLink = proto.Bool(true)
		}
		stored := proto.CloneOf(a.GetAdded())
		stored.JoinedAtVersion = m.a.Version
		m.dropInvited(stored.GetUserId())
		m.dropAsking(stored.GetUserId())
		m.g.Members = append(m.g.Members, stored)
	}
	return nil
}

func (m *modification) dropInvited(id []byte) (found *servicepb.MemberPendingProfileKey) {
	m.g.MembersPendingProfileKey = slices.DeleteFunc(m.g.GetMembersPendingProfileKey(),
		func(p *servicepb.MemberPendingProfileKey) bool {
			match := bytes.Equal(p.GetMember().GetUserId(), id)
			if match {
				found = p
			}
			return match
		})
	return found
}

func (m *modification) dropAsking(id []byte) (found *servicepb.MemberPendingAdminApproval) {
	m.g.MembersPendingAdminApproval = slices.DeleteFunc(m.g.GetMembersPendingAdminApproval(),
		func(r *servicepb.MemberPendingAdminApproval) bool {
			match := bytes.Equal(r.GetUserId(), id)
			if match {
				found = r
			}
			return match
		})
	return found
}

func (m *modification) remove() error {
	for _, d := range m.a.GetDeleteMembers() {
		if !m.s.admin(m.u) && (len(m.a.GetDeleteMembers()) != 1 || !m.u.is(d.GetDeletedUserId())) {
			return errForbidden
		}
		before := len(m.g.GetMembers())
		m.g.Members = slices.DeleteFunc(m.g.GetMembers(), func(have *servicepb.Member) bool {
			return bytes.Equal(have.GetUserId(), d.GetDeletedUserId())
		})
		if len(m.g.GetMembers()) == before {
			return errBadRequest
		}
	}
	return nil
}

func (m *modification) find(id []byte) *servicepb.Member {
	for _, have := range m.g.GetMembers() {
		if bytes.Equal(have.GetUserId(), id) {
			return have
		}
	}
	return nil
}

func (m *modification) roles() error {
	seen := map[string]bool{}
	for _, r := range m.a.GetModifyMemberRoles() {
		have := m.find(r.GetUserId())
		switch {
		case !m.s.admin(m.u):
			return errForbidden
		case have == nil || !role(r.GetRole()) || seen[string(r.GetUserId())]:
			return errBadRequest
		}
		seen[string(r.GetUserId())] = true
		have.Role = r.Role
	}
	return nil
}

func (m *modification) keys() error {
	for _, k := range m.a.GetModifyMemberProfileKeys() {
		userID, key, err := presented(k.GetPresentation())
		if err != nil || len(k.GetUserId())+len(k.GetProfileKey()) > 0 {
			return errBadRequest
		}
		have := m.find(userID)
		if !m.u.is(userID) || have == nil {
			return errForbidden
		}
		k.UserId, k.ProfileKey, k.Presentation = userID, key, nil
		have.ProfileKey = key
	}
	return nil
}

func (m *modification) invite() error {
	for _, a := range m.a.GetAddMembersPendingProfileKey() {
		who := a.GetAdded().GetMember()
		admin := who.GetRole() == servicepb.Member_ADMINISTRATOR
		switch {
		case !m.s.mayAdd(m.u), admin && !m.s.admin(m.u):
			return errForbidden
		case len(who.GetUserId()) == 0, len(who.GetPresentation())+len(who.GetProfileKey()) > 0, !role(who.GetRole()),
			m.s.member(who.GetUserId()) >= 0:
			return errBadRequest
		}
		for _, p := range m.s.group.GetMembersPendingProfileKey() {
			if bytes.Equal(p.GetMember().GetUserId(), who.GetUserId()) {
				return errBadRequest
			}
		}
		a.Added.AddedByUserId, a.Added.Timestamp = m.u.aci, proto.Uint64(m.s.tick())
		m.g.MembersPendingProfileKey = append(m.g.MembersPendingProfileKey, proto.CloneOf(a.GetAdded()))
	}
	return nil
}

func (m *modification) revoke() error {
	for _, d := range m.a.GetDeleteMembersPendingProfileKey() {
		if !m.s.admin(m.u) && (len(m.a.GetDeleteMembersPendingProfileKey()) != 1 || !m.u.is(d.GetDeletedUserId())) {
			return errForbidden
		}
		if m.dropInvited(d.GetDeletedUserId()) == nil {
			return errBadRequest
		}
	}
	return nil
}

func (m *modification) accept() error {
	for _, p := range m.a.GetPromoteMembersPendingProfileKey() {
		userID, key, err := presented(p.GetPresentation())
		if err != nil || len(p.GetUserId())+len(p.GetProfileKey()) > 0 {
			return errBadRequest
		}
		invited := m.dropInvited(userID)
		if !m.u.is(userID) || invited == nil {
			return errForbidden
		}
		p.UserId, p.ProfileKey, p.Presentation = userID, key, nil
		m.welcome(userID, key, invited.GetMember().GetRole())
	}
	return nil
}

func (m *modification) acceptPNI() error {
	for _, p := range m.a.GetPromoteMembersPendingPniAciProfileKey() {
		userID, key, err := presented(p.GetPresentation())
		if err != nil || len(p.GetUserId())+len(p.GetProfileKey())+len(p.GetPni()) > 0 {
			return errBadRequest
		}
		invited := m.dropInvited(m.u.pni)
		if !m.u.is(userID) || invited == nil {
			return errForbidden
		}
		m.dropInvited(userID)
		p.UserId, p.ProfileKey, p.Pni, p.Presentation = userID, key, m.u.pni, nil
		m.welcome(userID, key, invited.GetMember().GetRole())
	}
	return nil
}

func (m *modification) welcome(userID, key []byte, r servicepb.Member_Role) {
	m.g.Members = append(m.g.Members, &servicepb.Member{
		UserId: userID, ProfileKey: key, Role: r.Enum(), JoinedAtVersion: m.a.Version,
	})
}

func (m *modification) attributes() error {
	a, access := m.a, m.g.GetAccessControl()
	details := a.ModifyTitle != nil || a.ModifyDescription != nil || a.ModifyAvatar != nil ||
		a.ModifyDisappearingMessageTimer != nil
	rules := a.ModifyAttributesAccess != nil || a.ModifyMemberAccess != nil || a.ModifyAddFromInviteLinkAccess != nil ||
		a.ModifyMemberLabelAccess != nil || a.ModifyInviteLinkPassword != nil || a.ModifyAnnouncementsOnly != nil ||
		a.TerminateGroup != nil
	if details && !m.s.mayEdit(m.u) || rules && !m.s.admin(m.u) {
		return errForbidden
	}
	if a.ModifyTitle != nil {
		m.g.Title = a.GetModifyTitle().GetTitle()
	}
	if a.ModifyDescription != nil {
		m.g.Description = a.GetModifyDescription().GetDescription()
	}
	if a.ModifyAvatar != nil {
		m.g.AvatarUrl = proto.String(a.GetModifyAvatar().GetAvatar())
	}
	if a.ModifyDisappearingMessageTimer != nil {
		m.g.DisappearingMessagesTimer = a.GetModifyDisappearingMessageTimer().GetTimer()
	}
	if a.ModifyAttributesAccess != nil {
		access.Attributes = a.GetModifyAttributesAccess().AttributesAccess
	}
	if a.ModifyMemberAccess != nil {
		access.Members = a.GetModifyMemberAccess().MembersAccess
	}
	if a.ModifyAddFromInviteLinkAccess != nil {
		access.AddFromInviteLink = a.GetModifyAddFromInviteLinkAccess().AddFromInviteLinkAccess
	}
	if a.ModifyMemberLabelAccess != nil {
		access.MemberLabel = a.GetModifyMemberLabelAccess().MemberLabelAccess
	}
	if a.ModifyInviteLinkPassword != nil {
		m.g.InviteLinkPassword = a.GetModifyInviteLinkPassword().GetInviteLinkPassword()
	}
	if a.ModifyAnnouncementsOnly != nil {
		m.g.AnnouncementsOnly = a.GetModifyAnnouncementsOnly().AnnouncementsOnly
	}
	if a.TerminateGroup != nil {
		m.g.Terminated = proto.Bool(true)
	}
	return nil
}

func (m *modification) ask() error {
	for _, a := range m.a.GetAddMembersPendingAdminApproval() {
		userID, key, err := presented(a.GetAdded().GetPresentation())
		if err != nil || len(a.GetAdded().GetUserId())+len(a.GetAdded().GetProfileKey()) > 0 || !m.u.is(userID) {
			return errBadRequest
		}
		if !m.byLink() ||
			m.s.group.GetAccessControl().GetAddFromInviteLink() != servicepb.AccessControl_ADMINISTRATOR {
			return errForbidden
		}
		a.Added = &servicepb.MemberPendingAdminApproval{
			UserId: userID, ProfileKey: key, Timestamp: proto.Uint64(m.s.tick()),
		}
		m.g.MembersPendingAdminApproval = append(m.g.MembersPendingAdminApproval, a.GetAdded())
	}
	return nil
}

func (m *modification) refuse() error {
	for _, d := range m.a.GetDeleteMembersPendingAdminApproval() {
		if !m.s.admin(m.u) && (len(m.a.GetDeleteMembersPendingAdminApproval()) != 1 || !m.u.is(d.GetDeletedUserId())) {
			return errForbidden
		}
		if m.dropAsking(d.GetDeletedUserId()) == nil {
			return errBadRequest
		}
	}
	return nil
}

func (m *modification) letIn() error {
	for _, p := range m.a.GetPromoteMembersPendingAdminApproval() {
		if !m.s.admin(m.u) {
			return errForbidden
		}
		asking := m.dropAsking(p.GetUserId())
		if asking == nil || m.find(p.GetUserId()) != nil {
			return errBadRequest
		}
		m.welcome(p.GetUserId(), asking.GetProfileKey(), p.GetRole())
	}
	return nil
}

// labels are later than the published source; what is known of them is what the apps do.
func (m *modification) labels() error {
	for _, l := range m.a.GetModifyMemberLabels() {
		have := m.find(l.GetUserId())
		if have == nil || !m.u.is(l.GetUserId()) {
			return errForbidden
		}
		if m.s.group.GetAccessControl().GetMemberLabel() == servicepb.AccessControl_ADMINISTRATOR && !m.s.admin(m.u) {
			return errForbidden
		}
		have.LabelString, have.LabelEmoji = l.GetLabelString(), l.GetLabelEmoji()
	}
	return nil
}

// ensureAdmins makes admins of everyone where a change leaves none, but for those whom the change is about.
func (m *modification) ensureAdmins() error {
	admin := func(x *servicepb.Member) bool { return x.GetRole() == servicepb.Member_ADMINISTRATOR }
	if len(m.g.GetMembers()) == 0 || slices.ContainsFunc(m.g.GetMembers(), admin) {
		return nil
	}
	changed := func(x *servicepb.Member) bool {
		return slices.ContainsFunc(m.a.GetModifyMemberRoles(),
			func(r *servicepb.GroupChange_Actions_ModifyMemberRoleAction) bool {
				return bytes.Equal(r.GetUserId(), x.GetUserId())
			})
	}
	promote := func(x *servicepb.Member) {
		x.Role = servicepb.Member_ADMINISTRATOR.Enum()
		m.a.ModifyMemberRoles = append(m.a.ModifyMemberRoles,
			&servicepb.GroupChange_Actions_ModifyMemberRoleAction{UserId: x.GetUserId(), Role: x.Role})
	}
	for _, x := range m.g.GetMembers() {
		if x.GetJoinedAtVersion() != m.a.GetVersion() && !changed(x) {
			promote(x)
		}
	}
	if !slices.ContainsFunc(m.g.GetMembers(), admin) {
		for _, x := range m.g.GetMembers() {
			promote(x)
		}
	}
	return nil
}

// source is who made the change: who was in the group before, or is in it after.
func (m *modification) source() []byte {
	var found []byte
	look := func(ids ...[]byte) {
		for _, id := range ids {
			if m.u.is(id) && !bytes.Equal(found, m.u.aci) {
				found = id
			}
		}
	}
	for _, g := range []*servicepb.Group{m.s.group, m.g} {
		for _, x := range g.GetMembers() {
			look(x.GetUserId())
		}
		for _, p := range g.GetMembersPendingProfileKey() {
			look(p.GetMember().GetUserId())
		}
		for _, r := range g.GetMembersPendingAdminApproval() {
			look(r.GetUserId())
		}
		if found != nil {
			return found
		}
	}
	return nil
}
