package signalcore

import (
	"crypto/rand"
	"encoding/json"
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

	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// flock is a group whose members are parties.
type flock struct {
	t      testing.TB
	world  *world
	params *zkgroup.GroupSecretParams
	state  group.State
}

// newFlock makes a group of which the first member is the admin, and lets all know of it.
func newFlock(t testing.TB, members ...*party) *flock {
	t.Helper()
	key, err := zkgroup.GenerateMasterKey(rand.Reader)
	require.NoError(t, err)
	f := &flock{t: t, world: members[0].world, params: zkgroup.DeriveGroupSecretParams(key)}
	f.state = group.State{MasterKey: key, ID: f.params.GroupID(), Revision: 3, Title: "Flock"}
	f.join(members...)
	f.state.Members[0].Role = group.RoleAdmin
	for _, p := range members {
		f.tell(p)
	}
	return f
}

func (f *flock) id() []byte { id := f.params.GroupID(); return id[:] }

func (f *flock) join(members ...*party) {
	for _, p := range members {
		key, err := profilekey.Parse(p.accounts.get().profileKey)
		require.NoError(f.t, err)
		f.state.Members = append(f.state.Members, group.Member{ACI: p.aci(), Role: group.RoleMember, ProfileKey: key})
	}
}

func (f *flock) remove(p *party) {
	f.state.Revision++
	f.state.Members = slices.DeleteFunc(f.state.Members, func(m group.Member) bool { return m.ACI == p.aci() })
}

// tell gives a party the state of now, with endorsements where it is a member.
func (f *flock) tell(p *party) {
	f.t.Helper()
	state, err := f.state.Marshal()
	require.NoError(f.t, err)
	key := f.params.MasterKey()
	record := &storepb.Group{
		GroupId: f.id(), MasterKey: key[:], State: state, Revision: f.state.Revision,
		Standing: storepb.GroupStanding_GROUP_REMOVED,
	}
	_, member := f.state.Member(p.aci())
	if member {
		record.Standing = storepb.GroupStanding_GROUP_MEMBER
	}
	p.update(func(tx *store.Tx) error {
		if err := tx.PutGroup(record); err != nil || !member {
			return err
		}
		return tx.PutGroupEndorsements(f.id(), f.endorsements(p))
	})
}

// endorsements are what the service issues to a member.
func (f *flock) endorsements(p *party) *storepb.GroupEndorsements {
	var members [][]byte
	for _, id := range f.state.MemberIDs() {
		members = append(members, f.params.EncryptServiceID(id))
	}
	now := p.config.Now()
	keys := f.world.fake.ZK.GroupSendKeyPair(zkgroup.GroupSendExpiration(now))
	response, err := keys.IssueGroupSendEndorsements(rand.Reader, members)
	require.NoError(f.t, err)
	given, err := p.groups.server.ReceiveGroupSendEndorsements(response, f.state.MemberIDs(), p.aci(), f.params, now)
	require.NoError(f.t, err)
	return endorsementRecordOf(given, f.state.Revision)
}

// admits checks the token of a message to many, as the service does.
func (f *flock) admits(s *submission) bool {
	expires, err := zkgroup.GroupSendTokenExpires(s.Token)
	if err != nil {
		return false
	}
	var ids []serviceid.ServiceID
	for _, text := range s.addressees() {
		id, err := serviceid.Parse(text)
		require.NoError(f.t, err)
		ids = append(ids, id)
	}
	return f.world.fake.ZK.GroupSendKeyPair(expires).VerifyGroupSendToken(s.Token, ids, expires.Add(-time.Hour)) == nil
}

// service answers as the service does, with what a test says for messages to many.
func (f *flock) service(together func(*submission) reply) func(*submission) reply {
	return func(s *submission) reply {
		if len(s.Token) > 0 && !f.admits(s) {
			return reply{status: http.StatusUnauthorized}
		}
		if s.Together == nil {
			return accepted
		}
		if together != nil {
			return together(s)
		}
		return reply{status: http.StatusOK, body: `{"uuids404":[]}`}
	}
}

var through = reply{status: http.StatusOK, body: `{"uuids404":[]}`}

func (f *flock) to() model.Destination { return model.Destination{Group: f.id()} }

// herd is a group of which the tested device is a member, online, with what the service gets.
type herd struct {
	*flock
	phone, desk, bob, carol *party
	line                    *chat
}

func newHerd(t testing.TB) *herd {
	phone, desk := siblings(t)
	h := &herd{phone: phone, desk: desk}
	h.bob, h.carol = desk.world.newParty(t, "+4915100000002"), desk.world.newParty(t, "+4915100000003")
	h.flock = newFlock(t, desk, h.bob, h.carol)
	h.tell(phone)
	h.goOnline(nil)
	return h
}

func (h *herd) goOnline(together func(*submission) reply) {
	h.line = h.desk.onlineWith(func(c *chat) { c.answer = h.service(together) })
	h.line.hands(h.bob, h.carol, h.phone)
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
	sent := h.sent()
	for _, p := range []*party{h.bob, h.carol} {
		p.takes(h.desk, sent...)
	}
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
	t := await(h.t, h.line.sent, func(s *submission) bool { return s.Destination == h.desk.aci().String() })
	h.phone.takes(h.desk, t)
	entries := h.phone.entries()
	var c servicepb.Content
	require.NoError(h.t, proto.Unmarshal(entries[len(entries)-1].GetContent(), &c))
	return c.GetSyncMessage().GetSent()
}

func TestSendToGroup(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
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
		p.takes(h.desk, sent...)
		require.Equal(t, []string{"hello"}, p.texts())
	}
	var c servicepb.Content
	require.NoError(t, proto.Unmarshal(h.bob.entries()[0].GetContent(), &c))
	require.EqualValues(t, 3, c.GetDataMessage().GetGroupV2().GetRevision())
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
	h.bob.takes(h.desk, sent...)
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

	h.state.AnnouncementsOnly, h.state.Members[0].Role = true, group.RoleMember
	h.tell(h.desk)
	refused(model.ErrPermission, message(h.to(), "hello"))
	require.ErrorIs(t, h.desk.SendTyping(ctx, model.TypingRequest{To: h.to()}), model.ErrPermission)
	reaction := &content.Reaction{Target: content.MessageRef{Author: h.bob.aci(), Timestamp: 7}, Emoji: "👍"}
	h.desk.sends(model.SendRequest{To: h.to(), Event: content.Event{Kind: content.KindReaction, Reaction: reaction}})
	h.state.Members[0].Role = group.RoleAdmin
	h.tell(h.desk)
	h.desk.sends(message(h.to(), "an announcement"))

	h.state.Terminated = true
	h.tell(h.desk)
	refused(model.ErrPermission, message(h.to(), "hello"))
	h.state.Terminated = false
	h.remove(h.desk)
	h.tell(h.desk)
	refused(model.ErrNotAGroupMember, message(h.to(), "hello"))
	require.ErrorIs(t, h.desk.SendTyping(ctx, model.TypingRequest{To: h.to()}), model.ErrNotAGroupMember)
}

