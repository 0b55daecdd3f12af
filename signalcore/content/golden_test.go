package content

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenCases are contents as other apps write them; what is made of each is in testdata/golden.
func goldenCases(t *testing.T) map[string]*servicepb.Content {
	group := &servicepb.GroupContextV2{MasterKey: filled(32, 9), Revision: proto.Uint32(4)}
	photo := attachment("photo.jpg")
	text := func(d *servicepb.DataMessage) { d.Body = proto.String("hello") }
	return map[string]*servicepb.Content{
		"message-whole": dataContent(wholeMessage(t)),
		"message-text": data(func(d *servicepb.DataMessage) {
			text(d)
			d.ProfileKey = filled(32, 7)
			d.ExpireTimer, d.ExpireTimerVersion = proto.Uint32(3600), proto.Uint32(2)
		}),
		"message-group": data(func(d *servicepb.DataMessage) { text(d); d.GroupV2 = group }),
		"message-long-text": data(func(d *servicepb.DataMessage) {
			long := Attachment{CDNKey: "k", Key: filled(64, 1), Digest: filled(32, 1), Size: 4000, ContentType: LongTextType}
			d.Body, d.Attachments = proto.String("begin"), []*servicepb.AttachmentPointer{long.Pointer(), photo.Pointer()}
			d.BodyRanges = buildRanges(nil, []Style{{Start: 3900, Length: 10, Style: Bold}})
		}),
		"message-view-once": data(func(d *servicepb.DataMessage) {
			d.IsViewOnce, d.Attachments = proto.Bool(true), []*servicepb.AttachmentPointer{photo.Pointer()}
		}),
		"message-hostile": data(func(d *servicepb.DataMessage) {
			d.Body = proto.String("a\xed\xa0\x80b\xff")
			d.ProfileKey = []byte{1}
			d.Attachments = []*servicepb.AttachmentPointer{
				{}, {FileName: proto.String("../../etc/pass\u202ewd\x00"), ContentType: proto.String("text/html\r\nX: y")},
			}
			d.Quote = &servicepb.DataMessage_Quote{Id: proto.Uint64(5), AuthorAci: proto.String("nobody")}
			d.BodyRanges = []*servicepb.BodyRange{
				{Start: proto.Uint32(3), Length: proto.Uint32(2), AssociatedValue: styled(servicepb.BodyRange_BOLD)},
				{Start: proto.Uint32(1 << 31), Length: proto.Uint32(1 << 31), AssociatedValue: styled(servicepb.BodyRange_BOLD)},
				{Start: proto.Uint32(2), Length: proto.Uint32(2), AssociatedValue: styled(servicepb.BodyRange_ITALIC)},
				{Length: proto.Uint32(1), AssociatedValue: &servicepb.BodyRange_MentionAci{MentionAci: "PNI:" + alice.String()}},
			}
			d.Sticker = &servicepb.DataMessage_Sticker{}
			d.StoryContext = &servicepb.DataMessage_StoryContext{}
			d.Preview = []*servicepb.Preview{{Title: proto.String("no link")}}
		}),
		"timer-update": data(func(d *servicepb.DataMessage) {
			d.Flags, d.ExpireTimer = proto.Uint32(uint32(servicepb.DataMessage_EXPIRATION_TIMER_UPDATE)), proto.Uint32(60)
		}),
		"profile-key-update": data(func(d *servicepb.DataMessage) {
			d.Flags, d.ProfileKey = proto.Uint32(uint32(servicepb.DataMessage_PROFILE_KEY_UPDATE)), filled(32, 7)
		}),
		"end-session": data(func(d *servicepb.DataMessage) {
			d.Flags = proto.Uint32(uint32(servicepb.DataMessage_END_SESSION))
		}),
		"reaction-text-id": data(func(d *servicepb.DataMessage) {
			d.Reaction = &servicepb.DataMessage_Reaction{
				Emoji: proto.String("👍🏽"), TargetAuthorAci: proto.String(bob.String()), TargetSentTimestamp: proto.Uint64(5),
			}
		}),
		"reaction-binary-id": data(func(d *servicepb.DataMessage) {
			d.Reaction = &servicepb.DataMessage_Reaction{
				Emoji: proto.String("👍"), Remove: proto.Bool(true), TargetAuthorAciBinary: bob.Binary(),
				TargetSentTimestamp: proto.Uint64(5),
			}
		}),
		"reaction-of-nobody": data(func(d *servicepb.DataMessage) {
			d.Reaction = &servicepb.DataMessage_Reaction{Emoji: proto.String("👍"), TargetSentTimestamp: proto.Uint64(5)}
		}),
		"delete": data(func(d *servicepb.DataMessage) {
			d.Delete = &servicepb.DataMessage_Delete{TargetSentTimestamp: proto.Uint64(6)}
		}),
		"delete-by-admin": data(func(d *servicepb.DataMessage) {
			d.GroupV2 = group
			d.AdminDelete = &servicepb.DataMessage_AdminDelete{
				TargetAuthorAciBinary: bob.Binary(), TargetSentTimestamp: proto.Uint64(6),
			}
		}),
		"group-change": data(func(d *servicepb.DataMessage) {
			d.GroupV2 = &servicepb.GroupContextV2{
				MasterKey: filled(32, 9), Revision: proto.Uint32(5), GroupChange: []byte("change"),
			}
		}),
		"group-call": data(func(d *servicepb.DataMessage) {
			d.GroupV2, d.GroupCallUpdate = group, &servicepb.DataMessage_GroupCallUpdate{EraId: proto.String("era")}
		}),
		"too-new": data(func(d *servicepb.DataMessage) {
			text(d)
			d.RequiredProtocolVersion, d.ProfileKey = proto.Uint32(spokenVersion+1), filled(32, 7)
		}),
		"data-empty":      data(func(*servicepb.DataMessage) {}),
		"data-timeless":   dataContent(&servicepb.DataMessage{Body: proto.String("x")}),
		"empty":           {},
		"edit":            must(NewEdit(Common{Timestamp: now}, Edit{Target: 5, Message: Message{Text: "better"}})),
		"edit-targetless": {Content: &servicepb.Content_EditMessage{EditMessage: &servicepb.EditMessage{}}},
		"receipt-viewed":  NewReceipt(ReceiptViewed, []uint64{1, 2}),
		"receipt-typeless": {Content: &servicepb.Content_ReceiptMessage{
			ReceiptMessage: &servicepb.ReceiptMessage{Timestamp: []uint64{1}},
		}},
		"typing-group": NewTyping(now, Typing{Started: true, GroupID: filled(32, 4)}),
		"typing-stop":  NewTyping(now, Typing{}),
		"null":         {Content: &servicepb.Content_NullMessage{NullMessage: &servicepb.NullMessage{}}},
		"sender-key":   {SenderKeyDistributionMessage: []byte("skdm")},
		"pni-signature": {PniSignatureMessage: &servicepb.PniSignatureMessage{
			Pni: pni.UUID[:], Signature: []byte("signature"),
		}},
		"retry-request": {Content: &servicepb.Content_DecryptionErrorMessage{DecryptionErrorMessage: []byte("error")}},
		"story-text": {Content: &servicepb.Content_StoryMessage{StoryMessage: &servicepb.StoryMessage{
			ProfileKey: filled(32, 7), AllowsReplies: proto.Bool(true),
			Attachment: &servicepb.StoryMessage_TextAttachment{TextAttachment: &servicepb.TextAttachment{
				Text: proto.String("today"), Preview: &servicepb.Preview{Url: proto.String("https://example.org")},
			}},
		}}},
		"story-file": {Content: &servicepb.Content_StoryMessage{StoryMessage: &servicepb.StoryMessage{
			Group: group, Attachment: &servicepb.StoryMessage_FileAttachment{FileAttachment: photo.Pointer()},
		}}},
		"call-offer": {Content: &servicepb.Content_CallMessage{CallMessage: &servicepb.CallMessage{
			Offer: &servicepb.CallMessage_Offer{
				Id: proto.Uint64(77), Type: servicepb.CallMessage_Offer_OFFER_VIDEO_CALL.Enum(), Opaque: []byte("sdp"),
			},
		}}},
		"call-hangup": {Content: &servicepb.Content_CallMessage{CallMessage: &servicepb.CallMessage{
			Hangup: &servicepb.CallMessage_Hangup{
				Id: proto.Uint64(77), Type: servicepb.CallMessage_Hangup_HANGUP_ACCEPTED.Enum(), DeviceId: proto.Uint32(2),
			},
			DestinationDeviceId: proto.Uint32(3),
		}}},
	}
}

