package session

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/ratchet"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/sessionpb"
)

func TestConversation(t *testing.T) {
	alice, bob := pair(t)
	require.False(t, alice.record.Answered())
	first := alice.encrypt(bob.address, "first")
	require.Equal(t, TypePreKey, first.kind)
	got, err := bob.decrypt(alice.address, first)
	require.NoError(t, err)
	require.Equal(t, "first", got)
	require.Empty(t, bob.oneTime)
	require.Empty(t, bob.kyber)
	for i := range 200 {
		say(bob, alice, fmt.Sprint("from Bob ", i))
		say(alice, bob, fmt.Sprint("from Alice ", i))
		alice.restart()
		bob.restart()
	}
	require.True(t, alice.record.Answered())
	require.Equal(t, TypeMessage, alice.encrypt(bob.address, "later").kind)
}

func TestWhatAnEncryptionReturns(t *testing.T) {
	alice, bob := pair(t)
	before := alice.record.Serialize()
	out, err := Encrypt(alice.rand, alice.record, alice.ends(bob.address), start, nil)
	require.NoError(t, err)
	require.Equal(t, before, alice.record.Serialize())
	require.Equal(t, bob.local.Identity.Public, out.RemoteIdentity)
	require.Equal(t, bob.local.RegistrationID, out.RemoteRegistrationID)

	id, err := alice.record.RemoteRegistrationID()
	require.NoError(t, err)
	require.Equal(t, bob.local.RegistrationID, id)
	identity, err := alice.record.RemoteIdentity()
	require.NoError(t, err)
	require.Equal(t, bob.local.Identity.Public, identity)
	identity, err = alice.record.LocalIdentity()
	require.NoError(t, err)
	require.Equal(t, alice.local.Identity.Public, identity)
}

func TestWhatAFirstMessageUses(t *testing.T) {
	alice, bob := pair(t)
	first := alice.encrypt(bob.address, "first")
	out, err := bob.try(alice.address, first)
	require.NoError(t, err)
	require.Equal(t, uint32(1), *out.Used.OneTimeID)
	require.Equal(t, uint32(1), out.Used.KyberID)
	require.Equal(t, uint32(7), out.Used.SignedID)
	require.False(t, out.Used.LastResort)
	require.Equal(t, alice.local.Identity.Public, out.RemoteIdentity)
	key, err := alice.record.BaseKey()
	require.NoError(t, err)
	require.Equal(t, key, out.Used.BaseKey)

	// The next first message meets the session, and uses nothing.
	bob.record = out.Record
	bob.oneTime, bob.kyber = nil, nil
	out, err = bob.try(alice.address, alice.encrypt(bob.address, "second"))
	require.NoError(t, err)
	require.Nil(t, out.Used)
}

func TestLastResort(t *testing.T) {
	alice, bob := newParty(t, 1), newParty(t, 2)
	bundle := bob.bundle()
	last, err := prekey.GenerateLastResort(bob.rand, bob.local.Identity.Private, 99, start)
	require.NoError(t, err)
	bob.kyber[99] = last
	bundle.Kyber, bundle.OneTime = last.Public(), nil
	alice.open(bob.address, bundle)
	out, err := bob.try(alice.address, alice.encrypt(bob.address, "first"))
	require.NoError(t, err)
	require.True(t, out.Used.LastResort)
	require.Nil(t, out.Used.OneTimeID)
}

func TestMissingPreKeys(t *testing.T) {
	for _, kind := range []PreKeyKind{OneTime, Signed, Kyber} {
		alice, bob := pair(t)
		first := alice.encrypt(bob.address, "first")
		id := uint32(1)
		switch kind {
		case OneTime:
			clear(bob.oneTime)
		case Signed:
			bob.signed.ID, id = 8, 7
		case Kyber:
			clear(bob.kyber)
		}
		_, err := bob.decrypt(alice.address, first)
		var missing *MissingPreKeyError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, MissingPreKeyError{kind, id}, *missing)
		require.True(t, bob.record.IsEmpty())
	}
}

