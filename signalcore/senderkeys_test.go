package signalcore

import (
	"crypto/rand"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// broadcast is a sender key of a party, outside of its store.
type broadcast struct {
	from   *party
	id     uuid.UUID
	record senderkey.Record
	group  []byte
}

func (p *party) broadcast() *broadcast { return &broadcast{from: p, id: uuid.New()} }

// key is the content that hands the key to someone.
func (b *broadcast) key() *servicepb.Content {
	message, record, err := senderkey.NewDistribution(rand.Reader, b.record, b.id)
	require.NoError(b.from.t, err)
	b.record = record
	return &servicepb.Content{SenderKeyDistributionMessage: message}
}

// encrypt encrypts a content once.
func (b *broadcast) encrypt(c *servicepb.Content) []byte {
	plaintext, err := padded(c)
	require.NoError(b.from.t, err)
	message, record, err := senderkey.Encrypt(rand.Reader, b.record, b.id, plaintext)
	require.NoError(b.from.t, err)
	b.record = record
	return message
}

// envelope is what a recipient gets of a message.
func (b *broadcast) envelope(l letter, message []byte) *servicepb.Envelope {
	t := b.from.t
	to := l.to.accounts.get()
	recipient := sealedsender.Recipient{
		ServiceID: to.aci, Identity: to.aciIdentity.keys.Public,
		Devices: []sealedsender.Device{{ID: to.deviceID, RegistrationID: to.aciIdentity.registrationID}},
	}
	sent, err := sealedsender.EncryptMulti(rand.Reader, b.from.accounts.get().aciIdentity.keys,
		[]sealedsender.Recipient{recipient}, nil, sealedsender.Content{
			Type: sealedsender.SenderKeyMessage, Certificate: b.from.certificate(), Message: message,
			ContentHint: l.hint, GroupID: b.group,
		})
	require.NoError(t, err)
	cut, err := sealedsender.ParseSent(sent)
	require.NoError(t, err)
	l.sealed = true
	return l.envelope(&storepb.Ciphertext{SealedBody: cut.For(cut.Recipients[0])})
}

func (b *broadcast) text(to *party, text string) *servicepb.Envelope {
	l := newLetter(b.from, to)
	return b.envelope(l, b.encrypt(textContent(b.from.t, l.timestamp, text)))
}

func TestSenderKeyMessages(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	to := alice.broadcast()
	bob.gets(newLetter(alice, bob).content(to.key()), to.text(bob, "one"))
	skipped, two := to.text(bob, "late"), to.text(bob, "two")
	bob.gets(two)
	bob.restart()
	bob.gets(skipped, to.text(bob, "three"))
	require.Equal(t, []string{"one", "two", "late", "three"}, bob.texts())
	require.True(t, bob.entries()[0].GetSealed())
	require.Len(t, bob.receipts(), 4)

	again := proto.CloneOf(two)
	again.ServerGuid = proto.String(uuid.NewString())
	bob.gets(two, again)
	require.Len(t, bob.texts(), 4)
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST))
}

func TestSenderKeyRotates(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	to := alice.broadcast()
	bob.gets(newLetter(alice, bob).content(to.key()))
	old := to.text(bob, "with the old key")
	to.record = senderkey.Record{}
	bob.gets(newLetter(alice, bob).content(to.key()), to.text(bob, "with the new key"), old)
	require.Equal(t, []string{"with the new key", "with the old key"}, bob.texts())
}

// TestMissingSenderKey loses the distribution message: the message is asked for again, and comes again with the key.
func TestMissingSenderKey(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	group := make([]byte, 32)
	group[0] = 7
	to := alice.broadcast()
	to.group = group
	key := to.key()
	lost := newLetter(alice, bob)
	envelope := to.envelope(lost, to.encrypt(textContent(t, lost.timestamp, "lost")))
	alice.update(func(tx *store.Tx) error {
		return tx.PutGroupSender(group, sharedWith(bob.aci(), 1, 2))
	})
	bob.gets(envelope)
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, bob.texts())
	jobs := bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST)
	require.Len(t, jobs, 1)
	require.Equal(t, group, jobs[0].GetGroupId())

	request := newLetter(bob, alice)
	request.sealed = true
	// A retry request is not encrypted, but addressed by a session.
	bob.gets(newLetter(alice, bob).text("hello"))
	alice.gets(request.envelope(request.encrypt(parcel{raw: jobs[0].GetPayload(), group: jobs[0].GetGroupId()})))
	require.Len(t, alice.jobs(storepb.JobKind_JOB_RESEND), 1)
	require.Equal(t, []uint32{2}, alice.sharedDevices(group, bob.aci()), "device 1 gets the key again")

	again := textContent(t, lost.timestamp, "lost")
	again.SenderKeyDistributionMessage = key.SenderKeyDistributionMessage
	bob.gets(lost.content(again), to.text(bob, "found"))
	require.Equal(t, []string{"[ENTRY_UNREADABLE]", "hello", "lost", "found"}, bob.texts())
}

func sharedWith(id serviceid.ServiceID, devices ...uint32) *storepb.GroupSender {
	shared := &storepb.SharedWith{ServiceId: id.Binary()}
	for _, device := range devices {
		shared.Devices = append(shared.Devices, &storepb.SharedDevice{DeviceId: device, RegistrationId: 11})
	}
	return &storepb.GroupSender{DistributionId: make([]byte, 16), Shared: []*storepb.SharedWith{shared}}
}

