package group

import (
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// byChange names what a change did to people. Where one action follows from another (the ban from the removal) both
// are told, as both can be undone alone.
func (d *differ) byChange(c Change) {
	d.added(c)
	for _, gone := range c.DeleteMembers {
		if gone == c.Editor {
			d.add(model.GroupMemberLeft, "", "", gone)
		} else {
			d.add(model.GroupMemberRemoved, "", "", gone)
		}
	}
	d.invitations(c)
	d.requests(c)
	d.roles(c)
	for _, b := range c.AddBanned {
		d.add(model.GroupMemberBanned, "", "", b.ServiceID)
	}
	for _, b := range c.DeleteBanned {
		d.add(model.GroupMemberUnbanned, "", "", b.ServiceID)
	}
	for _, l := range c.Labels {
		d.label(l.ACI)
	}
}

// added names who came in. Adding someone who had asked to join is letting them in.
func (d *differ) added(c Change) {
	for _, m := range c.AddMembers {
		_, asked := d.before.Requested(m.ACI)
		switch {
		case m.ByLink || m.ACI == c.Editor:
			d.add(model.GroupMemberJoinedByLink, "", "", m.ACI)
		case asked:
			d.add(model.GroupJoinRequestApproved, "", "", m.ACI)
		default:
			d.add(model.GroupMemberAdded, "", "", m.ACI)
		}
	}
}

func (d *differ) invitations(c Change) {
	for _, p := range c.AddPending {
		d.add(model.GroupMemberInvited, "", "", p.ServiceID)
	}
	for _, p := range c.DeletePending {
		if !p.ServiceID.IsZero() && p.ServiceID == c.Editor {
			d.add(model.GroupInvitationDeclined, "", "", p.ServiceID)
		} else {
			d.add(model.GroupInvitationRevoked, "", "", p.ServiceID)
		}
	}
	for _, p := range c.PromotePending {
		d.add(model.GroupInvitationAccepted, "", "", p.ACI)
	}
	for _, p := range c.PromotePNI {
		d.add(model.GroupInvitationAccepted, "", "", p.ACI)
	}
}

func (d *differ) requests(c Change) {
	for _, r := range c.AddRequesting {
		d.add(model.GroupJoinRequested, "", "", r.ACI)
	}
	for _, gone := range c.DeleteRequesting {
		if gone == c.Editor {
			d.add(model.GroupJoinRequestCanceled, "", "", gone)
		} else {
			d.add(model.GroupJoinRequestDenied, "", "", gone)
		}
	}
	for _, p := range c.PromoteRequesting {
		d.add(model.GroupJoinRequestApproved, "", "", p.ACI)
	}
}

func (d *differ) roles(c Change) {
	for _, m := range c.Roles {
		before, was := d.before.Member(m.ACI)
		after, is := d.after.Member(m.ACI)
		if !is || was && before.Role == after.Role {
			continue
		}
		role := model.GroupRoleMember
		if was {
			role = before.Role.Model()
		}
		if !was && after.Role == RoleMember {
			continue
		}
		d.add(model.GroupRoleChanged, string(role), string(after.Role.Model()), m.ACI)
	}
}

func (d *differ) label(aci serviceid.ServiceID) {
	before, was := d.before.Member(aci)
	after, is := d.after.Member(aci)
	if !is || !was {
		return
	}
	d.labels(aci, labelText(before.LabelEmoji, before.Label), labelText(after.LabelEmoji, after.Label))
}

func (d *differ) labels(aci serviceid.ServiceID, before, after string) {
	if before != after {
		d.add(model.GroupLabelChanged, before, after, aci)
	}
}

// people compares the lists of two states, without a change that would say why.
func (d *differ) people() {
	for _, m := range d.after.Members {
		if before, was := d.before.Member(m.ACI); was {
			d.member(before, m)
			continue
		}
		_, invited := d.before.Invited(m.ACI)
		_, asked := d.before.Requested(m.ACI)
		switch {
		case invited:
			d.add(model.GroupInvitationAccepted, "", "", m.ACI)
		case asked:
			d.add(model.GroupJoinRequestApproved, "", "", m.ACI)
		default:
			d.add(model.GroupMemberAdded, "", "", m.ACI)
		}
	}
	for _, m := range d.before.Members {
		if _, is := d.after.Member(m.ACI); !is {
			d.add(model.GroupMemberRemoved, "", "", m.ACI)
		}
	}
	d.outsiders()
	d.banned()
}

func (d *differ) member(before *Member, after Member) {
	if before.Role != after.Role {
		d.add(model.GroupRoleChanged, string(before.Role.Model()), string(after.Role.Model()), after.ACI)
	}
	d.labels(after.ACI, labelText(before.LabelEmoji, before.Label), labelText(after.LabelEmoji, after.Label))
}

// outsiders compares invitations and requests. Those who became members are told of already; of an invitation by number
// that is gone, nobody can tell whether it was accepted.
func (d *differ) outsiders() {
	for _, p := range d.after.Pending {
		if _, was := d.before.Invited(p.ServiceID); !was && !p.ServiceID.IsZero() {
			d.add(model.GroupMemberInvited, "", "", p.ServiceID)
		}
	}
	for _, p := range d.before.Pending {
		_, still := d.after.Invited(p.ServiceID)
		_, in := d.after.Member(p.ServiceID)
		if !still && !in && p.ServiceID.Kind == serviceid.ACI && !p.ServiceID.IsZero() {
			d.add(model.GroupInvitationRevoked, "", "", p.ServiceID)
		}
	}
	for _, r := range d.after.Requesting {
		if _, was := d.before.Requested(r.ACI); !was {
			d.add(model.GroupJoinRequested, "", "", r.ACI)
		}
	}
	for _, r := range d.before.Requesting {
		_, still := d.after.Requested(r.ACI)
		_, in := d.after.Member(r.ACI)
		if !still && !in {
			d.add(model.GroupJoinRequestDenied, "", "", r.ACI)
		}
	}
}

func (d *differ) banned() {
	for _, b := range d.after.Banned {
		if !b.ServiceID.IsZero() && !d.before.IsBanned(b.ServiceID) {
			d.add(model.GroupMemberBanned, "", "", b.ServiceID)
		}
	}
	for _, b := range d.before.Banned {
		if !b.ServiceID.IsZero() && !d.after.IsBanned(b.ServiceID) {
			d.add(model.GroupMemberUnbanned, "", "", b.ServiceID)
		}
	}
}
