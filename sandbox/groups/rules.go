package groups

import (
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

// The limits of GroupConfiguration, as on the live service.
const (
	maxMembers     = 1001
	maxTitle       = 1024
	maxDescription = 8192
	linkPassword   = 16
)

// The epochs at which the format of changes first knew a thing (GroupsController).
const (
	epochLink          = 1
	epochDescription   = 2
	epochAnnouncements = 3
	epochBanned        = 4
	epochPNI           = 5
	epochLabels        = 6
	epochTerminate     = 7
)

var (
	errBad       = wire.Refuse(http.StatusBadRequest)
	errForbidden = wire.Refuse(http.StatusForbidden)
)

// opener verifies a profile key presentation for the group, and returns its two ciphertexts.
type opener func(presentation []byte) (userID, profileKey []byte, err error)

// knowsAll reports whether a message has no field that this service does not know: those are refused
// (providers/NoUnknownFields).
func knowsAll(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return false
	}
	known := true
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Kind() != protoreflect.MessageKind {
			return true
		}
		if !field.IsList() {
			known = knowsAll(value.Message())
			return known
		}
		for i := range value.List().Len() {
			known = known && knowsAll(value.List().Get(i).Message())
		}
		return known
	})
	return known
}

func knownRole(role servicepb.Member_Role) bool {
	return role == servicepb.Member_DEFAULT || role == servicepb.Member_ADMINISTRATOR
}

// newGroup checks a group that is to be made, and fills in what the service fills in (GroupsController.createGroup,
// GroupValidator.validateFinalGroupState).
func newGroup(group *servicepb.Group, by user, open opener, now time.Time) (*servicepb.Group, error) {
	access := group.GetAccessControl()
	switch {
	case !knowsAll(group.ProtoReflect()),
		group.GetVersion() != 0 || len(group.GetPublicKey()) == 0 || len(group.GetTitle()) == 0,
		access.GetAttributes() == servicepb.AccessControl_UNKNOWN || access.GetMembers() == servicepb.AccessControl_UNKNOWN,
		len(group.GetMembersPendingAdminApproval())+len(group.GetMembersBanned()) > 0:
		return nil, errBad
	}
	state := proto.CloneOf(group)
	for _, m := range state.Members {
		if err := openMember(m, open, 0); err != nil {
			return nil, err
		}
	}
	if !by.adminOf(state) {
		return nil, errBad
	}
	for i, invited := range group.GetMembersPendingProfileKey() {
		filled, err := invitation(invited.GetMember(), by.memberOf(state), 0, now)
		if err != nil {
			return nil, err
		}
		state.MembersPendingProfileKey[i] = filled
	}
	return state, checkState(state)
}

// openMember puts the ciphertexts of a member's presentation in its place.
func openMember(m *servicepb.Member, open opener, revision uint32) (err error) {
	if len(m.GetPresentation()) == 0 || !knownRole(m.GetRole()) {
		return errBad
	}
	if m.UserId, m.ProfileKey, err = open(m.GetPresentation()); err != nil {
		return err
	}
	m.Presentation, m.JoinedAtVersion = nil, &revision
	return nil
}

// invitation is of somebody by the id alone.
func invitation(
	invited, by *servicepb.Member, revision uint32, now time.Time,
) (*servicepb.MemberPendingProfileKey, error) {
	if len(invited.GetUserId()) == 0 || len(invited.GetProfileKey())+len(invited.GetPresentation()) > 0 ||
		!knownRole(invited.GetRole()) {
		return nil, errBad
	}
	return &servicepb.MemberPendingProfileKey{
		Member:        &servicepb.Member{UserId: invited.GetUserId(), Role: invited.Role, JoinedAtVersion: &revision},
		AddedByUserId: by.GetUserId(), Timestamp: milliseconds(now),
	}, nil
}

func milliseconds(t time.Time) *uint64 { return proto.Uint64(uint64(t.UnixMilli())) }

// checkState is GroupValidator.validateFinalGroupState.
func checkState(g *servicepb.Group) error {
	password := len(g.GetInviteLinkPassword())
	access := g.GetAccessControl().GetAddFromInviteLink()
	closed := access == servicepb.AccessControl_UNSATISFIABLE || access == servicepb.AccessControl_UNKNOWN
	switch {
	case len(g.GetTitle()) == 0 || len(g.GetTitle()) > maxTitle || len(g.GetDescription()) > maxDescription,
		password != 0 && password != linkPassword, password == 0 && !closed:
		return errBad
	}
	return checkPeople(g)
}

// checkPeople refuses who is in a group twice, or in it and banned.
func checkPeople(g *servicepb.Group) error {
	seen := map[string]bool{}
	add := func(id []byte) bool {
		known := seen[string(id)]
		seen[string(id)] = true
		return !known && len(id) > 0
	}
	unique := true
	for _, m := range g.GetMembers() {
		unique = add(m.GetUserId()) && unique
	}
	for _, m := range g.GetMembersPendingProfileKey() {
		unique = add(m.GetMember().GetUserId()) && unique
	}
	for _, m := range g.GetMembersPendingAdminApproval() {
		unique = add(m.GetUserId()) && unique
	}
	size := len(seen)
	for _, m := range g.GetMembersBanned() {
		unique = add(m.GetUserId()) && unique
	}
	if !unique || size > maxMembers {
		return errBad
	}
	return nil
}
