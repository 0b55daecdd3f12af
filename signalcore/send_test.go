package signalcore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/faults"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func to(people ...*party) model.Destination {
	var d model.Destination
	for _, p := range people {
		d.Recipients = append(d.Recipients, model.Recipient{
			Kind: model.RecipientServiceID, ServiceID: p.aci(), Text: p.aci().String(),
		})
	}
	return d
}

func message(destination model.Destination, text string) model.SendRequest {
	return model.SendRequest{To: destination, Event: content.Event{
		Kind: content.KindMessage, Message: &content.Message{Text: text},
	}}
}

// keyed gives a request a key, and a fingerprint of its own.
func keyed(r model.SendRequest, key string) model.SendRequest {
	r.IdempotencyKey, r.Fingerprint = key, sha256.Sum256([]byte(r.Event.Message.Text))
	return r
}

func queued(r model.SendRequest, ttl time.Duration) model.SendRequest {
	r.Queue, r.QueueTTL = true, ttl
	return r
}

func (p *party) sends(r model.SendRequest) model.SendResult {
	p.t.Helper()
	ctx, cancel := contextOf(p.t)
	defer cancel()
	result, err := p.Send(ctx, r)
	require.NoError(p.t, err)
	return result
}

func TestSend(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	bob := phone.world.newParty(t, "+4915100000002")
	line := desk.online()
	for round, sealed := range []bool{false, true} {
		if sealed {
			desk.knows(bob)
		}
		result := desk.sends(message(to(bob), fmt.Sprint("hello ", round)))
		sent := line.next()
		require.Equal(t, bob.aci().String(), sent.Destination)
		require.Equal(t, sealed, sent.Anonymous)
		require.Equal(t, result.Timestamp, sent.Timestamp)
		require.True(t, sent.Urgent)
		bob.takes()
		transcript := line.next()
		require.Equal(t, desk.aci().String(), transcript.Destination)
		require.Len(t, transcript.Messages, 1)
		phone.takes()
	}
	require.Equal(t, []string{"hello 0", "hello 1"}, bob.texts())
	require.Equal(t, []string{"[ENTRY_RECEIPT]", "[ENTRY_SYNC]", "[ENTRY_SYNC]"}, phone.texts(), "the service's, to all devices")
	var c servicepb.Content
	require.NoError(t, proto.Unmarshal(phone.entries()[1].GetContent(), &c))
	require.Equal(t, "hello 0", c.GetSyncMessage().GetSent().GetMessage().GetBody())
	desk.awaitDone(storepb.JobKind_JOB_TRANSCRIPT)
	line.stop()
	line.nothingSent()
}

func TestNoteToSelf(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	line := desk.online()
	desk.sends(message(model.Destination{Recipients: []model.Recipient{{Kind: model.RecipientSelf, Text: "self"}}}, "milk"))
	sent := line.next()
	require.Equal(t, desk.aci().String(), sent.Destination)
	phone.takes()
	require.Equal(t, []string{"[ENTRY_SYNC]"}, phone.texts())
	line.stop()
	line.nothingSent()
}

func TestNoteToSelfWithoutOtherDevices(t *testing.T) {
	t.Parallel()
	alone := newWorld(t).newParty(t, "+4915100000001")
	line := alone.online()
	result := alone.sends(message(model.Destination{Recipients: []model.Recipient{{Kind: model.RecipientSelf, Text: "self"}}}, "milk"))
	require.NotZero(t, result.Timestamp)
	line.stop()
	line.nothingSent()
}

