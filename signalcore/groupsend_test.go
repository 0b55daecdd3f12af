package signalcore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/faults"
	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// herd is a group of which the tested device is a member, online, with what the service gets. Bob is its admin.
type herd struct {
	*club
	phone, desk, bob, carol *party
	line                    *chat
}

func newHerd(t testing.TB) *herd {
	phone, desk := siblings(t)
	h := &herd{phone: phone, desk: desk}
	h.bob, h.carol = desk.world.newParty(t, "+4915100000002"), desk.world.newParty(t, "+4915100000003")
	h.club = desk.world.newClub(t, h.bob, desk, h.carol)
	h.knownBy(phone, desk, h.bob, h.carol)
	h.line = desk.online()
	return h
}

// endorsed has the service endorse the members to us before the first message. We learn their profile keys with that.
func (h *herd) endorsed() {
	h.t.Helper()
	ctx, cancel := contextOf(h.t)
	defer cancel()
	known, err := h.desk.groups.byID(h.id())
	require.NoError(h.t, err)
	_, err = h.desk.groups.endorsements(ctx, known)
	require.NoError(h.t, err)
}

// sent waits until the service has got a message to many, and returns all up to it.
func (h *herd) sent() []*submission {
	h.t.Helper()
	var all []*submission
	for {
		s := h.line.next()
		if s.Destination == h.desk.aci().String() {
			continue // a transcript
		}
		if all = append(all, s); s.Together != nil {
			return all
		}
	}
}

// settle gives everyone the key, by a first message.
func (h *herd) settle() {
	h.t.Helper()
	h.desk.sends(message(h.to(), "first"))
	h.sent()
	h.bob.takes()
	h.carol.takes()
	require.Equal(h.t, storepb.DeliveryState_DELIVERY_SENT, h.record(0).GetRecipients()[0].GetState())
}

// record is one of the latest sends.
func (h *herd) record(back int) *storepb.Outgoing {
	var all []*storepb.Outgoing
	h.desk.view(func(tx *store.Tx) error {
		return tx.LatestOutgoing(100, func(o *storepb.Outgoing) error {
			all = append(all, o)
			return nil
		})
	})
	return all[back]
}

func (h *herd) sender() *storepb.GroupSender {
	var out *storepb.GroupSender
	h.desk.view(func(tx *store.Tx) (err error) {
		out, err = tx.GroupSender(h.id())
		return err
	})
	return out
}

// transcript is what the phone hears.
func (h *herd) transcript() *servicepb.SyncMessage_Sent {
	h.t.Helper()
	await(h.t, h.line.sent, func(s *submission) bool { return s.Destination == h.desk.aci().String() })
	h.phone.takes()
	entries := h.phone.entries()
	var c servicepb.Content
	require.NoError(h.t, proto.Unmarshal(entries[len(entries)-1].GetContent(), &c))
	return c.GetSyncMessage().GetSent()
}

func TestSendToGroup(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.endorsed()
	h.desk.forgetsKeyOf(h.bob)
	h.desk.forgetsKeyOf(h.carol)
	result := h.desk.sends(message(h.to(), "hello"))
	require.Empty(t, result.Failures)
	sent := h.sent()
	require.Len(t, sent, 3, "the key for each, and the message once")
	together := sent[2]
	require.True(t, together.Anonymous)
	require.True(t, together.Urgent)
	require.Equal(t, result.Timestamp, together.Timestamp)
	for _, key := range sent[:2] {
		require.True(t, key.Anonymous, "by the group's endorsement: the access key is not known")
		require.NotEmpty(t, key.Token)
		require.False(t, key.Urgent)
	}
	for _, p := range []*party{h.bob, h.carol} {
		p.takes()
		require.Equal(t, []string{"hello"}, p.texts())
	}
	var c servicepb.Content
	require.NoError(t, proto.Unmarshal(h.bob.entries()[0].GetContent(), &c))
	require.EqualValues(t, h.state().Revision, c.GetDataMessage().GetGroupV2().GetRevision())
	key := h.params.MasterKey()
	require.Equal(t, key[:], c.GetDataMessage().GetGroupV2().GetMasterKey())

	transcript := h.transcript()
	require.Empty(t, transcript.GetDestinationServiceIdBinary())
	require.Equal(t, key[:], transcript.GetMessage().GetGroupV2().GetMasterKey())
	require.Len(t, transcript.GetUnidentifiedStatus(), 2)
	require.True(t, transcript.GetUnidentifiedStatus()[0].GetUnidentified())

	h.desk.sends(message(h.to(), "again"))
	sent = h.sent()
	require.Len(t, sent, 1, "everyone has the key")
	h.bob.takes()
	require.Equal(t, []string{"hello", "again"}, h.bob.texts())
}

