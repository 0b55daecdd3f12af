package signalcore

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// meeting is a club of three, of whom each knows the others.
func meeting(t testing.TB) (c *club, alice, bob, carol *party) {
	w := newWorld(t)
	alice, bob, carol = w.newParty(t, "+4915100000001"), w.newParty(t, "+4915100000002"), w.newParty(t, "+4915100000003")
	c = w.newClub(t, alice, bob, carol)
	c.knownBy(alice, bob, carol)
	return c, alice, bob, carol
}

func (p *party) dropped() int {
	p.t.Helper()
	return p.Status(p.t.Context()).Dropped
}

func (p *party) parked(c *club) (n int) {
	p.t.Helper()
	p.view(func(tx *store.Tx) (err error) {
		n, err = tx.CountParked(c.id())
		return err
	})
	return n
}

// awaitRelease waits until nothing waits for the group's state any more.
func (p *party) awaitRelease(c *club) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.parked(c) == 0 }, soon, 5*time.Millisecond)
}

// awaitNews waits until so much is in the inbox, which knows of a commit a little later than the store.
func (p *party) awaitNews(count int) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return len(p.entries()) >= count }, soon, 5*time.Millisecond)
}

// news are the texts in the inbox, and the kinds of groups' changes.
func (p *party) news() []string {
	p.t.Helper()
	texts := p.texts()
	for i, e := range p.entries() {
		if change := e.GetGroupChange(); change != nil {
			texts[i] = fmt.Sprintf("[%s %d]", change.GetKind(), change.GetRevision())
		}
	}
	return texts
}

func TestMessageOfAMember(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	l := newLetter(alice, bob)
	bob.gets(l.content(c.text(l, "hello")))
	require.Equal(t, []string{"hello"}, bob.texts())
	require.Equal(t, c.id(), bob.entries()[0].GetGroupId())
	require.Len(t, bob.receipts(), 1)
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH))
	require.Zero(t, bob.world.asked.Load())
}

func TestWhoIsNotHeard(t *testing.T) {
	t.Parallel()
	c, alice, bob, carol := meeting(t)
	mallory := bob.world.newParty(t, "+4915100000009")
	admins := bob.world.newClub(t, alice, bob, carol)
	admins.change(alice, func(e *group.Edit) error { return e.AnnouncementsOnly(true) })
	was, blocked := bob.world.newClub(t, alice), bob.world.newClub(t, alice, bob)
	for _, known := range []*club{admins, was, blocked} {
		known.knownBy(bob)
	}
	bob.update(func(tx *store.Tx) error {
		record, err := tx.Group(blocked.id())
		if err != nil {
			return err
		}
		record.Blocked = true
		return tx.PutGroup(record)
	})
	says := func(c *club) func(letter) *servicepb.Content {
		return func(l letter) *servicepb.Content { return c.text(l, "hello") }
	}
	types := func(c *club) func(letter) *servicepb.Content {
		return func(l letter) *servicepb.Content {
			return content.NewTyping(l.timestamp, content.Typing{Started: true, GroupID: c.id()})
		}
	}
	deletes := func(l letter) *servicepb.Content {
		out, aci := c.update(l, nil), bob.aci().UUID
		out.GetDataMessage().AdminDelete = &servicepb.DataMessage_AdminDelete{
			TargetAuthorAciBinary: aci[:], TargetSentTimestamp: proto.Uint64(5),
		}
		return out
	}
	for name, one := range map[string]struct {
		from *party
		body func(letter) *servicepb.Content
	}{
		"a stranger to the group":             {mallory, says(c)},
		"a stranger who types":                {mallory, types(c)},
		"someone who types in no group":       {mallory, types(bob.world.newClub(t, mallory))},
		"not an admin, where these speak":     {carol, says(admins)},
		"not an admin, who deletes":           {carol, deletes},
		"a member of a group that we left":    {alice, says(was)},
		"someone who types there":             {alice, types(was)},
		"a member of a group that is blocked": {alice, says(blocked)},
		"someone who types in that":           {alice, types(blocked)},
	} {
		t.Run(name, func(t *testing.T) {
			before := bob.dropped()
			l := newLetter(one.from, bob)
			bob.gets(l.content(one.body(l)))
			require.Empty(t, bob.texts())
			require.Empty(t, bob.receipts())
			require.Equal(t, before+1, bob.dropped())
			require.Empty(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH))
		})
	}
	for _, body := range []func(letter) *servicepb.Content{says(admins), deletes, types(c)} {
		l := newLetter(alice, bob)
		bob.gets(l.content(body(l)))
	}
	require.Equal(t, []string{"hello", "[ENTRY_DELETE]", "[ENTRY_TYPING]"}, bob.texts())
}

