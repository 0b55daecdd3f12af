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
	GroupID string `json:"groupId" jsonschema:"required"`
	Refresh bool   `json:"refresh,omitempty" jsonschema:"description=ask the service first\\, in place of telling what is known here"`
}

func runGetGroup(c *call, request *GetGroupRequest) (*Group, error) {
	id, err := oneGroup(request.GroupID)
	if err != nil {
		return nil, err
	}
	g, err := c.signal.Group(c, id, request.Refresh)
	if err != nil {
		return nil, err
	}
	out := c.crowd().group(g, true)
	return &out, nil
}
