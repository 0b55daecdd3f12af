package render

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	alice = serviceid.NewACI(uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001"))
	bob   = serviceid.NewACI(uuid.MustParse("bbbbbbbb-0000-4000-8000-000000000002"))
)

const now = uint64(1_800_000_000_123)

func blob(text string) model.Blob {
	return model.Blob{Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

func lookup(id serviceid.ServiceID) (number, name string) {
	if id == bob {
		return "+15550002", "Bob"
	}
	return "", ""
}

func attachment(name string) content.Attachment {
	return content.Attachment{
		CDNKey: name, Key: bytes.Repeat([]byte{1}, 64), Digest: bytes.Repeat([]byte{2}, 32), Size: 9,
		ContentType: "image/png", FileName: name, Width: 3, Height: 4, VoiceNote: true, Caption: "c",
	}
}

func inboxMessage(t *testing.T, c *servicepb.Content, stored ...model.StoredAttachment) model.InboxMessage {
	t.Helper()
	encoded, err := proto.Marshal(c)
	require.NoError(t, err)
	parsed, _ := content.Parse(c)
	return model.InboxMessage{
		ID: "id1", Type: model.MessageType(parsed.Kind), Sender: bob, SenderNumber: "+15550002", SenderName: "Bob",
		SenderDevice: 2, Timestamp: now, ServerTimestamp: now + 1, ReceivedTimestamp: now + 2, Content: encoded,
		Attachments: stored,
	}
}

func built(t *testing.T) func(c *servicepb.Content, err error) *servicepb.Content {
	return func(c *servicepb.Content, err error) *servicepb.Content {
		t.Helper()
		require.NoError(t, err)
		return c
	}
}

func data(change func(*servicepb.DataMessage)) *servicepb.Content {
	d := &servicepb.DataMessage{Timestamp: proto.Uint64(now)}
	change(d)
	return &servicepb.Content{Content: &servicepb.Content_DataMessage{DataMessage: d}}
}

func wholeMessage() content.Message {
	thumbnail, photo := attachment("thumb.png"), attachment("photo.png")
	return content.Message{
		Text: "hi \uFFFC https://x.y", Attachments: []content.Attachment{photo, attachment("lost.png")},
		Mentions: []content.Mention{{Start: 3, Length: 1, ACI: bob}}, Styles: []content.Style{{Start: 0, Length: 2, Style: content.Bold}},
		Quote: &content.Quote{
			MessageRef: content.MessageRef{Author: bob, Timestamp: 7}, Text: "old",
			Attachments: []content.QuotedAttachment{{ContentType: "image/png", Thumbnail: &thumbnail}},
		},
		Previews: []content.Preview{{URL: "https://x.y", Title: "T"}},
		Sticker:  &content.Sticker{PackID: bytes.Repeat([]byte{3}, 16), PackKey: bytes.Repeat([]byte{4}, 32), StickerID: 5},
		Contacts: []content.ContactCard{{
			Name: content.CardName{Given: "G"}, Phones: []content.CardEntry{{Value: "+1", Type: "home"}},
			Emails: []content.CardEntry{{Value: "a@b"}}, Addresses: []content.CardAddress{{City: "C"}},
		}},
		InReplyTo: &content.MessageRef{Author: alice, Timestamp: 8}, Forwarded: true,
		Poll:     &content.Poll{Question: "?", Options: []string{"a", "b"}},
		PollVote: &content.PollVote{MessageRef: content.MessageRef{Author: bob, Timestamp: 9}, Options: []uint32{1}, Count: 1},
		PollEnd:  10, Pin: &content.Pin{MessageRef: content.MessageRef{Author: bob, Timestamp: 11}, Seconds: 60},
		Unpin: &content.MessageRef{Author: bob, Timestamp: 12},
	}
}

func goldenCases(t *testing.T) map[string]model.InboxMessage {
	must := built(t)
	common := content.Common{
		Timestamp: now, Timer: &content.Timer{Seconds: 60}, Group: &content.Group{MasterKey: bytes.Repeat([]byte{1}, 32), Revision: 3},
	}
	alone := content.Common{Timestamp: now}
	text := must(content.NewMessage(alone, content.Message{Text: "hello"}))
	failed := model.StoredAttachment{ID: "a1", ErrorMessage: "The service has it no longer."}
	pending := model.StoredAttachment{ID: "a1"}
	file := must(content.NewMessage(alone, content.Message{Attachments: []content.Attachment{attachment("a.png")}}))
	anonymous := inboxMessage(t, text)
	anonymous.SenderNumber, anonymous.SenderName, anonymous.Redelivered = "", "", true
	return map[string]model.InboxMessage{
		"text": inboxMessage(t, text),
		"whole": inboxMessage(t, must(content.NewMessage(common, wholeMessage())),
			model.StoredAttachment{ID: "a1", Ready: true, Data: blob("the photo")}, failed),
		"sender-without-number": anonymous,
		"attachment-pending":    inboxMessage(t, file, pending),
		"attachment-lost":       inboxMessage(t, file, failed),
		"attachment-not-stored": inboxMessage(t, file),
		"reaction": inboxMessage(t, must(content.NewReaction(alone, content.Reaction{
			Target: content.MessageRef{Author: bob, Timestamp: 5}, Emoji: "👍",
		}))),
		"edit":   inboxMessage(t, must(content.NewEdit(alone, content.Edit{Target: 5, Message: content.Message{Text: "better"}}))),
		"delete": inboxMessage(t, content.NewDelete(common, 6)),
		"timer":  inboxMessage(t, content.NewTimerUpdate(content.Common{Timestamp: now, Timer: &content.Timer{Seconds: 30}})),
		"group-change": groupChange(&model.GroupChange{
			Kind: model.GroupRoleChanged, Revision: 4, Editor: bob, Affected: []serviceid.ServiceID{alice},
			Before: "member", After: "admin",
		}),
		"group-change-seen": groupChange(&model.GroupChange{Kind: model.GroupTimerChanged, Revision: 5, Before: "0", After: "60"}),
		"group-update": inboxMessage(t, data(func(d *servicepb.DataMessage) {
			d.GroupV2 = &servicepb.GroupContextV2{MasterKey: bytes.Repeat([]byte{1}, 32), Revision: proto.Uint32(4), GroupChange: []byte("x")}
		})),
		"group-call": inboxMessage(t, data(func(d *servicepb.DataMessage) {
			d.GroupV2 = &servicepb.GroupContextV2{MasterKey: bytes.Repeat([]byte{1}, 32), Revision: proto.Uint32(4)}
			d.GroupCallUpdate = &servicepb.DataMessage_GroupCallUpdate{EraId: proto.String("era")}
		})),
		"receipt": inboxMessage(t, content.NewReceipt(content.ReceiptRead, []uint64{1, 2})),
		"typing":  inboxMessage(t, content.NewTyping(now, content.Typing{Started: true, GroupID: bytes.Repeat([]byte{5}, 32)})),
		"call": inboxMessage(t, &servicepb.Content{Content: &servicepb.Content_CallMessage{CallMessage: &servicepb.CallMessage{
			Offer: &servicepb.CallMessage_Offer{Id: proto.Uint64(1<<64 - 1), Type: servicepb.CallMessage_Offer_OFFER_VIDEO_CALL.Enum()},
		}}}),
		"story": inboxMessage(t, &servicepb.Content{Content: &servicepb.Content_StoryMessage{StoryMessage: &servicepb.StoryMessage{
			Attachment: &servicepb.StoryMessage_TextAttachment{TextAttachment: &servicepb.TextAttachment{Text: proto.String("today")}},
		}}}),
		"empty":    inboxMessage(t, &servicepb.Content{}),
		"too-new":  inboxMessage(t, data(func(d *servicepb.DataMessage) { d.RequiredProtocolVersion = proto.Uint32(99) })),
		"garbage":  {ID: "id1", Type: model.TypeUnknown, Timestamp: now, Content: []byte{0xff}},
		"unread":   {ID: "id1", Type: model.TypeUnknown, Sender: bob, Timestamp: now, StatusCode: 8, ErrorMessage: "No session."},
		"too-late": {ID: "id1", Type: model.TypeUnknown, StatusCode: -1, ErrorMessage: "3 messages were removed."},
	}
}

func groupChange(change *model.GroupChange) model.InboxMessage {
	m := model.InboxMessage{
		ID: "id1", Type: model.TypeGroupChange, Timestamp: now, ReceivedTimestamp: now + 2,
		Group: bytes.Repeat([]byte{5}, 32), GroupChange: change,
	}
	if !change.Editor.IsZero() {
		m.Sender, m.SenderNumber, m.SenderName = change.Editor, "+15550002", "Bob"
	}
	return m
}

func syncCases(t *testing.T) map[string]*servicepb.Content {
	must := built(t)
	text := must(content.NewMessage(content.Common{Timestamp: now}, content.Message{
		Text: "sent", Attachments: []content.Attachment{attachment("a.png")},
	}))
	groupText := must(content.NewMessage(content.Common{
		Timestamp: now, Group: &content.Group{MasterKey: bytes.Repeat([]byte{1}, 32), Revision: 3},
	}, content.Message{Text: "sent"}))
	of := func(m *servicepb.SyncMessage) *servicepb.Content {
		return &servicepb.Content{Content: &servicepb.Content_SyncMessage{SyncMessage: m}}
	}
	bobThread := &servicepb.ConversationIdentifier{
		Identifier: &servicepb.ConversationIdentifier_ThreadServiceIdBinary{ThreadServiceIdBinary: bob.Binary()},
	}
	return map[string]*servicepb.Content{
		"sync-sent": must(content.NewSentTranscript(rand.Reader, content.Transcript{
			Timestamp: now, Destination: bob, Recipients: []content.SentRecipient{{ServiceID: bob, Sealed: true}},
		}, text)),
		"sync-sent-to-group": must(content.NewSentTranscript(rand.Reader, content.Transcript{
			Timestamp: now, Recipients: []content.SentRecipient{{ServiceID: bob, Sealed: true}},
		}, groupText)),
		"sync-read": must(content.NewSyncRead(rand.Reader, []content.MessageRef{{Author: bob, Timestamp: 1}})),
		"sync-blocked": of(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Blocked_{Blocked: &servicepb.SyncMessage_Blocked{
			Numbers: []string{"+1"}, AcisBinary: [][]byte{bob.Binary()},
		}}}),
		"sync-keys": of(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Keys_{Keys: &servicepb.SyncMessage_Keys{
			AccountEntropyPool: proto.String("secret"),
		}}}),
		"sync-configuration": of(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Configuration_{
			Configuration: &servicepb.SyncMessage_Configuration{ReadReceipts: proto.Bool(false), LinkPreviews: proto.Bool(true)},
		}}),
		"sync-message-request": of(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_MessageRequestResponse_{
			MessageRequestResponse: &servicepb.SyncMessage_MessageRequestResponse{
				ThreadAciBinary: bob.Binary(), Type: servicepb.SyncMessage_MessageRequestResponse_ACCEPT.Enum(),
			},
		}}),
		"sync-delete-for-me": of(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_DeleteForMe_{
			DeleteForMe: &servicepb.SyncMessage_DeleteForMe{
				MessageDeletes: []*servicepb.SyncMessage_DeleteForMe_MessageDeletes{{
					Conversation: bobThread, Messages: []*servicepb.AddressableMessage{{
						Author: &servicepb.AddressableMessage_AuthorE164{AuthorE164: "+9"}, SentTimestamp: proto.Uint64(3),
					}},
				}},
				ConversationDeletes: []*servicepb.SyncMessage_DeleteForMe_ConversationDelete{{Conversation: bobThread}},
			},
		}}),
	}
}