// TestChangeInAMessage takes the group's next state from the message itself: nobody is asked.
func TestChangeInAMessage(t *testing.T) {
	t.Parallel()
	c, alice, bob, carol := meeting(t)
	signed := c.renames(alice, "Hikers")
	tells, says := newLetter(alice, bob), newLetter(carol, bob)
	bob.gets(tells.content(c.update(tells, signed)), says.content(c.text(says, "a fine name")))
	require.Equal(t, []string{"[titleChanged 1]", "a fine name"}, bob.news())
	entry := bob.entries()[0]
	require.Equal(t, tells.timestamp, entry.GetTimestamp())
	require.Equal(t, "Club", entry.GetGroupChange().GetBefore())
	require.Equal(t, "Hikers", entry.GetGroupChange().GetAfter())
	require.Equal(t, alice.aci().Binary(), entry.GetGroupChange().GetEditor())
	require.EqualValues(t, 1, bob.groupOf(c).GetRevision())
	require.Len(t, bob.receipts(), 2)
	require.Zero(t, bob.world.asked.Load())
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH))

	again := newLetter(alice, bob)
	bob.gets(again.content(c.update(again, signed)))
	require.Len(t, bob.news(), 2, "a change is told once")
}

func TestMessageWithAChangeAndABody(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	signed := c.renames(alice, "Hikers")
	l := newLetter(alice, bob)
	bob.gets(l.content(c.textAt(l, "with a word", c.context(1, signed))))
	require.Equal(t, []string{"[titleChanged 1]", "with a word"}, bob.news())
}

// TestNewerMessageWaits has the service tell what happened before a message can be filed.
func TestNewerMessageWaits(t *testing.T) {
	t.Parallel()
	c, alice, bob, carol := meeting(t)
	dave := bob.world.newParty(t, "+4915100000004")
	c.adds(alice, dave)
	c.renames(carol, "Hikers")
	first, second, third := newLetter(dave, bob), newLetter(carol, bob), newLetter(alice, bob)
	mallory := newLetter(bob.world.newParty(t, "+4915100000009"), bob)
	bob.gets(
		first.content(c.textAt(first, "hello, I am Dave", c.context(1, nil))),
		mallory.content(c.text(mallory, "so am I")),
		second.content(c.text(second, "after the new name")),
		third.content(c.textAt(third, "of before", c.context(0, nil))),
	)
	require.Equal(t, []string{"of before"}, bob.news(), "its sender knew no more than we do")
	require.Equal(t, 3, bob.parked(c))
	require.Len(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH), 1, "one question for all of them")
	require.Len(t, bob.receipts(), 1)
	bob.restart()

	bob.online()
	bob.awaitNews(5)
	require.Equal(t, []string{
		"of before", "[memberAdded 1]", "hello, I am Dave", "[titleChanged 2]", "after the new name",
	}, bob.news())
	require.Equal(t, 1, bob.dropped())
	require.Equal(t, first.timestamp, bob.entries()[2].GetTimestamp())
}

// TestUnknownGroup is how a group begins for someone who was added.
func TestUnknownGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.newParty(t, "+4915100000001"), w.newParty(t, "+4915100000002")
	c := w.newClub(t, alice)
	signed := c.adds(alice, bob)
	tells, says := newLetter(alice, bob), newLetter(alice, bob)
	bob.gets(tells.content(c.update(tells, signed)), says.content(c.text(says, "welcome")))
	require.Empty(t, bob.news())
	require.Equal(t, 1, bob.parked(c))
	bob.online()
	bob.awaitNews(2)
	require.Equal(t, []string{"[memberAdded 1]", "welcome"}, bob.news())
	require.Equal(t, storepb.GroupStanding_GROUP_MEMBER, bob.groupOf(c).GetStanding())
}

func TestGroupThatWeAreNotIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.newParty(t, "+4915100000001"), w.newParty(t, "+4915100000002")
	c := w.newClub(t, alice)
	l := newLetter(alice, bob)
	bob.gets(l.content(c.text(l, "you should be here")))
	require.Equal(t, 1, bob.parked(c))
	bob.online()
	bob.awaitRelease(c)
	require.Empty(t, bob.news())
	require.Equal(t, 1, bob.dropped())
}

// TestRemovedAndAddedAgain drops what is said between the two.
func TestRemovedAndAddedAgain(t *testing.T) {
	t.Parallel()
	c, alice, bob, carol := meeting(t)
	out := newLetter(alice, bob)
	bob.gets(out.content(c.update(out, c.removes(alice, bob))))
	require.Equal(t, []string{"[memberRemoved 1]"}, bob.news())
	behind := newLetter(carol, bob)
	bob.gets(behind.content(c.text(behind, "he is gone")))
	require.Equal(t, 1, bob.dropped())
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH))

	again, says := newLetter(alice, bob), newLetter(carol, bob)
	bob.gets(again.content(c.update(again, c.adds(alice, bob))), says.content(c.text(says, "welcome back")))
	bob.online()
	bob.awaitNews(3)
	require.Equal(t, []string{"[memberRemoved 1]", "[memberAdded 2]", "welcome back"}, bob.news())
}

// TestRevisionThatNeverWas files a message of a member all the same, once the service has said that there is no more.
func TestRevisionThatNeverWas(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	l := newLetter(alice, bob)
	bob.gets(l.content(c.textAt(l, "from the future", c.context(77, nil))))
	require.Empty(t, bob.news())
	bob.online()
	bob.awaitNews(1)
	require.Equal(t, []string{"from the future"}, bob.news())
}

func TestForgedChangeIsNotTaken(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	var signed servicepb.GroupChange
	require.NoError(t, proto.Unmarshal(c.renames(alice, "Mine"), &signed))
	signed.ServerSignature[3] ^= 1
	forged, err := proto.Marshal(&signed)
	require.NoError(t, err)
	l := newLetter(alice, bob)
	bob.gets(l.content(c.update(l, forged)))
	require.Empty(t, bob.news())
	require.Zero(t, bob.groupOf(c).GetRevision())
	require.Len(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH), 1)
}

func TestOwnMessageToAGroup(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	alice := phone.world.newParty(t, "+4915100000003")
	c := phone.world.newClub(t, alice, phone)
	sent := func(body *servicepb.Content) *servicepb.Content {
		return syncOf(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Sent_{Sent: &servicepb.SyncMessage_Sent{
			Timestamp: body.GetDataMessage().Timestamp, Message: body.GetDataMessage(),
		}}})
	}
	l := newLetter(phone, desk)
	desk.gets(l.content(sent(c.text(l, "from my phone"))))
	require.Equal(t, []string{"[ENTRY_SYNC]"}, desk.texts(), "it is ours, and filed at once")
	require.Len(t, desk.jobs(storepb.JobKind_JOB_GROUP_REFRESH), 1)
	c.knownBy(desk)
	signed := c.renames(phone, "Hikers")
	l = newLetter(phone, desk)
	desk.gets(l.content(sent(c.textAt(l, "with a new name", c.context(1, signed)))))
	require.Equal(t, []string{"[ENTRY_SYNC]", "[titleChanged 1]", "[ENTRY_SYNC]"}, desk.news())
}

func TestSenderKeyMessageToAGroup(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	other := bob.world.newClub(t, alice, bob)
	other.knownBy(bob)
	to := alice.broadcast()
	to.group = c.id()
	l, l2, l3 := newLetter(alice, bob), newLetter(alice, bob), newLetter(alice, bob)
	bob.gets(newLetter(alice, bob).content(to.key()), to.envelope(l, to.encrypt(c.text(l, "hello all"))))
	bob.gets(
		to.envelope(l2, to.encrypt(other.text(l2, "of another group"))),
		to.envelope(l3, to.encrypt(content.NewTyping(l3.timestamp, content.Typing{Started: true, GroupID: other.id()}))),
	)
	require.Equal(t, []string{"hello all", "[ENTRY_UNREADABLE]", "[ENTRY_UNREADABLE]"}, bob.texts())
	require.Contains(t, bob.entries()[1].GetError(), errOtherGroup.Error())
	require.Equal(t, c.id(), bob.entries()[1].GetGroupId())
}

