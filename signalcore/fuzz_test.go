package signalcore

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/store"
)

var errRolledBack = errors.New("undone on purpose")

// FuzzReceive feeds the receiver anything at all: whatever comes from outside, it is the message's fault, so that the
// transaction could commit.
func FuzzReceive(f *testing.F) {
	alice, bob := pair(f)
	for _, sealed := range []bool{false, true} {
		l := newLetter(alice, bob)
		l.sealed = sealed
		raw, err := proto.Marshal(l.text("hello"))
		require.NoError(f, err)
		f.Add(raw)
		alice.gets(newLetter(bob, alice).text("hello"))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		bob.tries(t, func(h *handler) (effects, error) { return h.handle(raw) })
	})
}

// tries has something handled, and undone.
func (p *party) tries(t *testing.T, handle func(*handler) (effects, error)) {
	err := p.store.Update(func(tx *store.Tx) error {
		h := newHandler(p.receiver, tx, p.accounts.get())
		if _, err := handle(h); err != nil {
			return err
		}
		if err := h.book.flush(); err != nil {
			return err
		}
		return errRolledBack
	})
	require.ErrorIs(t, err, errRolledBack)
}

// FuzzContent has a contact say anything at all.
func FuzzContent(f *testing.F) {
	alice, bob := pair(f)
	c := bob.world.newClub(f, alice, bob)
	c.knownBy(bob)
	l := letter{timestamp: 5}
	voice := alice.broadcast()
	signed := c.renames(alice, "Hikers")
	for _, body := range []*servicepb.Content{
		c.text(l, "hello"), c.update(l, signed), c.textAt(l, "hello", c.context(9, nil)), voice.key(),
		content.NewTyping(5, content.Typing{Started: true, GroupID: c.id()}),
		syncOf(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Sent_{Sent: &servicepb.SyncMessage_Sent{
			Timestamp: proto.Uint64(5), Message: c.textAt(l, "hello", c.context(1, signed)).GetDataMessage(),
		}}}),
	} {
		raw, err := proto.Marshal(body)
		require.NoError(f, err)
		f.Add(raw)
	}
	text, err := proto.Marshal(textContent(f, 5, "hello"))
	require.NoError(f, err)
	f.Add(text)
	sync, err := proto.Marshal(syncOf(&servicepb.SyncMessage{
		Content: &servicepb.SyncMessage_Blocked_{Blocked: &servicepb.SyncMessage_Blocked{Acis: []string{"x"}}},
	}))
	require.NoError(f, err)
	f.Add(sync)
	a := alice.accounts.get()
	handle := func(t *testing.T, raw []byte, from *account) {
		bob.tries(t, func(h *handler) (effects, error) {
			return h.opened(&arrival{
				envelope: &servicepb.Envelope{ClientTimestamp: proto.Uint64(5)}, sender: from.address(from.aci), destination: bob.aci(),
			}, raw)
		})
	}
	self := *bob.accounts.get()
	self.deviceID = 2
	f.Fuzz(func(t *testing.T, raw []byte) {
		handle(t, raw, a)
		handle(t, raw, &self)
	})
}

// FuzzPNIKeys reads what the primary's library wrote.
func FuzzPNIKeys(f *testing.F) {
	pair, err := curve.GenerateKeyPair(zeros{})
	require.NoError(f, err)
	change := changeOfNumber(f, pair, "+4915100000001").GetSyncMessage().GetPniChangeNumber()
	f.Add(change.GetIdentityKeyPair(), change.GetSignedPreKey(), change.GetLastResortKyberPreKey())
	f.Fuzz(func(_ *testing.T, identity, signed, last []byte) {
		_, _ = readPNIKeys(&content.PNIChange{IdentityKeyPair: identity, SignedPreKey: signed, LastResortKyberPreKey: last})
	})
}

// zeros is randomness for keys that nobody relies on.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