func TestGroupRefusals(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	ctx, cancel := contextOf(t)
	defer cancel()
	refused := func(want error, r model.SendRequest) {
		t.Helper()
		for _, queue := range []bool{false, true} {
			if queue {
				r = queued(r, time.Hour)
			}
			_, err := h.desk.Send(ctx, r)
			require.ErrorIs(t, err, want)
		}
	}
	refused(model.ErrGroupNotFound, message(model.Destination{Group: make([]byte, 32)}, "hello"))
	refused(model.ErrGroupNotFound, message(model.Destination{Group: make([]byte, 16)}, "hello"))

	h.change(h.bob, func(e *group.Edit) error { return e.AnnouncementsOnly(true) })
	h.knownBy(h.desk)
	refused(model.ErrPermission, message(h.to(), "hello"))
	require.ErrorIs(t, h.desk.SendTyping(ctx, model.TypingRequest{To: h.to()}), model.ErrPermission)
	reaction := &content.Reaction{Target: content.MessageRef{Author: h.bob.aci(), Timestamp: 7}, Emoji: "👍"}
	h.desk.sends(model.SendRequest{To: h.to(), Event: content.Event{Kind: content.KindReaction, Reaction: reaction}})
	h.change(h.bob, func(e *group.Edit) error { return e.Promote(h.desk.aci()) })
	h.knownBy(h.desk)
	h.desk.sends(message(h.to(), "an announcement"))

	ended := h.world.newClub(t, h.bob, h.desk)
	ended.change(h.bob, func(e *group.Edit) error {
		actions, _ := e.Actions()
		actions.TerminateGroup = &servicepb.GroupChange_Actions_TerminateGroupAction{}
		return nil
	})
	ended.knownBy(h.desk)
	refused(model.ErrPermission, message(ended.to(), "hello"))
	h.removes(h.bob, h.desk)
	h.knownBy(h.desk)
	refused(model.ErrNotAGroupMember, message(h.to(), "hello"))
	require.ErrorIs(t, h.desk.SendTyping(ctx, model.TypingRequest{To: h.to()}), model.ErrNotAGroupMember)
}

func TestGroupOfOne(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	f := desk.world.newClub(t, desk)
	f.knownBy(desk)
	line := desk.online()
	result := desk.sends(keyed(message(f.to(), "alone"), "key"))
	require.Empty(t, result.Failures)
	line.next()
	phone.takes()
	require.Equal(t, []string{"[ENTRY_SYNC]"}, phone.texts())
	require.True(t, desk.sends(keyed(message(f.to(), "alone"), "key")).Repeated)
	line.stop()
	line.nothingSent()
}

func TestTypingInGroup(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	before := h.record(0).GetTimestamp()
	ctx, cancel := contextOf(t)
	defer cancel()
	require.NoError(t, h.desk.SendTyping(ctx, model.TypingRequest{To: h.to()}))
	sent := h.sent()
	require.Len(t, sent, 1)
	require.True(t, sent[0].Online)
	require.False(t, sent[0].Urgent)
	require.Equal(t, before, h.record(0).GetTimestamp(), "nothing of it is kept")
}

func TestGroupTimer(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.change(h.bob, func(e *group.Edit) error { return e.Timer(3600) })
	h.knownBy(h.desk, h.bob)
	h.desk.sends(message(h.to(), "short-lived"))
	h.sent()
	h.bob.takes()
	var c servicepb.Content
	require.NoError(t, proto.Unmarshal(h.bob.entries()[0].GetContent(), &c))
	require.EqualValues(t, 3600, c.GetDataMessage().GetExpireTimer())
	require.NotZero(t, h.transcript().GetExpirationStartTimestamp())
}

