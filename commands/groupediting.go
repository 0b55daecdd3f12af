package commands

import (
	"errors"
	"slices"

	"signalbox/commands/compose"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

// CreateGroupRequest is the request of create_group.
type CreateGroupRequest struct {
	Title             string             `json:"title" jsonschema:"required"`
	Description       string             `json:"description,omitempty"`
	Members           []string           `json:"members,omitempty"`
	Admins            []string           `json:"admins,omitempty" jsonschema:"description=members who become admins\\, as this account does"`
	Avatar            *AvatarChange      `json:"avatar,omitempty"`
	ExpiresInSeconds  uint32             `json:"expiresInSeconds,omitempty" jsonschema:"description=the timer of the conversation\\, 0 for off"`
	AnnouncementsOnly bool               `json:"announcementsOnly,omitempty" jsonschema:"description=only admins may send"`
	Permissions       *PermissionChanges `json:"permissions,omitempty"`
	Link              string             `json:"link,omitempty" jsonschema:"enum=off,enum=on,enum=approval,default=off"`
}

// AvatarChange is a picture for a group.
type AvatarChange struct {
	Base64Data model.Blob `json:"base64Data" jsonschema:"description=a JPEG\\, PNG or WebP of up to 3 MiB\\, in base64"`
}

// PermissionChanges say who may do what; what is absent stays as it is, or, in a new group, is for members.
type PermissionChanges struct {
	AddMembers  string `json:"addMembers,omitempty" jsonschema:"enum=members,enum=admins"`
	EditDetails string `json:"editDetails,omitempty" jsonschema:"enum=members,enum=admins,description=title\\, description\\, picture and timer"`
	EditLabels  string `json:"editLabels,omitempty" jsonschema:"enum=members,enum=admins,description=give themselves labels"`
}

// maxAvatarSize leaves room for the encryption in the 3 MiB that the service takes (storage-service GroupsController).
const maxAvatarSize = 3<<20 - 1<<10

func runCreateGroup(c *call, request *CreateGroupRequest) (*GroupReply, error) {
	creation, err := request.creation()
	if err != nil {
		return nil, err
	}
	result, err := c.signal.CreateGroup(c, creation)
	return groupReply(c, result, err)
}

func (r *CreateGroupRequest) creation() (model.GroupCreation, error) {
	out := model.GroupCreation{
		Title: r.Title, Description: r.Description, ExpiresInSeconds: r.ExpiresInSeconds,
		AnnouncementsOnly: r.AnnouncementsOnly,
	}
	if r.Title == "" {
		return out, badArgument("title", "is missing")
	}
	for _, err := range []error{
		people("members", r.Members, &out.Members), people("admins", r.Admins, &out.Admins),
		r.Avatar.blob(&out.Avatar), checkTimer(r.ExpiresInSeconds),
	} {
		if err != nil {
			return out, err
		}
	}
	permissions, err := r.Permissions.parse()
	if err != nil {
		return out, err
	}
	out.AddMembers, out.EditDetails, out.EditLabels = permissions[0], permissions[1], permissions[2]
	if r.Link != "" {
		out.Link, err = linkState(r.Link)
	}
	return out, err
}

// UpdateGroupRequest is the request of update_group. What is absent stays as it is.
type UpdateGroupRequest struct {
	GroupID           string             `json:"groupId" jsonschema:"required"`
	Title             *string            `json:"title,omitempty"`
	Description       *string            `json:"description,omitempty" jsonschema:"description=empty removes it"`
	Avatar            *AvatarChange      `json:"avatar,omitempty"`
	RemoveAvatar      bool               `json:"removeAvatar,omitempty"`
	ExpiresInSeconds  *uint32            `json:"expiresInSeconds,omitempty" jsonschema:"description=the timer of the conversation\\, 0 for off"`
	AnnouncementsOnly *bool              `json:"announcementsOnly,omitempty" jsonschema:"description=only admins may send"`
	Permissions       *PermissionChanges `json:"permissions,omitempty"`
	Link              *string            `json:"link,omitempty" jsonschema:"enum=off,enum=on,enum=approval"`
	ResetLink         bool               `json:"resetLink,omitempty" jsonschema:"description=make a new link; the old one leads nowhere"`
	AddMembers        []string           `json:"addMembers,omitempty"`
	RemoveMembers     []string           `json:"removeMembers,omitempty" jsonschema:"description=members\\, invitations and requests to join"`
	AddAdmins         []string           `json:"addAdmins,omitempty" jsonschema:"description=members who become admins"`
	RemoveAdmins      []string           `json:"removeAdmins,omitempty" jsonschema:"description=admins who stay members"`
	Ban               []string           `json:"ban,omitempty" jsonschema:"description=remove and keep out"`
	Unban             []string           `json:"unban,omitempty"`
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

func people(field string, names []string, into *[]model.Recipient) error {
	if len(names) == 0 {
		return nil
	}
	var err error
	*into, err = parseRecipients(field, names)
	return err
}

func (a *AvatarChange) blob(into **model.Blob) error {
	switch {
	case a == nil:
		return nil
	case a.Base64Data.Open == nil || a.Base64Data.Size == 0:
		return badField(statuscodes.InvalidAttachment, "avatar.base64Data", "is missing")
	case a.Base64Data.Size > maxAvatarSize:
		return badField(statuscodes.InvalidAttachment, "avatar.base64Data", "is larger than the 3 MiB that the service takes")
	}
	mediaType, err := compose.MediaType(a.Base64Data)
	switch {
	case err != nil:
		return badField(statuscodes.InvalidAttachment, "avatar.base64Data", "cannot be read: %v", err)
	case !slices.Contains(pictures, mediaType):
		return badField(statuscodes.InvalidAttachment, "avatar.base64Data", "is not a JPEG, PNG or WebP, but %s", mediaType)
	}
	*into = &a.Base64Data
	return nil
}

// pictures are what all of the apps show.
var pictures = []string{"image/jpeg", "image/png", "image/webp"}

func checkTimer(seconds uint32) error {
	if seconds > maxTimerSeconds {
		return badArgument("expiresInSeconds", "is too long")
	}
	return nil
}

const maxTimerSeconds = 1<<31 - 1

// parse returns who may add members, edit details and edit labels, each empty where nothing is said.
func (p *PermissionChanges) parse() ([3]model.GroupPermission, error) {
	var out [3]model.GroupPermission
	if p == nil {
		return out, nil
	}
	for i, given := range []struct{ field, text string }{
		{"addMembers", p.AddMembers}, {"editDetails", p.EditDetails}, {"editLabels", p.EditLabels},
	} {
		switch permission := model.GroupPermission(given.text); permission {
		case "", model.GroupPermissionMembers, model.GroupPermissionAdmins:
			out[i] = permission
		default:
			return out, badArgument("permissions."+given.field, "must be members or admins")
		}
	}
	return out, nil
}

func linkState(text string) (model.GroupLinkState, error) {
	switch state := model.GroupLinkState(text); state {
	case model.GroupLinkOff, model.GroupLinkOn, model.GroupLinkApproval:
		return state, nil
	}
	return "", badArgument("link", "must be off, on or approval")
}

// SetExpirationRequest is the request of set_expiration.
type SetExpirationRequest struct {
	Target
	ExpiresInSeconds *uint32 `json:"expiresInSeconds" jsonschema:"required,description=how long messages stay after they were read\\, 0 for ever"`
	Durable
}

// SetExpirationReply is the reply of set_expiration. A group has a revision, a conversation with people a message that
// says it.
type SetExpirationReply struct {
	*SendReply
	Revision *uint32 `json:"revision,omitempty" jsonschema:"description=of the group"`
}

func runSetExpiration(c *call, request *SetExpirationRequest) (*SetExpirationReply, error) {
	to, err := request.destination()
	if err != nil {
		return nil, err
	}
	if request.ExpiresInSeconds == nil {
		return nil, badArgument("expiresInSeconds", "is missing")
	}
	if err := checkTimer(*request.ExpiresInSeconds); err != nil {
		return nil, err
	}
	options, err := request.options(c)
	if err != nil {
		return nil, err
	}
	if to.Group == nil {
		sent, err := sendReply(c.signal.Send(c, model.SendRequest{
			To: to, SendOptions: options, Event: content.Event{
				Kind: content.KindMessage, Message: &content.Message{TimerUpdate: true},
				Timer: &content.Timer{Seconds: *request.ExpiresInSeconds},
			},
		}))
		return &SetExpirationReply{SendReply: sent}, err
	}
	if options.Queue {
		return nil, badArgument("queue", "is not for groups: their settings are changed at once, or not at all")
	}
	result, err := c.signal.UpdateGroup(c, model.GroupUpdate{Group: to.Group, ExpiresInSeconds: request.ExpiresInSeconds})
	if err != nil {
		return nil, err
	}
	return &SetExpirationReply{Revision: &result.Group.Revision}, nil
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
