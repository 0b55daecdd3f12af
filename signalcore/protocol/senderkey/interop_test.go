package senderkey

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/testdata/interop/official"
)

// conversation is one sender, one distribution id after the other, and one receiver, both played by two: our code and
// the official library take turns at sending from the same stored record, and both receive everything that arrives.
// They must agree on each outcome and, to the byte, on each record. All randomness of ours comes from the seed.
type conversation struct {
	t      *testing.T
	peer   *official.Peer
	random *rand.Rand
	source *rand.ChaCha8

	distribution uuid.UUID
	sender       hexBytes
	receivers    map[uuid.UUID]hexBytes
	underway     []parcel
	sent         map[string]string // plaintexts by message
	opened       map[string]bool
	tally
}

// parcel is a message under way, or a distribution message.
type parcel struct {
	bytes hexBytes
	key   bool
}

// tally counts what happened.
type tally struct {
	Sent, Opened, Lost, Twice, Changed, Keys, NoKey, Duplicates int
}

func (a *tally) add(b tally) {
	a.Sent, a.Opened, a.Lost, a.Twice = a.Sent+b.Sent, a.Opened+b.Opened, a.Lost+b.Lost, a.Twice+b.Twice
	a.Changed, a.Keys = a.Changed+b.Changed, a.Keys+b.Keys
	a.NoKey, a.Duplicates = a.NoKey+b.NoKey, a.Duplicates+b.Duplicates
}

func converse(t *testing.T, peer *official.Peer, seed uint64, length int) tally {
	c := &conversation{
		t: t, peer: peer, random: rand.New(rand.NewPCG(seed, 3)), source: seeded(byte(seed)),
		receivers: map[uuid.UUID]hexBytes{}, sent: map[string]string{}, opened: map[string]bool{},
	}
	c.newDistribution()
	for range length {
		switch at := c.random.IntN(100); {
		case at < 2:
			c.newDistribution()
		case at < 6: // a new key under the same id
			c.sender = nil
			c.sendKey()
		case at < 10:
			c.sendKey()
		case at < 60 || len(c.underway) == 0:
			c.send()
		default:
			c.deliver()
		}
	}
	for len(c.underway) > 0 {
		c.deliver()
	}
	return c.tally
}

func (c *conversation) percent(p int) bool { return c.random.IntN(100) < p }

func (c *conversation) newDistribution() {
	_, _ = c.source.Read(c.distribution[:])
	c.sender = nil
	c.sendKey()
}

// answer is the union of the peer's answers.
type answer struct {
	OK                         bool
	Error                      string
	Message, Record, Plaintext hexBytes
	Distribution               uuid.UUID
}

func (c *conversation) ask(op string, record []byte, more map[string]any) (a answer) {
	request := map[string]any{"op": op, "record": hexBytes(record), "distribution": c.distribution.String()}
	for k, v := range more {
		request[k] = v
	}
	require.NoError(c.t, c.peer.Ask(request, &a))
	return a
}

func (c *conversation) sendKey() {
	c.Keys++
	if c.percent(50) {
		a := c.ask("groupDistribute", c.sender, nil)
		c.sender = a.Record
		c.post(parcel{a.Message, true})
		return
	}
	message, record, err := NewDistribution(c.source, parse(c.t, c.sender), c.distribution)
	require.NoError(c.t, err)
	c.sender = record.Serialize()
	c.post(parcel{message, true})
}

func (c *conversation) send() {
	c.Sent++
	text := make([]byte, c.random.IntN(300))
	_, _ = c.source.Read(text)
	var message hexBytes
	if c.percent(50) {
		a := c.ask("groupEncrypt", c.sender, map[string]any{"plaintext": hexBytes(text)})
		message, c.sender = a.Message, a.Record
	} else {
		sealed, record, err := Encrypt(c.source, parse(c.t, c.sender), c.distribution, text)
		require.NoError(c.t, err)
		message, c.sender = sealed, record.Serialize()
	}
	c.sent[string(message)] = string(text)
	c.post(parcel{message, false})
}