func TestGolden(t *testing.T) {
	cases := goldenCases(t)
	for name, c := range syncCases(t) {
		cases[name] = inboxMessage(t, c, model.StoredAttachment{ID: "a9", Ready: true, Data: blob("sent file")})
	}
	for name, m := range cases {
		t.Run(name, func(t *testing.T) {
			out := Render(m, Options{Attachments: true, Lookup: lookup, Self: self})
			checkBlobs(t, out)
			got, err := marshal(out)
			require.NoError(t, err)
			path := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got)+"\n")
			require.NotContains(t, string(got), "secret")
		})
	}
}

// marshal writes what no longer has data in it.
func marshal(v any) ([]byte, error) { return json.MarshalIndent(v, "", " ") }

// checkBlobs looks at the data, and takes it out: encoding/json cannot write it.
func checkBlobs(t *testing.T, m *Message) {
	t.Helper()
	lists := [][]Attachment{m.Attachments}
	if m.Sync != nil && m.Sync.Sent != nil {
		lists = append(lists, m.Sync.Sent.Attachments)
	}
	for _, list := range lists {
		for i := range list {
			require.Equal(t, list[i].ErrorMessage == "", list[i].Base64Data.Open != nil)
			list[i].Base64Data = model.Blob{}
		}
	}
}

