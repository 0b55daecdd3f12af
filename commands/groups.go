package commands

import (
	"cmp"
	"slices"
	"strings"

	"signalbox/signalcore/model"
)

func groupCommands() []*command {
	return []*command{
		define("list_groups", "Lists the groups that this account knows, those that it has left included.", runListGroups),
		define("get_group", "Tells about one group.", runGetGroup),
		define("create_group", "Makes a group. Who cannot be added at once is invited; who cannot be invited either is in "+
			"failures.", runCreateGroup).changing(),
		define("update_group", "Changes a group: whatever of it is named. Where a part fails, done tells which parts "+
			"were done before.", runUpdateGroup).changing(),
		define("leave_group", "Leaves a group, declines an invitation to it, or takes back a request to join.", runLeaveGroup).changing(),
		define("join_group", "Joins a group by its link, or asks to where an admin has to approve; or accepts an "+
			"invitation, by groupId.", runJoinGroup).changing(),
		define("get_group_link_info", "Tells about the group behind a link, without joining it.", runGetGroupLinkInfo),
		define("delete_group", "Leaves a group and forgets it.", runDeleteGroup).changing(),
	}
}

// ListGroupsRequest is the request of list_groups.
type ListGroupsRequest struct {
	Details bool `json:"details,omitempty" jsonschema:"description=with members\\, permissions\\, link and the like"`
}

// ListGroupsReply is the reply of list_groups.
type ListGroupsReply struct {
	Groups []Group `json:"groups" jsonschema:"description=by title"`
}

func runListGroups(c *call, request *ListGroupsRequest) (*ListGroupsReply, error) {
	groups, err := c.signal.Groups(c)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(groups, func(a, b model.Group) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)), slices.Compare(a.ID, b.ID))
	})
	out, people := &ListGroupsReply{Groups: make([]Group, len(groups))}, c.crowd()
	for i, g := range groups {
		out.Groups[i] = people.group(g, request.Details)
	}
	return out, nil
}

// GetGroupRequest is the request of get_group.
type GetGroupRequest struct {
	GroupID string `json:"groupId" jsonschema:"required,description=which group"`
	Refresh bool   `json:"refresh,omitempty" jsonschema:"description=ask the service first\\, in place of telling what is known here"`
	Avatar  bool   `json:"avatar,omitempty" jsonschema:"description=fetch the picture\\, too"`
}

// GetGroupReply is the reply of get_group.
type GetGroupReply struct {
	Group
	Avatar *GroupAvatar `json:"avatar,omitempty" jsonschema:"description=its picture"`
}

// GroupAvatar is the picture of a group.
type GroupAvatar struct {
	Base64Data model.Blob `json:"base64Data" jsonschema:"description=the picture"`
	Size       int64      `json:"size" jsonschema:"description=in bytes"`
}

func runGetGroup(c *call, request *GetGroupRequest) (*GetGroupReply, error) {
	id, err := oneGroup(request.GroupID)
	if err != nil {
		return nil, err
	}
	g, err := c.signal.Group(c, id, request.Refresh)
	if err != nil {
		return nil, err
	}
	out := &GetGroupReply{Group: c.crowd().group(g, true)}
	if request.Avatar && g.HasAvatar {
		data, err := c.signal.GroupAvatar(c, id)
		if err != nil {
			return nil, err
		}
		out.Avatar = &GroupAvatar{Base64Data: data, Size: data.Size}
	}
	return out, nil
}

// GroupReply is the reply of the commands that change groups.
type GroupReply struct {
	Group
	Failures []SendFailure `json:"failures,omitempty" jsonschema:"description=who could not be added or invited"`
}

func groupReply(c *call, result model.GroupResult, err error) (*GroupReply, error) {
	if err != nil {
		return nil, err
	}
	return &GroupReply{Group: c.crowd().group(result.Group, true), Failures: failuresReply(result.Failures)}, nil
}