func TestOutcomesOfASend(t *testing.T) {
	t.Parallel()
	later := reply{status: http.StatusTooManyRequests, retryAfter: "3600"}
	for name, test := range map[string]struct {
		replies []reply
		want    any // a pointer to the type of the error; nil for success
		sent    int
	}{
		"ok":                 {[]reply{accepted}, nil, 1},
		"limited":            {[]reply{later}, new(*service.RateLimitedError), 1},
		"limited, as before": {[]reply{{status: http.StatusRequestEntityTooLarge}}, new(*service.RateLimitedError), 1},
		"challenge":          {[]reply{{status: http.StatusPreconditionRequired, body: `{"token":"t","options":["captcha"]}`}}, new(*service.ChallengeError), 1},
		"broken, then well":  {[]reply{{status: http.StatusServiceUnavailable}, accepted}, nil, 2},
		"lost, then well":    {[]reply{{lost: true}, accepted}, nil, 2},
		"refused":            {[]reply{{status: http.StatusUnprocessableEntity}}, new(*service.StatusError), 1},
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := pair(t)
			line := alice.online()
			line.answers(sequence(test.replies...))
			ctx, cancel := contextOf(t)
			defer cancel()
			_, err := alice.Send(ctx, message(to(bob), "once"))
			var copies []*submission
			for range test.sent {
				copies = append(copies, line.next())
			}
			var arrived []string
			if test.want == nil {
				require.NoError(t, err)
				arrived = []string{"once"}
			} else {
				require.ErrorAs(t, err, test.want)
			}
			for _, again := range copies[1:] {
				require.Equal(t, copies[0].Messages, again.Messages, "the same bytes")
			}
			bob.takes()
			require.Equal(t, arrived, bob.texts())
			if name == "limited" {
				require.Equal(t, alice.clock.Now().Add(time.Hour), alice.Status(t.Context()).ThrottledUntil)
				alice.clock.advance(time.Hour)
				require.Zero(t, alice.Status(t.Context()).ThrottledUntil, "that is over")
			}
		})
	}
}

func TestUnregisteredRecipient(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.knows(bob)
	line := alice.online()
	ctx, cancel := contextOf(t)
	defer cancel()
	alice.world.Accounts.Remove(bob.aci())
	_, err := alice.Send(ctx, message(to(bob), "anyone there?"))
	require.ErrorIs(t, err, service.ErrUnregistered)
	require.NotZero(t, alice.recipient(bob.aci()).GetUnregisteredAt())
	line.nothingSent()
	bob.register()
	alice.sends(message(to(bob), "and now?"))
	bob.takes()
	require.Equal(t, []string{"and now?"}, bob.texts())
	alice.world.Accounts.Remove(bob.aci())
	_, err = alice.Send(ctx, message(to(bob), "still there?"))
	require.ErrorIs(t, err, service.ErrUnregistered)
	require.Len(t, line.sent, 3, "sealed, and then by name")
}

// TestSealedSendRefused knows a profile key that is not the recipient's any more.
func TestSealedSendRefused(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.knows(bob)
	alice.keepsKeyOf(bob, newProfileKey(t))
	line := alice.online()
	alice.sends(message(to(bob), "hello"))
	refused, sent := line.next(), line.next()
	require.True(t, refused.Anonymous)
	require.False(t, sent.Anonymous)
	bob.takes()
	require.Equal(t, []string{"hello"}, bob.texts())
	require.Equal(t, storepb.Access_ACCESS_DISABLED, alice.recipient(bob.aci()).GetAccess())
	alice.sends(message(to(bob), "again"))
	require.False(t, line.next().Anonymous)
}

// TestSealedSendInTwoCovers has the service take a message that it says it refused: one ciphertext, in two covers.
func TestSealedSendInTwoCovers(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.knows(bob)
	line := alice.online()
	line.answers(func(s *submission) reply {
		if s.Anonymous {
			return reply{status: http.StatusUnauthorized, taken: true}
		}
		return accepted
	})
	alice.sends(message(to(bob), "hello"))
	require.Equal(t, 2, bob.waiting())
	bob.takes()
	require.Equal(t, []string{"hello"}, bob.texts())
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST))
}

func TestChangedDevices(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	alice.sends(message(to(bob), "one"))
	line.next()

	tablet := bob.otherDevice(2)
	alice.sends(message(to(bob), "two"))
	first, second := line.next(), line.next()
	require.Len(t, second.Messages, 2)
	require.Equal(t, first.Messages[0], second.Messages[0], "who was right already gets the same bytes")
	tablet.takes()
	require.Equal(t, []string{"two"}, tablet.texts())

	require.True(t, bob.world.Accounts.RemoveDevice(tablet.device()))
	tablet = tablet.installedAnew()
	tablet.link()
	alice.sends(message(to(bob), "three"))
	require.Len(t, line.next().Messages, 2)
	require.Len(t, line.next().Messages, 2)
	tablet.takes()
	require.Equal(t, []string{"three"}, tablet.texts())

	require.True(t, bob.world.Accounts.RemoveDevice(tablet.device()))
	alice.sends(message(to(bob), "four"))
	require.Len(t, line.next().Messages, 2)
	require.Len(t, line.next().Messages, 1)
	bob.takes()
	require.Equal(t, []string{"one", "two", "three", "four"}, bob.texts())
}