func TestDuplicates(t *testing.T) {
	alice, bob := pair(t)
	first := alice.encrypt(bob.address, "first")
	for i := range 2 {
		_, err := bob.decrypt(alice.address, first)
		require.Equal(t, i == 1, err != nil)
		if err != nil {
			require.ErrorIs(t, err, ErrDuplicate)
		}
	}
	say(bob, alice, "answer")
	m := alice.encrypt(bob.address, "second")
	_, err := bob.decrypt(alice.address, m)
	require.NoError(t, err)
	// Also once the session is archived.
	bob.record = bob.record.Archive()
	_, err = bob.decrypt(alice.address, m)
	require.ErrorIs(t, err, ErrDuplicate)
}

// TestTamperedMessagesChangeNothing flips each byte of both kinds of message.
func TestTamperedMessagesChangeNothing(t *testing.T) {
	alice, bob := pair(t)
	first := alice.encrypt(bob.address, "first")
	check := func(m sent) {
		for i := range m.ciphertext {
			spoiled := sent{m.kind, bytes.Clone(m.ciphertext)}
			spoiled.ciphertext[i] ^= 1 << (i % 8)
			out, err := bob.decrypt(alice.address, spoiled)
			if err == nil {
				// What the MAC does not cover is what the recipient does not use.
				require.Equal(t, TypePreKey, m.kind)
				continue
			}
			require.Empty(t, out)
		}
	}
	// A first message has many parts that change nothing for this recipient; none may make it panic or be lost.
	for i := range first.ciphertext {
		spoiled := sent{TypePreKey, bytes.Clone(first.ciphertext)}
		spoiled.ciphertext[i] ^= 1 << (i % 8)
		before := bob.record
		_, _ = bob.try(alice.address, spoiled)
		require.Equal(t, before, bob.record)
	}
	_, err := bob.decrypt(alice.address, first)
	require.NoError(t, err)
	say(bob, alice, "answer")
	m := alice.encrypt(bob.address, "second")
	check(m)
	got, err := bob.decrypt(alice.address, m)
	require.NoError(t, err)
	require.Equal(t, "second", got)
}