func TestIgnoredAttachmentsAreAnEmptyList(t *testing.T) {
	c, err := content.NewMessage(content.Common{Timestamp: now}, wholeMessage())
	require.NoError(t, err)
	out := Render(inboxMessage(t, c), Options{})
	require.Zero(t, out.StatusCode)
	require.NotNil(t, out.Attachments)
	require.Empty(t, out.Attachments)
	require.Nil(t, out.Quote.Attachments[0].Thumbnail)
	require.Equal(t, bob.String(), out.Quote.Author, "nobody to ask")
}

func TestLongTextIsPutTogether(t *testing.T) {
	text := strings.Repeat("ä", 1500)
	body, err := content.PrepareBody(text, nil, []content.Style{{Start: 1400, Length: 100, Style: content.Bold}})
	require.NoError(t, err)
	long := attachment("long")
	long.ContentType, long.Size = content.LongTextType, uint32(len(body.Long))
	c, err := content.NewMessage(content.Common{Timestamp: now}, content.Message{
		Text: body.Text, LongText: &long, Styles: body.Styles,
	})
	require.NoError(t, err)

	out := Render(inboxMessage(t, c, model.StoredAttachment{ID: "a", Ready: true, Data: blob(text)}), Options{})
	require.Equal(t, text, *out.Body)
	require.False(t, out.Truncated)
	require.Len(t, out.TextStyles, 1)

	gone := model.Blob{Size: 1, Open: func() (io.ReadCloser, error) { return nil, errors.New("gone") }}
	for _, stored := range []model.StoredAttachment{
		{ID: "a"}, {ID: "a", Ready: true, Data: gone}, {ID: "a", Ready: true, Data: blob("\xff")},
	} {
		out = Render(inboxMessage(t, c, stored), Options{})
		require.Equal(t, body.Text, *out.Body)
		require.True(t, out.Truncated)
		require.Empty(t, out.TextStyles, "it lies in the part that is missing")
	}
}