func TestSeveralRecipients(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	carol := alice.world.newParty(t, "+4915100000003")
	gone := alice.world.newParty(t, "+4915100000004")
	alice.world.Accounts.Remove(gone.aci())
	line := alice.online()
	result := alice.sends(message(to(bob, gone, carol, bob), "all of you"))
	require.Len(t, result.Failures, 1)
	require.Equal(t, gone.aci().String(), result.Failures[0].Recipient.Text)
	require.ErrorIs(t, result.Failures[0].Err, service.ErrUnregistered)
	line.next()
	line.next()
	bob.takes()
	carol.takes()
	require.Equal(t, []string{"all of you"}, bob.texts())
	require.Equal(t, []string{"all of you"}, carol.texts())
	line.nothingSent()
}

func TestManyRecipients(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	destination := to(bob)
	keys := bob.newKeys(bob.aci()).link()
	for range 80 { // enough for several transactions; all have Bob's keys
		aci := serviceid.NewACI(uuid.New())
		require.NoError(t, alice.world.Accounts.Register(accounts.Registration{
			Account: accounts.Account{ACI: aci, Identity: bob.accounts.get().aciIdentity.keys.Public},
			Device:  accounts.Device{RegistrationID: 5}, Keys: keys,
		}))
		destination.Recipients = append(destination.Recipients, model.Recipient{
			Kind: model.RecipientServiceID, ServiceID: aci, Text: aci.String(),
		})
	}
	line := alice.online()
	alice.sends(message(destination, "everyone"))
	alice.sends(message(destination, "everyone again"))
	require.GreaterOrEqual(t, len(line.sent), 162)
}

func TestRepeatedByKey(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	first := alice.sends(keyed(message(to(bob), "alarm"), "k1"))
	line.next()
	again := alice.sends(keyed(message(to(bob), "alarm"), "k1"))
	require.True(t, again.Repeated)
	require.Equal(t, first.Timestamp, again.Timestamp)
	line.nothingSent()
	ctx, cancel := contextOf(t)
	defer cancel()
	_, err := alice.Send(ctx, keyed(message(to(bob), "something else"), "k1"))
	require.ErrorIs(t, err, model.ErrKeyReused)
}

func TestRepeatedAfterAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprint("sealed ", sealed), func(t *testing.T) {
			alice, bob := pair(t)
			if sealed {
				alice.knows(bob)
			}
			line := alice.online()
			ctx, cancel := contextOf(t)
			line.answers(func(*submission) reply {
				cancel() // the client's patience ends, and the answer is lost
				return reply{lost: true}
			})
			_, err := alice.Send(ctx, keyed(message(to(bob), "alarm"), "k1"))
			var short *model.CutShortError
			require.ErrorAs(t, err, &short)
			require.Equal(t, model.MayHaveLeft, short.Departure)
			lost := line.next()
			outgoing, err := alice.Outgoing(t.Context(), model.OutgoingQuery{IdempotencyKey: "k1"})
			require.NoError(t, err)
			require.Equal(t, model.OutgoingUnknown, outgoing[0].State)

			line.stop()
			alice.restart()
			line = alice.online()
			result := alice.sends(keyed(message(to(bob), "alarm"), "k1"))
			require.Equal(t, short.Timestamp, result.Timestamp)
			repeated := line.next()
			require.Equal(t, lost.Messages, repeated.Messages)
			require.Equal(t, sealed, repeated.Anonymous)
			bob.takes()
			require.Equal(t, []string{"alarm"}, bob.texts())
			require.True(t, alice.sends(keyed(message(to(bob), "alarm"), "k1")).Repeated)
		})
	}
}

// TestRepeatedAfterAChallenge has the phone's person solve the challenge, and the script repeat its request.
func TestRepeatedAfterAChallenge(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	line.answers(sequence(reply{status: http.StatusPreconditionRequired, body: `{"token":"t","options":["captcha"]}`}))
	ctx, cancel := contextOf(t)
	defer cancel()
	_, err := alice.Send(ctx, keyed(message(to(bob), "alarm"), "k1"))
	require.ErrorAs(t, err, new(*service.ChallengeError))
	refused := line.next()
	line.answers(sequence(accepted))
	alice.sends(keyed(message(to(bob), "alarm"), "k1"))
	repeated := line.next()
	require.Equal(t, refused.Messages, repeated.Messages, "the same bytes")
	bob.takes()
	require.Equal(t, []string{"alarm"}, bob.texts())
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		rest time.Duration
	}{
		{fmt.Errorf("send: %w", &service.RateLimitedError{RetryAfter: time.Hour}), time.Hour},
		{&service.RateLimitedError{}, 0},
		{&service.ChallengeError{RetryAfter: 24 * time.Hour}, challengePause},
		{&service.ChallengeError{RetryAfter: time.Minute}, time.Minute},
		{&service.ChallengeError{}, challengePause},
	} {
		rest, throttled := throttle(test.err)
		require.True(t, throttled && canWait(test.err), "%v", test.err)
		require.Equal(t, test.rest, rest, "%v", test.err)
	}
	_, throttled := throttle(&service.NetworkError{})
	require.False(t, throttled)
}