func TestAddressesAreChecked(t *testing.T) {
	alice, bob := pair(t)
	first := alice.encrypt(bob.address, "first")
	for _, change := range []func(ends *Ends){
		func(e *Ends) { e.Local.DeviceID++ },
		func(e *Ends) { e.Remote.DeviceID++ },
		func(e *Ends) { e.Local.ServiceID.Kind = serviceid.PNI },
		func(e *Ends) { e.Remote.ServiceID.UUID[3]++ },
	} {
		ends := bob.ends(alice.address)
		change(&ends)
		m, err := ParsePreKeyMessage(first.ciphertext)
		require.NoError(t, err)
		_, err = DecryptPreKey(bob.record, bob.local, ends, m, bob.find(m))
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err := bob.decrypt(alice.address, first)
	require.NoError(t, err)
}

func TestOuterIdentityMustBeTheSessions(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	m, err := ParsePreKeyMessage(alice.encrypt(bob.address, "second").ciphertext)
	require.NoError(t, err)
	m.Identity = newParty(t, 3).local.Identity.Public
	_, err = DecryptPreKey(bob.record, bob.local, bob.ends(alice.address), m, PreKeys{})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestNoSession(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	say(bob, alice, "answer")
	m, err := ParseMessage(alice.encrypt(bob.address, "second").ciphertext)
	require.NoError(t, err)
	_, err = Decrypt(Record{}, bob.ends(alice.address), m)
	require.ErrorIs(t, err, ErrNoSession)
	_, err = Encrypt(alice.rand, Record{}, alice.ends(bob.address), start, nil)
	require.ErrorIs(t, err, ErrNoSession)
	_, err = Encrypt(alice.rand, alice.record.Archive(), alice.ends(bob.address), start, nil)
	require.ErrorIs(t, err, ErrNoSession)
	for _, ask := range []func(Record) error{
		func(r Record) error { _, err := r.RemoteIdentity(); return err },
		func(r Record) error { _, err := r.LocalIdentity(); return err },
		func(r Record) error { _, err := r.RemoteRegistrationID(); return err },
		func(r Record) error { _, err := r.BaseKey(); return err },
	} {
		require.ErrorIs(t, ask(Record{}), ErrNoSession)
	}
	require.Empty(t, Record{}.Serialize())
	require.Equal(t, Record{}, Record{}.Archive())
	require.False(t, Record{}.CanSend(start))
}

func TestUnansweredSessionExpires(t *testing.T) {
	alice, bob := pair(t)
	alice.restart()
	for _, c := range []struct {
		age    time.Duration
		usable bool
	}{{0, true}, {MaxUnacknowledgedAge, true}, {MaxUnacknowledgedAge + time.Second, false}} {
		now := start.Add(c.age)
		require.Equal(t, c.usable, alice.record.CanSend(now))
		_, err := Encrypt(alice.rand, alice.record, alice.ends(bob.address), now, nil)
		if c.usable {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrNoSession)
		require.ErrorIs(t, err, ErrUnanswered)
	}
	say(alice, bob, "first")
	say(bob, alice, "answer")
	require.True(t, alice.record.CanSend(start.Add(1000*MaxUnacknowledgedAge)))
}

func TestBothOpen(t *testing.T) {
	alice, bob := newParty(t, 1), newParty(t, 2)
	alice.open(bob.address, bob.bundle())
	bob.open(alice.address, alice.bundle())
	fromAlice, fromBob := alice.encrypt(bob.address, "a"), bob.encrypt(alice.address, "b")
	got, err := alice.decrypt(bob.address, fromBob)
	require.NoError(t, err)
	require.Equal(t, "b", got)
	got, err = bob.decrypt(alice.address, fromAlice)
	require.NoError(t, err)
	require.Equal(t, "a", got)
	for range 5 {
		say(alice, bob, "more")
		say(bob, alice, "and more")
	}
	a, err := alice.record.BaseKey()
	require.NoError(t, err)
	b, err := bob.record.BaseKey()
	require.NoError(t, err)
	require.Equal(t, a, b, "both settle on one session")
}

func TestArchivedSessionsAreKeptAndBounded(t *testing.T) {
	alice, bob := newParty(t, 1), newParty(t, 2)
	var messages []sent
	for i := range MaxArchived + 3 {
		alice.open(bob.address, bob.bundle())
		say(alice, bob, "first")
		say(bob, alice, "answer")
		messages = append(messages, alice.encrypt(bob.address, fmt.Sprint("late ", i)))
	}
	require.Len(t, bob.record.previous, MaxArchived)
	require.Len(t, alice.record.previous, MaxArchived)
	bob.restart()
	// The current session and forty archived ones decrypt; older ones are gone.
	for i := len(messages) - 1; i >= 0; i-- {
		got, err := bob.decrypt(alice.address, messages[i])
		if i < len(messages)-MaxArchived-1 {
			require.ErrorIs(t, err, ErrInvalid)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("late ", i), got)
		require.Len(t, bob.record.previous, MaxArchived)
	}
}

func TestArchivedSessionIsPromotedByAFirstMessage(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	again := alice.encrypt(bob.address, "again")
	old, err := bob.record.BaseKey()
	require.NoError(t, err)
	bob.open(alice.address, alice.bundle())
	bob.restart()
	got, err := bob.decrypt(alice.address, again)
	require.NoError(t, err)
	require.Equal(t, "again", got)
	now, err := bob.record.BaseKey()
	require.NoError(t, err)
	require.Equal(t, old, now)
}

func TestRatchetKeyMatches(t *testing.T) {
	alice, bob := pair(t)
	first := alice.encrypt(bob.address, "first")
	failed, err := NewDecryptionError(first.ciphertext, first.kind, 1, 1)
	require.NoError(t, err)
	require.True(t, alice.record.RatchetKeyMatches(*failed.RatchetKey))
	require.False(t, alice.record.Archive().RatchetKeyMatches(*failed.RatchetKey))
	require.False(t, Record{}.RatchetKeyMatches(*failed.RatchetKey))
	_, err = bob.decrypt(alice.address, first)
	require.NoError(t, err)
	say(bob, alice, "answer")
	require.False(t, alice.record.RatchetKeyMatches(*failed.RatchetKey))
}

func TestForgedBundle(t *testing.T) {
	alice, bob := newParty(t, 1), newParty(t, 2)
	for _, forge := range []func(*prekey.Bundle){
		func(b *prekey.Bundle) { b.Signed.Signature = bytes.Clone(b.Kyber.Signature) },
		func(b *prekey.Bundle) { b.Kyber.Signature = nil },
		func(b *prekey.Bundle) { b.Identity = alice.local.Identity.Public },
		func(b *prekey.Bundle) { b.Signed.Key = alice.local.Identity.Public },
	} {
		bundle := bob.bundle()
		forge(&bundle)
		_, err := Open(alice.rand, Record{}, alice.local, alice.ends(bob.address), Opening{bundle, start})
		require.ErrorIs(t, err, prekey.ErrSignature)
	}
}

func TestNoRandomnessNoSession(t *testing.T) {
	alice, bob := pair(t)
	bundle := bob.bundle()
	for n := range 3 {
		short := bytes.NewReader(make([]byte, 31*n))
		_, err := Open(short, Record{}, alice.local, alice.ends(bob.address), Opening{bundle, start})
		require.Error(t, err)
	}
}

func TestJumps(t *testing.T) {
	if testing.Short() {
		t.Skip("sends tens of thousands of messages")
	}
	alice, bob := pair(t)
	say(alice, bob, "first")
	say(bob, alice, "answer")
	skip := func(n int) {
		for range n {
			alice.encrypt(bob.address, "lost")
		}
	}
	early := alice.encrypt(bob.address, "early")
	skip(1)
	kept := alice.encrypt(bob.address, "kept")
	skip(ratchet.MaxSkipped - 1)
	say(alice, bob, "late") // the keys of 2,000 messages before it are kept, of which "kept" is the oldest
	_, err := bob.decrypt(alice.address, early)
	require.Error(t, err)
	bob.restart()
	got, err := bob.decrypt(alice.address, kept)
	require.NoError(t, err)
	require.Equal(t, "kept", got)

	// The post-quantum ratchet counts the message itself: one fewer may be missing than the Double Ratchet allows.
	skip(ratchet.MaxJump - 1)
	far := alice.encrypt(bob.address, "far")
	atEdge := bob.record
	got, err = bob.decrypt(alice.address, far)
	require.NoError(t, err)
	require.Equal(t, "far", got)
	bob.record = atEdge
	_, err = bob.decrypt(alice.address, alice.encrypt(bob.address, "too far"))
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorIs(t, err, ratchet.ErrMessage)
	_, err = bob.decrypt(alice.address, alice.encrypt(bob.address, "still further"))
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorIs(t, err, ratchet.ErrTooFarAhead)
}

func TestSelfSessionJumpsFurther(t *testing.T) {
	if testing.Short() {
		t.Skip("sends tens of thousands of messages")
	}
	phone, tablet := newParty(t, 1), newParty(t, 2)
	tablet.local.Identity = phone.local.Identity
	tablet.address = serviceid.Address{ServiceID: phone.address.ServiceID, DeviceID: 2}
	signed, err := prekey.GenerateSigned(tablet.rand, tablet.local.Identity.Private, 7, start)
	require.NoError(t, err)
	tablet.signed = signed
	phone.open(tablet.address, tablet.bundle())
	say(phone, tablet, "first")
	for range ratchet.MaxJump + 10 {
		phone.encrypt(tablet.address, "lost")
	}
	say(phone, tablet, "far")
}

func TestCorruptRecords(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	alice.open(bob.address, bob.bundle())
	good := alice.record.Serialize()
	_, err := ParseRecord(good)
	require.NoError(t, err)
	var pb sessionpb.Record
	require.NoError(t, proto.Unmarshal(good, &pb))
	require.Len(t, pb.Previous, 1)
	again, err := proto.Marshal(&pb)
	require.NoError(t, err)
	require.Equal(t, good, again, "the hand-written form is the protobuf's")

	for _, bad := range [][]byte{
		{0xff}, {0x08, 1}, {0x1a, 0}, {0x0a, 5, 1}, good[:len(good)-1], append(bytes.Clone(good), good...),
	} {
		_, err := ParseRecord(bad)
		require.ErrorIs(t, err, ErrCorrupt)
	}
	for _, spoil := range []func(*sessionpb.Session){
		func(s *sessionpb.Session) { s.Version = 3 },
		func(s *sessionpb.Session) { s.LocalIdentity = nil },
		func(s *sessionpb.Session) { s.RemoteIdentity = s.RemoteIdentity[1:] },
		func(s *sessionpb.Session) { s.BaseKey = nil },
		func(s *sessionpb.Session) { s.Ratchet = nil },
		func(s *sessionpb.Session) { s.Ratchet.RootKey = nil },
		func(s *sessionpb.Session) { s.Ratchet.Sending.PrivateKey = nil },
		func(s *sessionpb.Session) { s.Ratchet.Sending.PublicKey = nil },
		func(s *sessionpb.Session) { s.Ratchet.Sending.ChainKey = nil },
		func(s *sessionpb.Session) { s.Ratchet.Receiving[0].RatchetKey = nil },
		func(s *sessionpb.Session) { s.Ratchet.Receiving[0].ChainKey = nil },
		func(s *sessionpb.Session) { s.Ratchet.Receiving[0].Skipped = make([]byte, 35) },
		func(s *sessionpb.Session) { s.Ratchet.Receiving, s.Ratchet.Sending = nil, nil },
		func(s *sessionpb.Session) {
			for range ratchet.MaxChains {
				s.Ratchet.Receiving = append(s.Ratchet.Receiving, s.Ratchet.Receiving[0])
			}
		},
	} {
		var session sessionpb.Session
		require.NoError(t, proto.Unmarshal(pb.Current, &session))
		spoil(&session)
		current, err := proto.Marshal(&session)
		require.NoError(t, err)
		bad, err := proto.Marshal(&sessionpb.Record{Current: current})
		require.NoError(t, err)
		_, err = ParseRecord(bad)
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

func TestCorruptPostQuantumStateIsNotTheMessagesFault(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	say(bob, alice, "answer")
	m := alice.encrypt(bob.address, "second")
	var pb sessionpb.Session
	require.NoError(t, proto.Unmarshal(bob.record.current.serialize(), &pb))
	pb.Ratchet.PostQuantum = []byte{0xff}
	stored, err := proto.Marshal(&pb)
	require.NoError(t, err)
	bob.record.current, err = parseState(stored)
	require.NoError(t, err)
	_, err = bob.decrypt(alice.address, m)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = Encrypt(bob.rand, bob.record, bob.ends(alice.address), start, nil)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestCorruptArchivedSessionIsPassedOver(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	say(bob, alice, "answer")
	m := alice.encrypt(bob.address, "second")
	bob.record = bob.record.Archive()
	bob.record.previous = [][]byte{{0xff}, {}, bob.record.previous[0]}
	bob.restart()
	got, err := bob.decrypt(alice.address, m)
	require.NoError(t, err)
	require.Equal(t, "second", got)
}