// TestSchemaHasNoCycle: the protocol command writes the schema out, without references.
func TestSchemaHasNoCycle(t *testing.T) {
	reflector := &jsonschema.Reflector{
		Anonymous: true, DoNotReference: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t == reflect.TypeFor[model.Blob]() {
				return &jsonschema.Schema{Type: "string"}
			}
			return nil
		},
	}
	schema := reflector.Reflect(&Message{})
	var names []string
	for pair := schema.Properties.Oldest(); pair != nil; pair = pair.Next() {
		names = append(names, pair.Key)
	}
	require.Subset(t, names, strings.Fields(`statusCode timestamp sender body groupId attachments id type senderUuid
		senderName senderDevice serverTimestamp receivedTimestamp expiresInSeconds viewOnce quote mentions textStyles
		previews sticker contacts reaction edit delete receipt typing call groupChange sync redelivered errorMessage`))
}

func FuzzRender(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		out := Render(model.InboxMessage{ID: "x", Content: encoded}, Options{Attachments: true, Lookup: lookup})
		for i := range out.Attachments {
			out.Attachments[i].Base64Data = model.Blob{}
		}
		_, err := marshal(out)
		require.NoError(t, err)
		require.Equal(t, out.StatusCode != 0, out.ErrorMessage != "")
	})
}