func TestQueue(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	var timestamps []uint64
	for i := range 3 {
		result := alice.sends(queued(message(to(bob), fmt.Sprint("alarm ", i)), time.Hour))
		require.True(t, result.Queued)
		timestamps = append(timestamps, result.Timestamp)
	}
	twice := alice.sends(keyed(queued(message(to(bob), "with a key"), time.Hour), "k"))
	require.Equal(t, twice.Timestamp, alice.sends(keyed(queued(message(to(bob), "with a key"), time.Hour), "k")).Timestamp)
	timestamps = append(timestamps, twice.Timestamp)
	alice.restart()
	events := alice.watch()
	line := alice.online()
	for _, timestamp := range timestamps {
		sent := line.next()
		require.Equal(t, timestamp, sent.Timestamp)
		bob.takes()
		outcome := await(t, events, func(e model.Event) bool { return e.Outgoing != nil }).Outgoing
		require.Equal(t, timestamp, outcome.Timestamp)
		require.Equal(t, model.OutgoingSent, outcome.State)
	}
	require.Equal(t, []string{"alarm 0", "alarm 1", "alarm 2", "with a key"}, bob.texts())
	require.False(t, alice.outbox.holdsQueue())
}

func TestQueuedSendExpires(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	events := alice.watch()
	result := alice.sends(queued(message(to(bob), "too late"), time.Minute))
	alice.clock.advance(2 * time.Minute)
	alice.outbox.workQueue(t.Context()) // without a connection
	outcome := await(t, events, func(e model.Event) bool { return e.Outgoing != nil }).Outgoing
	require.Equal(t, result.Timestamp, outcome.Timestamp)
	require.Equal(t, model.OutgoingExpired, outcome.State)
	require.False(t, alice.outbox.holdsQueue())
}

func TestQueuedSendSurvivesACrash(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.sends(queued(message(to(bob), "alarm"), time.Hour))
	line := alice.onlineWith(func(c *chat) {
		c.answer = func(*submission) reply { return reply{lost: true} }
	})
	lost := line.next()
	line.stop()
	alice.restart()
	line = alice.online()
	again := line.next()
	require.Equal(t, lost.Messages, again.Messages)
	bob.takes()
	require.Equal(t, []string{"alarm"}, bob.texts())
}

func TestOneRecipientHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	carol := alice.world.newParty(t, "+4915100000003")
	for _, request := range []model.SendRequest{message(to(bob), "b1"), message(to(bob), "b2"), message(to(carol), "c1")} {
		alice.sends(queued(request, 3*time.Hour))
	}
	require.NoError(t, alice.world.Faults.Set(faults.Rule{
		Kind: faults.Full, Recipient: bob.aci().String(), RetryAfterSeconds: 3600,
	}))
	line := alice.online()
	refused := line.next()
	require.Equal(t, bob.aci().String(), refused.Destination)
	line.next()
	carol.takes()
	require.Equal(t, []string{"c1"}, carol.texts())
	line.stop()
	line.nothingSent()
	require.NoError(t, alice.world.Faults.Set())
	alice.clock.advance(time.Hour + time.Second)
	line = alice.online()
	line.next()
	line.next()
	bob.takes()
	require.Equal(t, []string{"b1", "b2"}, bob.texts())
}

