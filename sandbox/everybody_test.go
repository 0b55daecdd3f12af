package sandbox_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/contacts"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
)

// inhabitant links a client to the account of a populated sandbox.
func inhabitant(t *testing.T, s *sandbox.Service) *member {
	t.Helper()
	account, err := s.Populate()
	require.NoError(t, err)
	return linkTo(t, s, account, "Sandbox")
}

func person(t *testing.T, s *sandbox.Service, name string) *contacts.Person {
	t.Helper()
	all := s.Residents()
	at := slices.IndexFunc(all, func(r sandbox.Resident) bool { return r.Name == name })
	require.GreaterOrEqual(t, at, 0)
	return all[at].Person
}

func TestEverybody(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := inhabitant(t, s)
	var id []byte
	require.Eventually(t, func() bool {
		groups, err := anna.Groups(contextOf(t))
		require.NoError(t, err)
		if len(groups) == 1 && groups[0].Title == "Everybody" {
			id = groups[0].ID
		}
		return id != nil
	}, soon, tick, "the group is in the storage service")
	group := anna.group(t, id)
	require.Len(t, group.Members, 1+len(sandbox.Roles()))
	require.Equal(t, model.GroupMember, group.Membership)

	for _, words := range []string{"hello", "hello again"} { // with a fresh sender key, and without
		anna.tells(t, id, words)
		answer := anna.takesOfGroup(t)
		require.Equal(t, person(t, s, "Echo").ACI, answer.Sender)
		require.Equal(t, id, answer.Parsed.Group.ID())
		require.Equal(t, words, answer.Message.Text)
		require.Equal(t, words, answer.Message.Quote.Text)
		require.True(t, answer.Sealed)
	}
	anna.tells(t, id, "help")
	from := map[string]bool{}
	for range 2 {
		answer := anna.takesOfGroup(t)
		from[answer.SenderName] = true
		require.Equal(t, id, answer.Parsed.Group.ID())
	}
	require.Equal(t, map[string]bool{"Echo": true, "Moody": true}, from)

	late := meet(t, s, "+12025550199", "Late", contacts.Silent())
	require.NoError(t, s.Remember(anna.phone, late.Record()))
	require.Eventually(t, func() bool {
		found, err := anna.Resolve(contextOf(t), []model.Recipient{
			{Kind: model.RecipientNumber, Number: "+12025550199", Text: "+12025550199"},
		})
		return err == nil && len(found) == 1 && found[0] == late.ACI
	}, soon, tick, "the client reads the storage service when the phone has written it")
}

// takesOfGroup waits for a message of a group: the clock writes meanwhile.
func (m *member) takesOfGroup(t *testing.T) heard {
	t.Helper()
	for {
		if message := m.takes(t, model.TypeMessage); message.Parsed.Group != nil {
			return message
		}
	}
}

// TestGroupAfterAChange has a contact follow a group whose members change, and whose state it had not seen.
func TestGroupAfterAChange(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550151", "Anna"), link(t, s, "+12025550152", "Ben")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	moody := meet(t, s, "+12025550192", "Moody", contacts.Moody())
	acquainted(t, anna, ben)
	for _, contact := range []*contacts.Person{echo, moody} {
		anna.tries(t, contact, text("hello"))
		anna.takes(t, model.TypeMessage)
	}
	made, err := anna.CreateGroup(contextOf(t), model.GroupCreation{
		Title:   "Club",
		Members: []model.Recipient{recipient(&member{phone: echo.Phone}), recipient(&member{phone: moody.Phone})},
	})
	require.NoError(t, err)
	require.Len(t, made.Group.Members, 3)
	id := made.Group.ID
	anna.tells(t, id, "three of us")
	require.Equal(t, "three of us", anna.takes(t, model.TypeMessage).Message.Text)

	_, err = anna.UpdateGroup(contextOf(t), model.GroupUpdate{Group: id, AddMembers: []model.Recipient{recipient(ben)}})
	require.NoError(t, err)
	anna.tells(t, id, "four of us")
	require.Equal(t, "four of us", anna.takes(t, model.TypeMessage).Message.Text)
	require.Equal(t, "four of us", ben.takes(t, model.TypeMessage).Message.Text)
	require.Equal(t, "four of us", ben.takes(t, model.TypeMessage).Message.Text, "from Echo")

	anna.tells(t, id, "change")
	words := []string{anna.takes(t, model.TypeMessage).Message.Text, anna.takes(t, model.TypeMessage).Message.Text}
	require.Contains(t, words, "change")
	require.Contains(t, words[0]+words[1], "new identity key")
	ben.tells(t, id, "help")
	words = []string{ben.takes(t, model.TypeMessage).Message.Text}
	for range 4 { // change and its two answers, and two to help
		words = append(words, ben.takes(t, model.TypeMessage).Message.Text)
	}
	require.Contains(t, words, "help")

	_, err = anna.UpdateGroup(contextOf(t), model.GroupUpdate{
		Group: id, RemoveMembers: []model.Recipient{recipient(ben)},
	})
	require.NoError(t, err)
	reaction := content.Event{Reaction: &content.Reaction{Emoji: "🎉", Target: content.MessageRef{
		Author: anna.phone.ACI, Timestamp: 1,
	}}}
	_, err = anna.Send(contextOf(t), model.SendRequest{To: model.Destination{Group: id}, Event: reaction})
	require.NoError(t, err)
	require.Equal(t, "🎉", anna.takes(t, model.TypeReaction).Reaction.Emoji)
}
