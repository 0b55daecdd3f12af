package commands

import (
	"slices"

	"signalbox/commands/render"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// Group is a group, in replies. Who and what is absent there is left out; a group that this account is not in shows
// what was last known of it.
type Group struct {
	GroupID    []byte                `json:"groupId" jsonschema:"description=the group's identifier\\, for groupId in requests"`
	Revision   uint32                `json:"revision" jsonschema:"description=how often the group was changed"`
	Membership model.GroupMembership `json:"membership" jsonschema:"enum=member,enum=invited,enum=requesting,enum=left,enum=removed,enum=banned,enum=unfetched"`
	Role       model.GroupRole       `json:"role,omitempty" jsonschema:"enum=member,enum=admin,description=this account's\\, where it is a member"`
	Title      string                `json:"title" jsonschema:"description=its name"`
	// MemberCount counts full members.
	MemberCount       int    `json:"memberCount" jsonschema:"description=how many members it has"`
	ExpiresInSeconds  uint32 `json:"expiresInSeconds" jsonschema:"description=the timer of the conversation\\, 0 for off"`
	AnnouncementsOnly bool   `json:"announcementsOnly" jsonschema:"description=only admins may send"`
	Blocked           bool   `json:"blocked" jsonschema:"description=by this account"`
	*GroupDetails
}

// GroupDetails is what list_groups shows only when asked.
type GroupDetails struct {
	Description string               `json:"description,omitempty" jsonschema:"description=what it is about"`
	HasAvatar   bool                 `json:"hasAvatar" jsonschema:"description=get_group with avatar returns it"`
	Permissions GroupPermissions     `json:"permissions" jsonschema:"description=who may do what"`
	Link        model.GroupLinkState `json:"link,omitempty" jsonschema:"enum=off,enum=on,enum=approval"`
	LinkURL     string               `json:"linkUrl,omitempty" jsonschema:"description=the link\\, where there is one"`
	Members     []GroupMember        `json:"members" jsonschema:"description=who is in it"`
	Pending     []GroupInvitation    `json:"pending,omitempty" jsonschema:"description=who is invited"`
	Requesting  []GroupApplicant     `json:"requesting,omitempty" jsonschema:"description=who asks to join"`
	Banned      []GroupApplicant     `json:"banned,omitempty" jsonschema:"description=who may not join"`
}

// GroupPermissions say who may do what. Of a group that was never fetched that is not known.
type GroupPermissions struct {
	AddMembers  model.GroupPermission `json:"addMembers,omitempty" jsonschema:"enum=members,enum=admins,enum=none"`
	EditDetails model.GroupPermission `json:"editDetails,omitempty" jsonschema:"enum=members,enum=admins,enum=none,description=title\\, description\\, picture and timer"`
	EditLabels  model.GroupPermission `json:"editLabels,omitempty" jsonschema:"enum=members,enum=admins,enum=none,description=give themselves labels"`
}

// GroupMember is a full member.
type GroupMember struct {
	render.Person
	Role             model.GroupRole `json:"role" jsonschema:"enum=member,enum=admin"`
	Label            string          `json:"label,omitempty" jsonschema:"description=what they call themselves in the group"`
	LabelEmoji       string          `json:"labelEmoji,omitempty" jsonschema:"description=before the label"`
	JoinedAtRevision uint32          `json:"joinedAtRevision" jsonschema:"description=since when"`
}

// GroupInvitation is somebody who was invited.
type GroupInvitation struct {
	render.Person
	Role      model.GroupRole `json:"role" jsonschema:"enum=member,enum=admin"`
	InvitedBy *render.Person  `json:"invitedBy,omitempty" jsonschema:"description=by whom"`
	Timestamp uint64          `json:"timestamp,omitempty" jsonschema:"description=when\\, in milliseconds since 1970"`
}

// GroupApplicant is somebody who asks to join, or is banned.
type GroupApplicant struct {
	render.Person
	Timestamp uint64 `json:"timestamp,omitempty" jsonschema:"description=when\\, in milliseconds since 1970"`
}

// crowd names people in one reply.
type crowd struct {
	call *call
	self []serviceid.ServiceID
}

// crowd asks who this account is once, for the whole reply.
func (c *call) crowd() crowd { return crowd{call: c, self: c.self(c)} }

func (p crowd) person(id serviceid.ServiceID) render.Person {
	if id.IsZero() {
		return render.Person{}
	}
	number, name := p.call.signal.Lookup(p.call, id)
	if number == "" {
		number = id.String()
	}
	return render.Person{Recipient: number, UUID: id.String(), Name: name, Self: slices.Contains(p.self, id)}
}

// group shows a group, with its details or without.
func (p crowd) group(g model.Group, details bool) Group {
	out := Group{
		GroupID: g.ID, Revision: g.Revision, Membership: g.Membership, Title: g.Title, MemberCount: len(g.Members),
		ExpiresInSeconds: g.ExpiresInSeconds, AnnouncementsOnly: g.AnnouncementsOnly, Blocked: g.Blocked,
	}
	for _, m := range g.Members {
		if slices.Contains(p.self, m.ServiceID) {
			out.Role = m.Role
		}
	}
	if details {
		out.GroupDetails = p.details(g)
	}
	return out
}

func (p crowd) details(g model.Group) *GroupDetails {
	out := &GroupDetails{
		Description: g.Description, HasAvatar: g.HasAvatar, Link: g.Link, LinkURL: g.LinkURL,
		Permissions: GroupPermissions{AddMembers: g.AddMembers, EditDetails: g.EditDetails, EditLabels: g.EditLabels},
		Members:     make([]GroupMember, len(g.Members)),
	}
	for i, m := range g.Members {
		out.Members[i] = GroupMember{
			Person: p.person(m.ServiceID), Role: m.Role, Label: m.Label, LabelEmoji: m.LabelEmoji,
			JoinedAtRevision: m.JoinedAtRevision,
		}
	}
	for _, m := range g.Pending {
		invitation := GroupInvitation{Person: p.person(m.ServiceID), Role: m.Role, Timestamp: m.Timestamp}
		if !m.InvitedBy.IsZero() {
			by := p.person(m.InvitedBy)
			invitation.InvitedBy = &by
		}
		out.Pending = append(out.Pending, invitation)
	}
	for _, m := range g.Requesting {
		out.Requesting = append(out.Requesting, GroupApplicant{p.person(m.ServiceID), m.Timestamp})
	}
	for _, m := range g.Banned {
		out.Banned = append(out.Banned, GroupApplicant{p.person(m.ServiceID), m.Timestamp})
	}
	return out
}
