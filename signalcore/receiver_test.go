package signalcore

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), soon)
}

// pair is two people who have not met.
func pair(t testing.TB) (alice, bob *party) {
	w := newWorld(t)
	return w.newParty(t, "+4915100000001"), w.newParty(t, "+4915100000002")
}

func TestConversation(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	for round := range 3 {
		for _, sealed := range []bool{false, true} {
			there, back := newLetter(alice, bob), newLetter(bob, alice)
			there.sealed, back.sealed = sealed, sealed
			bob.gets(there.text(fmt.Sprint("there ", round, sealed)))
			alice.gets(back.text(fmt.Sprint("back ", round, sealed)))
		}
		alice.restart()
		bob.restart()
	}
	require.Equal(t, []string{
		"there 0 false", "there 0 true", "there 1 false", "there 1 true", "there 2 false", "there 2 true",
	}, bob.texts())
	require.Len(t, alice.texts(), 6)
	entries := bob.entries()
	id := alice.aci().UUID
	require.Equal(t, id[:], entries[0].GetSenderAci())
	require.False(t, entries[0].GetSealed())
	require.Empty(t, entries[0].GetSenderNumber())
	require.True(t, entries[1].GetSealed())
	require.Equal(t, "+4915100000001", entries[1].GetSenderNumber(), "the certificate vouches for it")
	require.Len(t, bob.receipts(), 6)
	require.Equal(t, alice.aci(), bob.receipts()[0].To)
}

func TestTheSameEnvelopeAgain(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	first := newLetter(alice, bob).text("once")
	bob.gets(first)
	bob.gets(first)
	bob.restart()
	bob.gets(first, first)
	again := proto.CloneOf(first)
	again.ServerGuid = proto.String(uuid.NewString())
	bob.gets(again)
	require.Equal(t, []string{"once"}, bob.texts(), "the same ciphertext with another GUID is a duplicate too")
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST))
}

// A sender who was not told that a message left encrypts it anew, with the same time.
func TestTheSameMessageEncryptedAgain(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	first, second := newLetter(alice, bob), newLetter(alice, bob)
	bob.gets(first.text("one"), first.text("one"))
	bob.restart()
	first.sealed = true
	bob.gets(second.text("two"), first.text("one"))
	require.Equal(t, []string{"one", "two"}, bob.texts())
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST))

	carol := alice.world.newParty(t, "+4915100000003")
	carol.knows(bob)
	same := newLetter(carol, bob)
	same.timestamp = second.timestamp
	bob.gets(same.text("another's, of that time"))
	require.Len(t, bob.texts(), 3)
	require.Len(t, bob.receipts(), 3, "each is told of once, however often it came")

	reaction := func(emoji string) *servicepb.Envelope {
		c, err := content.NewReaction(content.Common{Timestamp: second.timestamp}, content.Reaction{
			Target: content.MessageRef{Author: bob.aci(), Timestamp: 7}, Emoji: emoji,
		})
		require.NoError(t, err)
		return second.content(c)
	}
	bob.gets(reaction("👍"), reaction("🎉"), reaction("👍"))
	require.Len(t, bob.texts(), 5, "two reactions of one time, one of which came again")
}

func TestGarbledMessageInABatch(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("zero"))
	alice.gets(newLetter(bob, alice).text("answered"))
	garbled := newLetter(alice, bob).text("lost")
	garbled.Content[len(garbled.Content)/2] ^= 1
	bob.gets(newLetter(alice, bob).text("one"), garbled, newLetter(alice, bob).text("two"))
	require.Equal(t, []string{"zero", "one", "[ENTRY_UNREADABLE]", "two"}, bob.texts())
	entry := bob.entries()[2]
	require.EqualValues(t, statusMessageError, entry.GetStatusCode())
	require.Contains(t, entry.GetError(), "could not be read")
	require.Equal(t, garbled.GetClientTimestamp(), entry.GetTimestamp())
	require.Len(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST), 1)
	require.Len(t, bob.receipts(), 3, "nothing is owed for what was not read")
}

func TestWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	stranger := newLetter(alice, bob).text("for someone else")
	stranger.DestinationServiceId = proto.String(serviceid.NewACI(uuid.New()).String())
	nobody := newLetter(alice, bob).text("from nobody")
	nobody.SourceServiceId = nil
	unknown := newLetter(alice, bob).text("of no kind")
	unknown.Type = servicepb.Envelope_UNKNOWN.Enum()
	bob.gets(stranger, nobody, unknown)
	count, err := bob.receiver.commit([]service.Envelope{{Bytes: []byte{0xff, 0x01}}, {Bytes: []byte{0xff, 0x01}}})
	require.NoError(t, err)
	require.Equal(t, 2, count)
	for _, entry := range bob.entries() {
		require.Equal(t, storepb.EntryType_ENTRY_UNREADABLE, entry.GetType())
	}
	require.Len(t, bob.entries(), 4, "garbage is told once")
}

