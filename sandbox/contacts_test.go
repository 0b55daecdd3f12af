package sandbox_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox"
	"signalbox/sandbox/accounts"
	"signalbox/sandbox/cdn"
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/disk"
	"signalbox/sandbox/faults"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/servicepb"
)

// heard is a message of the inbox, read.
type heard struct {
	model.InboxMessage
	content.Parsed
	files [][]byte
}

// takes waits for the next message of some types.
func (m *member) takes(t *testing.T, types ...model.MessageType) heard {
	t.Helper()
	messages, err := m.Receive(contextOf(t), model.ReceiveOptions{
		Owner: 1, Max: 1, Types: types, Wait: soon, Attachments: true,
	})
	require.NoError(t, err)
	require.Len(t, messages, 1, "waited for %v", types)
	require.Empty(t, messages[0].ErrorMessage)
	out := heard{InboxMessage: messages[0]}
	for _, a := range messages[0].Attachments {
		require.True(t, a.Ready, a.ErrorMessage)
		out.files = append(out.files, readBlob(t, a.Data))
	}
	_, err = m.Ack(context.Background(), 1, []string{messages[0].ID})
	require.NoError(t, err)
	var read servicepb.Content
	require.NoError(t, proto.Unmarshal(messages[0].Content, &read))
	out.Parsed, err = content.Parse(&read)
	require.NoError(t, err)
	return out
}

// tries sends an event to a contact, and returns its timestamp.
func (m *member) tries(t *testing.T, to *contacts.Person, event content.Event, uploads ...model.Blob) uint64 {
	t.Helper()
	result, err := m.Send(contextOf(t), model.SendRequest{
		To:    model.Destination{Recipients: []model.Recipient{recipient(&member{phone: to.Phone})}},
		Event: event, Uploads: uploads,
	})
	require.NoError(t, err)
	require.Empty(t, result.Failures)
	return result.Timestamp
}

func text(s string) content.Event { return content.Event{Message: &content.Message{Text: s}} }

func meet(t *testing.T, s *sandbox.Service, number, name string, behaviour contacts.Behaviour) *contacts.Person {
	t.Helper()
	person, err := s.AddContact(number, name, behaviour)
	require.NoError(t, err)
	return person
}

func TestEcho(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	for _, words := range []string{"one", "two", "three"} {
		sent := anna.tries(t, echo, text(words))
		wanted := map[content.ReceiptType]bool{content.ReceiptDelivery: true, content.ReceiptRead: true}
		for len(wanted) > 0 { // and the service's own receipts, for what was not sealed
			if receipt := anna.takes(t, model.TypeReceipt).Receipt; slices.Contains(receipt.Timestamps, sent) {
				delete(wanted, receipt.Type)
			}
		}
		require.True(t, anna.takes(t, model.TypeTyping).Typing.Started)
		answer := anna.takes(t, model.TypeMessage)
		require.Equal(t, words, answer.Message.Text)
		require.True(t, answer.Sealed, "Anna's message had her profile key in it")
		require.Equal(t, "+12025550190", answer.SenderNumber)
	}
	anna.awaitRead(t, s, anna.phone) // Anna's phone is on, too
}

func TestEchoSendsAttachmentsBack(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	data := noise(200_000)
	anna.tries(t, echo, content.Event{Message: &content.Message{
		Text: "a file", Attachments: []content.Attachment{{ContentType: "image/x-noise", FileName: "noise", Width: 7}},
	}}, blob(data))
	answer := anna.takes(t, model.TypeMessage)
	require.Equal(t, "a file", answer.Message.Text)
	require.Equal(t, data, answer.files[0])
	back := answer.Message.Attachments[0]
	require.Equal(t, "image/x-noise", back.ContentType)
	require.Equal(t, "noise", back.FileName)
	require.EqualValues(t, 7, back.Width)

	long := strings.Repeat("all work and no play makes Jack a dull boy. ", 200)
	body, err := content.PrepareBody(long, nil, nil)
	require.NoError(t, err)
	anna.tries(t, echo, content.Event{Message: &content.Message{
		Text: body.Text, LongText: &content.Attachment{ContentType: content.LongTextType, Size: uint32(len(body.Long))},
	}}, blob([]byte(body.Long)))
	answer = anna.takes(t, model.TypeMessage)
	require.NotNil(t, answer.Message.LongText)
	require.Equal(t, long, string(answer.files[0]))
}

func TestEchoFollows(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	sent := anna.tries(t, echo, text("teh"))
	answer := anna.takes(t, model.TypeMessage)

	anna.tries(t, echo, content.Event{Edit: &content.Edit{Target: sent, Message: content.Message{Text: "the"}}})
	edit := anna.takes(t, model.TypeEdit)
	require.Equal(t, answer.InboxMessage.Timestamp, edit.Edit.Target)
	require.Equal(t, "the", edit.Edit.Message.Text)

	reaction := &content.Reaction{Emoji: "👍", Target: content.MessageRef{
		Author: echo.ACI, Timestamp: answer.InboxMessage.Timestamp,
	}}
	anna.tries(t, echo, content.Event{Reaction: reaction})
	require.Equal(t, reaction, anna.takes(t, model.TypeReaction).Reaction)
	reaction.Remove = true
	anna.tries(t, echo, content.Event{Reaction: reaction})
	require.True(t, anna.takes(t, model.TypeReaction).Reaction.Remove)

	quoted := anna.tries(t, echo, content.Event{Message: &content.Message{Text: "really?", Quote: &content.Quote{
		MessageRef: reaction.Target, Text: "the",
	}}})
	answer = anna.takes(t, model.TypeMessage)
	require.Equal(t, content.MessageRef{Author: anna.phone.ACI, Timestamp: quoted}, answer.Message.Quote.MessageRef)

	anna.tries(t, echo, content.Event{Delete: &content.Delete{Target: content.MessageRef{Timestamp: quoted}}})
	require.Equal(t, answer.InboxMessage.Timestamp, anna.takes(t, model.TypeDelete).Delete.Target.Timestamp)
}

