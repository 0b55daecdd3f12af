package compose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/statuscodes"
)

var (
	alice = serviceid.NewACI(uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001"))
	bob   = serviceid.NewACI(uuid.MustParse("bbbbbbbb-0000-4000-8000-000000000002"))
	pni   = serviceid.NewPNI(uuid.MustParse("cccccccc-0000-4000-8000-000000000003"))
)

// resolver knows a few people by name.
func resolver(names []Name) ([]serviceid.ServiceID, error) {
	known := map[string]serviceid.ServiceID{"alice": alice, "bob": bob, "number": pni}
	out := make([]serviceid.ServiceID, len(names))
	for i, name := range names {
		id, ok := known[name.Text]
		if !ok {
			return nil, model.ErrUnknownRecipient
		}
		out[i] = id
	}
	return out, nil
}

func picture(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, image.NewGray(image.Rect(0, 0, 30, 20))))
	return out.Bytes()
}

func read(t *testing.T, blob model.Blob) []byte {
	t.Helper()
	r, err := blob.Open()
	require.NoError(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	return data
}

func TestWholeMessage(t *testing.T) {
	photo, thumbnail, card := picture(t), []byte("thumb"), []byte("card")
	seconds := uint64(60)
	m := &DataMessage{
		Message:     "look @al https://example.org",
		Attachments: []Attachment{{Base64Data: blobOf(photo), Filename: "p.png", Caption: "c"}, {Base64Data: blobOf(nil)}},
		Quote: &Quote{
			Author: "bob", Timestamp: 7, Text: "@al said", Mentions: []Mention{{0, 3, "alice"}},
			Attachments: []QuotedAttachment{{ContentType: "image/png", Base64Data: blobOf(thumbnail)}, {Filename: "x"}},
		},
		Mentions: []Mention{{5, 3, "alice"}}, TextStyles: []TextStyle{{0, 4, "BOLD"}},
		Previews:         []Preview{{URL: "https://example.org", Title: "T", Base64Image: blobOf(card)}},
		ExpiresInSeconds: &seconds,
	}
	d, err := m.Draft(resolver)
	require.NoError(t, err)
	require.Equal(t, content.KindMessage, d.Event.Kind)
	require.Equal(t, &content.Timer{Seconds: 60}, d.Event.Timer)
	got := d.Event.Message
	require.Equal(t, "look \uFFFC https://example.org", got.Text)
	require.Equal(t, []content.Mention{{Start: 5, Length: 1, ACI: alice}}, got.Mentions)
	require.Equal(t, []content.Style{{Start: 0, Length: 4, Style: content.Bold}}, got.Styles)
	require.Equal(t, bob, got.Quote.Author)
	require.Equal(t, "\uFFFC said", got.Quote.Text)
	require.Equal(t, content.Attachment{
		Size: uint32(len(photo)), ContentType: "image/png", FileName: "p.png", Caption: "c", Width: 30, Height: 20,
	}, got.Attachments[0])
	require.Zero(t, got.Attachments[1].Size)

	attachments := d.Event.Attachments()
	require.Len(t, attachments, 4)
	require.Len(t, d.Uploads, 4)
	for i, want := range [][]byte{photo, {}, card, thumbnail} {
		require.Equal(t, want, read(t, d.Uploads[i]))
		require.EqualValues(t, len(want), attachments[i].Size)
	}

	m.EditTimestamp = 99
	d, err = m.Draft(resolver)
	require.NoError(t, err)
	require.Equal(t, content.KindEdit, d.Event.Kind)
	require.EqualValues(t, 99, d.Event.Edit.Target)
	require.Equal(t, photo, read(t, d.Uploads[0]))
}

func TestLongText(t *testing.T) {
	text := strings.Repeat("long ", 1000)
	d, err := (&DataMessage{Message: text}).Draft(nil)
	require.NoError(t, err)
	require.Len(t, d.Event.Message.Text, content.InlineTextBytes)
	require.Equal(t, content.LongTextType, d.Event.Message.LongText.ContentType)
	require.Len(t, d.Uploads, 1)
	require.Equal(t, text, string(read(t, d.Uploads[0])))
}

func TestSticker(t *testing.T) {
	id, key := strings.Repeat("ab", 16), bytes.Repeat([]byte{7}, 32)
	for _, packKey := range []string{base64.StdEncoding.EncodeToString(key), strings.Repeat("07", 32)} {
		d, err := (&DataMessage{Sticker: &Sticker{PackID: id, PackKey: packKey, StickerID: 3, Emoji: "🙂"}}).Draft(nil)
		require.NoError(t, err)
		require.Equal(t, key, d.Event.Message.Sticker.PackKey)
		require.Len(t, d.Uploads, 1)
		require.Nil(t, d.Uploads[0].Open, "for the client to fetch")
	}
	d, err := (&DataMessage{Sticker: &Sticker{PackID: id, PackKey: strings.Repeat("07", 32), Base64Data: blobOf(picture(t))}}).Draft(nil)
	require.NoError(t, err)
	require.Equal(t, "image/png", d.Event.Message.Sticker.Data.ContentType)
	require.NotNil(t, d.Uploads[0].Open)
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	tooLong, failing := uint64(1<<40), model.Blob{Size: 1, Open: func() (io.ReadCloser, error) { return nil, io.ErrNoProgress }}
	file := []Attachment{{Base64Data: blobOf([]byte("text"))}}
	for name, c := range map[string]struct {
		message DataMessage
		code    statuscodes.Code
		field   string
	}{
		"nothing":          {DataMessage{ViewOnce: true}, statuscodes.InvalidArgument, "dataMessage"},
		"no data":          {DataMessage{Attachments: []Attachment{{Filename: "x"}}}, statuscodes.InvalidAttachment, "dataMessage.attachments[0].base64Data"},
		"data gone":        {DataMessage{Attachments: []Attachment{{Base64Data: failing}}}, statuscodes.InvalidAttachment, "dataMessage.attachments[0].base64Data"},
		"too large":        {DataMessage{Attachments: []Attachment{{Base64Data: model.Blob{Size: 1 << 40, Open: failing.Open}}}}, statuscodes.InvalidAttachment, "dataMessage.attachments[0].base64Data"},
		"too many":         {DataMessage{Attachments: make([]Attachment, 33)}, statuscodes.InvalidArgument, "dataMessage.attachments"},
		"content type":     {DataMessage{Attachments: []Attachment{{Base64Data: blobOf(nil), ContentType: "x"}}}, statuscodes.InvalidArgument, "dataMessage.attachments[0].contentType"},
		"view-once text":   {DataMessage{Attachments: file, ViewOnce: true}, statuscodes.InvalidArgument, "dataMessage.viewOnce"},
		"mention range":    {DataMessage{Message: "x", Mentions: []Mention{{0, 2, "bob"}}}, statuscodes.InvalidArgument, "dataMessage.mentions"},
		"mention nobody":   {DataMessage{Message: "x", Mentions: []Mention{{0, 1, ""}}}, statuscodes.InvalidArgument, "dataMessage.mentions[0].recipient"},
		"mention of a PNI": {DataMessage{Message: "x", Mentions: []Mention{{0, 1, "number"}}}, statuscodes.InvalidRecipient, "dataMessage.mentions[0].recipient"},
		"style":            {DataMessage{Message: "x", TextStyles: []TextStyle{{0, 1, "blink"}}}, statuscodes.InvalidArgument, "dataMessage.textStyles"},
		"quote time":       {DataMessage{Message: "x", Quote: &Quote{Author: "bob"}}, statuscodes.InvalidArgument, "dataMessage.quote.timestamp"},
		"quote author":     {DataMessage{Message: "x", Quote: &Quote{Timestamp: 1}}, statuscodes.InvalidArgument, "dataMessage.quote.author"},
		"quote mention":    {DataMessage{Message: "x", Quote: &Quote{Author: "bob", Timestamp: 1, Mentions: []Mention{{4, 4, "bob"}}}}, statuscodes.InvalidArgument, "dataMessage.quote"},
		"edit time":        {DataMessage{Message: "x", EditTimestamp: 1 << 60}, statuscodes.InvalidArgument, "dataMessage.editTimestamp"},
		"timer":            {DataMessage{Message: "x", ExpiresInSeconds: &tooLong}, statuscodes.InvalidArgument, "dataMessage.expiresInSeconds"},
		"preview scheme":   {DataMessage{Message: "http://x.y", Previews: []Preview{{URL: "http://x.y"}}}, statuscodes.InvalidArgument, "dataMessage.previews[0].url"},
		"preview astray":   {DataMessage{Message: "x", Previews: []Preview{{URL: "https://x.y"}}}, statuscodes.InvalidArgument, "dataMessage.previews[0].url"},
		"pack id":          {DataMessage{Sticker: &Sticker{PackID: "zz"}}, statuscodes.InvalidArgument, "dataMessage.sticker.packId"},
		"pack key":         {DataMessage{Sticker: &Sticker{PackID: strings.Repeat("0", 32)}}, statuscodes.InvalidArgument, "dataMessage.sticker.packKey"},
		"too long":         {DataMessage{Message: strings.Repeat("x", 70000)}, statuscodes.InvalidArgument, "dataMessage.message"},
	} {
		_, err := c.message.Draft(resolver)
		var wrong *Error
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, c.code, wrong.Code, name)
		require.Equal(t, c.code, statuscodes.Of(err), name)
		require.Equal(t, c.field, wrong.Field, name)
	}
	_, err := (*DataMessage)(nil).Draft(resolver)
	require.Error(t, err)
	_, err = (&DataMessage{Message: "x", Mentions: []Mention{{0, 1, "stranger"}}}).Draft(resolver)
	require.ErrorIs(t, err, model.ErrUnknownRecipient)
}

