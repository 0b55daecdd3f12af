package contacts

import (
	"fmt"

	"signalbox/sandbox/messenger"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/sealedsender"
)

// NewGroup has somebody make a group with the accounts of phones as its members, and tell them. What is returned names
// the group, for their storage services (phone.GroupRecord) and, by its ID, for people.
func NewGroup(creator *Person, title string, members ...*phone.Phone) (*content.Group, error) {
	var candidates []messenger.Candidate
	for _, member := range members {
		if member.ACI != creator.ACI {
			candidates = append(candidates, messenger.Candidate{ACI: member.ACI, ProfileKey: member.ProfileKey})
		}
	}
	group, err := creator.CreateGroup(title, candidates)
	if err != nil {
		return nil, err
	}
	timestamp := creator.Timestamp()
	common := content.Common{Timestamp: timestamp, ProfileKey: creator.ProfileKey[:], Group: group}
	err = creator.SendToGroup(group, messenger.Outgoing{
		Timestamp: timestamp, Content: content.NewGroupUpdate(common), Hint: sealedsender.Implicit,
	})
	if err != nil {
		return nil, fmt.Errorf("tell a group's members: %w", err)
	}
	return group, nil
}