// TestGroupKeyIsRenewed checks when the next message gets a new key, and when not, one after the other.
func TestGroupKeyIsRenewed(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	days := func(n time.Duration) func() { return func() { h.desk.clock.advance(n * 24 * time.Hour) } }
	for _, step := range []struct {
		name    string
		happens func()
		renewed bool
	}{
		{"nothing", func() {}, false},
		{"thirteen days", days(13), false},
		{"someone joins", func() { h.adds(h.bob, h.world.newParty(t, "+4915100000004")); h.knownBy(h.desk) }, false},
		{"one more day", days(1), true},
		{"thirteen days again", days(13), false},
		{"someone leaves", func() { h.removes(h.bob, h.carol); h.knownBy(h.desk) }, true},
		{"a device is gone", func() {
			h.desk.update(func(tx *store.Tx) error {
				return tx.DeleteSession(serviceid.ACI, serviceid.Address{ServiceID: h.bob.aci(), DeviceID: 1})
			})
		}, true},
		{"the key is damaged", func() {
			h.desk.update(func(tx *store.Tx) error {
				k, err := openGroupKey(tx, h.desk.accounts.get(), rand.Reader, h.id())
				require.NoError(t, err)
				return tx.PutSenderKey(k.address(), k.id, []byte{0xff})
			})
		}, true},
		{"a new identity", func() {
			h.desk.update(func(tx *store.Tx) error {
				_, err := newSessionBook(tx).saveIdentity(h.bob.aci(), newKeys(t).Public)
				return err
			})
		}, true},
	} {
		before := h.sender().GetDistributionId()
		step.happens()
		ctx, cancel := contextOf(t)
		_, err := h.desk.Send(ctx, message(h.to(), step.name))
		cancel()
		require.NoError(t, err, step.name)
		require.Equal(t, step.renewed, !slices.Equal(before, h.sender().GetDistributionId()), step.name)
	}
}

// TestGroupDevicesChange has members whose devices are not those that the message names.
func TestGroupDevicesChange(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]func(carol *party) *party{
		"another device": func(carol *party) *party { return carol.otherDevice(2) },
		"set up anew": func(carol *party) *party {
			fresh := carol.installedAnew()
			fresh.registersAgain()
			return fresh
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHerd(t)
			h.settle()
			fresh := changes(h.carol)
			h.knownBy(fresh)
			result := h.desk.sends(message(h.to(), "second"))
			require.Empty(t, result.Failures)
			refusedOne, rest := h.sent(), h.sent()
			require.Len(t, refusedOne, 1)
			require.Len(t, rest, 2, "the key for carol's devices, and the message again")
			require.Equal(t, h.carol.aci().String(), rest[0].Destination)
			fresh.takes()
			require.Equal(t, []string{"second"}, fresh.texts())
			h.bob.takes()
			require.Equal(t, []string{"first", "second"}, h.bob.texts())
		})
	}
}

func TestGroupMemberWithoutAccount(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	h.desk.knows(h.bob)
	h.world.Accounts.Remove(h.bob.aci())
	for _, count := range []int{2, 1} {
		result := h.desk.sends(message(h.to(), "second"))
		require.Len(t, result.Failures, 1)
		require.ErrorIs(t, result.Failures[0].Err, service.ErrUnregistered)
		require.Equal(t, h.bob.aci(), result.Failures[0].Recipient.ServiceID)
		sent := h.sent()
		require.Len(t, sent[len(sent)-1].Together.Recipients, count, "passed over for a day")
	}
	h.desk.clock.advance(25 * time.Hour)
	h.bob.register()
	require.Empty(t, h.desk.sends(message(h.to(), "third")).Failures)
}

func TestGroupMemberWhoIsNotTrusted(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	h.desk.update(func(tx *store.Tx) error {
		identity, err := tx.RemoteIdentity(h.bob.aci())
		require.NoError(t, err)
		identity.Trust = storepb.Trust_TRUST_UNTRUSTED
		return tx.PutRemoteIdentity(h.bob.aci(), identity)
	})
	result := h.desk.sends(message(h.to(), "second"))
	require.Len(t, result.Failures, 1)
	var distrust *model.UntrustedIdentityError
	require.ErrorAs(t, result.Failures[0].Err, &distrust)
	require.Equal(t, []string{h.carol.aci().String()}, h.sent()[0].addressees())
}