func TestReaction(t *testing.T) {
	d, err := (&Reaction{Emoji: "👍🏽", Author: "bob", Timestamp: 5, Remove: true}).Draft(resolver)
	require.NoError(t, err)
	require.Equal(t, &content.Reaction{
		Emoji: "👍🏽", Remove: true, Target: content.MessageRef{Author: bob, Timestamp: 5},
	}, d.Event.Reaction)

	for name, c := range map[string]struct {
		reaction *Reaction
		code     statuscodes.Code
	}{
		"none":         {nil, statuscodes.MissingReaction},
		"no emoji":     {&Reaction{Author: "bob", Timestamp: 5}, statuscodes.MissingReaction},
		"no author":    {&Reaction{Emoji: "👍", Timestamp: 5}, statuscodes.MissingReaction},
		"no timestamp": {&Reaction{Emoji: "👍", Author: "bob"}, statuscodes.MissingReaction},
		"text":         {&Reaction{Emoji: "ok", Author: "bob", Timestamp: 5}, statuscodes.InvalidArgument},
		"two emoji":    {&Reaction{Emoji: "👍👍", Author: "bob", Timestamp: 5}, statuscodes.InvalidArgument},
	} {
		_, err := c.reaction.Draft(resolver)
		var wrong *Error
		require.True(t, errors.As(err, &wrong), name)
		require.Equal(t, c.code, wrong.Code, name)
	}
}

