package commands

import (
	"slices"

	"signalbox/commands/compose"
	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

// CreateGroupRequest is the request of create_group.
type CreateGroupRequest struct {
	Title             string             `json:"title" jsonschema:"required,description=its name\\, up to 32 characters"`
	Description       string             `json:"description,omitempty" jsonschema:"description=what it is about"`
	Members           []string           `json:"members,omitempty" jsonschema:"description=who is in it beside this account"`
	Admins            []string           `json:"admins,omitempty" jsonschema:"description=members who become admins\\, as this account does"`
	Avatar            *AvatarChange      `json:"avatar,omitempty" jsonschema:"description=its picture"`
	ExpiresInSeconds  uint32             `json:"expiresInSeconds,omitempty" jsonschema:"description=the timer of the conversation\\, 0 for off"`
	AnnouncementsOnly bool               `json:"announcementsOnly,omitempty" jsonschema:"description=only admins may send"`
	Permissions       *PermissionChanges `json:"permissions,omitempty" jsonschema:"description=who may do what; default: members"`
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