func TestGroupOfOne(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	f := newFlock(t, desk)
	line := desk.online()
	line.hands(phone)
	result := desk.sends(keyed(message(f.to(), "alone"), "key"))
	require.Empty(t, result.Failures)
	transcript := line.next()
	phone.takes(desk, transcript)
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
	h.state.TimerSeconds = 3600
	h.tell(h.desk)
	h.desk.sends(message(h.to(), "short-lived"))
	h.bob.takes(h.desk, h.sent()...)
	var c servicepb.Content
	require.NoError(t, proto.Unmarshal(h.bob.entries()[0].GetContent(), &c))
	require.EqualValues(t, 3600, c.GetDataMessage().GetExpireTimer())
	require.NotZero(t, h.transcript().GetExpirationStartTimestamp())
}

// TestGroupKeyIsRenewed checks when the next message gets a new key, and when not.
func TestGroupKeyIsRenewed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*herd)
		renewed bool
	}{
		"nothing changed": {func(*herd) {}, false},
		"thirteen days":   {func(h *herd) { h.desk.clock.advance(13 * 24 * time.Hour); h.tell(h.desk) }, false},
		"two weeks":       {func(h *herd) { h.desk.clock.advance(14 * 24 * time.Hour); h.tell(h.desk) }, true},
		"someone left":    {func(h *herd) { h.remove(h.carol); h.tell(h.desk) }, true},
		"someone joined": {func(h *herd) {
			dave := h.world.newParty(h.t, "+4915100000004")
			h.join(dave)
			h.tell(h.desk)
			h.line.hands(h.bob, h.carol, dave, h.phone)
		}, false},
		"a device is gone": {func(h *herd) {
			h.desk.update(func(tx *store.Tx) error {
				return tx.DeleteSession(serviceid.ACI, serviceid.Address{ServiceID: h.bob.aci(), DeviceID: 1})
			})
		}, true},
		"a new identity": {func(h *herd) {
			h.desk.update(func(tx *store.Tx) error {
				_, err := newSessionBook(tx).saveIdentity(h.bob.aci(), newKeys(h.t).Public)
				return err
			})
		}, true},
		"the key is damaged": {func(h *herd) {
			h.desk.update(func(tx *store.Tx) error {
				k, err := openGroupKey(tx, h.desk.accounts.get(), rand.Reader, h.id())
				require.NoError(h.t, err)
				return tx.PutSenderKey(k.address(), k.id, []byte{0xff})
			})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHerd(t)
			h.settle()
			before := h.sender().GetDistributionId()
			test.change(h)
			ctx, cancel := contextOf(t)
			defer cancel()
			_, err := h.desk.Send(ctx, message(h.to(), "second"))
			require.NoError(t, err)
			require.Equal(t, test.renewed, !slices.Equal(before, h.sender().GetDistributionId()))
		})
	}
}