func styled(style servicepb.BodyRange_Style) *servicepb.BodyRange_Style_ {
	return &servicepb.BodyRange_Style_{Style: style}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestGolden(t *testing.T) {
	cases := goldenCases(t)
	for name, c := range syncCases(t) {
		cases[name] = c
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { golden(t, name, reread(t, c)) })
	}
	files, err := filepath.Glob("testdata/golden/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(cases), "golden files without a case")
}

func golden(t *testing.T, name string, c *servicepb.Content) {
	t.Helper()
	parsed, err := Parse(c)
	result := struct {
		Error  string `json:",omitempty"`
		Parsed map[string]any
	}{Parsed: pruned(t, parsed)}
	if err != nil {
		result.Error = err.Error()
	}
	got, err := json.MarshalIndent(result, "", "  ")
	require.NoError(t, err)
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got)+"\n")
}

// pruned leaves out what is empty, for the reader's sake.
func pruned(t *testing.T, parsed Parsed) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(parsed)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(encoded, &out))
	prune(out)
	return out
}

func prune(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || v == "00000000-0000-0000-0000-000000000000"
	case float64:
		return v == 0
	case []any:
		for _, item := range v {
			prune(item)
		}
		return len(v) == 0
	case map[string]any:
		for key, item := range v {
			if prune(item) {
				delete(v, key)
			}
		}
		return len(v) == 0
	}
	return false
}
