package content

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

var (
	alice = serviceid.NewACI(uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001"))
	bob   = serviceid.NewACI(uuid.MustParse("bbbbbbbb-0000-4000-8000-000000000002"))
	pni   = serviceid.NewPNI(uuid.MustParse("cccccccc-0000-4000-8000-000000000003"))
)

const now = uint64(1_800_000_000_123)

// filled returns bytes of a given size, which differ by their first.
func filled(size int, b byte) []byte {
	out := make([]byte, size)
	for i := range out {
		out[i] = b + byte(i)
	}
	return out
}

func attachment(name string) Attachment {
	return Attachment{
		CDNNumber: 3, CDNKey: "cdn-" + name, Key: filled(64, 1), Digest: filled(32, 2), Size: 1234,
		ContentType: "image/jpeg", FileName: name, Width: 640, Height: 480, ClientUUID: filled(16, 3),
		UploadTimestamp: now,
	}
}

// vectorContents returns the whole contents that the mock server encoded with every field set.
func vectorContents(t testing.TB) []*servicepb.Content {
	t.Helper()
	data, err := os.ReadFile("../../testdata/vectors/content.json")
	require.NoError(t, err)
	var v struct {
		Samples []struct{ Message, Hex string }
	}
	require.NoError(t, json.Unmarshal(data, &v))
	var out []*servicepb.Content
	for _, sample := range v.Samples {
		if sample.Message != "Content" {
			continue
		}
		encoded, err := hex.DecodeString(sample.Hex)
		require.NoError(t, err)
		c := &servicepb.Content{}
		require.NoError(t, proto.Unmarshal(encoded, c))
		out = append(out, c)
	}
	require.NotEmpty(t, out)
	return out
}

// wholeMessage is the mock server's data message with every field, without what would hide the rest.
func wholeMessage(t testing.TB) *servicepb.DataMessage {
	t.Helper()
	for _, c := range vectorContents(t) {
		if d := c.GetDataMessage(); len(d.GetAttachments()) > 0 && d.GetAttachments()[0].GetSize() > 0 {
			d = proto.Clone(d).(*servicepb.DataMessage)
			d.Reaction, d.Delete, d.AdminDelete, d.GroupCallUpdate = nil, nil, nil, nil
			d.RequiredProtocolVersion, d.Flags = proto.Uint32(spokenVersion), nil
			d.Body = proto.String("a text that is long enough for the ranges of the vector, which count to thousands")
			for i, r := range d.BodyRanges {
				r.Start, r.Length = proto.Uint32(uint32(i)), proto.Uint32(1)
			}
			return d
		}
	}
	require.Fail(t, "no such vector")
	return nil
}

func data(change func(*servicepb.DataMessage)) *servicepb.Content {
	d := &servicepb.DataMessage{Timestamp: proto.Uint64(now)}
	change(d)
	return dataContent(d)
}

func syncOf(m *servicepb.SyncMessage) *servicepb.Content {
	return &servicepb.Content{Content: &servicepb.Content_SyncMessage{SyncMessage: m}}
}

// reread sends a content through its bytes.
func reread(t testing.TB, c *servicepb.Content) *servicepb.Content {
	t.Helper()
	encoded, err := proto.Marshal(c)
	require.NoError(t, err)
	out := &servicepb.Content{}
	require.NoError(t, proto.Unmarshal(encoded, out))
	return out
}
