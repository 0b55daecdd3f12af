package render

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

var stranger = serviceid.NewPNI(uuid.MustParse("cccccccc-0000-4000-8000-000000000003"))

func self() []serviceid.ServiceID { return []serviceid.ServiceID{alice} }

// changeCases are changes and the line for each; alice is this account, bob has a name, the stranger has not.
var changeCases = []struct {
	kind          model.GroupChangeKind
	editor        serviceid.ServiceID
	affected      []serviceid.ServiceID
	before, after string
	want          string
}{
	{kind: model.GroupCreated, editor: bob, after: "Kiln", want: "Bob made the group “Kiln”."},
	{kind: model.GroupCreated, after: "Kiln\n{who} \u202e", want: "The group “Kiln {who}” was made."},
	{kind: model.GroupMemberAdded, editor: bob, affected: ids(alice), want: "Bob added you."},
	{kind: model.GroupMemberAdded, editor: alice, affected: ids(bob, stranger), want: "You added Bob and PNI:cccccccc-0000-4000-8000-000000000003."},
	{kind: model.GroupMemberAdded, affected: ids(alice), want: "You were added."},
	{kind: model.GroupMemberAdded, affected: ids(bob), want: "Bob was added."},
	{kind: model.GroupMemberAdded, affected: ids(bob, bob, bob, bob, bob, bob), want: "Bob, Bob, Bob, Bob, Bob and one other were added."},
	{kind: model.GroupMemberAdded, editor: bob, affected: make([]serviceid.ServiceID, 8), want: "Bob added somebody, somebody, somebody, somebody, somebody and 3 others."},
	{kind: model.GroupMemberJoinedByLink, editor: bob, affected: ids(bob), want: "Bob joined by the group's link."},
	{kind: model.GroupMemberLeft, editor: bob, affected: ids(bob), want: "Bob left the group."},
	{kind: model.GroupMemberLeft, editor: bob, want: "Bob left the group."},
	{kind: model.GroupMemberLeft, affected: ids(alice), want: "You left the group."},
	{kind: model.GroupMemberLeft, want: "Somebody left the group."},
	{kind: model.GroupMemberRemoved, editor: bob, affected: ids(alice), want: "Bob removed you."},
	{kind: model.GroupMemberRemoved, affected: ids(alice, bob), want: "You and Bob are no longer in the group."},
	{kind: model.GroupMemberInvited, editor: bob, affected: ids(stranger), want: "Bob invited PNI:cccccccc-0000-4000-8000-000000000003."},
	{kind: model.GroupMemberInvited, editor: bob, affected: ids(serviceid.ServiceID{}), want: "Bob invited somebody."},
	{kind: model.GroupMemberInvited, affected: ids(serviceid.ServiceID{}), want: "Somebody was invited."},
	{kind: model.GroupInvitationAccepted, editor: bob, affected: ids(bob), want: "Bob accepted the invitation."},
	{kind: model.GroupInvitationDeclined, editor: alice, affected: ids(alice), want: "You declined the invitation."},
	{kind: model.GroupInvitationRevoked, editor: bob, affected: ids(alice), want: "Bob withdrew the invitation to you."},
	{kind: model.GroupInvitationRevoked, affected: ids(bob), want: "Bob is no longer invited."},
	{kind: model.GroupJoinRequested, editor: bob, affected: ids(bob), want: "Bob asked to join."},
	{kind: model.GroupJoinRequestCanceled, editor: bob, affected: ids(bob), want: "Bob took back the request to join."},
	{kind: model.GroupJoinRequestApproved, editor: bob, affected: ids(alice), want: "Bob let you in, on request."},
	{kind: model.GroupJoinRequestApproved, affected: ids(alice), want: "You were let in, on request."},
	{kind: model.GroupJoinRequestDenied, editor: alice, affected: ids(bob), want: "You refused to let Bob in."},
	{kind: model.GroupJoinRequestDenied, affected: ids(bob), want: "Bob is no longer asking to join."},
	{kind: model.GroupRoleChanged, editor: bob, affected: ids(alice), before: "member", after: "admin", want: "Bob made you an admin."},
	{kind: model.GroupRoleChanged, affected: ids(alice, bob), after: "admin", want: "You and Bob are now admins."},
	{kind: model.GroupRoleChanged, editor: alice, affected: ids(bob), before: "admin", after: "member", want: "You took Bob off the admins."},
	{kind: model.GroupRoleChanged, affected: ids(bob), before: "admin", after: "member", want: "Bob is no longer an admin."},
	{kind: model.GroupRoleChanged, editor: bob, affected: ids(bob), before: "admin", after: "member", want: "Bob gave up being an admin."},
	{kind: model.GroupMemberBanned, editor: bob, affected: ids(alice), want: "Bob banned you."},
	{kind: model.GroupMemberUnbanned, editor: alice, affected: ids(bob), want: "You unbanned Bob."},
	{kind: model.GroupMemberUnbanned, affected: ids(bob), want: "Bob was unbanned."},
	{kind: model.GroupLabelChanged, editor: bob, affected: ids(bob), after: "🏺 Potter", want: "Bob has the label “🏺 Potter” now."},
	{kind: model.GroupLabelChanged, editor: alice, affected: ids(alice), before: "🏺 Potter", want: "You have no label any more."},
	{kind: model.GroupTitleChanged, editor: bob, before: "Kiln", after: "Kilns", want: "Bob changed the title to “Kilns”."},
	{kind: model.GroupTitleChanged, before: "Kiln", after: "Kilns", want: "The title is now “Kilns”."},
	{kind: model.GroupDescriptionChanged, editor: bob, after: "x\ny", want: "Bob changed the group's description."},
	{kind: model.GroupDescriptionChanged, before: "x", want: "The group has no description any more."},
	{kind: model.GroupAvatarChanged, editor: bob, after: "set", want: "Bob changed the group's picture."},
	{kind: model.GroupAvatarChanged, editor: bob, want: "Bob removed the group's picture."},
	{kind: model.GroupAvatarChanged, after: "set", want: "The group has a new picture."},
	{kind: model.GroupTimerChanged, editor: bob, before: "0", after: "1209600", want: "Bob set messages to disappear after 2 weeks."},
	{kind: model.GroupTimerChanged, after: "86400", want: "Messages now disappear after 1 day."},
	{kind: model.GroupTimerChanged, editor: alice, after: "7200", want: "You set messages to disappear after 2 hours."},
	{kind: model.GroupTimerChanged, editor: alice, after: "60", want: "You set messages to disappear after 1 minute."},
	{kind: model.GroupTimerChanged, editor: alice, after: "61", want: "You set messages to disappear after 61 seconds."},
	{kind: model.GroupTimerChanged, editor: alice, after: "x", want: "You set messages to disappear after some time."},
	{kind: model.GroupTimerChanged, editor: bob, before: "60", after: "0", want: "Bob turned disappearing messages off."},
	{kind: model.GroupAnnouncementsChanged, editor: bob, after: "true", want: "Bob allowed only admins to send messages."},
	{kind: model.GroupAnnouncementsChanged, after: "false", want: "All members may now send messages."},
	{kind: model.GroupAddMembersChanged, editor: bob, after: "admins", want: "Bob allowed only admins to add members."},
	{kind: model.GroupEditDetailsChanged, after: "members", want: "All members may now edit the group's details."},
	{kind: model.GroupEditLabelsChanged, after: "none", want: "Nobody may now give themselves labels."},
	{kind: model.GroupLinkChanged, editor: bob, before: "off", after: "on", want: "Bob turned the group's link on."},
	{kind: model.GroupLinkChanged, before: "off", after: "approval", want: "The group's link is now on; admins approve who joins."},
	{kind: model.GroupLinkChanged, editor: bob, before: "on", after: "approval", want: "Bob made admins approve who joins by the link."},
	{kind: model.GroupLinkChanged, editor: bob, before: "approval", after: "on", want: "Bob let people join by the link without approval."},
	{kind: model.GroupLinkChanged, editor: bob, before: "on", after: "off", want: "Bob turned the group's link off."},
	{kind: model.GroupLinkReset, editor: alice, want: "You made a new link to the group; the old one is void."},
	{kind: model.GroupTerminated, editor: bob, want: "Bob ended the group."},
	{kind: model.GroupTerminated, want: "The group was ended."},
	{kind: model.GroupUnknownChange, editor: bob, want: "Bob changed the group in a way that this version cannot name."},
	{kind: "later", want: "The group changed in a way that this version cannot name."},
}