func TestAdminDeleteOutsideOfGroups(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	l := newLetter(alice, bob)
	aci := bob.aci().UUID
	bob.gets(l.content(&servicepb.Content{Content: &servicepb.Content_DataMessage{DataMessage: &servicepb.DataMessage{
		Timestamp:   proto.Uint64(l.timestamp),
		AdminDelete: &servicepb.DataMessage_AdminDelete{TargetAuthorAciBinary: aci[:], TargetSentTimestamp: proto.Uint64(5)},
	}}}))
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, bob.texts())
}

// TestUnreadableMessageOfAGroup says which group it is of, and says nothing of one that we left, whose message is asked
// for again all the same: it may be an invitation.
func TestUnreadableMessageOfAGroup(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	was := bob.world.newClub(t, alice)
	was.knownBy(bob)
	for _, one := range []*club{c, was} {
		to := alice.broadcast()
		to.key()
		to.group = one.id()
		l := newLetter(alice, bob)
		bob.gets(to.envelope(l, to.encrypt(one.text(l, "lost"))))
	}
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, bob.texts())
	require.Equal(t, c.id(), bob.entries()[0].GetGroupId())
	require.Len(t, bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST), 2)
}

func TestBlockedGroups(t *testing.T) {
	t.Parallel()
	phone, desk := siblings(t)
	c := phone.world.newClub(t, phone)
	c.knownBy(desk)
	tells := func(m *servicepb.SyncMessage) {
		l := newLetter(phone, desk)
		desk.gets(l.content(syncOf(m)))
	}
	list := func(ids ...[]byte) *servicepb.SyncMessage {
		return &servicepb.SyncMessage{Content: &servicepb.SyncMessage_Blocked_{
			Blocked: &servicepb.SyncMessage_Blocked{GroupIds: ids},
		}}
	}
	tells(list(c.id(), []byte("a legacy group")))
	require.True(t, desk.groupOf(c).GetBlocked())
	require.NotEmpty(t, desk.groupOf(c).GetState())
	tells(list())
	require.False(t, desk.groupOf(c).GetBlocked())
	request := func(kind servicepb.SyncMessage_MessageRequestResponse_Type) *servicepb.SyncMessage {
		return &servicepb.SyncMessage{Content: &servicepb.SyncMessage_MessageRequestResponse_{
			MessageRequestResponse: &servicepb.SyncMessage_MessageRequestResponse{GroupId: c.id(), Type: kind.Enum()},
		}}
	}
	tells(request(servicepb.SyncMessage_MessageRequestResponse_BLOCK))
	require.True(t, desk.groupOf(c).GetBlocked())
	tells(request(servicepb.SyncMessage_MessageRequestResponse_ACCEPT))
	require.False(t, desk.groupOf(c).GetBlocked())
	require.True(t, desk.groupOf(c).GetWhitelisted())
}