func TestOneEnvelopeSpoilsNothing(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	var envelopes []*servicepb.Envelope
	for i := range 5 {
		envelopes = append(envelopes, newLetter(alice, bob).text(fmt.Sprint(i)))
	}
	poison := envelopes[2].GetClientTimestamp()
	bob.receiver.fault = func(a *arrival) error {
		if a.envelope.GetClientTimestamp() == poison {
			panic("poison")
		}
		return nil
	}
	alice.posts(bob, envelopes...)
	bob.online()
	bob.awaitEmpty()
	require.Equal(t, []string{"0", "1", "3", "4"}, bob.texts())
	var kept []*storepb.Quarantined
	bob.view(func(tx *store.Tx) error {
		return tx.Quarantined(0, 10, func(q *storepb.Quarantined) error {
			kept = append(kept, q)
			return nil
		})
	})
	require.Len(t, kept, 1)
	require.Contains(t, kept[0].GetError(), "poison")
	require.EqualValues(t, maxAttempts, kept[0].GetAttempts())
	var envelope servicepb.Envelope
	require.NoError(t, proto.Unmarshal(kept[0].GetEnvelope(), &envelope))
	require.Equal(t, poison, envelope.GetClientTimestamp())
	bob.gets(&envelope)
	require.Len(t, bob.texts(), 4, "it is not tried again")
}

func TestNothingIsAcknowledgedWithoutADisk(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	full := make(chan struct{})
	bob.receiver.fault = func(*arrival) error {
		select {
		case <-full:
			return nil
		default:
			return fmt.Errorf("cannot write: %w", store.ErrDiskFull)
		}
	}
	events := bob.watch()
	alice.posts(bob, newLetter(alice, bob).text("one"), newLetter(alice, bob).text("two"))
	bob.online()
	await(t, events, func(e model.Event) bool { return e.Connection != nil && e.Connection.State == "paused" })
	require.Equal(t, 2, bob.waiting())
	require.Empty(t, bob.texts())
	close(full)
	bob.awaitEmpty()
	require.Equal(t, []string{"one", "two"}, bob.texts())
}

func TestLargeBatchIsSplit(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	var envelopes []*servicepb.Envelope
	for range 200 {
		envelopes = append(envelopes, newLetter(alice, bob).text(string(make([]byte, 1900))+"x"))
	}
	left := batch(t, envelopes...)
	for rounds := 0; len(left) > 0; rounds++ {
		count, err := bob.receiver.commit(left)
		require.NoError(t, err)
		require.Positive(t, count)
		require.Less(t, rounds, 20)
		left = left[count:]
	}
	require.Len(t, bob.entries(), 200)
}

func TestManySendersInABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := w.newParty(t, "")
	alice := w.newParty(t, "")
	var envelopes []*servicepb.Envelope
	for range 60 { // one store plays all the senders
		aci := uuid.New()
		alice.update(func(tx *store.Tx) error {
			record, err := tx.Account()
			if err != nil {
				return err
			}
			record.Aci, record.AciIdentity = aci[:], keyPairRecord(newKeys(t))
			if _, err := tx.DeleteAllSessions(serviceid.ACI); err != nil {
				return err
			}
			return tx.PutAccount(record)
		})
		require.NoError(t, alice.reloadAccount())
		envelopes = append(envelopes, newLetter(alice, bob).text("hello"))
	}
	left := batch(t, envelopes...)
	for len(left) > 0 {
		count, err := bob.receiver.commit(left)
		require.NoError(t, err)
		left = left[count:]
	}
	require.Len(t, bob.entries(), 60)
}

func TestBlockedSender(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("before"))
	alice.gets(newLetter(bob, alice).text("hello"))
	bob.update(func(tx *store.Tx) error {
		r, err := tx.RecipientByServiceID(alice.aci())
		if err != nil {
			return err
		}
		r.Blocked = true
		return tx.PutRecipient(r)
	})
	garbled := newLetter(alice, bob).text("garbled")
	garbled.Content[len(garbled.Content)/2] ^= 1
	bob.gets(newLetter(alice, bob).text("blocked"), garbled)
	require.Equal(t, []string{"before"}, bob.texts())
	require.Len(t, bob.receipts(), 1)
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST))
	require.Equal(t, 2, bob.Status(t.Context()).Dropped)
	bob.update(func(tx *store.Tx) error {
		r, err := tx.RecipientByServiceID(alice.aci())
		if err != nil {
			return err
		}
		r.Blocked = false
		return tx.PutRecipient(r)
	})
	bob.gets(newLetter(alice, bob).text("after"))
	require.Equal(t, []string{"before", "after"}, bob.texts(), "the session went on")
}