// TestGroupDevicesChange has members whose devices are not those that the message names.
func TestGroupDevicesChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status uint32
		field  string
		device uint32
	}{
		"another device": {http.StatusConflict, "missingDevices", 2},
		"set up anew":    {http.StatusGone, "staleDevices", 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHerd(t)
			h.settle()
			fresh := h.carol.renewed(test.device)
			h.tell(fresh)
			h.line.hands(h.bob, h.carol, fresh, h.phone)
			if test.device == 1 {
				h.line.hands(h.bob, fresh, h.phone)
			}
			var asked atomic.Int32
			h.line.answers(h.service(func(*submission) reply {
				if asked.Add(1) > 1 {
					return through
				}
				body, err := json.Marshal([]map[string]any{{
					"uuid": h.carol.aci().String(), "devices": map[string]any{test.field: []uint32{test.device}},
				}})
				require.NoError(t, err)
				return reply{status: test.status, body: string(body)}
			}))
			result := h.desk.sends(message(h.to(), "second"))
			require.Empty(t, result.Failures)
			refusedOne, rest := h.sent(), h.sent()
			require.Len(t, refusedOne, 1)
			require.Len(t, rest, 2, "the key for carol's devices, and the message again")
			require.Equal(t, h.carol.aci().String(), rest[0].Destination)
			fresh.takes(h.desk, rest...)
			require.Equal(t, []string{"second"}, fresh.texts())
			h.bob.takes(h.desk, rest...)
			require.Equal(t, []string{"first", "second"}, h.bob.texts())
		})
	}
}

// renewed makes a device of the party that was set up after it.
func (p *party) renewed(id uint32) *party {
	p.t.Helper()
	var record *storepb.Account
	p.view(func(tx *store.Tx) (err error) {
		record, err = tx.Account()
		return err
	})
	record.DeviceId, record.AciRegistrationId = id, record.AciRegistrationId+100
	return p.world.newDevice(p.t, record)
}