func TestQueuedSendThatFailsForGood(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.sends(queued(message(to(bob), "nobody there"), time.Hour))
	broken := alice.sends(queued(message(to(bob), "broken"), time.Hour))
	alice.update(func(tx *store.Tx) error {
		record, err := tx.Outgoing(broken.Timestamp)
		if err != nil {
			return err
		}
		record.Request = []byte("{")
		return tx.PutOutgoing(record)
	})
	events := alice.watch()
	alice.world.Accounts.Remove(bob.aci())
	alice.online()
	for range 2 {
		outcome := await(t, events, func(e model.Event) bool { return e.Outgoing != nil }).Outgoing
		require.Equal(t, model.OutgoingFailed, outcome.State)
		require.Equal(t, testCode(nil), outcome.StatusCode)
		require.NotEmpty(t, outcome.ErrorMessage)
	}
	require.False(t, alice.outbox.holdsQueue())
}

func TestConcurrentSends(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	alice.sends(message(to(bob), "first"))
	line.next()
	bob.takes()
	var sending sync.WaitGroup
	for i := range 20 {
		sending.Go(func() { alice.sends(message(to(bob), fmt.Sprint(i))) })
	}
	sending.Wait()
	timestamps := make(map[uint64]bool)
	for range 20 {
		sent := line.next()
		timestamps[sent.Timestamp] = true
		bob.takes()
	}
	require.Len(t, timestamps, 20)
	require.Len(t, bob.texts(), 21)
	require.NotContains(t, bob.texts(), "[ENTRY_UNREADABLE]")
}

func TestInterruptedSendIsSettled(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.update(func(tx *store.Tx) error {
		return tx.PutOutgoing(&storepb.Outgoing{
			Timestamp: 5, CreatedAt: alice.clock.Now().Add(-time.Hour).UnixMilli(),
			Recipients: []*storepb.OutgoingRecipient{{Address: bob.aci().String()}},
		})
	})
	alice.outbox.settleInterrupted()
	outgoing, err := alice.Outgoing(t.Context(), model.OutgoingQuery{Timestamp: 5})
	require.NoError(t, err)
	require.Equal(t, model.OutgoingFailed, outgoing[0].State)
	require.Contains(t, outgoing[0].ErrorMessage, "stopped")
}

func TestDeliveryReceipts(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.gets(newLetter(bob, alice).text("one"), newLetter(bob, alice).text("two"))
	line := alice.online()
	receipt := line.next()
	require.False(t, receipt.Urgent)
	bob.takes()
	require.Equal(t, []string{"[ENTRY_RECEIPT]"}, bob.texts())
	var c servicepb.Content
	require.NoError(t, proto.Unmarshal(bob.entries()[0].GetContent(), &c))
	require.Len(t, c.GetReceiptMessage().GetTimestamp(), 2)
}

func TestNoReceiptToWhomIsBlockedSince(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.gets(newLetter(bob, alice).text("one"))
	alice.update(func(tx *store.Tx) error {
		r, err := tx.RecipientByServiceID(bob.aci())
		if err != nil {
			return err
		}
		r.Blocked = true
		return tx.PutRecipient(r)
	})
	line := alice.connect()
	_, err := alice.outbox.sendReceipts(t.Context())
	require.NoError(t, err)
	require.Empty(t, alice.receipts())
	line.nothingSent()
}

func TestAskedAgainAndAnswered(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	result := alice.sends(message(to(bob), "hello"))
	line.next()
	lost := bob.collects()[0]
	lost.Content[len(lost.Content)-3] ^= 1
	bob.gets(lost)
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, bob.texts())
	line.stop()

	there := bob.online()
	request := there.next()
	require.EqualValues(t, servicepb.Envelope_PLAINTEXT_CONTENT, request.Messages[0].Type)
	there.stop()
	alice.takes()
	require.Len(t, alice.jobs(storepb.JobKind_JOB_RESEND), 1)

	line = alice.online()
	again := line.next()
	require.Equal(t, result.Timestamp, again.Timestamp)
	bob.takes()
	require.Equal(t, []string{"[ENTRY_UNREADABLE]", "[ENTRY_RECEIPT]", "hello"}, bob.texts(), "the service's, for the request")
}

func TestAskedForWhatIsNotKept(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	alice.sends(message(to(bob), "long ago"))
	line.next()
	line.stop()
	lost := bob.collects()[0]
	lost.Content[len(lost.Content)-3] ^= 1
	lost.ClientTimestamp = proto.Uint64(lost.GetClientTimestamp() - 1000)
	bob.gets(lost)
	there := bob.online()
	there.next()
	there.stop()
	alice.takes()
	line = alice.online()
	line.next()
	bob.takes()
	require.Equal(t, []string{"[ENTRY_UNREADABLE]", "[ENTRY_RECEIPT]"}, bob.texts(), "a message that says nothing, in a new session")
	require.True(t, alice.sessionWith(bob).HasCurrent())
}

