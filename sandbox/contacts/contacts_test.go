package contacts_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/contacts"
	"signalbox/sandbox/messenger"
	"signalbox/sandbox/messenger/messengertest"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/content"
	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

func newPerson(t testing.TB, world contacts.World, number string, behaviour contacts.Behaviour) *contacts.Person {
	t.Helper()
	account, err := phone.New(world.Book, phone.Options{
		Number: number, Name: profilecipher.Name{Given: behaviour.Name}, Now: world.Now, Rand: world.Rand,
	})
	require.NoError(t, err)
	person := contacts.New(account, world, behaviour)
	require.NoError(t, person.Start())
	return person
}

func newWorld(t testing.TB) contacts.World {
	return contacts.World{World: messengertest.New(t), Neighbours: &contacts.Neighbours{}}
}

// said is a message of somebody, as the messenger hands it over.
func said(from *contacts.Person, event content.Event) messenger.Message {
	event.Timestamp = 7
	return messenger.Message{
		From: serviceid.Address{ServiceID: from.ACI, DeviceID: 1}, Timestamp: 7, Parsed: content.Parsed{Event: event},
	}
}

// waiting is how many messages wait for somebody who does not read.
func waiting(world contacts.World, who *contacts.Person) int {
	return world.Messages.Waiting(who.Device())
}

func TestNeighboursDoNotAnswerEachOther(t *testing.T) {
	world := newWorld(t)
	echo := newPerson(t, world, "+12025550151", contacts.Echo())
	moody := newPerson(t, world, "+12025550152", contacts.Moody())
	stranger := newPerson(t, contacts.World{World: world.World}, "+12025550153", contacts.Silent())
	hello := content.Event{Kind: content.KindMessage, Message: &content.Message{Text: "hello"}}
	for _, person := range []*contacts.Person{echo, moody} {
		for _, neighbour := range []*contacts.Person{echo, moody} {
			require.NoError(t, person.Hear(said(neighbour, hello)))
		}
		require.NoError(t, person.Hear(said(stranger, hello)))
	}
	require.Zero(t, waiting(world, echo))
	require.Zero(t, waiting(world, moody))
	require.Equal(t, 2*4, waiting(world, stranger), "two receipts, typing and an answer, from each")
}

func TestBehavioursOf(t *testing.T) {
	everything := map[string]content.Event{
		"timer":    {Kind: content.KindMessage, Message: &content.Message{TimerUpdate: true}},
		"vote":     {Kind: content.KindMessage, Message: &content.Message{PollVote: &content.PollVote{}}},
		"receipt":  {Kind: content.KindReceipt, Receipt: &content.Receipt{Type: content.ReceiptRead}},
		"typing":   {Kind: content.KindTyping, Typing: &content.Typing{Started: true}},
		"control":  {Kind: content.KindControl},
		"update":   {Kind: content.KindGroupChange},
		"edit":     {Kind: content.KindEdit, Edit: &content.Edit{Target: 3, Message: content.Message{Text: "late"}}},
		"deletion": {Kind: content.KindDelete, Delete: &content.Delete{Target: content.MessageRef{Timestamp: 3}}},
		"story":    {Kind: content.KindStory, Story: &content.Story{}},
		"call":     {Kind: content.KindCall, Call: &content.Call{}},
	}
	world := newWorld(t)
	stranger := newPerson(t, contacts.World{World: world.World}, "+12025550150", contacts.Silent())
	for number, behaviour := range map[string]contacts.Behaviour{
		"+12025550151": contacts.Echo(), "+12025550152": contacts.Clock(1), "+12025550153": contacts.Silent(),
		"+12025550154": contacts.Moody(),
	} {
		t.Run(behaviour.Name, func(t *testing.T) {
			person := newPerson(t, world, number, behaviour)
			require.NotEmpty(t, behaviour.Does)
			for name, event := range everything {
				before := waiting(world, stranger)
				require.NoError(t, person.Hear(said(stranger, event)), name)
				sent := waiting(world, stranger) - before
				if name == "vote" && behaviour.Name != "silent" {
					require.Positive(t, sent, "it was read")
					continue
				}
				require.Zero(t, sent, "nothing is said to a %s", name)
			}
		})
	}
}

// FuzzHear has people hear what a stranger says.
func FuzzHear(f *testing.F) {
	world := newWorld(f)
	people := []*contacts.Person{
		newPerson(f, world, "+12025550151", contacts.Echo()), newPerson(f, world, "+12025550152", contacts.Clock(1)),
		newPerson(f, world, "+12025550153", contacts.Silent()), newPerson(f, world, "+12025550154", contacts.Moody()),
	}
	stranger := newPerson(f, contacts.World{World: world.World}, "+12025550155", contacts.Silent())
	for i, event := range []content.Event{
		{Message: &content.Message{Text: "stop"}},
		{Message: &content.Message{Text: "a file", Attachments: []content.Attachment{{CDNNumber: 3, CDNKey: "x"}}}},
		{Message: &content.Message{Text: "so", Quote: &content.Quote{
			MessageRef: content.MessageRef{Author: stranger.ACI, Timestamp: 1}, Text: "what",
		}}},
		{Reaction: &content.Reaction{Emoji: "👍", Target: content.MessageRef{Author: stranger.ACI, Timestamp: 1}}},
		{Edit: &content.Edit{Target: 7, Message: content.Message{Text: "again"}}},
		{Delete: &content.Delete{Target: content.MessageRef{Timestamp: 7}}},
	} {
		common := content.Common{Timestamp: 7}
		if i == 0 {
			common.Group = &content.Group{MasterKey: make([]byte, 32)} // which there is none of
		}
		c, err := content.New(common, &event)
		require.NoError(f, err)
		serialized, err := proto.Marshal(c)
		require.NoError(f, err)
		f.Add(serialized)
	}
	f.Fuzz(func(t *testing.T, serialized []byte) {
		var c servicepb.Content
		if proto.Unmarshal(serialized, &c) != nil {
			return
		}
		parsed, err := content.Parse(&c)
		if err != nil {
			return
		}
		m := said(stranger, parsed.Event)
		for _, person := range people {
			_ = person.Hear(m) // an error is a message without an answer
		}
		world.Messages.Remove(stranger.Device())
	})
}
