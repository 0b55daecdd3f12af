package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// phrase is what a line says of a change: by somebody, or where it is not known by whom. In braces: who did it, whom it
// was done to, what it is now, and words that agree with those.
type phrase struct{ by, passive string }

// phrases are those that depend on the kind alone; where passive is empty, by does not name the editor.
var phrases = map[model.GroupChangeKind]phrase{
	model.GroupCreated:            {"{who} made the group “{after}”.", "The group “{after}” was made."},
	model.GroupTitleChanged:       {"{who} changed the title to “{after}”.", "The title is now “{after}”."},
	model.GroupMemberAdded:        {"{who} added {whom}.", "{whom} {was} added."},
	model.GroupMemberJoinedByLink: {"{whom} joined by the group's link.", ""},
	model.GroupMemberLeft:         {"{whom} left the group.", ""},
	model.GroupMemberRemoved:      {"{who} removed {whom}.", "{whom} {is} no longer in the group."},
	model.GroupMemberInvited:      {"{who} invited {whom}.", "{whom} {was} invited."},
	model.GroupInvitationAccepted: {"{whom} accepted the invitation.", ""},
	model.GroupInvitationDeclined: {"{whom} declined the invitation.", ""},
	model.GroupInvitationRevoked: {
		"{who} withdrew the invitation to {whom}.", "{whom} {is} no longer invited.",
	},
	model.GroupJoinRequested:       {"{whom} asked to join.", ""},
	model.GroupJoinRequestCanceled: {"{whom} took back the request to join.", ""},
	model.GroupJoinRequestApproved: {"{who} let {whom} in, on request.", "{whom} {was} let in, on request."},
	model.GroupJoinRequestDenied:   {"{who} refused to let {whom} in.", "{whom} {is} no longer asking to join."},
	model.GroupMemberBanned:        {"{who} banned {whom}.", "{whom} {was} banned."},
	model.GroupMemberUnbanned:      {"{who} unbanned {whom}.", "{whom} {was} unbanned."},
	model.GroupLinkReset: {
		"{who} made a new link to the group; the old one is void.", "The group has a new link; the old one is void.",
	},
	model.GroupTerminated: {"{who} ended the group.", "The group was ended."},
}

// phrasesByValue are those that depend on what it was before, or is now.
var phrasesByValue = map[model.GroupChangeKind]func(before, after string) phrase{
	model.GroupRoleChanged: func(_, role string) phrase {
		if model.GroupRole(role) == model.GroupRoleAdmin {
			return phrase{"{who} made {whom} {an admin}.", "{whom} {is} now {an admin}."}
		}
		return phrase{"{who} took {whom} off the admins.", "{whom} {is} no longer {an admin}."}
	},
	model.GroupLabelChanged: func(_, label string) phrase {
		if label != "" {
			return phrase{"{whom} {has} the label “{after}” now.", ""}
		}
		return phrase{"{whom} {has} no label any more.", ""}
	},
	model.GroupDescriptionChanged: func(_, after string) phrase { return setOrRemoved("description", after) },
	model.GroupAvatarChanged:      func(_, after string) phrase { return setOrRemoved("picture", after) },
	model.GroupTimerChanged: func(_, seconds string) phrase {
		if seconds == "" || seconds == "0" {
			return phrase{"{who} turned disappearing messages off.", "Messages do not disappear any more."}
		}
		after := duration(seconds)
		return phrase{"{who} set messages to disappear after " + after + ".", "Messages now disappear after " + after + "."}
	},
	model.GroupAnnouncementsChanged: func(_, only string) phrase {
		if only == "true" {
			return allowed(model.GroupPermissionAdmins, "send messages")
		}
		return allowed(model.GroupPermissionMembers, "send messages")
	},
	model.GroupAddMembersChanged: func(_, after string) phrase {
		return allowed(model.GroupPermission(after), "add members")
	},
	model.GroupEditDetailsChanged: func(_, after string) phrase {
		return allowed(model.GroupPermission(after), "edit the group's details")
	},
	model.GroupEditLabelsChanged: func(_, after string) phrase {
		return allowed(model.GroupPermission(after), "give themselves labels")
	},
	model.GroupLinkChanged: linkChanged,
}