// sharedDevices are those of an account that have our sender key for a group.
func (p *party) sharedDevices(group []byte, id serviceid.ServiceID) (devices []uint32) {
	p.t.Helper()
	p.view(func(tx *store.Tx) error {
		sender, err := tx.GroupSender(group)
		for _, with := range sender.GetShared() {
			if string(with.GetServiceId()) != string(id.Binary()) {
				continue
			}
			for _, device := range with.GetDevices() {
				devices = append(devices, device.GetDeviceId())
			}
		}
		return err
	})
	return devices
}

func TestSenderKeysAreSharedAgain(t *testing.T) {
	t.Parallel()
	groups := [][]byte{make([]byte, 32), append(make([]byte, 31), 1)}
	other := serviceid.NewACI(uuid.New())
	for name, c := range map[string]struct {
		happens func(t *testing.T, alice, bob *party)
		left    []uint32 // of Bob's devices 1 and 2
	}{
		"nothing": {func(*testing.T, *party, *party) {}, []uint32{1, 2}},
		"a message of the session": {func(t *testing.T, alice, bob *party) {
			alice.gets(newLetter(bob, alice).text("hello"))
		}, []uint32{1, 2}},
		"a new session of theirs": {func(t *testing.T, alice, bob *party) {
			bob.update(func(tx *store.Tx) error {
				_, err := tx.DeleteAllSessions(serviceid.ACI)
				return err
			})
			alice.gets(newLetter(bob, alice).text("hello"))
		}, []uint32{2}},
		"a new identity": {func(t *testing.T, alice, bob *party) {
			bob.registersAnew()
			alice.gets(newLetter(bob, alice).text("hello"))
		}, []uint32{2}},
		"a session that they ended": {func(t *testing.T, alice, bob *party) {
			l := newLetter(bob, alice)
			c := textContent(t, l.timestamp, "bye")
			c.GetDataMessage().Flags = proto.Uint32(uint32(servicepb.DataMessage_END_SESSION))
			alice.gets(l.content(c))
		}, []uint32{2}},
		"a session that they cannot read": {func(t *testing.T, alice, bob *party) {
			l := newLetter(alice, bob)
			request, err := session.NewDecryptionError(l.text("x").GetContent(), session.TypeMessage, l.timestamp, 1)
			require.NoError(t, err)
			back := newLetter(bob, alice)
			alice.gets(back.envelope(back.encrypt(parcel{raw: request.Plaintext()})))
		}, []uint32{2}},
		"a group message that they cannot read, of a group that is not named": {func(t *testing.T, alice, bob *party) {
			request, err := session.NewDecryptionError(nil, session.TypeSenderKey, 5, 1)
			require.NoError(t, err)
			back := newLetter(bob, alice)
			alice.gets(back.envelope(back.encrypt(parcel{raw: request.Plaintext()})))
		}, []uint32{2}},
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := pair(t)
			bob.gets(newLetter(alice, bob).text("one"))
			alice.gets(newLetter(bob, alice).text("two"))
			bob.gets(newLetter(alice, bob).text("three"))
			alice.update(func(tx *store.Tx) error {
				for _, group := range groups {
					sender := sharedWith(bob.aci(), 1, 2)
					sender.Shared = append(sender.Shared, sharedWith(other, 1).GetShared()...)
					if err := tx.PutGroupSender(group, sender); err != nil {
						return err
					}
				}
				return nil
			})
			c.happens(t, alice, bob)
			for _, group := range groups {
				require.Equal(t, c.left, alice.sharedDevices(group, bob.aci()))
				require.Equal(t, []uint32{1}, alice.sharedDevices(group, other))
			}
		})
	}
}

func TestDamagedSenderKeyIsReplaced(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	to := alice.broadcast()
	key := to.key()
	bob.gets(newLetter(alice, bob).content(key), to.text(bob, "one"))
	a := alice.accounts.get()
	bob.update(func(tx *store.Tx) error { return tx.PutSenderKey(a.address(a.aci), to.id, []byte("damaged")) })
	bob.gets(to.text(bob, "lost"))
	require.Len(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST), 1)
	bob.gets(newLetter(alice, bob).content(to.key()), to.text(bob, "two"))
	require.Equal(t, []string{"one", "[ENTRY_UNREADABLE]", "two"}, bob.texts())
}

func TestSenderKeysAreBounded(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	first, second := alice.broadcast(), alice.broadcast()
	bob.gets(newLetter(alice, bob).content(first.key()), newLetter(alice, bob).content(second.key()))
	for range 4 {
		var envelopes []*servicepb.Envelope
		for range maxSenderKeys / 4 {
			envelopes = append(envelopes, newLetter(alice, bob).content(alice.broadcast().key()))
		}
		bob.gets(envelopes...)
		bob.gets(first.text(bob, "still used"))
	}
	bob.gets(second.text(bob, "forgotten"))
	require.Equal(t, "[ENTRY_UNREADABLE]", bob.texts()[4])
	require.Equal(t, []string{"still used", "still used", "still used", "still used"}, bob.texts()[:4])
}

func TestSenderKeyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	l := newLetter(alice, bob)
	c := textContent(t, l.timestamp, "with a broken key")
	c.SenderKeyDistributionMessage = []byte("broken")
	bob.gets(l.content(c))
	require.Equal(t, []string{"with a broken key"}, bob.texts())

	to := alice.broadcast()
	to.key()
	bob.gets(to.envelope(newLetter(alice, bob), []byte("no message of a group")))
	require.Equal(t, "[ENTRY_UNREADABLE]", bob.texts()[1])
}

func TestSilentIndicatorWithoutSenderKey(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	to := alice.broadcast()
	to.key()
	l := newLetter(alice, bob)
	l.hint = sealedsender.Implicit
	bob.gets(to.envelope(l, to.encrypt(content.NewTyping(l.timestamp, content.Typing{Started: true}))))
	require.Empty(t, bob.texts())
	require.Len(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST), 1)
}