// LeaveGroupRequest is the request of leave_group.
type LeaveGroupRequest struct {
	GroupID        string `json:"groupId" jsonschema:"required,description=which group"`
	AdminToPromote string `json:"adminToPromote,omitempty" jsonschema:"description=a member who becomes admin first: the last admin needs a successor"`
}

func runLeaveGroup(c *call, request *LeaveGroupRequest) (*GroupReply, error) {
	id, err := oneGroup(request.GroupID)
	if err != nil {
		return nil, err
	}
	leave := model.GroupLeave{Group: id}
	if request.AdminToPromote != "" {
		admin, err := parseRecipient("adminToPromote", request.AdminToPromote)
		if err != nil {
			return nil, err
		}
		leave.AdminToPromote = []model.Recipient{admin}
	}
	result, err := c.signal.LeaveGroup(c, leave)
	return groupReply(c, result, err)
}

// JoinGroupRequest is the request of join_group.
type JoinGroupRequest struct {
	Link    string `json:"link,omitempty" jsonschema:"description=https://signal.group/#…"`
	GroupID string `json:"groupId,omitempty" jsonschema:"description=of a group that this account is invited to\\, in place of link"`
}

func runJoinGroup(c *call, request *JoinGroupRequest) (*GroupReply, error) {
	join := model.GroupJoin{Link: strings.TrimSpace(request.Link)}
	if (join.Link == "") == (request.GroupID == "") {
		return nil, badArgument("", "exactly one of link and groupId is needed")
	}
	if request.GroupID != "" {
		var err error
		if join.Group, err = parseGroupID(request.GroupID); err != nil {
			return nil, err
		}
	}
	result, err := c.signal.JoinGroup(c, join)
	return groupReply(c, result, err)
}

// GetGroupLinkInfoRequest is the request of get_group_link_info.
type GetGroupLinkInfoRequest struct {
	Link string `json:"link" jsonschema:"required,description=https://signal.group/#…"`
}

// GetGroupLinkInfoReply is the reply of get_group_link_info.
type GetGroupLinkInfoReply struct {
	GroupID         []byte                `json:"groupId" jsonschema:"description=the group's identifier"`
	Title           string                `json:"title" jsonschema:"description=its name"`
	Description     string                `json:"description,omitempty" jsonschema:"description=what it is about"`
	HasAvatar       bool                  `json:"hasAvatar" jsonschema:"description=whether it has a picture"`
	MemberCount     int                   `json:"memberCount" jsonschema:"description=how many members it has"`
	Revision        uint32                `json:"revision" jsonschema:"description=how often it was changed"`
	Link            model.GroupLinkState  `json:"link" jsonschema:"enum=on,enum=approval"`
	PendingApproval bool                  `json:"pendingApproval,omitempty" jsonschema:"description=this account has asked to join already"`
	Membership      model.GroupMembership `json:"membership,omitempty" jsonschema:"description=where the group is known here already"`
}

func runGetGroupLinkInfo(c *call, request *GetGroupLinkInfoRequest) (*GetGroupLinkInfoReply, error) {
	link := strings.TrimSpace(request.Link)
	if link == "" {
		return nil, badArgument("link", "is missing")
	}
	p, err := c.signal.GroupLinkInfo(c, link)
	if err != nil {
		return nil, err
	}
	return &GetGroupLinkInfoReply{
		GroupID: p.ID, Title: p.Title, Description: p.Description, HasAvatar: p.HasAvatar, MemberCount: p.Members,
		Revision: p.Revision, Link: p.Link, PendingApproval: p.PendingApproval, Membership: p.Membership,
	}, nil
}

// DeleteGroupRequest is the request of delete_group.
type DeleteGroupRequest struct {
	GroupID string `json:"groupId" jsonschema:"required,description=which group"`
}

func runDeleteGroup(c *call, request *DeleteGroupRequest) (*None, error) {
	id, err := oneGroup(request.GroupID)
	if err != nil {
		return nil, err
	}
	return nil, c.signal.DeleteGroup(c, id)
}
