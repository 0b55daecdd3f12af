package model

import (
	"strings"

	"signalbox/signalcore/protocol/serviceid"
)

// GroupMembership is how this account stands to a group.
type GroupMembership string

// The memberships. Groups that were left, or that removed or banned this account, stay known as such.
const (
	// GroupMember is a full member.
	GroupMember GroupMembership = "member"
	// GroupInvited has an invitation that is neither accepted nor declined.
	GroupInvited GroupMembership = "invited"
	// GroupRequesting has asked to join, and waits for an admin.
	GroupRequesting GroupMembership = "requesting"
	// GroupLeft has left, or declined, or taken a request back.
	GroupLeft GroupMembership = "left"
	// GroupRemoved was removed by an admin.
	GroupRemoved GroupMembership = "removed"
	// GroupBanned was banned by an admin.
	GroupBanned GroupMembership = "banned"
	// GroupUnfetched is known by its key alone: its state is yet to be fetched.
	GroupUnfetched GroupMembership = "unfetched"
)

// GroupRole is what a member may do.
type GroupRole string

// The roles.
const (
	GroupRoleMember GroupRole = "member"
	GroupRoleAdmin  GroupRole = "admin"
)

// GroupPermission is who may do a thing.
type GroupPermission string

// The permissions. None is for what nobody may do.
const (
	GroupPermissionNone    GroupPermission = "none"
	GroupPermissionMembers GroupPermission = "members"
	GroupPermissionAdmins  GroupPermission = "admins"
)

// GroupLinkState says who can join by the group's link.
type GroupLinkState string

// The states of a link.
const (
	GroupLinkOff      GroupLinkState = "off"
	GroupLinkOn       GroupLinkState = "on"
	GroupLinkApproval GroupLinkState = "approval"
)

// Group is a group as this account knows it.
type Group struct {
	// ID is the 32-byte identifier.
	ID          []byte
	Revision    uint32
	Membership  GroupMembership
	Title       string
	Description string
	// HasAvatar says that there is a picture; the client's GroupAvatar fetches it.
	HasAvatar bool
	// ExpiresInSeconds is the timer of the conversation, 0 for off.
	ExpiresInSeconds  uint32
	AnnouncementsOnly bool
	AddMembers        GroupPermission
	EditDetails       GroupPermission
	// EditLabels is who may give themselves a label.
	EditLabels GroupPermission
	Link       GroupLinkState
	// LinkURL is empty where there is no link.
	LinkURL    string
	Blocked    bool
	Members    []GroupMemberInfo
	Pending    []GroupPendingMember
	Requesting []GroupRequestingMember
	Banned     []GroupBannedMember
}

// GroupMemberInfo is a full member.
type GroupMemberInfo struct {
	ServiceID        serviceid.ServiceID
	Role             GroupRole
	JoinedAtRevision uint32
	Label            string
	LabelEmoji       string
}

// GroupPendingMember was invited. ServiceID is an ACI or a PNI, and zero for an invitation that cannot be read.
type GroupPendingMember struct {
	ServiceID serviceid.ServiceID
	Role      GroupRole
	InvitedBy serviceid.ServiceID
	// Timestamp is in milliseconds.
	Timestamp uint64
}

// GroupRequestingMember asks to join by link.
type GroupRequestingMember struct {
	ServiceID serviceid.ServiceID
	Timestamp uint64
}

// GroupBannedMember may not join by link.
type GroupBannedMember struct {
	ServiceID serviceid.ServiceID
	Timestamp uint64
}

// GroupPreview is what a link shows to someone who is not in the group.
type GroupPreview struct {
	ID          []byte
	Title       string
	Description string
	HasAvatar   bool
	Members     int
	Revision    uint32
	// Link is on or approval.
	Link GroupLinkState
	// PendingApproval says that this account has asked already.
	PendingApproval bool
	// Membership is empty for a group of which this account knows nothing.
	Membership GroupMembership
}

// GroupCreation is a group to make.
type GroupCreation struct {
	Title       string
	Description string
	Members     []Recipient
	// Admins are among the members, or further ones.
	Admins            []Recipient
	Avatar            *Blob
	ExpiresInSeconds  uint32
	AnnouncementsOnly bool
	// AddMembers, EditDetails and EditLabels are empty for what the apps choose: members for all three.
	AddMembers  GroupPermission
	EditDetails GroupPermission
	EditLabels  GroupPermission
	// Link is empty for off.
	Link GroupLinkState
}

// GroupUpdate changes a group: each field that is set. Order of work: that of the fields.
type GroupUpdate struct {
	Group       []byte
	Title       *string
	Description *string
	// Avatar is JPEG, PNG or WebP; an empty one (Size 0) removes the picture.
	Avatar            *Blob
	ExpiresInSeconds  *uint32
	AnnouncementsOnly *bool
	AddMembersBy      *GroupPermission
	EditDetailsBy     *GroupPermission
	EditLabelsBy      *GroupPermission
	Link              *GroupLinkState
	ResetLink         bool
	AddMembers        []Recipient
	// RemoveMembers takes members, invitations and requests away.
	RemoveMembers []Recipient
	AddAdmins     []Recipient
	RemoveAdmins  []Recipient
	Ban           []Recipient
	Unban         []Recipient
	// Approve lets people in who asked to join; Deny refuses them.
	Approve []Recipient
	Deny    []Recipient
	// Label and LabelEmoji are this account's own in the group; empty removes it.
	Label      *string
	LabelEmoji *string
}

// GroupPart names a part of an update, as the request's field is named.
type GroupPart = string

