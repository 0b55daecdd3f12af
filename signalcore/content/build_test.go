package content

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/servicepb"
)

var common = Common{
	Timestamp: now, Timer: &Timer{Seconds: 3600, Version: 3}, ProfileKey: filled(32, 7),
	Group: &Group{MasterKey: filled(32, 9), Revision: 5},
}

// parsed sends what was built through its bytes and the parser.
func parsed(t *testing.T, c *servicepb.Content, err error) Parsed {
	t.Helper()
	require.NoError(t, err)
	p, err := Parse(reread(t, c))
	require.NoError(t, err)
	require.Empty(t, p.Notes)
	return p
}

func wholeOutgoing() Message {
	photo, voice, thumbnail := attachment("photo.jpg"), attachment("voice.aac"), attachment("thumb.jpg")
	voice.VoiceNote, voice.ContentType = true, "audio/aac"
	card := ContactCard{
		Name: CardName{Given: "G", Family: "F", Prefix: "P", Suffix: "S", Middle: "M", Nickname: "N"}, Organization: "O",
		Phones: []CardEntry{{"+1555", "mobile", ""}}, Emails: []CardEntry{{"a@b.c", "custom", "L"}},
		Addresses: []CardAddress{{"work", "L", "S", "B", "N", "C", "R", "P", "C"}}, Avatar: &thumbnail,
	}
	return Message{
		Text: "hi \uFFFC, look", Attachments: []Attachment{photo, voice},
		Mentions: []Mention{{3, 1, bob}}, Styles: []Style{{0, 2, Bold}, {6, 4, Monospace}},
		Quote: &Quote{
			MessageRef: MessageRef{alice, 9}, Text: "old", Styles: []Style{{0, 3, Spoiler}}, Type: QuotePoll,
			Attachments: []QuotedAttachment{{"image/png", "a.png", &thumbnail}},
		},
		Previews: []Preview{{URL: "https://example.org", Title: "T", Description: "D", Date: now, Image: &thumbnail}},
		Sticker:  &Sticker{PackID: filled(16, 1), PackKey: filled(32, 2), StickerID: 3, Emoji: "🙂", Data: &thumbnail},
		Contacts: []ContactCard{card}, InReplyTo: &MessageRef{bob, 10}, Forwarded: true,
		Poll:     &Poll{Question: "?", Options: []string{"a", "b"}, Multiple: true},
		PollVote: &PollVote{MessageRef{bob, 11}, []uint32{0, 1}, 2}, PollEnd: 12,
		Pin: &Pin{MessageRef{bob, 13}, 60}, Unpin: &MessageRef{bob, 14},
	}
}

func TestMessageComesBackWhole(t *testing.T) {
	m := wholeOutgoing()
	c, err := NewMessage(common, m)
	p := parsed(t, c, err)
	require.Equal(t, KindMessage, p.Kind)
	require.Equal(t, m, *p.Message)
	require.Equal(t, now, p.Timestamp)
	require.Equal(t, common.Group, p.Group)
	require.Equal(t, common.Timer, p.Timer)
	require.Equal(t, common.ProfileKey, p.Effects.ProfileKey)
	require.Len(t, p.Attachments(), 6)
	require.NoError(t, p.Check(Origin{Self: alice, Sender: bob, Timestamp: now}))

	c, err = NewEdit(common, Edit{Target: 4, Message: m})
	p = parsed(t, c, err)
	require.Equal(t, &Edit{Target: 4, Message: m}, p.Edit)
	require.Equal(t, now, p.Timestamp)
}

func TestRequiredVersions(t *testing.T) {
	photo := attachment("photo.jpg")
	for name, c := range map[string]struct {
		message Message
		version servicepb.DataMessage_ProtocolVersion
	}{
		"text":      {Message{Text: "x"}, servicepb.DataMessage_INITIAL},
		"mention":   {Message{Text: "\uFFFC", Mentions: []Mention{{0, 1, bob}}}, servicepb.DataMessage_MENTIONS},
		"view once": {Message{Attachments: []Attachment{photo}, ViewOnce: true}, servicepb.DataMessage_VIEW_ONCE_VIDEO},
		"poll":      {Message{Poll: &Poll{Question: "?", Options: []string{"a", "b"}}}, servicepb.DataMessage_POLLS},
	} {
		content, err := NewMessage(Common{Timestamp: now}, c.message)
		require.NoError(t, err, name)
		require.Equal(t, uint32(c.version), content.GetDataMessage().GetRequiredProtocolVersion(), name)
	}
}

func TestUnsendableMessages(t *testing.T) {
	photo := attachment("photo.jpg")
	for field, m := range map[string]Message{
		"dataMessage": {},
		"message":     {Text: strings.Repeat("x", InlineTextBytes+1)},
		"attachments": {Attachments: make([]Attachment, MaxAttachments+1)},
		"viewOnce":    {ViewOnce: true, Attachments: []Attachment{photo, photo}},
		"quote":       {Text: "x", Quote: &Quote{MessageRef: MessageRef{pni, 1}}},
	} {
		_, err := NewMessage(common, m)
		var input *InputError
		require.ErrorAs(t, err, &input, field)
		require.Equal(t, field, input.Field)
	}
}

