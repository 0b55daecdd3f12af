package interop

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// GroupView is a group as signalbox shows it.
type GroupView struct {
	GroupID           string `json:"groupId"`
	Revision          int
	Membership, Role  string
	Title             string
	Description       string
	HasAvatar         bool
	MemberCount       int
	ExpiresInSeconds  int
	AnnouncementsOnly bool
	Permissions       struct{ AddMembers, EditDetails, EditLabels string }
	Link              string
	LinkURL           string `json:"linkUrl"`
	Blocked           bool
	Members           []GroupPerson
	Pending           []GroupPerson
	Requesting        []GroupPerson
	Banned            []GroupPerson
	Avatar            *struct {
		Base64Data string
		Size       int
	}
}

// GroupPerson is a member of any kind, or somebody in a change.
type GroupPerson struct {
	Recipient, UUID, Name string
	Self                  bool
	Role                  string
	JoinedAtRevision      int
	Label, LabelEmoji     string
	InvitedBy             *struct{ UUID string }
}

// GroupPreview is what a link shows.
type GroupPreview struct {
	GroupID         string `json:"groupId"`
	Title           string
	Description     string
	MemberCount     int
	Revision        int
	Link            string
	PendingApproval bool
	Membership      string
}

// Group is what a command that concerns one group answers.
func (r Reply) Group() GroupView {
	var view GroupView
	_ = json.Unmarshal([]byte(r.Line), &view) // the line was read already
	return view
}

// Preview is what get_group_link_info answers.
func (r Reply) Preview() GroupPreview {
	var preview GroupPreview
	_ = json.Unmarshal([]byte(r.Line), &preview)
	return preview
}

// GroupChange is a groupChange entry's part.
type GroupChange struct {
	Kind          string
	Revision      int
	Editor        *GroupPerson
	Affected      []GroupPerson
	Before, After string
	Text          string
}

// GetGroup asks signalbox for a group that it has to know.
func (c *Conn) GetGroup(id string) GroupView {
	c.t.Helper()
	return c.Must(Request{"command": "get_group", "groupId": id}).Group()
}

// AwaitGroup asks until signalbox shows the group as a test wants it.
func (c *Conn) AwaitGroup(what, id string, match func(GroupView) bool) GroupView {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(30 * time.Millisecond) {
		reply := c.Do(Request{"command": "get_group", "groupId": id})
		if reply.StatusCode == 0 && match(reply.Group()) {
			return reply.Group()
		}
		require.Truef(c.t, time.Now().Before(deadline), "waited for %s: %s", what, reply.Line)
	}
}

// AwaitRevision asks until signalbox is at a revision, or beyond it.
func (c *Conn) AwaitRevision(id string, revision int) GroupView {
	c.t.Helper()
	return c.AwaitGroup("the revision", id, func(g GroupView) bool { return g.Revision >= revision })
}

// Changes takes messages until there are n entries of changes in the group; it answers these and drops the others.
func (c *Conn) Changes(id string, n int) []GroupChange {
	c.t.Helper()
	var changes []GroupChange
	for _, message := range c.Receive("changes of the group", n, []string{"groupChange"},
		func(m Message) bool { return m.GroupID == id && m.GroupChange != nil }) {
		changes = append(changes, *message.GroupChange)
	}
	return changes
}

// comparable is what both views of a group have, in one order.
type comparable struct {
	Revision, Timer                      int
	Title, Description, Link, LinkURL    string
	AddMembers, EditDetails, EditLabels  string
	AnnouncementsOnly                    bool
	Members, Pending, Requesting, Banned []string
}

func (s GroupState) comparable() comparable {
	c := comparable{Revision: s.Revision, Timer: s.Timer, Title: s.Title, Description: s.Description, Link: s.Link,
		LinkURL: s.LinkURL, AddMembers: s.AddMembers, EditDetails: s.EditDetails, EditLabels: s.EditLabels,
		AnnouncementsOnly: s.AnnouncementsOnly, Requesting: s.Requesting, Banned: s.Banned}
	for _, m := range s.Members {
		c.Members = append(c.Members, strings.Join([]string{m.ServiceID, m.Role, m.Emoji, m.Label}, "/"))
	}
	for _, m := range s.Pending {
		c.Pending = append(c.Pending, m.ServiceID+"/"+m.Role)
	}
	return c.sorted()
}

func (g GroupView) comparable() comparable {
	c := comparable{Revision: g.Revision, Timer: g.ExpiresInSeconds, Title: g.Title, Description: g.Description,
		Link: g.Link, LinkURL: g.LinkURL, AddMembers: g.Permissions.AddMembers, EditDetails: g.Permissions.EditDetails,
		EditLabels: g.Permissions.EditLabels, AnnouncementsOnly: g.AnnouncementsOnly,
		Requesting: uuids(g.Requesting), Banned: uuids(g.Banned)}
	for _, m := range g.Members {
		c.Members = append(c.Members, strings.Join([]string{m.UUID, m.Role, m.LabelEmoji, m.Label}, "/"))
	}
	for _, m := range g.Pending {
		c.Pending = append(c.Pending, m.UUID+"/"+m.Role)
	}
	return c.sorted()
}

func (c comparable) sorted() comparable {
	if c.Link == "off" {
		c.LinkURL = "" // a password may stay behind, and opens nothing
	}
	for _, list := range []*[]string{&c.Members, &c.Pending, &c.Requesting, &c.Banned} {
		*list = slices.Sorted(slices.Values(*list))
	}
	return c
}

func uuids(people []GroupPerson) []string {
	var ids []string
	for _, person := range people {
		ids = append(ids, person.UUID)
	}
	return ids
}

// SameAs says whether signalbox shows what the service has, as the official library decrypts it.
func (g GroupView) SameAs(state GroupState) bool {
	return reflect.DeepEqual(g.comparable(), state.comparable())
}
