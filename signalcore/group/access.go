package group

import (
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/servicepb"
)

// Role is what a member may do. The numbers are the service's (Groups.proto, Member.Role).
type Role uint32

// The roles.
const (
	RoleMember Role = 1
	RoleAdmin  Role = 2
)

func (r Role) known() bool { return r == RoleMember || r == RoleAdmin }

func (r Role) wire() *servicepb.Member_Role { return servicepb.Member_Role(r).Enum() }

// Model returns the role's name.
func (r Role) Model() model.GroupRole {
	if r == RoleAdmin {
		return model.GroupRoleAdmin
	}
	return model.GroupRoleMember
}

// Required is who may do a thing. The numbers are the service's (Groups.proto, AccessControl.AccessRequired); zero is a
// rule that was never set, or one that this version does not know.
type Required uint32

// The rules.
const (
	RequiredUnknown Required = 0
	RequiredAny     Required = 1
	RequiredMember  Required = 2
	RequiredAdmin   Required = 3
	RequiredNobody  Required = 4
)

// Access are the group's rules.
type Access struct {
	Attributes Required
	Members    Required
	// AddFromInviteLink is Any for joining at once, Admin for asking, anything else for no link.
	AddFromInviteLink Required
	Labels            Required
}

func (r Required) wire() *servicepb.AccessControl_AccessRequired {
	return servicepb.AccessControl_AccessRequired(r).Enum()
}

// permission names a rule of who among the members may do a thing.
func (r Required) permission() model.GroupPermission {
	switch r {
	case RequiredAny, RequiredMember:
		return model.GroupPermissionMembers
	case RequiredAdmin:
		return model.GroupPermissionAdmins
	}
	return model.GroupPermissionNone
}

// link names the state of the link.
func (r Required) link() model.GroupLinkState {
	switch r {
	case RequiredAny:
		return model.GroupLinkOn
	case RequiredAdmin:
		return model.GroupLinkApproval
	}
	return model.GroupLinkOff
}

// labels is the rule for labels: groups that are older than labels have none, and mean their members.
func (a Access) labels() Required {
	if a.Labels == RequiredUnknown {
		return RequiredMember
	}
	return a.Labels
}

// requiredOf reads a permission of a request.
func requiredOf(permission model.GroupPermission) (Required, error) {
	switch permission {
	case model.GroupPermissionMembers:
		return RequiredMember, nil
	case model.GroupPermissionAdmins:
		return RequiredAdmin, nil
	}
	return 0, ruleError("a permission is for members or for admins, not for %q", permission)
}

// linkRequired reads a link state of a request.
func linkRequired(state model.GroupLinkState) (Required, error) {
	switch state {
	case model.GroupLinkOff:
		return RequiredNobody, nil
	case model.GroupLinkOn:
		return RequiredAny, nil
	case model.GroupLinkApproval:
		return RequiredAdmin, nil
	}
	return 0, ruleError("a link is off, on or approval, not %q", state)
}

// allows tells whether a rule lets a member with this role do the thing.
func (r Required) allows(role Role) bool {
	switch r {
	case RequiredAny, RequiredMember:
		return true
	case RequiredAdmin:
		return role == RoleAdmin
	}
	return false
}