func TestUnknownContent(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	empty, later := newLetter(alice, bob), newLetter(alice, bob)
	unknown := &servicepb.Content{}
	unknown.ProtoReflect().SetUnknown([]byte{0xfa, 0x3f, 0x01, 'x'}) // a field of tomorrow
	bob.gets(empty.content(&servicepb.Content{}), later.content(unknown))
	entries := bob.entries()
	require.Len(t, entries, 2)
	for _, entry := range entries {
		require.Equal(t, storepb.EntryType_ENTRY_UNKNOWN, entry.GetType())
		require.EqualValues(t, statusMissingContent, entry.GetStatusCode())
		require.NotEmpty(t, entry.GetError())
	}
	require.Equal(t, []byte{0xfa, 0x3f, 0x01, 'x'}, entries[1].GetContent(), "nothing is lost")
}

func TestNewIdentityIsAnEvent(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	events := bob.watch()
	bob.gets(newLetter(alice, bob).text("before"))
	alice.gets(newLetter(bob, alice).text("hello"))
	alice.registersAnew()
	bob.gets(newLetter(alice, bob).text("after"))
	require.Equal(t, []string{"before", "after"}, bob.texts())
	event := await(t, events, func(e model.Event) bool { return e.Identity != nil })
	require.Equal(t, alice.aci(), event.Identity.ServiceID)
	require.Equal(t, alice.accounts.get().aciIdentity.keys.Public.Serialize(), event.Identity.Fingerprint)
	require.NotZero(t, bob.entries()[1].GetChangedIdentity())
	alice.gets(newLetter(bob, alice).text("to the new one"))
	require.Contains(t, alice.texts(), "to the new one")
}

func TestMessageToThePNI(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	first := newLetter(alice, bob)
	first.toPNI = true
	bob.gets(first.text("to your number"))
	require.Equal(t, []string{"to your number"}, bob.texts())
	require.True(t, bob.entries()[0].GetToPni())
	require.True(t, bob.recipient(alice.aci()).GetPniSignatureNeeded())
	require.Equal(t, serviceid.PNI, bob.receipts()[0].From)

	reply := newLetter(bob, alice)
	body, err := bob.sender.withPNISignature(alice.aci(), textContent(t, reply.timestamp, "it is me"))
	require.NoError(t, err)
	require.NotNil(t, body.GetPniSignatureMessage())
	alice.gets(reply.content(body))
	require.Equal(t, []string{"it is me"}, alice.texts())
	joined := alice.recipient(bob.aci())
	pni, ok := store.RecipientPNI(joined)
	require.True(t, ok)
	require.Equal(t, bob.pni(), pni)
	require.True(t, joined.GetPniSignatureVerified())

	receipt := newLetter(alice, bob)
	bob.gets(receipt.content(content.NewReceipt(content.ReceiptDelivery, []uint64{reply.timestamp})))
	require.False(t, bob.recipient(alice.aci()).GetPniSignatureNeeded(), "they have it")
}

func TestForgedPNISignature(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	to := newLetter(alice, bob)
	to.toPNI = true
	bob.gets(to.text("hello"))
	mallory := bob.world.newParty(t, "+4915100000009")
	forged := newLetter(mallory, alice)
	body := textContent(t, forged.timestamp, "I am Bob")
	content.AddPNISignature(body, content.PNISignature{PNI: bob.pni(), Signature: make([]byte, curve.SignatureSize)})
	alice.gets(forged.content(body))
	_, joined := store.RecipientPNI(alice.recipient(mallory.aci()))
	require.False(t, joined)
}

func TestRetryRequestRoundTrip(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("one"))
	alice.gets(newLetter(bob, alice).text("two"))
	lost := newLetter(alice, bob)
	lost.sealed = true
	envelope := lost.text("lost")
	bob.update(func(tx *store.Tx) error { // Bob came back from an old backup, say
		_, err := tx.DeleteAllSessions(serviceid.ACI)
		return err
	})
	bob.gets(envelope)
	require.Equal(t, []string{"one", "[ENTRY_UNREADABLE]"}, bob.texts())
	jobs := bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST)
	require.Len(t, jobs, 1)

	request := newLetter(bob, alice)
	c := request.encrypt(parcel{raw: jobs[0].GetPayload()})
	require.EqualValues(t, servicepb.Envelope_PLAINTEXT_CONTENT, c.GetType())
	before := alice.sessionWith(bob)
	alice.gets(request.envelope(c))
	require.True(t, before.HasCurrent())
	require.False(t, alice.sessionWith(bob).HasCurrent(), "the session that Bob has no more is set aside")
	resends := alice.jobs(storepb.JobKind_JOB_RESEND)
	require.Len(t, resends, 1)
	var resend storepb.ResendRequest
	require.NoError(t, proto.Unmarshal(resends[0].GetPayload(), &resend))
	require.Equal(t, lost.timestamp, resend.GetTimestamp())
	require.True(t, resend.GetArchived())
	require.Equal(t, []string{"two"}, alice.texts(), "a request is nothing to show")
	bob.gets(newLetter(alice, bob).text("lost, again"))
	require.Contains(t, bob.texts(), "lost, again")
}

