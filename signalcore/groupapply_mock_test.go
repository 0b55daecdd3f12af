package signalcore

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// signedChange has a group changed, and returns what the service signed.
func (p *phone) signedChange(by *interop.Account, g *interop.Group, changes interop.Changes) []byte {
	p.t.Helper()
	var answer struct{ Change json.RawMessage }
	p.mock.Call("changeGroup", map[string]any{"account": by.Name, "group": g.ID, "changes": changes}, &answer)
	var text string
	require.NoError(p.t, json.Unmarshal(answer.Change, &text), string(answer.Change))
	signed, err := base64.StdEncoding.DecodeString(text)
	require.NoError(p.t, err)
	return signed
}

func (p *phone) apply(g *interop.Group, signed []byte, from groupOrigin) error {
	return p.store.Update(func(tx *store.Tx) error {
		known, err := p.groups.load(tx, groupIDOf(p.t, g))
		if err != nil {
			return err
		}
		_, err = p.groups.apply(tx, known, signed, from)
		return err
	})
}

// The signed change of a message is taken without asking the service, if it is the next one, genuine, and this group's;
// what it has taken, the log does not bring again.
func TestGroupApply(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		bob := p.mock.NewAccount("bob")
		g := alice.NewGroup("Club", interop.Changes{"members": []string{"me"}})
		other := alice.NewGroup("Other", interop.Changes{"members": []string{"me"}})
		unfetched := alice.NewGroup("Unfetched", interop.Changes{"members": []string{"me"}})
		p.me.SetStorageGroup(g, nil)
		p.me.SetStorageGroup(other, nil)
		p.link()
		stop := p.run()
		p.awaitGroup(g, storepb.GroupStanding_GROUP_MEMBER, 0)
		p.awaitGroup(other, storepb.GroupStanding_GROUP_MEMBER, 0)
		first := p.signedChange(alice, g, interop.Changes{"title": "One"})
		second := p.signedChange(alice, g, interop.Changes{"add": []string{"bob"}})
		third := p.signedChange(bob, g, interop.Changes{"leave": true})
		ofOther := p.signedChange(alice, other, interop.Changes{"title": "Not here"})
		fourth := p.signedChange(alice, g, interop.Changes{"description": "told by the log"})
		stop()

		require.ErrorIs(t, p.apply(g, second, groupOrigin{}), group.ErrRevision)
		require.ErrorIs(t, p.apply(g, ofOther, groupOrigin{}), group.ErrSignature)
		forged := []byte(string(first))
		forged[len(forged)/2] ^= 1
		require.Error(t, p.apply(g, forged, groupOrigin{}))
		require.ErrorIs(t, p.apply(g, nil, groupOrigin{}), group.ErrMalformed)
		require.ErrorIs(t, p.apply(unfetched, first, groupOrigin{}), model.ErrGroupNotFound)
		require.NoError(t, p.store.Update(func(tx *store.Tx) error {
			return p.groups.want(tx, masterKeyOf(t, unfetched), 1)
		}))
		require.ErrorIs(t, p.apply(unfetched, first, groupOrigin{}), errUnfetched)
		require.Empty(t, p.changes(g))
		require.EqualValues(t, 0, p.group(g).state.Revision)

		require.NoError(t, p.apply(g, first, groupOrigin{timestamp: 77, serverTimestamp: 78, device: 2, sealed: true}))
		require.NoError(t, p.apply(g, second, groupOrigin{silent: true}))
		require.NoError(t, p.apply(g, third, groupOrigin{}))
		require.ErrorIs(t, p.apply(g, third, groupOrigin{}), group.ErrRevision, "not twice")
		require.Equal(t, []model.GroupChangeKind{model.GroupTitleChanged, model.GroupMemberLeft}, kinds(p.changes(g)))
		require.NotEmpty(t, p.recipient(bob).GetProfileKey())
		p.view(func(tx *store.Tx) error {
			seen := 0
			return tx.ScanInbox(func(seq uint64, _ *storepb.InboxMeta) error {
				entry, err := tx.InboxEntry(seq)
				if seen++; err == nil && seen == 1 {
					require.EqualValues(t, 77, entry.GetTimestamp())
					require.EqualValues(t, 78, entry.GetServerTimestamp())
					require.EqualValues(t, 2, entry.GetSenderDevice())
					require.True(t, entry.GetSealed())
				}
				return err
			})
		})

		p.run()
		p.sync(g)
		p.agree(g)
		require.Equal(t, []model.GroupChangeKind{
			model.GroupTitleChanged, model.GroupMemberLeft, model.GroupDescriptionChanged,
		}, kinds(p.changes(g)))
		require.ErrorIs(t, p.apply(g, fourth, groupOrigin{}), group.ErrRevision)
	})
}

// errCut stands for a disk that fails at the commit, or a daemon that dies there.
var errCut = errors.New("cut short")

// Wherever a sync is cut short, the next one goes on from there: each change is told once, in order.
func TestGroupSyncCutShort(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, g := p.joined("Club")
		const missed = 80 // two pages, each of many transactions
		for i := range missed {
			long := strings.Repeat(fmt.Sprint(i%10), 1500)
			g.Change(alice, interop.Changes{"title": fmt.Sprint("title ", i), "description": long})
		}
		left, cuts := 3, 0 // how many states are still saved before the next cut; ever more
		p.groups.release = func(*store.Tx, *knownGroup, bool) (effects, error) {
			if left--; left == 0 {
				cuts++
				left = 3 + 2*cuts
				return effects{}, errCut
			}
			return effects{}, nil
		}
		key := p.group(g).params.MasterKey()
		for {
			before := p.group(g).state.Revision
			_, err := p.groups.sync(p.timely(), key, 0)
			known := p.group(g)
			require.Equal(t, known.state.Revision, known.record.GetRevision())
			require.Len(t, p.changes(g), int(2*known.state.Revision), "state and entries are committed together")
			require.GreaterOrEqual(t, known.state.Revision, before)
			if err == nil {
				break
			}
			require.ErrorIs(t, err, errCut)
		}
		require.Greater(t, cuts, 2)
		t.Logf("%d cuts", cuts)
		p.agree(g)
		for i, c := range p.changes(g) {
			require.EqualValues(t, i/2+1, c.Revision)
			require.Equal(t, []model.GroupChangeKind{model.GroupTitleChanged, model.GroupDescriptionChanged}[i%2], c.Kind)
		}
	})
}