func TestTranscriptCutShort(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	bob := phone.world.newParty(t, "+4915100000002")
	line := desk.online()
	line.answers(func(s *submission) reply {
		if s.Destination == desk.aci().String() {
			return reply{lost: true}
		}
		return accepted
	})
	desk.sends(message(to(bob), "hello"))
	line.next()
	lost := line.next()
	line.stop()
	desk.restart()
	line = desk.online()
	again := line.next()
	require.Equal(t, lost.Messages, again.Messages)
	phone.takes()
	require.Equal(t, []string{"[ENTRY_SYNC]"}, phone.texts())
}

func TestTheAnonymousSocketIsReplaced(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.knows(bob)
	line := alice.online()
	line.answers(sequence(reply{lost: true}, accepted))
	alice.sends(message(to(bob), "hello"))
	line.next()
	line.next()
	bob.takes()
	require.Equal(t, []string{"hello"}, bob.texts())
}

func TestUntrustedIdentity(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	alice.update(func(tx *store.Tx) error {
		return tx.PutRemoteIdentity(bob.aci(), &storepb.RemoteIdentity{
			Key: bob.accounts.get().aciIdentity.keys.Public.Serialize(), Trust: storepb.Trust_TRUST_UNTRUSTED,
		})
	})
	line := alice.online()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	_, err := alice.Send(ctx, message(to(bob), "hello"))
	var untrusted *model.UntrustedIdentityError
	require.ErrorAs(t, err, &untrusted)
	line.nothingSent()
}

func TestSendToAPNI(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	alice.sends(message(model.Destination{Recipients: []model.Recipient{{
		Kind: model.RecipientServiceID, ServiceID: bob.pni(), Text: bob.pni().String(),
	}}}, "to your number"))
	sent := line.next()
	require.Equal(t, bob.pni().String(), sent.Destination)
	require.False(t, sent.Anonymous)
	bob.takes()
	require.Equal(t, []string{"to your number"}, bob.texts())
	require.True(t, bob.entries()[0].GetToPni())
}

func TestOutOfTimeBeforeAnythingLeft(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := alice.Send(ctx, message(to(bob), "too late"))
	var short *model.CutShortError
	require.ErrorAs(t, err, &short)
	require.Equal(t, model.NotLeft, short.Departure)
}

func TestTheSameRequestTwiceAtOnce(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	var sending sync.WaitGroup
	results := make([]model.SendResult, 5)
	for i := range results {
		sending.Go(func() { results[i] = alice.sends(keyed(message(to(bob), "alarm"), "k")) })
	}
	sending.Wait()
	for _, result := range results {
		require.Equal(t, results[0].Timestamp, result.Timestamp)
	}
	line.next()
	bob.takes()
	require.Equal(t, []string{"alarm"}, bob.texts())
	line.nothingSent()
}

func TestResendOfAMessageToOneselfAndAnother(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	bob := phone.world.newParty(t, "+4915100000002")
	line := desk.online()
	destination := model.Destination{Recipients: append(
		[]model.Recipient{{Kind: model.RecipientSelf, Text: "self"}}, to(bob).Recipients...)}
	result := desk.sends(message(destination, "both of us"))
	line.stop()
	desk.view(func(tx *store.Tx) error {
		kept, err := tx.Resend(result.Timestamp)
		require.NoError(t, err)
		require.Equal(t, [][]byte{bob.aci().Binary()}, kept.GetRecipients())
		var c servicepb.Content
		require.NoError(t, proto.Unmarshal(kept.GetContent(), &c))
		require.Equal(t, "both of us", c.GetDataMessage().GetBody())
		return nil
	})
}

func TestSendThatJoinsTheQueue(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	line := alice.online()
	refuse := true
	line.answers(func(*submission) reply {
		if refuse {
			refuse = false
			return reply{status: http.StatusTooManyRequests} // without a time
		}
		return accepted
	})
	events := alice.watch()
	result := alice.sends(queued(message(to(bob), "alarm"), time.Hour))
	require.True(t, result.Queued)
	refused, sent := line.next(), line.next()
	require.Equal(t, refused.Messages, sent.Messages)
	outcome := await(t, events, func(e model.Event) bool { return e.Outgoing != nil }).Outgoing
	require.Equal(t, result.Timestamp, outcome.Timestamp)
	require.Equal(t, model.OutgoingSent, outcome.State)
}
