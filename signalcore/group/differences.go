package group

import (
	"slices"
	"strconv"
	"strings"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// Differences names what became of a group between two states, for the inbox. With the change that led from one to the
// other it tells who did it and how (left or removed, joined by link or let in); without one, as after a hole in what we
// know, it tells what can be seen. Without a state before it is what this account learns of a group that is new to it:
// that it was created, or how it itself came into it.
//
// What concerns nobody's eyes (profile keys) is left out.
func Differences(before *State, after State, change *Change, self Identity) []model.GroupChange {
	d := differ{after: after, change: change, self: self}
	if before == nil {
		d.arrival()
		return d.out
	}
	d.before = *before
	if change != nil {
		d.editor = change.Editor
		d.byChange(*change)
	} else {
		d.people()
	}
	d.attributes()
	return d.out
}

type differ struct {
	before, after State
	change        *Change
	self          Identity
	editor        serviceid.ServiceID
	out           []model.GroupChange
}

func (d *differ) add(kind model.GroupChangeKind, before, after string, affected ...serviceid.ServiceID) {
	affected = slices.DeleteFunc(affected, serviceid.ServiceID.IsZero)
	d.out = append(d.out, model.GroupChange{
		Kind: kind, Revision: d.after.Revision, Editor: d.editor, Affected: affected, Before: before, After: after,
	})
}

// arrival tells how this account came to a group of which it knew nothing.
func (d *differ) arrival() {
	if d.change != nil {
		d.editor = d.change.Editor
	}
	invitation, invited := d.after.Invited(d.self.ACI)
	if !invited {
		invitation, invited = d.after.Invited(d.self.PNI)
	}
	switch {
	case d.after.has(d.self) && d.after.Revision == 0:
		d.editor = d.creator()
		d.add(model.GroupCreated, "", d.after.Title)
	case d.after.has(d.self):
		d.joined()
	case invited:
		d.editor = invitation.AddedBy
		d.add(model.GroupMemberInvited, "", "", invitation.ServiceID)
	}
}

// creator is the one admin of a new group, where there is one alone.
func (d *differ) creator() serviceid.ServiceID {
	if !d.editor.IsZero() {
		return d.editor
	}
	var admin serviceid.ServiceID
	for _, m := range d.after.Members {
		if m.Role != RoleAdmin {
			continue
		}
		if !admin.IsZero() {
			return serviceid.ServiceID{}
		}
		admin = m.ACI
	}
	return admin
}

func (d *differ) joined() {
	kind := model.GroupMemberAdded
	if d.change != nil {
		switch {
		case slices.ContainsFunc(d.change.AddMembers, func(m AddedMember) bool { return m.ACI == d.self.ACI && m.ByLink }):
			kind = model.GroupMemberJoinedByLink
		case slices.ContainsFunc(d.change.PromoteRequesting, func(m MemberRole) bool { return m.ACI == d.self.ACI }):
			kind = model.GroupJoinRequestApproved
		case slices.ContainsFunc(d.change.PromotePending, func(m MemberKey) bool { return m.ACI == d.self.ACI }),
			slices.ContainsFunc(d.change.PromotePNI, func(m PromotedPNI) bool { return m.ACI == d.self.ACI }):
			kind = model.GroupInvitationAccepted
		}
	}
	d.add(kind, "", "", d.self.ACI)
}

// attributes compares what a group has one of.
func (d *differ) attributes() {
	b, a := d.before, d.after
	d.text(model.GroupTitleChanged, b.Title, a.Title)
	d.text(model.GroupDescriptionChanged, b.Description, a.Description)
	if b.AvatarPath != a.AvatarPath {
		d.add(model.GroupAvatarChanged, isSet(b.AvatarPath), isSet(a.AvatarPath))
	}
	d.text(model.GroupTimerChanged, seconds(b.TimerSeconds), seconds(a.TimerSeconds))
	d.text(model.GroupAnnouncementsChanged,
		strconv.FormatBool(b.AnnouncementsOnly), strconv.FormatBool(a.AnnouncementsOnly))
	d.text(model.GroupAddMembersChanged, string(b.Access.Members.permission()), string(a.Access.Members.permission()))
	d.text(model.GroupEditDetailsChanged,
		string(b.Access.Attributes.permission()), string(a.Access.Attributes.permission()))
	d.text(model.GroupEditLabelsChanged,
		string(b.Access.labels().permission()), string(a.Access.labels().permission()))
	d.link()
	if a.Terminated && !b.Terminated {
		d.add(model.GroupTerminated, "", "")
	}
}

func (d *differ) text(kind model.GroupChangeKind, before, after string) {
	if before != after {
		d.add(kind, before, after)
	}
}

func (d *differ) link() {
	before, after := d.before.linkState(), d.after.linkState()
	d.text(model.GroupLinkChanged, string(before), string(after))
	first := len(d.before.LinkPassword) == 0 && before != after // a password comes with the link
	if !first && !slices.Equal(d.before.LinkPassword, d.after.LinkPassword) {
		d.add(model.GroupLinkReset, "", "")
	}
}

func isSet(path string) string {
	if path == "" {
		return ""
	}
	return "set"
}

func seconds(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// labelText is a label as one text.
func labelText(emoji, label string) string { return strings.TrimSpace(emoji + " " + label) }
