package signalcore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
)

// TestGroupMessageIsSentAgain loses the sender key of one member, who asks for the message, and gets it with the key.
func TestGroupMessageIsSentAgain(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	result := h.desk.sends(message(h.to(), "hello"))
	h.sent()
	h.bob.takesLast()
	require.Equal(t, []string{"[ENTRY_UNREADABLE]"}, h.bob.texts())
	require.Equal(t, h.id(), h.bob.entries()[0].GetGroupId())
	jobs := h.bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST)
	require.Len(t, jobs, 1)

	request := newLetter(h.bob, h.desk)
	request.sealed = true
	h.desk.gets(request.envelope(request.encrypt(parcel{raw: jobs[0].GetPayload(), group: jobs[0].GetGroupId()})))
	again := await(t, h.line.sent, func(s *submission) bool { return s.Destination == h.bob.aci().String() })
	require.Equal(t, result.Timestamp, again.Timestamp)
	require.True(t, again.Anonymous)
	h.bob.takes()
	require.Equal(t, []string{"[ENTRY_UNREADABLE]", "hello"}, h.bob.texts())
	entry := h.bob.entries()[1]
	require.Equal(t, h.id(), entry.GetGroupId())
	var body servicepb.Content
	require.NoError(t, proto.Unmarshal(entry.GetContent(), &body))
	require.NotEmpty(t, body.GetSenderKeyDistributionMessage())

	h.desk.sends(message(h.to(), "second"))
	sent := h.sent()
	require.Len(t, sent, 2, "that bob has the key counts only now")
	require.Equal(t, h.bob.aci().String(), sent[0].Destination)
	h.bob.takesLast()
	require.Equal(t, "second", h.bob.texts()[2], "the key that came with the message does")
}

// TestResendToWhoLeft sends the message again to someone who is no member any more, but not the key.
func TestResendToWhoLeft(t *testing.T) {
	t.Parallel()
	h := newHerd(t)
	h.desk.sends(message(h.to(), "hello"))
	h.sent()
	h.carol.takesLast()
	jobs := h.carol.jobs(storepb.JobKind_JOB_RETRY_REQUEST)
	h.removes(h.bob, h.carol)
	h.knownBy(h.desk)
	request := newLetter(h.carol, h.desk)
	request.sealed = true
	h.desk.gets(request.envelope(request.encrypt(parcel{raw: jobs[0].GetPayload(), group: jobs[0].GetGroupId()})))
	await(t, h.line.sent, func(s *submission) bool { return s.Destination == h.carol.aci().String() })
	h.carol.takes()
	require.Equal(t, []string{"[ENTRY_UNREADABLE]", "hello"}, h.carol.texts())
	var body servicepb.Content
	require.NoError(t, proto.Unmarshal(h.carol.entries()[1].GetContent(), &body))
	require.Empty(t, body.GetSenderKeyDistributionMessage())
}

// TestGroupsSurviveCrashes has a group talk and change while the receiver panics at any envelope, is stopped between
// batches, and gets what it has had: each message and each change is told once, changes before what follows them.
func TestGroupsSurviveCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(storms) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newStorm(t, seed).run() })
	}
}

// storm is such a group, of alice and carol, who talk, and bob, who hears.
type storm struct {
	*club
	t      *testing.T
	random *rand.Rand
	bob    *party
	people []*party
	voices []*broadcast
	mail   []*servicepb.Envelope
	said   []string
}

func newStorm(t *testing.T, seed uint64) *storm {
	c, alice, bob, carol := meeting(t)
	s := &storm{club: c, t: t, random: rand.New(rand.NewPCG(seed, 9)), bob: bob, people: []*party{alice, carol}}
	for _, p := range s.people {
		voice := p.broadcast()
		voice.group = c.id()
		s.voices = append(s.voices, voice)
		s.mail = append(s.mail, newLetter(p, bob).content(voice.key()))
	}
	return s
}

// write makes the mail: texts by sender key and in sessions, changes with their signed change and without.
func (s *storm) write(count int) {
	for i := range count {
		who := s.random.IntN(2)
		p, voice := s.people[who], s.voices[who]
		l := newLetter(p, s.bob)
		text := fmt.Sprint("message ", i)
		body := s.text(l, text)
		switch s.random.IntN(6) {
		case 0: // the change is in the message
			signed := s.renames(p, fmt.Sprint("title ", i))
			body = s.textAt(l, text, s.context(s.state().Revision, signed))
		case 1: // it is not
			s.renames(p, fmt.Sprint("title ", i))
			body = s.text(l, text)
		case 2: // a new key
			s.mail = append(s.mail, newLetter(p, s.bob).content(voice.key()))
		}
		s.said = append(s.said, text)
		if s.random.IntN(2) == 0 {
			s.mail = append(s.mail, l.content(body))
			continue
		}
		s.mail = append(s.mail, voice.envelope(l, voice.encrypt(body)))
	}
}