func setOrRemoved(what, after string) phrase {
	if after == "" {
		return phrase{"{who} removed the group's " + what + ".", "The group has no " + what + " any more."}
	}
	return phrase{"{who} changed the group's " + what + ".", "The group has a new " + what + "."}
}

func allowed(whom model.GroupPermission, what string) phrase {
	subject := "nobody"
	switch whom {
	case model.GroupPermissionMembers:
		subject = "all members"
	case model.GroupPermissionAdmins:
		subject = "only admins"
	}
	return phrase{"{who} allowed " + subject + " to " + what + ".", capital(subject) + " may now " + what + "."}
}

func linkChanged(before, after string) phrase {
	switch model.GroupLinkState(after) {
	case model.GroupLinkOn:
		if model.GroupLinkState(before) == model.GroupLinkApproval {
			return phrase{
				"{who} let people join by the link without approval.",
				"People may now join by the link without approval.",
			}
		}
		return phrase{"{who} turned the group's link on.", "The group's link is now on."}
	case model.GroupLinkApproval:
		if model.GroupLinkState(before) == model.GroupLinkOn {
			return phrase{"{who} made admins approve who joins by the link.", "Admins now approve who joins by the link."}
		}
		return phrase{
			"{who} turned the group's link on; admins approve who joins.",
			"The group's link is now on; admins approve who joins.",
		}
	}
	return phrase{"{who} turned the group's link off.", "The group's link is now off."}
}

// unnamed is for kinds that are newer than this version.
var unnamed = phrase{
	"{who} changed the group in a way that this version cannot name.",
	"The group changed in a way that this version cannot name.",
}

func phraseOf(c *model.GroupChange) phrase {
	if c.Kind == model.GroupRoleChanged && c.After != string(model.GroupRoleAdmin) &&
		len(c.Affected) == 1 && c.Affected[0] == c.Editor {
		return phrase{"{whom} gave up being an admin.", ""}
	}
	if byValue := phrasesByValue[c.Kind]; byValue != nil {
		return byValue(c.Before, c.After)
	}
	if said, ok := phrases[c.Kind]; ok {
		return said
	}
	return unnamed
}

// sentence says a change in one line.
func (p *people) sentence(c *model.GroupChange) string {
	said, whom := phraseOf(c), c.Affected
	form := said.by
	switch {
	case said.passive != "" && c.Editor.IsZero():
		form = said.passive
	case said.passive == "" && len(whom) == 0 && !c.Editor.IsZero():
		whom = []serviceid.ServiceID{c.Editor} // what people do themselves
	}
	first := c.Editor
	if strings.HasPrefix(form, "{whom}") {
		first = serviceid.ServiceID{}
		if len(whom) > 0 {
			first = whom[0]
		}
	}
	line := p.fill(form, c, whom)
	if strings.HasPrefix(form, "{") && (first.IsZero() || p.isSelf(first)) {
		line = capital(line) // names are written as their owners write them
	}
	return line
}

// fill puts people and texts into a form. What it has put in is not looked at again, so braces in names stay.
func (p *people) fill(form string, c *model.GroupChange, whom []serviceid.ServiceID) string {
	plural := len(whom) > 1 || len(whom) == 1 && p.isSelf(whom[0])
	pick := func(plural bool, one, many string) string {
		if plural {
			return many
		}
		return one
	}
	return strings.NewReplacer(
		"{who}", p.name(c.Editor), "{whom}", p.names(whom), "{after}", oneLine(c.After),
		"{was}", pick(plural, "was", "were"), "{is}", pick(plural, "is", "are"), "{has}", pick(plural, "has", "have"),
		"{an admin}", pick(len(whom) > 1, "an admin", "admins"),
	).Replace(form)
}

func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