func TestSmallMessagesComeBack(t *testing.T) {
	reaction := Reaction{Target: MessageRef{bob, 5}, Emoji: "👍", Remove: true}
	c, err := NewReaction(common, reaction)
	require.Nil(t, c.GetDataMessage().ExpireTimer)
	require.Equal(t, uint32(servicepb.DataMessage_REACTIONS), c.GetDataMessage().GetRequiredProtocolVersion())
	require.Equal(t, &reaction, parsed(t, c, err).Reaction)
	_, err = NewReaction(common, Reaction{Target: MessageRef{pni, 5}})
	require.Error(t, err)

	require.Equal(t, MessageRef{Timestamp: 6}, parsed(t, NewDelete(common, 6), nil).Delete.Target)
	for _, kind := range []ReceiptType{ReceiptDelivery, ReceiptRead, ReceiptViewed} {
		p := parsed(t, NewReceipt(kind, []uint64{1, 2}), nil)
		require.Equal(t, &Receipt{Type: kind, Timestamps: []uint64{1, 2}}, p.Receipt)
	}
	p := parsed(t, NewTyping(now, Typing{Started: true, GroupID: filled(32, 1)}), nil)
	require.Equal(t, &Typing{Started: true, GroupID: filled(32, 1)}, p.Typing)

	p = parsed(t, NewTimerUpdate(Common{Timestamp: now}), nil)
	require.True(t, p.Message.TimerUpdate)
	require.Equal(t, &Timer{}, p.Timer)

	p = parsed(t, NewProfileKeyUpdate(common), nil)
	require.True(t, p.Internal())
	require.Equal(t, common.ProfileKey, p.Effects.ProfileKey)

	p = parsed(t, NewEndSession(now), nil)
	require.True(t, p.Effects.EndSession)

	c, err = NewNull(rand.Reader)
	AddPNISignature(c, PNISignature{PNI: pni, Signature: []byte("s")})
	p = parsed(t, c, err)
	require.Equal(t, KindControl, p.Kind)
	require.Equal(t, &PNISignature{PNI: pni, Signature: []byte("s")}, p.Effects.PNISignature)
}

func TestNewBuildsEveryEventThatIsSent(t *testing.T) {
	message := Message{Text: "x"}
	for _, e := range []Event{
		{Kind: KindMessage, Message: &message},
		{Kind: KindMessage, Message: &Message{TimerUpdate: true}},
		{Kind: KindEdit, Edit: &Edit{Target: 1, Message: message}},
		{Kind: KindReaction, Reaction: &Reaction{Target: MessageRef{bob, 1}, Emoji: "👍"}},
		{Kind: KindDelete, Delete: &Delete{Target: MessageRef{Timestamp: 1}}},
	} {
		c, err := New(Common{Timestamp: now}, &e)
		got := parsed(t, c, err).Event
		got.Timestamp, got.Timer = 0, nil
		require.Equal(t, e, got)
	}
	_, err := New(common, &Event{Kind: KindTyping, Typing: &Typing{}})
	require.Error(t, err)
}

func TestTranscriptsComeBack(t *testing.T) {
	message, err := NewMessage(Common{Timestamp: now, ProfileKey: filled(32, 7)}, Message{Text: "x"})
	require.NoError(t, err)
	edit, err := NewEdit(Common{Timestamp: now}, Edit{Target: 1, Message: Message{Text: "y"}})
	require.NoError(t, err)
	transcript := Transcript{
		Timestamp: now, Destination: bob, DestinationNumber: "+15550001", ExpirationStart: now,
		Recipients: []SentRecipient{{ServiceID: bob, Sealed: true}, {ServiceID: pni, PNIIdentityKey: filled(33, 5)}},
	}
	for _, sent := range []*servicepb.Content{message, edit} {
		original := parsed(t, sent, nil)
		c, err := NewSentTranscript(rand.Reader, transcript, sent)
		require.NoError(t, err)
		out := c.GetSyncMessage().GetSent()
		require.Equal(t, bob.String(), out.GetDestinationServiceId())
		require.Equal(t, bob.Binary(), out.GetDestinationServiceIdBinary())
		p := parsed(t, c, nil)
		require.Equal(t, original.Event, p.Sync.Sent.Event)
		require.Equal(t, transcript.Recipients, p.Sync.Sent.Recipients)
		require.Equal(t, bob, p.Sync.Sent.Destination)
		require.Nil(t, p.Effects.ProfileKey, "it is our own")
		require.False(t, p.Internal())
	}
	_, err = NewSentTranscript(rand.Reader, transcript, NewTyping(now, Typing{}))
	require.Error(t, err)
}

func TestSyncsComeBack(t *testing.T) {
	refs := []MessageRef{{alice, 1}, {bob, 2}}
	c, err := NewSyncRead(rand.Reader, refs)
	require.Equal(t, refs, parsed(t, c, err).Sync.Read)
	c, err = NewSyncViewed(rand.Reader, refs)
	require.Equal(t, refs, parsed(t, c, err).Sync.Viewed)
	for _, what := range []RequestType{RequestContacts, RequestBlocked, RequestConfiguration, RequestKeys} {
		c, err = NewSyncRequest(rand.Reader, what)
		require.Equal(t, what, parsed(t, c, err).Sync.Request)
	}
	_, err = NewSyncRequest(rand.Reader, "groups")
	require.Error(t, err)
	c, err = NewFetchLatest(rand.Reader, FetchStorage)
	require.Equal(t, FetchStorage, parsed(t, c, err).Sync.FetchLatest)
	_, err = NewFetchLatest(rand.Reader, "groups")
	require.Error(t, err)
}

func TestPaddingIsOneToFiveHundredAndTwelve(t *testing.T) {
	for first, want := range map[[2]byte]int{{0, 0}: 1, {0x01, 0xff}: 512, {0x02, 0x00}: 1, {0xff, 0xff}: 512} {
		padding, err := randomPadding(bytes.NewReader(append(first[:], make([]byte, 512)...)))
		require.NoError(t, err)
		require.Len(t, padding, want)
	}
	_, err := NewNull(iotest.ErrReader(bytes.ErrTooLarge))
	require.ErrorIs(t, err, bytes.ErrTooLarge)
}