func (s *storm) run() {
	s.write(60)
	left := s.mail
	for len(left) > 0 {
		s.arm()
		size := min(1+s.random.IntN(8), len(left))
		again := s.mail[:len(s.mail)-len(left)]
		envelopes := slices.Clone(left[:size])
		if len(again) > 0 && s.random.IntN(3) == 0 { // not acknowledged in time, say
			at := s.random.IntN(len(again))
			envelopes = append(slices.Clone(again[at:min(at+3, len(again))]), envelopes...)
		}
		if s.deliver(envelopes) {
			left = left[size:]
		}
		switch s.random.IntN(8) {
		case 0:
			s.bob.restart()
		case 1:
			s.refresh()
		}
	}
	s.refresh()
	s.check()
}

// arm has the receiver panic at some envelope to come.
func (s *storm) arm() {
	countdown := s.random.IntN(20)
	s.bob.receiver.fault = func(*arrival) error {
		if countdown--; countdown == 0 {
			panic("cut short")
		}
		return nil
	}
}

func (s *storm) deliver(envelopes []*servicepb.Envelope) bool {
	rest := batch(s.t, envelopes...)
	for len(rest) > 0 {
		count, err := s.bob.receiver.commit(rest)
		if err != nil {
			return false
		}
		rest = rest[count:]
	}
	return true
}

// refresh is a while with the service, which is cut off as soon as nothing waits any more.
func (s *storm) refresh() {
	s.bob.receiver.fault = nil
	line := s.bob.online()
	s.bob.awaitRelease(s.club)
	s.bob.awaitDone(storepb.JobKind_JOB_GROUP_REFRESH)
	line.stop()
}

func (s *storm) check() {
	s.bob.restart() // so that what is in memory counts for nothing
	var texts []string
	revision := uint32(0)
	revisions := map[string]uint32{}
	for _, e := range s.bob.entries() {
		if change := e.GetGroupChange(); change != nil {
			revision++
			require.Equal(s.t, revision, change.GetRevision(), "each change once, in order")
			continue
		}
		var body servicepb.Content
		require.NoError(s.t, proto.Unmarshal(e.GetContent(), &body))
		text := body.GetDataMessage().GetBody()
		texts, revisions[text] = append(texts, text), revision
		require.GreaterOrEqual(s.t, revision, body.GetDataMessage().GetGroupV2().GetRevision(), "%s came too early", text)
	}
	require.ElementsMatch(s.t, s.said, texts)
	require.Equal(s.t, s.state().Revision, revision)
	require.Equal(s.t, s.state().Revision, s.bob.groupOf(s.club).GetRevision())
	require.Zero(s.t, s.bob.dropped())
	require.Empty(s.t, s.bob.jobs(storepb.JobKind_JOB_RETRY_REQUEST))
}

// TestBatchWithAGroupIsUndoneAsAWhole leaves nothing of a batch behind that fails at its end: no key, no state.
func TestBatchWithAGroupIsUndoneAsAWhole(t *testing.T) {
	t.Parallel()
	c, alice, bob, _ := meeting(t)
	to := alice.broadcast()
	key := newLetter(alice, bob).content(to.key())
	l, l2, l3 := newLetter(alice, bob), newLetter(alice, bob), newLetter(alice, bob)
	change := to.envelope(l, to.encrypt(c.textAt(l, "with a change", c.context(1, c.renames(alice, "Hikers")))))
	newer := l2.content(c.textAt(l2, "waits", c.context(9, nil)))
	last := l3.content(c.textAt(l3, "last", c.context(1, nil)))
	bob.receiver.fault = func(a *arrival) error {
		if a.envelope.GetClientTimestamp() == l3.timestamp {
			panic("cut short")
		}
		return nil
	}
	_, err := bob.receiver.commit(batch(t, key, change, newer, last))
	require.Error(t, err)
	require.Empty(t, bob.entries())
	require.Zero(t, bob.parked(c))
	require.Zero(t, bob.groupOf(c).GetRevision())
	require.Empty(t, bob.jobs(storepb.JobKind_JOB_GROUP_REFRESH))
	bob.receiver.fault = nil
	for range 2 {
		_, err = bob.receiver.commit(batch(t, key, change, newer, last))
		require.NoError(t, err)
		require.Equal(t, []string{"[titleChanged 1]", "with a change", "last"}, bob.news())
		require.Equal(t, 1, bob.parked(c))
	}
}
