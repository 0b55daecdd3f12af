package content

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

func TestErrorsOfParseAreTyped(t *testing.T) {
	_, err := Parse(&servicepb.Content{})
	require.ErrorIs(t, err, ErrNoContent)

	p, err := Parse(data(func(d *servicepb.DataMessage) {
		d.RequiredProtocolVersion, d.ProfileKey = proto.Uint32(99), filled(32, 1)
	}))
	var version *UnsupportedVersionError
	require.ErrorAs(t, err, &version)
	require.Equal(t, UnsupportedVersionError{Required: 99, Spoken: 8}, *version)
	require.Equal(t, KindUnknown, p.Kind)
	require.Equal(t, filled(32, 1), p.Effects.ProfileKey, "effects hold all the same")

	_, err = Parse(data(func(d *servicepb.DataMessage) {
		d.GroupV2 = &servicepb.GroupContextV2{MasterKey: []byte("short")}
	}))
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "group context", invalid.Part)
}

func TestParseBoundsWhatAContactSends(t *testing.T) {
	pointer := (&Attachment{}).Pointer()
	ranges := buildRanges(nil, make([]Style, 3*maxRanges))
	p, err := Parse(reread(t, data(func(d *servicepb.DataMessage) {
		d.Body = proto.String("x")
		for range 1000 {
			d.Attachments = append(d.Attachments, pointer)
			d.Preview = append(d.Preview, &servicepb.Preview{Url: proto.String("u")})
			d.Contact = append(d.Contact, &servicepb.DataMessage_Contact{})
		}
		d.BodyRanges = ranges
	})))
	require.NoError(t, err)
	require.Len(t, p.Message.Attachments, MaxAttachments)
	require.Len(t, p.Message.Previews, maxPreviews)
	require.Len(t, p.Message.Contacts, maxCards)
	require.LessOrEqual(t, len(p.Notes), maxNotes)
}

// TestBinaryIDsOnly reads contents of mock-server 15.2.0, which writes no id as text.
func TestBinaryIDsOnly(t *testing.T) {
	file, err := os.ReadFile("../../testdata/vectors/content.json")
	require.NoError(t, err)
	var v struct{ BinaryOnly map[string]string }
	require.NoError(t, json.Unmarshal(file, &v))
	aci := serviceid.NewACI(uuid.UUID(bytes.Repeat([]byte{0xb0}, 16)))
	ref := MessageRef{aci, 4}
	for name, check := range map[string]func(p Parsed){
		"reaction": func(p Parsed) { require.Equal(t, ref, p.Reaction.Target) },
		"message": func(p Parsed) {
			require.Equal(t, ref, p.Message.Quote.MessageRef)
			require.Equal(t, []Mention{{3, 1, aci}}, p.Message.Mentions)
			require.Equal(t, &ref, p.Message.InReplyTo)
		},
		"sent": func(p Parsed) {
			require.Equal(t, aci, p.Sync.Sent.Destination)
			require.Equal(t, []SentRecipient{{ServiceID: aci, Sealed: true}}, p.Sync.Sent.Recipients)
		},
		"read":         func(p Parsed) { require.Equal(t, []MessageRef{ref}, p.Sync.Read) },
		"viewOnceOpen": func(p Parsed) { require.Equal(t, &ref, p.Sync.ViewOnceOpen) },
		"blocked":      func(p Parsed) { require.Equal(t, []serviceid.ServiceID{aci}, p.Sync.Blocked.ACIs) },
		"verified":     func(p Parsed) { require.Equal(t, aci, p.Sync.Verified.ACI) },
	} {
		encoded, err := hex.DecodeString(v.BinaryOnly[name])
		require.NoError(t, err)
		c := &servicepb.Content{}
		require.NoError(t, proto.Unmarshal(encoded, c))
		p, err := Parse(c)
		require.NoError(t, err, name)
		require.Empty(t, p.Notes)
		check(p)
	}
}

func TestCheck(t *testing.T) {
	ours := Origin{Self: alice, Sender: alice, Timestamp: now}
	theirs := Origin{Self: alice, Sender: bob, Timestamp: now}
	late := Origin{Self: alice, Sender: bob, Timestamp: now + 1}
	plain := Origin{Self: alice, Sender: bob, Timestamp: now, Plaintext: true}
	text := data(func(d *servicepb.DataMessage) { d.Body = proto.String("x") })
	retry := &servicepb.Content{Content: &servicepb.Content_DecryptionErrorMessage{DecryptionErrorMessage: []byte("e")}}
	retryAndKey := proto.Clone(retry).(*servicepb.Content)
	retryAndKey.SenderKeyDistributionMessage = []byte("k")
	read := syncOf(&servicepb.SyncMessage{Read: []*servicepb.SyncMessage_Read{
		{SenderAciBinary: bob.Binary(), Timestamp: proto.Uint64(1)},
	}})
	for name, c := range map[string]struct {
		content *servicepb.Content
		from    Origin
		ok      bool
	}{
		"text":                                {text, theirs, true},
		"text of another time":                {text, late, false},
		"text in the clear":                   {text, plain, false},
		"typing of another time":              {NewTyping(now, Typing{}), late, false},
		"receipt":                             {NewReceipt(ReceiptRead, []uint64{1}), late, true},
		"sync from our device":                {read, ours, true},
		"sync from another account":           {read, theirs, false},
		"retry request in the clear":          {retry, plain, true},
		"retry request and more in the clear": {retryAndKey, plain, false},
	} {
		p, err := Parse(c.content)
		require.NoError(t, err, name)
		err = p.Check(c.from)
		require.Equal(t, c.ok, err == nil, "%s: %v", name, err)
		var invalid *InvalidError
		require.True(t, err == nil || errors.As(err, &invalid), name)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range vectorContents(f) {
		encoded, err := proto.Marshal(c)
		require.NoError(f, err)
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		c := &servicepb.Content{}
		if proto.Unmarshal(encoded, c) != nil {
			return
		}
		p, err := Parse(c)
		require.Equal(t, err != nil, p.Kind == KindUnknown)
		require.LessOrEqual(t, len(p.Notes), maxNotes)
		p.Attachments()
		p.Internal()
		_ = p.Check(Origin{Self: alice, Sender: alice, Timestamp: p.Timestamp})
		if p.Kind == KindMessage {
			for _, s := range p.Message.Styles {
				require.LessOrEqual(t, uint64(s.Start)+uint64(s.Length), uint64(max(utf16Len(p.Message.Text), MaxTextBytes)))
			}
		}
	})
}
