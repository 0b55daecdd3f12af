package group

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// Decrypt reads a full state of the service. A state that cannot be true is ErrState; texts, invitations and bans that
// do not decrypt are the fault of a member, and are passed over or kept as they are.
func Decrypt(in *servicepb.Group, params *zkgroup.GroupSecretParams) (State, error) {
	if !bytes.Equal(in.GetPublicKey(), params.PublicParams()) {
		return State{}, stateError("it is that of another group")
	}
	if err := fits(in); err != nil {
		return State{}, err
	}
	access := in.GetAccessControl()
	s := State{
		MasterKey: params.MasterKey(), ID: params.GroupID(), Revision: in.GetVersion(),
		Title: title(params, in.GetTitle()), Description: description(params, in.GetDescription()),
		AvatarPath: in.GetAvatarUrl(), TimerSeconds: timer(params, in.GetDisappearingMessagesTimer()),
		AnnouncementsOnly: in.GetAnnouncementsOnly(), LinkPassword: in.GetInviteLinkPassword(),
		Terminated: in.GetTerminated(),
		Access: Access{
			Attributes: Required(access.GetAttributes()), Members: Required(access.GetMembers()),
			AddFromInviteLink: Required(access.GetAddFromInviteLink()), Labels: Required(access.GetMemberLabel()),
		},
	}
	r := reader{params}
	for _, read := range []func(*State, *servicepb.Group) error{r.members, r.pending, r.requesting, r.banned} {
		if err := read(&s, in); err != nil {
			return State{}, err
		}
	}
	if err := s.check(); err != nil {
		return State{}, err
	}
	return s, nil
}

// fits refuses lists and fields beyond all measure, before anything is decrypted.
func fits(in *servicepb.Group) error {
	people := max(len(in.GetMembers()), len(in.GetMembersPendingProfileKey()),
		len(in.GetMembersPendingAdminApproval()), len(in.GetMembersBanned()))
	if people > maxList {
		return stateError("it has a list of %d people", people)
	}
	return fitting(in.GetAvatarUrl(), in.GetInviteLinkPassword())
}

func fitting(avatarPath string, password []byte) error {
	if len(avatarPath) > maxPath || !utf8.ValidString(avatarPath) {
		return stateError("its picture's path is too long, or no text")
	}
	if len(password) > maxPassword {
		return stateError("its link's password has %d bytes", len(password))
	}
	return nil
}

// check refuses what the service never stores (GroupValidator, validateFinalGroupState), as far as it matters here.
func (s State) check() error {
	seen := make(once, len(s.Members))
	for _, m := range s.Members {
		if !m.Role.known() {
			return stateError("a member has role %d", m.Role)
		}
		if !seen.first(m.ACI, nil) {
			return stateError("a member is in it twice")
		}
	}
	clear(seen)
	for _, p := range s.Pending {
		if !seen.first(p.ServiceID, p.Ciphertext) {
			return stateError("someone invited is in it twice")
		}
	}
	clear(seen)
	for _, r := range s.Requesting {
		if !seen.first(r.ACI, nil) {
			return stateError("someone who asks to join is in it twice")
		}
	}
	clear(seen)
	for _, b := range s.Banned {
		if !seen.first(b.ServiceID, b.Ciphertext) {
			return stateError("someone banned is in it twice")
		}
	}
	return nil
}

// once remembers the people of a list.
type once map[string]bool

func (o once) first(id serviceid.ServiceID, ciphertext []byte) bool {
	key := string(ciphertext)
	if !id.IsZero() {
		key = id.String()
	}
	twice := o[key]
	o[key] = true
	return !twice
}

// reader decrypts the people of a state or a change.
type reader struct {
	params *zkgroup.GroupSecretParams
}

// aci decrypts someone who cannot be in a group but by an ACI.
func (r reader) aci(ciphertext []byte) (serviceid.ServiceID, error) {
	id, err := r.params.DecryptServiceID(ciphertext)
	if err != nil {
		return serviceid.ServiceID{}, fmt.Errorf("%w: an id of it does not decrypt: %w", ErrState, err)
	}
	if id.Kind != serviceid.ACI || id.IsZero() {
		return serviceid.ServiceID{}, stateError("a member is not an account")
	}
	return id, nil
}