func TestDelete(t *testing.T) {
	d, err := DeleteDraft(5)
	require.NoError(t, err)
	require.EqualValues(t, 5, d.Event.Delete.Target.Timestamp)
	_, err = DeleteDraft(0)
	require.Error(t, err)
}

func TestIsEmoji(t *testing.T) {
	for _, s := range []string{
		"😀", "👍", "👍🏽", "❤️", "❤", "☺️", "🇦🇹", "1️⃣", "#⃣", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🧑🏿‍🚀", "©️", "🫡",
	} {
		require.True(t, IsEmoji(s), s)
	}
	for _, s := range []string{
		"", "a", "1", "😀😀", "😀 ", "ok", "🇦", "🇦🇹🇦", "👍‍", "é", "\uFE0F", "\u200D", "😀\u0301", "a\uFE0F", "1\uFE0F", "\xff", "😀\uFE0E",
		"👍" + strings.Repeat("\uFE0F", 30),
	} {
		require.False(t, IsEmoji(s), "%+q", s)
	}
}

func FuzzIsEmoji(f *testing.F) {
	f.Add("👍🏽")
	f.Fuzz(func(t *testing.T, s string) {
		if IsEmoji(s) {
			require.LessOrEqual(t, len(s), maxEmojiBytes)
		}
	})
}