func ids(all ...serviceid.ServiceID) []serviceid.ServiceID { return all }

func TestGroupChangeText(t *testing.T) {
	covered := map[model.GroupChangeKind]bool{}
	for _, c := range changeCases {
		change := &model.GroupChange{
			Kind: c.kind, Revision: 4, Editor: c.editor, Affected: c.affected, Before: c.before, After: c.after,
		}
		out := Render(model.InboxMessage{
			ID: "i", Type: model.TypeGroupChange, Timestamp: now, Group: bytes.Repeat([]byte{1}, 32), GroupChange: change,
		}, Options{Lookup: lookup, Self: self})
		require.Equal(t, c.want, out.GroupChange.Text)
		require.Zero(t, out.StatusCode)
		require.Len(t, out.GroupID, 32)
		require.Len(t, out.GroupChange.Affected, len(c.affected))
		require.Equal(t, c.editor.IsZero(), out.GroupChange.Editor == nil)
		covered[c.kind] = true
	}
	for _, kind := range kindsOfModel(t) {
		require.True(t, covered[kind], "no line for %s is tested", kind)
	}
}

// kindsOfModel reads the kinds from the source: a new one needs a line, and a test of it.
func kindsOfModel(t *testing.T) []model.GroupChangeKind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../signalcore/model/group.go", nil, 0)
	require.NoError(t, err)
	var kinds []model.GroupChangeKind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "GroupChangeKind" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			kinds = append(kinds, model.GroupChangeKind(text))
		}
		return true
	})
	require.Greater(t, len(kinds), 20)
	return kinds
}

// TestGroupChangeOfNobody: neither names nor this account need be known.
func TestGroupChangeOfNobody(t *testing.T) {
	out := Render(model.InboxMessage{GroupChange: &model.GroupChange{
		Kind: model.GroupMemberRemoved, Editor: bob, Affected: ids(alice),
	}}, Options{})
	require.Equal(t, bob.String()+" removed "+alice.String()+".", out.GroupChange.Text)
	require.Equal(t, Person{Recipient: bob.String(), UUID: bob.String()}, *out.GroupChange.Editor)
}