// person decrypts an id with the profile key that goes with it, from the two ciphertexts or, without them, from a
// presentation, as requests have it (Signal-Android GroupsV2Operations, decryptMember).
func (r reader) person(userID, key, presentation []byte) (serviceid.ServiceID, profilekey.Key, error) {
	if len(userID) == 0 || len(key) == 0 {
		var err error
		userID, key, err = zkgroup.ProfileKeyPresentationCiphertexts(presentation)
		if err != nil {
			return serviceid.ServiceID{}, profilekey.Key{}, fmt.Errorf("%w: a presentation: %w", ErrState, err)
		}
	}
	aci, err := r.aci(userID)
	if err != nil {
		return serviceid.ServiceID{}, profilekey.Key{}, err
	}
	profileKey, err := r.params.DecryptProfileKey(key, aci)
	if err != nil {
		return serviceid.ServiceID{}, profilekey.Key{},
			fmt.Errorf("%w: a profile key of it does not decrypt: %w", ErrState, err)
	}
	return aci, profileKey, nil
}

// anyone decrypts an id that any member may have made up: what does not decrypt is kept as ciphertext.
func (r reader) anyone(ciphertext []byte) (serviceid.ServiceID, []byte) {
	id, err := r.params.DecryptServiceID(ciphertext)
	if err != nil || id.IsZero() {
		return serviceid.ServiceID{}, ciphertext
	}
	return id, nil
}

func (r reader) member(in *servicepb.Member) (Member, error) {
	aci, key, err := r.person(in.GetUserId(), in.GetProfileKey(), in.GetPresentation())
	if err != nil {
		return Member{}, err
	}
	role := Role(in.GetRole())
	if !role.known() {
		return Member{}, stateError("a member has role %d", role)
	}
	return Member{
		ACI: aci, ProfileKey: key, Role: role, JoinedAt: in.GetJoinedAtVersion(),
		Label: label(r.params, in.GetLabelString()), LabelEmoji: label(r.params, in.GetLabelEmoji()),
	}, nil
}

// invitation reads an invitation. A role that does not exist counts as a member's, as in the apps.
func (r reader) invitation(in *servicepb.MemberPendingProfileKey) Pending {
	out := Pending{Role: Role(in.GetMember().GetRole()), Timestamp: in.GetTimestamp()}
	if !out.Role.known() {
		out.Role = RoleMember
	}
	out.ServiceID, out.Ciphertext = r.anyone(in.GetMember().GetUserId())
	out.AddedBy, _ = r.anyone(in.GetAddedByUserId())
	return out
}

func (r reader) request(in *servicepb.MemberPendingAdminApproval) (Requesting, error) {
	aci, key, err := r.person(in.GetUserId(), in.GetProfileKey(), in.GetPresentation())
	return Requesting{ACI: aci, ProfileKey: key, Timestamp: in.GetTimestamp()}, err
}

func (r reader) ban(in *servicepb.MemberBanned) Banned {
	out := Banned{Timestamp: in.GetTimestamp()}
	out.ServiceID, out.Ciphertext = r.anyone(in.GetUserId())
	return out
}

func (r reader) members(s *State, in *servicepb.Group) error {
	for _, m := range in.GetMembers() {
		member, err := r.member(m)
		if err != nil {
			return err
		}
		s.Members = append(s.Members, member)
	}
	return nil
}

func (r reader) pending(s *State, in *servicepb.Group) error {
	for _, p := range in.GetMembersPendingProfileKey() {
		s.Pending = append(s.Pending, r.invitation(p))
	}
	return nil
}

func (r reader) requesting(s *State, in *servicepb.Group) error {
	for _, q := range in.GetMembersPendingAdminApproval() {
		request, err := r.request(q)
		if err != nil {
			return err
		}
		s.Requesting = append(s.Requesting, request)
	}
	return nil
}

func (r reader) banned(s *State, in *servicepb.Group) error {
	for _, b := range in.GetMembersBanned() {
		s.Banned = append(s.Banned, r.ban(b))
	}
	return nil
}