// TestGroupAlone has a service without endorsements: each member gets a message of its own.
func TestGroupAlone(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.desk.knows(h.bob)
	h.desk.update(func(tx *store.Tx) error {
		return tx.PutGroupEndorsements(h.id(), &storepb.GroupEndorsements{RefusedAt: h.desk.config.Now().UnixMilli()})
	})
	require.Empty(t, h.desk.sends(keyed(message(h.to(), "hello"), "key")).Failures)
	for range 2 {
		s := h.line.next()
		require.Nil(t, s.Together)
		require.Equal(t, s.Destination == h.bob.aci().String(), s.Anonymous)
	}
	h.carol.takes()
	require.Equal(t, []string{"hello"}, h.carol.texts())
	status := h.transcript().GetUnidentifiedStatus()
	require.Len(t, status, 2)
	require.NotEqual(t, status[0].GetUnidentified(), status[1].GetUnidentified())
}

// TestGroupAloneResumed repeats a send whose messages were prepared for each member: the same ciphertexts go, sealed as
// long as their certificate holds.
func TestGroupAloneResumed(t *testing.T) {
	t.Parallel()
	for wait, sealed := range map[time.Duration]bool{time.Minute: true, 5 * time.Hour: false} {
		h := newHerd(t)
		h.desk.knows(h.bob)
		h.desk.knows(h.carol)
		noEndorsements := func() {
			h.desk.update(func(tx *store.Tx) error {
				refused := &storepb.GroupEndorsements{RefusedAt: h.desk.config.Now().UnixMilli()}
				return tx.PutGroupEndorsements(h.id(), refused)
			})
		}
		noEndorsements()
		h.line.answers(func(*submission) reply { return reply{status: http.StatusTooManyRequests} })
		ctx, cancel := contextOf(t)
		_, err := h.desk.Send(ctx, keyed(message(h.to(), "hello"), "key"))
		cancel()
		require.Error(t, err)
		h.line.next()
		h.line.next()
		h.desk.clock.advance(wait)
		noEndorsements()
		h.line.answers(nil)
		require.Empty(t, h.desk.sends(keyed(message(h.to(), "hello"), "key")).Failures)
		for range 2 {
			s := h.line.next()
			require.Nil(t, s.Together)
			require.Equal(t, sealed, s.Anonymous)
		}
		h.bob.takes()
		h.carol.takes()
		require.Equal(t, []string{"hello"}, h.bob.texts())
		require.Equal(t, []string{"hello"}, h.carol.texts())
	}
}

// TestGroupLostAnswers loses the connection once: the same ciphertext goes again, and is read once.
func TestGroupLostAnswers(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	var attempts atomic.Int32
	h.line.answers(func(s *submission) reply { return reply{lost: s.Together != nil && attempts.Add(1) == 1} })
	require.Empty(t, h.desk.sends(message(h.to(), "second")).Failures)
	h.sent()
	h.sent()
	require.Equal(t, 2, h.bob.waiting())
	h.bob.takes()
	require.Equal(t, []string{"first", "second"}, h.bob.texts())
}

// TestGroupCrash stops the daemon after the message was encrypted, and perhaps sent. The repeat sends the same
// ciphertext.
func TestGroupCrash(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	ctx, cancel := contextOf(t)
	defer cancel()
	h.line.answers(func(s *submission) reply {
		if s.Together == nil {
			return accepted // the first message's transcript
		}
		cancel()
		return reply{lost: true}
	})
	request := keyed(message(h.to(), "second"), "key")
	_, err := h.desk.Send(ctx, request)
	require.Error(t, err)
	require.Equal(t, storepb.OutgoingStatus_OUTGOING_PREPARED, h.record(0).GetStatus())
	h.sent()
	kept := h.ciphertext()
	require.NotEmpty(t, kept.GetGroupMessage())
	h.line.stop()
	h.desk.restart()
	require.Equal(t, kept.GetGroupMessage(), h.ciphertext().GetGroupMessage())

	h.line = h.desk.online()
	result := h.desk.sends(request)
	require.Empty(t, result.Failures)
	require.Len(t, h.sent(), 1)
	require.Equal(t, 2, h.bob.waiting())
	h.bob.takes()
	require.Equal(t, []string{"first", "second"}, h.bob.texts())
	require.True(t, h.desk.sends(request).Repeated)
	require.Equal(t, storepb.OutgoingStatus_OUTGOING_DONE, h.record(0).GetStatus())
}

