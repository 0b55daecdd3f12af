package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
)

// opener is who opens the session.
type opener int

const (
	weOpen opener = iota
	theyOpen
	bothOpen
)

// script says what a random conversation between ours and the official library is like.
type script struct {
	seed       uint64
	length     int // messages sent, both ways together
	loss       int // percent
	duplicates int // percent
	reorder    int // percent of the deliveries
	resets     int // per mille of the messages: a side archives its session and opens another
	opener     opener
}

// maxLate is how many later messages may overtake one. Each may start a new chain, of which the fifth is the last that
// both libraries keep.
const maxLate = 4

// flight is a message under way.
type flight struct {
	sent
	text      string
	number    int
	overtaken int
}

// conversation runs a script. All randomness but the official library's own comes from the seed.
type conversation struct {
	script
	t      *testing.T
	random *rand.Rand
	ours   *party
	theirs *theirs
	toUs   []flight
	toThem []flight
	done   map[int]bool // the numbers of messages that were decrypted
	count  int
	late   int
	twice  int
}

func converse(t *testing.T, p *peer, s script) *conversation {
	c := &conversation{
		script: s, t: t, random: rand.New(rand.NewPCG(s.seed, 1)), done: map[int]bool{},
		ours: newParty(t, s.seed),
	}
	id := serviceid.NewACI(uuid.MustParse("796abedb-ca4e-4f18-8803-1fde5b921f9f"))
	c.theirs = p.device(fmt.Sprint(s.seed), serviceid.Address{ServiceID: id, DeviceID: 1 + uint32(s.seed%5)})
	defer p.must("remove", fields{"party": c.theirs.name})
	if s.opener != theyOpen {
		c.reset(true)
	}
	if s.opener != weOpen {
		c.reset(false)
	}
	c.run()
	return c
}

// reset opens a new session on one side.
func (c *conversation) reset(ours bool) {
	if ours {
		c.ours.record = c.ours.record.Archive()
		c.ours.open(c.theirs.address, c.theirs.bundle(c.random.IntN(4) > 0))
		return
	}
	c.theirs.open(c.ours)
}

func (c *conversation) percent(p int) bool { return c.random.IntN(100) < p }

func (c *conversation) run() {
	for c.count < c.length {
		switch queue := c.random.IntN(3); {
		case queue == 0 && len(c.toUs) > 0:
			c.deliver(true)
		case queue == 1 && len(c.toThem) > 0:
			c.deliver(false)
		default:
			c.send(c.random.IntN(2) == 0)
		}
	}
	for len(c.toUs) > 0 {
		c.deliver(true)
	}
	for len(c.toThem) > 0 {
		c.deliver(false)
	}
}

// send encrypts a message where that side has a session, and loses or doubles it.
func (c *conversation) send(ours bool) {
	if c.random.IntN(1000) < c.resets {
		c.reset(ours)
	}
	c.count++
	f := flight{number: c.count, text: fmt.Sprint(c.count, strings.Repeat("·", c.random.IntN(300)))}
	queue := &c.toUs
	switch {
	case ours && !c.ours.record.HasCurrent(), !ours && c.opener == weOpen && !c.heard():
		return
	case ours:
		c.ours.restart()
		f.sent = c.ours.encrypt(c.theirs.address, f.text)
		queue = &c.toThem
	default:
		f.sent = c.theirs.encrypt(c.ours, f.text)
	}
	if c.percent(c.loss) {
		return
	}
	*queue = append(*queue, f)
	if c.percent(c.duplicates) {
		*queue = append(*queue, f)
	}
}

// heard reports whether the other side has decrypted a message, and so has a session.
func (c *conversation) heard() bool { return c.done[0] }

// deliver hands over one message: the first, or, where none is too late already, one of those behind it.
func (c *conversation) deliver(toUs bool) {
	queue := &c.toThem
	if toUs {
		queue = &c.toUs
	}
	at := 0
	if c.percent(c.reorder) && (*queue)[0].overtaken < maxLate {
		at = c.random.IntN(min(len(*queue), maxLate+1-(*queue)[0].overtaken))
	}
	for i := range at {
		(*queue)[i].overtaken++
	}
	f := (*queue)[at]
	*queue = append((*queue)[:at], (*queue)[at+1:]...)
	if at > 0 {
		c.late++
	}
	var got string
	var err error
	if toUs {
		c.ours.restart()
		got, err = c.ours.decrypt(c.theirs.address, f.sent)
	} else if got, err = c.theirs.decrypt(c.ours, f.sent); err == nil {
		c.done[0] = true
	}
	if c.done[f.number] {
		c.twice++
		require.True(c.t, errors.Is(err, ErrDuplicate), "message %d of %+v: %v", f.number, c.script, err)
		return
	}
	require.NoError(c.t, err, "message %d of %+v (to us: %v)", f.number, c.script, toUs)
	require.Equal(c.t, f.text, got)
	c.done[f.number] = true
}
