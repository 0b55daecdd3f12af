package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
)

func recipient(m *member) model.Recipient {
	return model.Recipient{Kind: model.RecipientServiceID, ServiceID: m.phone.ACI, Text: m.phone.Number}
}

// tells sends a text to a group.
func (m *member) tells(t *testing.T, group []byte, text string) {
	t.Helper()
	result, err := m.Send(contextOf(t), model.SendRequest{
		To:    model.Destination{Group: group},
		Event: content.Event{Message: &content.Message{Text: text}},
	})
	require.NoError(t, err)
	require.Empty(t, result.Failures)
}

// group is the state that a member gets from the service.
func (m *member) group(t *testing.T, id []byte) model.Group {
	t.Helper()
	g, err := m.Group(contextOf(t), id, true)
	require.NoError(t, err)
	return g
}

// acquainted has two members exchange messages, and with them profile keys.
func acquainted(t *testing.T, a, b *member) {
	t.Helper()
	a.says(t, b, "hello")
	require.Equal(t, "hello", b.hears(t))
	b.says(t, a, "hello back")
	require.Equal(t, "hello back", a.hears(t))
}

func TestGroup(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
	cleo := link(t, s, "+12025550103", "Cleo")
	acquainted(t, anna, ben)

	made, err := anna.CreateGroup(contextOf(t), model.GroupCreation{
		Title: "Club", Members: []model.Recipient{recipient(ben)}, Link: model.GroupLinkOn,
	})
	require.NoError(t, err)
	require.Empty(t, made.Failures)
	id := made.Group.ID
	require.Len(t, made.Group.Members, 2, "Ben was added, not invited: his profile key has a credential")

	anna.tells(t, id, "welcome")
	require.Equal(t, "welcome", ben.hears(t))
	ben.tells(t, id, "thanks")
	require.Equal(t, "thanks", anna.hears(t))

	title := "Choir"
	_, err = anna.UpdateGroup(contextOf(t), model.GroupUpdate{Group: id, Title: &title})
	require.NoError(t, err)
	require.Equal(t, "Choir", ben.group(t, id).Title)
	_, err = ben.UpdateGroup(contextOf(t), model.GroupUpdate{Group: id, AddAdmins: []model.Recipient{recipient(ben)}})
	require.ErrorIs(t, err, model.ErrPermission)

	joined, err := cleo.JoinGroup(contextOf(t), model.GroupJoin{Link: anna.group(t, id).LinkURL})
	require.NoError(t, err)
	require.Len(t, joined.Group.Members, 3)
	cleo.tells(t, id, "here I am")
	require.Equal(t, "here I am", anna.hears(t))
	require.Equal(t, "here I am", ben.hears(t))

	_, err = ben.LeaveGroup(contextOf(t), model.GroupLeave{Group: id})
	require.NoError(t, err)
	require.Len(t, anna.group(t, id).Members, 2)
	anna.tells(t, id, "the two of us")
	require.Equal(t, "the two of us", cleo.hears(t))
}