// post puts a parcel under way, or loses it, or doubles it, or spoils it.
func (c *conversation) post(p parcel) {
	switch {
	case c.percent(15):
		c.Lost++
		return
	case c.percent(10):
		c.Twice++
		c.underway = append(c.underway, p)
	case c.percent(4) && !p.key:
		c.Changed++
		p.bytes = slices.Clone(p.bytes)
		p.bytes[c.random.IntN(len(p.bytes))] ^= 1 << c.random.IntN(8)
	}
	c.underway = append(c.underway, p)
}

// deliver hands over the first parcel, or any.
func (c *conversation) deliver() {
	at := 0
	if c.percent(30) {
		at = c.random.IntN(len(c.underway))
	}
	p := c.underway[at]
	c.underway = slices.Delete(c.underway, at, at+1)
	if p.key {
		c.receiveKey(p.bytes)
		return
	}
	c.receive(p.bytes)
}

func (c *conversation) receiveKey(message hexBytes) {
	d, err := ParseDistribution(message)
	require.NoError(c.t, err)
	theirs := c.ask("groupProcess", c.receivers[d.ID], map[string]any{"message": message})
	id, record, err := ProcessDistribution(message, parse(c.t, c.receivers[d.ID]))
	require.NoError(c.t, err)
	require.Equal(c.t, theirs.Distribution, id)
	require.True(c.t, bytes.Equal(theirs.Record, record.Serialize()))
	c.receivers[id] = theirs.Record
}

func (c *conversation) receive(message hexBytes) {
	id, _ := DistributionIDOf(message)
	before := c.receivers[id]
	theirs := c.ask("groupDecrypt", before, map[string]any{"message": message})
	plaintext, record, err := Decrypt(parse(c.t, before), message)
	requireOutcome(c.t, theirs.Error, err)
	switch {
	case err != nil:
		require.True(c.t, bytes.Equal(theirs.Record, before))
		c.count(theirs.Error)
		return
	case !bytes.Equal(theirs.Plaintext, plaintext), c.sent[string(message)] != string(plaintext):
		c.t.Fatal("decrypted to something else")
	case c.opened[string(message)]:
		c.t.Fatal("decrypted twice")
	}
	require.True(c.t, bytes.Equal(theirs.Record, record.Serialize()))
	c.Opened++
	c.opened[string(message)] = true
	c.receivers[id] = theirs.Record
}

func (c *conversation) count(outcome string) {
	switch outcome {
	case "no key":
		c.NoKey++
	case "duplicate":
		c.Duplicates++
	}
}

func TestConversationsWithTheOfficialLibrary(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	var all tally
	for seed := range uint64(60) {
		all.add(converse(t, peer, seed, 60))
	}
	t.Logf("%+v", all)
	require.NotZero(t, min(all.Opened, all.Lost, all.Twice, all.Changed, all.NoKey, all.Duplicates))
}

// TestJumpsWithTheOfficialLibrary leaves out messages up to the limit and beyond.
func TestJumpsWithTheOfficialLibrary(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	c := &conversation{
		t: t, peer: peer, distribution: distribution, receivers: map[uuid.UUID]hexBytes{},
		sent: map[string]string{}, opened: map[string]bool{},
	}
	sender, receiver := pair(t)
	c.receivers[distribution] = receiver.Serialize()
	for _, iteration := range []uint32{
		1, 0, 1999, 2001, MaxJump + 2003, MaxJump + 2002, 2000, MaxJump + 3, MaxJump + 2, MaxJump + 1, MaxJump + 3,
	} {
		message, _ := say(t, sender.at(iteration), "text")
		c.sent[string(message)] = "text"
		c.receive(message)
	}
	require.Equal(t, tally{Opened: 7, Duplicates: 3}, c.tally)
}