func TestParkedMessagesAreBounded(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	mallory := bob.world.newParty(t, "+4915100000009")
	bob.update(func(tx *store.Tx) error {
		for range maxParkedOfGroup {
			err := tx.ParkMessage(&storepb.ParkedMessage{GroupId: c.id(), Revision: 9, Entry: &storepb.InboxEntry{}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	l := newLetter(alice, bob)
	bob.gets(l.content(c.textAt(l, "one too many, of a member", c.context(9, nil))))
	require.Equal(t, []string{"one too many, of a member"}, bob.texts(), "out of order rather than lost")
	l = newLetter(mallory, bob)
	bob.gets(l.content(c.textAt(l, "one too many, of a stranger", c.context(9, nil))))
	require.Equal(t, []string{"one too many, of a member", "[ENTRY_UNREADABLE]"}, bob.texts())
	require.Equal(t, maxParkedOfGroup, bob.parked(c))
}

// TestParkedMessagesAreNotForgotten has the service asked again where that was given up, and does what can be done with
// what waited in vain.
func TestParkedMessagesAreNotForgotten(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	l := newLetter(alice, bob)
	bob.gets(l.content(c.textAt(l, "waits", c.context(9, nil))))
	jobs := bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH)
	require.Len(t, jobs, 1)
	require.NoError(t, bob.receiver.tendParked(t.Context()))
	require.Len(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH), 1)
	bob.update(func(tx *store.Tx) error { return tx.DeleteJob(jobs[0].Id) })
	require.NoError(t, bob.receiver.tendParked(t.Context()))
	require.Len(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH), 1)
	require.Empty(t, bob.entries())

	stranger := newLetter(bob.world.newParty(t, "+4915100000009"), bob)
	bob.gets(stranger.content(c.textAt(stranger, "waits, too", c.context(9, nil))))
	bob.clock.advance(parkedFor)
	later := newLetter(alice, bob)
	bob.gets(later.content(c.textAt(later, "waits on", c.context(9, nil))))
	require.NoError(t, bob.receiver.tendParked(t.Context()))
	require.Equal(t, []string{"waits", "[ENTRY_UNREADABLE]"}, bob.texts())
	require.Equal(t, c.id(), bob.entries()[1].GetGroupId())
	require.Equal(t, 1, bob.parked(c))
}

// TestManyParkedMessages are released in several transactions, in order, before what arrives meanwhile.
func TestManyParkedMessages(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	c.renames(alice, "Hikers")
	const count = 120
	var want []uint64
	for range count {
		l := newLetter(alice, bob)
		want = append(want, l.timestamp)
		bob.gets(l.content(c.text(l, string(make([]byte, 1500))+"x")))
	}
	require.Equal(t, count, bob.parked(c))
	bob.online()
	bob.awaitNews(count + 1)
	require.Zero(t, bob.parked(c))
	require.Equal(t, "[titleChanged 1]", bob.news()[0])
	var got []uint64
	for _, e := range bob.entries()[1:] {
		got = append(got, e.GetTimestamp())
	}
	require.Equal(t, want, got)
}

// TestReleaseOfTheRest stops where a transaction is full, and goes on by a job.
func TestReleaseOfTheRest(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	a := alice.aci().UUID
	body := textContent(t, 5, "long")
	tag := protowire.AppendTag(nil, 999, protowire.BytesType)
	body.ProtoReflect().SetUnknown(protowire.AppendBytes(tag, make([]byte, 40_000)))
	raw, err := proto.Marshal(body)
	require.NoError(t, err)
	const count = 60
	for i := range count {
		bob.update(func(tx *store.Tx) error {
			return tx.ParkMessage(&storepb.ParkedMessage{GroupId: c.id(), Receipt: true, Entry: &storepb.InboxEntry{
				Type: storepb.EntryType_ENTRY_MESSAGE, SenderAci: a[:], Timestamp: uint64(i), Content: raw, GroupId: c.id(),
			}})
		})
	}
	l := newLetter(alice, bob)
	bob.gets(l.content(c.text(l, "behind them")))
	require.Equal(t, count+1, bob.parked(c), "what was before it is not filed yet")
	rounds := 0
	bob.update(func(tx *store.Tx) error {
		known, err := bob.groups.load(tx, c.id())
		require.NoError(t, err)
		_, err = bob.receiver.release(tx, known, false)
		return err
	})
	for ; rounds < 100; rounds++ {
		jobs := bob.jobs(storepb.JobKind_JOB_GROUP_RELEASE)
		if len(jobs) == 0 {
			break
		}
		require.Len(t, jobs, 1)
		require.NoError(t, bob.receiver.releaseRest(t.Context(), jobs[0]))
		bob.update(func(tx *store.Tx) error { return tx.DeleteJob(jobs[0].Id) })
	}
	require.Positive(t, rounds, "it was too much for one transaction")
	entries := bob.entries()
	require.Len(t, entries, count+1)
	for i, e := range entries[:count] {
		require.EqualValues(t, i, e.GetTimestamp())
	}
	require.Equal(t, l.timestamp, entries[count].GetTimestamp())
	require.Len(t, bob.receipts(), count+1)
}