func TestSilent(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")
	silent := meet(t, s, "+12025550191", "Silent", contacts.Silent())
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	anna.tries(t, silent, text("are you there?"))
	anna.awaitRead(t, s, silent.Phone)
	anna.tries(t, echo, text("but you are"))
	for {
		next := anna.takes(t, model.TypeMessage, model.TypeTyping, model.TypeReceipt)
		if next.Sender == silent.ACI {
			require.Equal(t, content.ReceiptDelivery, next.Receipt.Type, "the service's own, as it knew who wrote")
			continue
		}
		if next.Kind == content.KindMessage {
			break
		}
	}
}

// awaitRead waits until a phone has read what was sent.
func (m *member) awaitRead(t *testing.T, s *sandbox.Service, who *phone.Phone) {
	t.Helper()
	require.Eventually(t, func() bool {
		return s.Messages.Waiting(wire.Device{Account: who.ACI.UUID, ID: accounts.PrimaryID}) == 0
	}, soon, tick)
}

func TestMoody(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")
	moody := meet(t, s, "+12025550192", "Moody", contacts.Moody())
	events, err := anna.Subscribe(contextOf(t), model.SubscribeOptions{Types: []model.MessageType{model.TypeMessage}})
	require.NoError(t, err)
	defer events.Close()
	anna.tries(t, moody, text("hello"))
	require.Contains(t, anna.takes(t, model.TypeMessage).Message.Text, "Write change")
	before := moody.Identity().Keys.Public
	for range 2 {
		anna.tries(t, moody, text("Change"))
		require.Contains(t, anna.takes(t, model.TypeMessage).Message.Text, "new identity key")
		require.NotEqual(t, before, moody.Identity().Keys.Public)
		for {
			event, err := events.Next(contextOf(t))
			require.NoError(t, err)
			if event.Identity != nil {
				require.Equal(t, moody.ACI, event.Identity.ServiceID)
				require.Equal(t, moody.Identity().Keys.Public.Serialize(), event.Identity.Fingerprint)
				break
			}
		}
		anna.tries(t, moody, text("hello again"))
		require.Contains(t, anna.takes(t, model.TypeMessage).Message.Text, "Write change")
	}
}

// TestContactsByNumber has a client write to a contact's PNI, as who knows no more than its number does: the contact
// answers from its ACI, proves that both are one, and goes on without the proof once it was written to there.
func TestContactsByNumber(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550151", "Anna")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	pni := model.Destination{Recipients: []model.Recipient{
		{Kind: model.RecipientServiceID, ServiceID: echo.PNI, Text: echo.PNI.String()},
	}}
	for _, words := range []string{"to your number", "once more"} {
		result, err := anna.Send(contextOf(t), model.SendRequest{To: pni, Event: text(words)})
		require.NoError(t, err)
		require.Empty(t, result.Failures)
		answer := anna.takes(t, model.TypeMessage)
		require.Equal(t, words, answer.Message.Text)
		require.Equal(t, echo.ACI, answer.Sender)
		if words == "to your number" {
			require.NotNil(t, answer.Effects.PNISignature)
		}
	}
	anna.tries(t, echo, text("to you"))
	answer := anna.takes(t, model.TypeMessage)
	require.Equal(t, "to you", answer.Message.Text)
	require.Nil(t, answer.Effects.PNISignature)
}

// TestLostAttachment has a CDN lose what was sent: Echo says so.
func TestLostAttachment(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550151", "Anna")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	world := s.World()
	world.CDN = cdn.New(time.Now, disk.Open(t.TempDir()))
	echo = moveIn(t, echo, world, contacts.Echo())
	anna.tries(t, echo, content.Event{Message: &content.Message{
		Attachments: []content.Attachment{{ContentType: "text/plain"}},
	}}, blob([]byte("gone")))
	require.Contains(t, anna.takes(t, model.TypeMessage).Message.Text, "the CDN does not have it")
}

// TestFaultsLeaveContactsAlone: they are not what is tried out.
func TestFaultsLeaveContactsAlone(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550151", "Anna")
	silent := meet(t, s, "+12025550191", "Silent", contacts.Silent())
	for _, rule := range []faults.Rule{
		{Kind: faults.Full, Recipient: anna.phone.Number}, {Kind: faults.Stale, Recipient: anna.phone.Number},
		{Kind: faults.Missing}, {Kind: faults.Status, Status: 500, Method: http.MethodPut, Path: "/v1/messages/"},
	} {
		require.NoError(t, s.Faults.Set(rule))
		_, err := silent.Say(anna.phone.ACI, string(rule.Kind))
		require.NoError(t, err, rule.Kind)
		require.NoError(t, s.Faults.Set())
		require.Equal(t, string(rule.Kind), anna.takes(t, model.TypeMessage).Message.Text)
	}
}
