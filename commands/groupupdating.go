package commands

import (
	"errors"

	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

// UpdateGroupRequest is the request of update_group. What is absent stays as it is.
type UpdateGroupRequest struct {
	GroupID           string             `json:"groupId" jsonschema:"required,description=which group"`
	Title             *string            `json:"title,omitempty" jsonschema:"description=its name\\, up to 32 characters"`
	Description       *string            `json:"description,omitempty" jsonschema:"description=empty removes it"`
	Avatar            *AvatarChange      `json:"avatar,omitempty" jsonschema:"description=its new picture"`
	RemoveAvatar      bool               `json:"removeAvatar,omitempty" jsonschema:"description=leave it without a picture"`
	ExpiresInSeconds  *uint32            `json:"expiresInSeconds,omitempty" jsonschema:"description=the timer of the conversation\\, 0 for off"`
	AnnouncementsOnly *bool              `json:"announcementsOnly,omitempty" jsonschema:"description=only admins may send"`
	Permissions       *PermissionChanges `json:"permissions,omitempty" jsonschema:"description=who may do what"`
	Link              *string            `json:"link,omitempty" jsonschema:"enum=off,enum=on,enum=approval"`
	ResetLink         bool               `json:"resetLink,omitempty" jsonschema:"description=make a new link; the old one leads nowhere"`
	AddMembers        []string           `json:"addMembers,omitempty" jsonschema:"description=who joins"`
	RemoveMembers     []string           `json:"removeMembers,omitempty" jsonschema:"description=members\\, invitations and requests to join"`
	AddAdmins         []string           `json:"addAdmins,omitempty" jsonschema:"description=members who become admins"`
	RemoveAdmins      []string           `json:"removeAdmins,omitempty" jsonschema:"description=admins who stay members"`
	Ban               []string           `json:"ban,omitempty" jsonschema:"description=remove and keep out"`
	Unban             []string           `json:"unban,omitempty" jsonschema:"description=who may join again"`
	Approve           []string           `json:"approve,omitempty" jsonschema:"description=let in who asked to join"`
	Deny              []string           `json:"deny,omitempty" jsonschema:"description=refuse who asked to join"`
	Label             *string            `json:"label,omitempty" jsonschema:"description=this account's own in the group; empty removes it"`
	LabelEmoji        *string            `json:"labelEmoji,omitempty" jsonschema:"description=an emoji before the label"`
}

// UpdateGroupReply is the reply of update_group.
type UpdateGroupReply struct {
	*GroupReply
	Done []model.GroupPart `json:"done" jsonschema:"description=the fields of the request that were done; also in an error reply\\, where a later one failed"`
}

func runUpdateGroup(c *call, request *UpdateGroupRequest) (*UpdateGroupReply, error) {
	update, err := request.update()
	if err != nil {
		return nil, err
	}
	result, err := c.signal.UpdateGroup(c, update)
	reply, err := groupReply(c, result, err)
	if err != nil {
		return nil, err
	}
	return &UpdateGroupReply{GroupReply: reply, Done: append([]model.GroupPart{}, result.Done...)}, nil
}

func (r *UpdateGroupRequest) update() (model.GroupUpdate, error) {
	out := model.GroupUpdate{
		Title: r.Title, Description: r.Description, ExpiresInSeconds: r.ExpiresInSeconds,
		AnnouncementsOnly: r.AnnouncementsOnly, ResetLink: r.ResetLink, Label: r.Label, LabelEmoji: r.LabelEmoji,
	}
	var err error
	if out.Group, err = oneGroup(r.GroupID); err != nil {
		return out, err
	}
	if r.empty() {
		return out, badArgument("", "the request changes nothing: name what is to change")
	}
	if r.Title != nil && *r.Title == "" {
		return out, badArgument("title", "must not be empty")
	}
	for _, part := range []func(*model.GroupUpdate) error{r.people, r.picture, r.timer, r.access} {
		if err := part(&out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// empty tells whether nothing is asked for. Lists without anybody in them ask for nothing.
func (r *UpdateGroupRequest) empty() bool {
	people := 0
	for _, names := range r.lists() {
		people += len(names)
	}
	permissions := r.Permissions != nil && *r.Permissions != PermissionChanges{}
	return people == 0 && !permissions && !r.RemoveAvatar && !r.ResetLink && r.Title == nil && r.Description == nil &&
		r.Avatar == nil && r.ExpiresInSeconds == nil && r.AnnouncementsOnly == nil && r.Link == nil && r.Label == nil &&
		r.LabelEmoji == nil
}

func (r *UpdateGroupRequest) lists() [][]string {
	return [][]string{
		r.AddMembers, r.RemoveMembers, r.AddAdmins, r.RemoveAdmins, r.Ban, r.Unban, r.Approve, r.Deny,
	}
}

func (r *UpdateGroupRequest) people(out *model.GroupUpdate) error {
	for _, list := range []struct {
		part  model.GroupPart
		names []string
		into  *[]model.Recipient
	}{
		{model.GroupPartAddMembers, r.AddMembers, &out.AddMembers},
		{model.GroupPartRemoveMembers, r.RemoveMembers, &out.RemoveMembers},
		{model.GroupPartAddAdmins, r.AddAdmins, &out.AddAdmins},
		{model.GroupPartRemoveAdmins, r.RemoveAdmins, &out.RemoveAdmins},
		{model.GroupPartBan, r.Ban, &out.Ban},
		{model.GroupPartUnban, r.Unban, &out.Unban},
		{model.GroupPartApprove, r.Approve, &out.Approve},
		{model.GroupPartDeny, r.Deny, &out.Deny},
	} {
		if err := people(list.part, list.names, list.into); err != nil {
			return err
		}
	}
	return nil
}

func (r *UpdateGroupRequest) picture(out *model.GroupUpdate) error {
	if !r.RemoveAvatar {
		return r.Avatar.blob(&out.Avatar)
	}
	if r.Avatar != nil {
		return badArgument("removeAvatar", "contradicts avatar")
	}
	out.Avatar = &model.Blob{}
	return nil
}

func (r *UpdateGroupRequest) timer(*model.GroupUpdate) error {
	if r.ExpiresInSeconds == nil {
		return nil
	}
	return checkTimer(*r.ExpiresInSeconds)
}

func (r *UpdateGroupRequest) access(out *model.GroupUpdate) error {
	permissions, err := r.Permissions.parse()
	if err != nil {
		return err
	}
	for i, into := range []**model.GroupPermission{&out.AddMembersBy, &out.EditDetailsBy, &out.EditLabelsBy} {
		if permissions[i] != "" {
			*into = &permissions[i]
		}
	}
	if r.Link != nil {
		state, err := linkState(*r.Link)
		if err != nil {
			return err
		}
		out.Link = &state
	}
	return nil
}

// partFailure is what an update that was done in part adds to its error reply.
type partFailure struct {
	statuscodes.Details
	Done []model.GroupPart `json:"done"`
}

// partOf returns what was done before an error.
func partOf(err error) (partFailure, bool) {
	part, ok := errors.AsType[*model.GroupPartError](err)
	if !ok {
		return partFailure{}, false
	}
	return partFailure{Details: statuscodes.DetailsOf(err), Done: append([]model.GroupPart{}, part.Done...)}, true
}