func (h *herd) ciphertext() *storepb.Ciphertexts {
	var kept *storepb.Ciphertexts
	h.desk.view(func(tx *store.Tx) (err error) {
		kept, err = tx.Ciphertexts(h.record(0).GetTimestamp(), h.desk.aci())
		return err
	})
	return kept
}

// TestGroupQueue sends to a group what was queued while there was no connection, in order.
func TestGroupQueue(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	h.line.stop()
	for n := range 3 {
		require.True(t, h.desk.sends(queued(message(h.to(), fmt.Sprint(n)), time.Hour)).Queued)
	}
	h.line = h.desk.online()
	for range 3 {
		h.sent()
	}
	h.bob.takes()
	require.Equal(t, []string{"first", "0", "1", "2"}, h.bob.texts())
}

// TestGroupManyAtOnce sends from several commands at the same time.
func TestGroupManyAtOnce(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	const count = 10
	var running sync.WaitGroup
	for n := range count {
		running.Go(func() {
			_, err := h.desk.Send(t.Context(), message(h.to(), fmt.Sprint(n)))
			assert.NoError(t, err)
		})
	}
	running.Wait()
	for range count {
		h.sent()
	}
	h.bob.takes()
	texts := h.bob.texts()[1:]
	slices.Sort(texts)
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, texts)
}

// TestGroupPartly fails for one member, and reaches that one with the repeat.
func TestGroupPartly(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	require.NoError(t, h.world.Faults.Set(faults.Rule{
		Kind: faults.Full, Recipient: h.carol.aci().String(), RetryAfterSeconds: 1,
	}))
	request := keyed(message(h.to(), "hello"), "key")
	result := h.desk.sends(request)
	require.Len(t, result.Failures, 1)
	var limited *service.RateLimitedError
	require.ErrorAs(t, result.Failures[0].Err, &limited)
	require.Equal(t, []string{h.bob.aci().String()}, h.sent()[2].addressees())
	require.False(t, h.transcript().GetIsRecipientUpdate())

	require.NoError(t, h.world.Faults.Set())
	require.Empty(t, h.desk.sends(request).Failures)
	sent := h.sent()
	require.Equal(t, []string{h.carol.aci().String()}, sent[len(sent)-1].addressees())
	h.carol.takes()
	require.Equal(t, []string{"hello"}, h.carol.texts())
	update := h.transcriptOf(h.carol)
	require.True(t, update.GetIsRecipientUpdate())
	require.Len(t, update.GetUnidentifiedStatus(), 2)
	require.False(t, h.transcriptOf(h.bob, h.carol).GetIsRecipientUpdate())
}

// transcriptOf is what our other devices are told of the latest send, after an attempt for some of its members.
func (h *herd) transcriptOf(reached ...*party) *servicepb.SyncMessage_Sent {
	o := &order{group: h.id(), record: h.record(0), timestamp: h.record(0).GetTimestamp()}
	o.body = textContent(h.t, o.timestamp, "hello")
	var deliveries []*delivery
	for _, p := range reached {
		deliveries = append(deliveries, (&groupMessage{}).deliveryTo(p.aci()))
	}
	jobs, err := h.desk.sender.groupTranscript(o, deliveries)
	require.NoError(h.t, err)
	require.Len(h.t, jobs, 1)
	var c servicepb.Content
	require.NoError(h.t, proto.Unmarshal(jobs[0].GetPayload(), &c))
	return c.GetSyncMessage().GetSent()
}

func TestGroupOutgoingAndResend(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	result := h.desk.sends(message(h.to(), "hello"))
	out, err := h.desk.Outgoing(t.Context(), model.OutgoingQuery{Timestamp: result.Timestamp})
	require.NoError(t, err)
	require.Equal(t, model.OutgoingSent, out[0].State)
	require.Equal(t, h.id(), h.record(0).GetGroupId())
	h.desk.view(func(tx *store.Tx) error {
		kept, err := tx.Resend(result.Timestamp)
		require.NoError(t, err)
		require.Equal(t, h.id(), kept.GetGroupId())
		require.Len(t, kept.GetRecipients(), 2)
		_, err = tx.Ciphertexts(result.Timestamp, h.desk.aci())
		require.True(t, errors.Is(err, store.ErrNotFound), "only what can be repeated is kept")
		return nil
	})
}
