package messenger_test

import (
	"crypto/rand"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/messenger"
	"signalbox/sandbox/messenger/messengertest"
	"signalbox/signalcore/content"
	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/servicepb"
)

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

// FuzzEnvelope hands a device envelopes as somebody without manners would send them.
func FuzzEnvelope(f *testing.F) {
	world := messengertest.New(f)
	anna, ben := register(f, world, "+12025550151"), register(f, world, "+12025550152")
	for number := range servicepb.Envelope_Type_name {
		f.Add(int32(number), []byte{}, uint32(1))
		f.Add(int32(number), []byte("\x44\x0a\x21\x05 something"), uint32(2))
	}
	retry := session.DecryptionError{Timestamp: 7, DeviceID: 1}
	f.Add(int32(servicepb.Envelope_PLAINTEXT_CONTENT), retry.Plaintext(), uint32(1))
	f.Fuzz(func(t *testing.T, kind int32, body []byte, device uint32) {
		m := anna.Messenger(world)
		message, err := m.Receive(&servicepb.Envelope{
			Type: servicepb.Envelope_Type(kind).Enum(), Content: body, SourceDeviceId: &device,
			SourceServiceIdBinary: ben.ACI.Binary(), DestinationServiceIdBinary: anna.ACI.Binary(),
			ClientTimestamp: proto.Uint64(7), ServerTimestamp: proto.Uint64(8),
		})
		if message != nil {
			require.NoError(t, err)
			require.Equal(t, servicepb.Envelope_PLAINTEXT_CONTENT, servicepb.Envelope_Type(kind), "nothing else opens")
			require.Equal(t, content.KindControl, message.Kind, "and is but a retry request")
		}
		require.LessOrEqual(t, m.Remembered(), 1, "of what could not be read, that it was asked for again")
	})
}

// FuzzContent hands a device contents of a sender who was proved to be one.
func FuzzContent(f *testing.F) {
	world := messengertest.New(f)
	anna, ben := register(f, world, "+12025550151"), register(f, world, "+12025550152")
	m := anna.Messenger(world)
	from := serviceid.Address{ServiceID: ben.ACI, DeviceID: 1}
	distribution, _, err := senderkey.NewDistribution(rand.Reader, senderkey.Record{}, uuid.New())
	require.NoError(f, err)
	text, err := content.NewMessage(
		content.Common{Timestamp: 7, ProfileKey: ben.ProfileKey[:]}, content.Message{Text: "hello"})
	require.NoError(f, err)
	for _, c := range []*servicepb.Content{
		{}, text, {SenderKeyDistributionMessage: distribution}, content.NewEndSession(7),
		content.NewReceipt(content.ReceiptRead, []uint64{1}), content.NewTyping(7, content.Typing{Started: true}),
		{Content: &servicepb.Content_DecryptionErrorMessage{
			DecryptionErrorMessage: session.DecryptionError{Timestamp: 7, DeviceID: 1}.Serialize(),
		}},
		{Content: &servicepb.Content_SyncMessage{SyncMessage: &servicepb.SyncMessage{}}},
	} {
		f.Add(padding.Add(marshal(f, c)))
	}
	f.Fuzz(func(t *testing.T, padded []byte) {
		message, err := m.Read(from, 7, padded)
		require.True(t, message == nil || err == nil)
		if message != nil {
			require.NotEqual(t, content.KindSync, message.Kind, "of another account")
		}
		require.LessOrEqual(t, m.Remembered(), messenger.MaxRemembered)
	})
}