func (p *party) sessionWith(other *party) session.Record {
	p.t.Helper()
	var record session.Record
	p.view(func(tx *store.Tx) (err error) {
		a := other.accounts.get()
		record, err = newSessionBook(tx).get(sessionName{serviceid.ACI, a.address(a.aci)})
		return err
	})
	return record
}

func TestRetryRequestForAnotherDevice(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	envelope := newLetter(alice, bob).text("one")
	bob.gets(envelope)
	request, err := session.NewDecryptionError(envelope.GetContent(), session.TypePreKey, envelope.GetClientTimestamp(), 5)
	require.NoError(t, err)
	l := newLetter(bob, alice)
	alice.gets(l.envelope(l.encrypt(parcel{raw: request.Plaintext()})))
	require.Empty(t, alice.jobs(storepb.JobKind_JOB_RESEND))
	require.True(t, alice.sessionWith(bob).HasCurrent())
}

func TestSilentFailure(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("one"))
	alice.gets(newLetter(bob, alice).text("two"))
	bob.update(func(tx *store.Tx) error {
		_, err := tx.DeleteAllSessions(serviceid.ACI)
		return err
	})
	l := newLetter(alice, bob)
	l.sealed, l.hint = true, sealedsender.Implicit
	bob.gets(l.text("an indicator"))
	require.Equal(t, []string{"one"}, bob.texts())
	require.Len(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST), 1)
}

func TestPlaintextIsNotBelieved(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	l := newLetter(alice, bob)
	plaintext, err := padded(textContent(t, l.timestamp, "trust me"))
	require.NoError(t, err)
	forged := l.envelope(&storepb.Ciphertext{
		Type: uint32(servicepb.Envelope_PLAINTEXT_CONTENT), Body: append([]byte{0xc0}, plaintext...),
	})
	bob.gets(forged)
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, bob.texts())
	require.Empty(t, bob.receipts())
}

func TestForgedCertificate(t *testing.T) {
	t.Parallel()
	bob := newWorld(t).newParty(t, "+4915100000002")
	other := newWorld(t)
	mallory := other.newParty(t, "+4915100000009")
	l := newLetter(mallory, bob)
	l.sealed = true
	bob.gets(l.text("signed by nobody"))
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, bob.texts())
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST))
}

func TestDamagedSessionIsReplaced(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("one"))
	alice.gets(newLetter(bob, alice).text("two"))
	a := alice.accounts.get()
	bob.update(func(tx *store.Tx) error {
		return tx.PutSession(serviceid.ACI, a.address(a.aci), []byte("\x0a\xff damaged"))
	})
	_, err := bob.receiver.commit(batch(t, newLetter(alice, bob).text("x")))
	require.ErrorIs(t, err, session.ErrCorrupt)
	alice.posts(bob, newLetter(alice, bob).text("unreadable"))
	bob.connect() // nothing is sent: the requests stay where they are
	bob.awaitEmpty()
	require.Equal(t, []string{"one", "[ENTRY_UNREADABLE]"}, bob.texts())
	require.Len(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST), 1)
	require.Zero(t, bob.Status(t.Context()).Quarantined)
}

func TestSessionResetByTheOtherSide(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	bob.gets(newLetter(alice, bob).text("one"))
	alice.gets(newLetter(bob, alice).text("two"))
	l := newLetter(alice, bob)
	bob.gets(l.content(content.NewEndSession(l.timestamp)))
	require.False(t, bob.sessionWith(alice).HasCurrent())
}

func TestReceiptOfTheService(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	e := newLetter(alice, bob).envelope(&storepb.Ciphertext{Type: uint32(servicepb.Envelope_SERVER_DELIVERY_RECEIPT)})
	bob.gets(e)
	require.Equal(t, []string{"[ENTRY_RECEIPT]"}, bob.texts())
}

func TestNotLinked(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	letter := newLetter(alice, bob).text("one")
	require.NoError(t, bob.markUnlinked("removed"))
	_, err := bob.receiver.commit(batch(t, letter))
	require.True(t, isDiskTrouble(err), "it is waited for, not put away: %v", err)
	require.False(t, errors.Is(err, store.ErrDiskFull))
}