func TestGroupMemberWithoutAccount(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	h.desk.knows(h.bob)
	h.line.answers(h.service(func(s *submission) reply {
		if len(s.Together.Recipients) == 1 {
			return through
		}
		return jsonReply(map[string]any{"uuids404": []string{h.bob.aci().String()}})
	}))
	for _, count := range []int{2, 1} {
		result := h.desk.sends(message(h.to(), "second"))
		require.Len(t, result.Failures, 1)
		require.ErrorIs(t, result.Failures[0].Err, service.ErrUnregistered)
		require.Equal(t, h.bob.aci(), result.Failures[0].Recipient.ServiceID)
		sent := h.sent()
		require.Len(t, sent[len(sent)-1].Together.Recipients, count, "passed over for a day")
	}
	h.desk.clock.advance(25 * time.Hour)
	h.tell(h.desk)
	h.line.answers(h.service(nil))
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
		h.bob.takes(h.desk, s)
		if s.Destination == h.carol.aci().String() {
			h.carol.takes(h.desk, s)
		}
	}
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
		h.line.answers(h.service(nil))
		require.Empty(t, h.desk.sends(keyed(message(h.to(), "hello"), "key")).Failures)
		for range 2 {
			s := h.line.next()
			require.Nil(t, s.Together)
			require.Equal(t, sealed, s.Anonymous)
			h.bob.takes(h.desk, s)
			h.carol.takes(h.desk, s)
		}
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
	h.line.answers(h.service(func(*submission) reply {
		if attempts.Add(1) == 1 {
			return reply{cut: true}
		}
		return through
	}))
	require.Empty(t, h.desk.sends(message(h.to(), "second")).Failures)
	h.bob.takes(h.desk, h.sent()...)
	h.bob.takes(h.desk, h.sent()...)
	require.Equal(t, []string{"first", "second"}, h.bob.texts())
}

// TestGroupCrash stops the daemon after the message was encrypted, and perhaps sent. The repeat sends the same
// ciphertext.
func TestGroupCrash(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.settle()
	h.line.answers(h.service(func(*submission) reply { return reply{status: http.StatusTooManyRequests} }))
	request := keyed(message(h.to(), "second"), "key")
	ctx, cancel := contextOf(t)
	defer cancel()
	_, err := h.desk.Send(ctx, request)
	require.Error(t, err)
	require.Equal(t, storepb.OutgoingStatus_OUTGOING_PREPARED, h.record(0).GetStatus())
	first := h.sent()
	kept := h.ciphertext()
	require.NotEmpty(t, kept.GetGroupMessage())
	h.line.stop()
	h.desk.restart()
	require.Equal(t, kept.GetGroupMessage(), h.ciphertext().GetGroupMessage())

	h.goOnline(nil)
	result := h.desk.sends(request)
	require.Empty(t, result.Failures)
	again := h.sent()
	require.Len(t, again, 1)
	h.bob.takes(h.desk, first...)
	h.bob.takes(h.desk, again...)
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
	h.goOnline(nil)
	for range 3 {
		h.bob.takes(h.desk, h.sent()...)
	}
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
		h.bob.takes(h.desk, h.sent()...)
	}
	texts := h.bob.texts()[1:]
	slices.Sort(texts)
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, texts)
}

// TestGroupPartly fails for one member, and reaches that one with the repeat.
func TestGroupPartly(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	down := true
	h.line.answers(func(s *submission) reply {
		if down && s.Destination == h.carol.aci().String() {
			return reply{status: http.StatusTooManyRequests, headers: []string{"retry-after:1"}}
		}
		return h.service(nil)(s)
	})
	request := keyed(message(h.to(), "hello"), "key")
	result := h.desk.sends(request)
	require.Len(t, result.Failures, 1)
	var limited *service.RateLimitedError
	require.ErrorAs(t, result.Failures[0].Err, &limited)
	require.Equal(t, []string{h.bob.aci().String()}, h.sent()[2].addressees())
	require.False(t, h.transcript().GetIsRecipientUpdate())

	down = false
	require.Empty(t, h.desk.sends(request).Failures)
	sent := h.sent()
	require.Equal(t, []string{h.carol.aci().String()}, sent[len(sent)-1].addressees())
	h.carol.takes(h.desk, sent...)
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