// The parts.
const (
	GroupPartTitle         GroupPart = "title"
	GroupPartDescription   GroupPart = "description"
	GroupPartAvatar        GroupPart = "avatar" // also when it is removed
	GroupPartTimer         GroupPart = "expiresInSeconds"
	GroupPartAnnouncements GroupPart = "announcementsOnly"
	GroupPartAddMembersBy  GroupPart = "permissions.addMembers"
	GroupPartEditDetailsBy GroupPart = "permissions.editDetails"
	GroupPartEditLabelsBy  GroupPart = "permissions.editLabels"
	GroupPartLink          GroupPart = "link"
	GroupPartResetLink     GroupPart = "resetLink"
	GroupPartAddMembers    GroupPart = "addMembers"
	GroupPartRemoveMembers GroupPart = "removeMembers"
	GroupPartAddAdmins     GroupPart = "addAdmins"
	GroupPartRemoveAdmins  GroupPart = "removeAdmins"
	GroupPartBan           GroupPart = "ban"
	GroupPartUnban         GroupPart = "unban"
	GroupPartApprove       GroupPart = "approve"
	GroupPartDeny          GroupPart = "deny"
	GroupPartLabel         GroupPart = "label"
	GroupPartLabelEmoji    GroupPart = "labelEmoji"
)

// GroupJoin joins by a link, or accepts an invitation to a group that is known by its id. One of the two is set.
type GroupJoin struct {
	Link  string
	Group []byte
}

// GroupLeave leaves, declines an invitation, or takes a request to join back.
type GroupLeave struct {
	Group []byte
	// AdminToPromote becomes admin first: the last admin cannot leave members behind without one.
	AdminToPromote []Recipient
}

// GroupResult is a group after a change.
type GroupResult struct {
	Group Group
	// Done names the parts of an update that were done, in order. What was so already counts as done.
	Done []GroupPart
	// Failures are members who could not be added or invited.
	Failures []SendFailure
}

// GroupPartError is for an update that was done in part: Part failed with Err, the parts of Done hold.
type GroupPartError struct {
	Part GroupPart
	Done []GroupPart
	Err  error
}

func (e *GroupPartError) Error() string {
	if len(e.Done) == 0 {
		return e.Part + ": " + e.Err.Error()
	}
	return e.Part + ": " + e.Err.Error() + " (done before: " + strings.Join(e.Done, ", ") + ")"
}

func (e *GroupPartError) Unwrap() error { return e.Err }

// GroupChangeKind is what a change did.
type GroupChangeKind string

// The kinds of change. What Before and After hold is said where they hold something; roles, permissions, link states
// and timers (in seconds) are by their names and numbers above.
const (
	GroupCreated              GroupChangeKind = "created"              // After: the title
	GroupMemberAdded          GroupChangeKind = "memberAdded"          // by someone else
	GroupMemberJoinedByLink   GroupChangeKind = "memberJoinedByLink"   // Affected is the editor
	GroupMemberLeft           GroupChangeKind = "memberLeft"           // Affected is the editor
	GroupMemberRemoved        GroupChangeKind = "memberRemoved"        // by someone else
	GroupMemberInvited        GroupChangeKind = "memberInvited"        //
	GroupInvitationAccepted   GroupChangeKind = "invitationAccepted"   // Affected is who joined
	GroupInvitationDeclined   GroupChangeKind = "invitationDeclined"   //
	GroupInvitationRevoked    GroupChangeKind = "invitationRevoked"    //
	GroupJoinRequested        GroupChangeKind = "joinRequested"        //
	GroupJoinRequestCanceled  GroupChangeKind = "joinRequestCanceled"  //
	GroupJoinRequestApproved  GroupChangeKind = "joinRequestApproved"  //
	GroupJoinRequestDenied    GroupChangeKind = "joinRequestDenied"    //
	GroupRoleChanged          GroupChangeKind = "roleChanged"          // roles
	GroupMemberBanned         GroupChangeKind = "memberBanned"         //
	GroupMemberUnbanned       GroupChangeKind = "memberUnbanned"       //
	GroupLabelChanged         GroupChangeKind = "labelChanged"         // emoji and label, with a space between
	GroupTitleChanged         GroupChangeKind = "titleChanged"         // titles
	GroupDescriptionChanged   GroupChangeKind = "descriptionChanged"   // descriptions
	GroupAvatarChanged        GroupChangeKind = "avatarChanged"        // "set" or empty
	GroupTimerChanged         GroupChangeKind = "timerChanged"         // seconds
	GroupAnnouncementsChanged GroupChangeKind = "announcementsChanged" // "true" and "false"
	GroupAddMembersChanged    GroupChangeKind = "addMembersChanged"    // permissions
	GroupEditDetailsChanged   GroupChangeKind = "editDetailsChanged"   // permissions
	GroupEditLabelsChanged    GroupChangeKind = "editLabelsChanged"    // permissions
	GroupLinkChanged          GroupChangeKind = "linkChanged"          // link states
	GroupLinkReset            GroupChangeKind = "linkReset"            // there is a new link
	GroupTerminated           GroupChangeKind = "terminated"           // nobody can do anything in it any more

	// GroupUnknownChange is one that this version cannot name.
	GroupUnknownChange GroupChangeKind = "unknown"
)

// GroupChange is one thing that changed in a group.
type GroupChange struct {
	Kind GroupChangeKind
	// Revision is the group's after the change.
	Revision uint32
	// Editor is zero where it is not known who did it: the change was learned from the state alone.
	Editor serviceid.ServiceID
	// Affected are the people whom it was done to; empty for changes of the group itself.
	Affected []serviceid.ServiceID
	// Before and After are texts, as Kind says.
	Before string
	After  string
}
