package signalcore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/interop"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func groupIDOf(t *testing.T, g *interop.Group) []byte {
	t.Helper()
	id, err := base64.StdEncoding.DecodeString(g.ID)
	require.NoError(t, err)
	return id
}

func (p *phone) group(g *interop.Group) *knownGroup {
	p.t.Helper()
	known, err := p.groups.byID(groupIDOf(p.t, g))
	require.NoError(p.t, err)
	return known
}

// joined links, and runs with a group that alice has made with us.
func (p *phone) joined(title string) (alice *interop.Account, g *interop.Group) {
	p.t.Helper()
	alice = p.mock.NewAccount("alice")
	g = alice.NewGroup(title, interop.Changes{"members": []string{"me"}})
	p.me.SetStorageGroup(g, nil)
	p.link()
	p.run()
	p.awaitGroup(g, storepb.GroupStanding_GROUP_MEMBER, 0)
	return alice, g
}

// awaitGroup waits until a group is known at a revision.
func (p *phone) awaitGroup(g *interop.Group, standing storepb.GroupStanding, revision int) {
	p.t.Helper()
	id := groupIDOf(p.t, g)
	p.await(fmt.Sprint(standing, " at revision ", revision), func(tx *store.Tx) bool {
		record, err := tx.Group(id)
		return err == nil && record.GetStanding() == standing && record.GetRevision() == uint32(revision)
	})
}

// sync syncs a group by its id, and returns what is known then.
func (p *phone) sync(g *interop.Group) *knownGroup {
	p.t.Helper()
	known, err := p.groups.sync(p.timely(), p.group(g).params.MasterKey(), 0)
	require.NoError(p.t, err)
	return known
}

// timely is a context for one call.
func (p *phone) timely() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.t.Cleanup(cancel)
	return ctx
}

// changes are the groupChange entries of a group, oldest first.
func (p *phone) changes(g *interop.Group) (out []model.GroupChange) {
	p.t.Helper()
	id := groupIDOf(p.t, g)
	p.view(func(tx *store.Tx) error {
		return tx.ScanInbox(func(seq uint64, _ *storepb.InboxMeta) error {
			entry, err := tx.InboxEntry(seq)
			if err == nil && entry.GetGroupChange() != nil && string(entry.GetGroupId()) == string(id) {
				m, err := p.readers.message(tx, entry)
				require.NoError(p.t, err)
				require.Equal(p.t, model.TypeGroupChange, m.Type)
				require.Equal(p.t, m.GroupChange.Editor, m.Sender)
				require.NotZero(p.t, m.Timestamp)
				out = append(out, *m.GroupChange)
			}
			return err
		})
	})
	return out
}

func kinds(changes []model.GroupChange) (out []model.GroupChangeKind) {
	for _, c := range changes {
		out = append(out, c.Kind)
	}
	return out
}

// agree compares what is known of a group with what the service has, as the official library decrypts it.
func (p *phone) agree(g *interop.Group) {
	p.t.Helper()
	theirs, known := g.State(), p.group(g)
	ours := p.groups.model(known)
	require.EqualValues(p.t, theirs.Revision, ours.Revision)
	require.Equal(p.t, theirs.Title, ours.Title)
	require.Equal(p.t, theirs.Description, ours.Description)
	require.EqualValues(p.t, theirs.Timer, ours.ExpiresInSeconds)
	require.Equal(p.t, theirs.AnnouncementsOnly, ours.AnnouncementsOnly)
	require.Len(p.t, ours.Members, len(theirs.Members))
	for i, m := range theirs.Members {
		require.Equal(p.t, m.ServiceID, ours.Members[i].ServiceID.String())
		require.Equal(p.t, m.Role, string(ours.Members[i].Role))
		key := known.state.Members[i].ProfileKey
		require.Equal(p.t, m.ProfileKey, base64.StdEncoding.EncodeToString(key[:]))
	}
	require.Len(p.t, ours.Pending, len(theirs.Pending))
	require.Len(p.t, ours.Requesting, len(theirs.Requesting))
	require.Len(p.t, ours.Banned, len(theirs.Banned))
}

func aciOf(t *testing.T, a *interop.Account) serviceid.ServiceID {
	t.Helper()
	id, err := serviceid.Parse(a.ACI)
	require.NoError(t, err)
	return id
}

// A group of the phone's is there after linking, and what happened before that is no news. What happens then is.
func TestGroupOfThePhone(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, bob := p.mock.NewAccount("alice"), p.mock.NewAccount("bob")
		g := alice.NewGroup("Kiosk", interop.Changes{"members": []string{"me", "bob"}, "description": "of it", "timer": 60})
		g.Change(alice, interop.Changes{"title": "The kiosk"})
		p.me.SetStorageGroup(g, map[string]any{"archived": true})
		p.link()
		p.run()
		p.awaitGroup(g, storepb.GroupStanding_GROUP_MEMBER, 1)
		p.agree(g)
		require.Empty(t, p.changes(g))
		listed, err := p.Groups(p.timely())
		require.NoError(t, err)
		require.Len(t, listed, 1)
		require.Equal(t, "The kiosk", listed[0].Title)
		require.True(t, p.group(g).record.GetArchived())
		for _, a := range []*interop.Account{alice, bob} {
			require.NotEmpty(t, p.recipient(a).GetProfileKey(), "members are known")
		}

		g.Change(alice, interop.Changes{"remove": []string{"bob"}, "description": ""})
		fresh, err := p.Group(p.timely(), groupIDOf(t, g), true)
		require.NoError(t, err)
		require.EqualValues(t, 2, fresh.Revision)
		p.agree(g)
		changes := p.changes(g)
		require.Equal(t, []model.GroupChangeKind{model.GroupMemberRemoved, model.GroupDescriptionChanged}, kinds(changes))
		for _, c := range changes {
			require.Equal(t, aciOf(t, alice), c.Editor)
			require.EqualValues(t, 2, c.Revision)
		}
		require.Equal(t, []serviceid.ServiceID{aciOf(t, bob)}, changes[0].Affected)
	})
}

// Each of many missed revisions becomes an entry, once: also when several ask at the same time, and when they ask again.
func TestGroupMissedRevisions(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, g := p.joined("Before")
		const missed = 150 // three pages of the log
		g.Retitle(alice, missed, "title ")
		done := make(chan error)
		for range 4 {
			go func() {
				_, err := p.groups.sync(p.timely(), p.group(g).params.MasterKey(), missed)
				done <- err
			}()
		}
		for range 4 {
			require.NoError(t, <-done)
		}
		p.agree(g)
		p.sync(g)
		changes := p.changes(g)
		require.Len(t, changes, missed)
		for i, c := range changes {
			require.Equal(t, model.GroupTitleChanged, c.Kind)
			require.EqualValues(t, i+1, c.Revision)
			require.Equal(t, fmt.Sprint("title ", i), c.After)
			require.Equal(t, aciOf(t, alice), c.Editor)
		}
	})
}

// The mock with nothing added has logs of its own shape: a state beside each change, and never a page's end.
func TestGroupOnThePlainMock(t *testing.T) {
	t.Parallel()
	interop.Require(t)
	for _, version := range interop.Versions {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			p := newPhoneWith(t, version, interop.Options{PlainGroups: true})
			alice := p.mock.NewAccount("alice")
			g := alice.NewGroup("Plain", interop.Changes{"members": []string{"me"}})
			p.me.SetStorageGroup(g, nil)
			p.link()
			p.run()
			p.awaitGroup(g, storepb.GroupStanding_GROUP_MEMBER, 0)
			const missed = 50
			g.Retitle(alice, missed, "title ")
			known := p.sync(g)
			require.EqualValues(t, missed, known.state.Revision)
			require.Equal(t, fmt.Sprint("title ", missed-1), known.state.Title)
			changes := p.changes(g)
			require.Len(t, changes, missed)
			for i, c := range changes {
				require.EqualValues(t, i+1, c.Revision)
				require.Equal(t, aciOf(t, alice), c.Editor)
			}
			e, err := p.groups.endorsements(p.timely(), known)
			require.NoError(t, err)
			require.Len(t, e.Members, 1)
		})
	}
}

// A request to join is looked after until it is decided upon.
func TestGroupRequests(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		p.link()
		p.run()
		for name, decide := range map[string]string{"approved": "approve", "denied": "deny"} {
			g := alice.NewGroup(name, interop.Changes{"link": "approval"})
			joined, err := p.JoinGroup(p.timely(), model.GroupJoin{Link: g.LinkURL()})
			require.NoError(t, err)
			require.Equal(t, model.GroupRequesting, joined.Group.Membership)
			p.awaitNoJobs()
			require.Equal(t, storepb.GroupStanding_GROUP_REQUESTING, p.sync(g).record.GetStanding(), "as long as it waits")
			require.Empty(t, p.changes(g))
			g.Change(alice, interop.Changes{decide: []string{"me"}})
			keys, err := p.groups.unsettled()
			require.NoError(t, err)
			require.Empty(t, keys)
			p.clock.advance(requestingEvery)
			_, err = p.groups.fetchSome(p.timely())
			require.NoError(t, err)
			known, changes := p.group(g), p.changes(g)
			require.Len(t, changes, 1)
			if decide == "approve" {
				require.True(t, known.isMember())
				p.agree(g)
				require.Equal(t, model.GroupJoinRequestApproved, changes[0].Kind)
				require.Equal(t, aciOf(t, alice), changes[0].Editor)
				continue
			}
			require.Equal(t, storepb.GroupStanding_GROUP_REMOVED, known.record.GetStanding())
			require.Equal(t, model.GroupJoinRequestDenied, changes[0].Kind)
		}
	})
}

// Who is removed keeps what was known; who comes back gets the rest, and learns who let them in.
func TestGroupRemovedAndBack(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, g := p.joined("Club")
		g.Change(alice, interop.Changes{"remove": []string{"me"}})
		g.Retitle(alice, 3, "unseen ")
		known := p.sync(g)
		require.Equal(t, storepb.GroupStanding_GROUP_REMOVED, known.record.GetStanding())
		require.Equal(t, "Club", known.state.Title)
		_, inside := known.state.Member(aciOf(t, p.me))
		require.False(t, inside)
		changes := p.changes(g)
		require.Equal(t, []model.GroupChangeKind{model.GroupMemberRemoved}, kinds(changes))
		require.Equal(t, []serviceid.ServiceID{aciOf(t, p.me)}, changes[0].Affected)
		p.sync(g)
		require.Len(t, p.changes(g), 1, "once")

		g.Change(alice, interop.Changes{"add": []string{"me"}})
		g.Change(alice, interop.Changes{"title": "Seen"})
		known = p.sync(g)
		require.True(t, known.isMember())
		p.agree(g)
		changes = p.changes(g)[1:]
		require.Equal(t, []model.GroupChangeKind{model.GroupMemberAdded, model.GroupTitleChanged}, kinds(changes))
		require.Equal(t, aciOf(t, alice), changes[0].Editor)
		require.Equal(t, []serviceid.ServiceID{aciOf(t, p.me)}, changes[0].Affected)
		require.Equal(t, "Seen", changes[1].After)
	})
}

// Invitations show the state, by either id, until they are taken back.
func TestGroupInvitations(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		g := alice.NewGroup("Club", interop.Changes{"invited": []string{"me"}})
		other := alice.NewGroup("Other", interop.Changes{"invitedPni": []string{"me"}})
		p.me.SetStorageGroup(g, nil)
		p.me.SetStorageGroup(other, nil)
		p.link()
		p.run()
		p.awaitGroup(g, storepb.GroupStanding_GROUP_INVITED, 0)
		p.awaitGroup(other, storepb.GroupStanding_GROUP_INVITED, 0)
		p.agree(g)
		g.Change(alice, interop.Changes{"title": "Nicer"})
		require.Equal(t, "Nicer", p.sync(g).state.Title)
		require.Equal(t, []model.GroupChangeKind{model.GroupTitleChanged}, kinds(p.changes(g)))
		g.Change(alice, interop.Changes{"revoke": []string{"me"}})
		require.Equal(t, storepb.GroupStanding_GROUP_REMOVED, p.sync(g).record.GetStanding())
		require.Equal(t, model.GroupInvitationRevoked, p.changes(g)[1].Kind)
	})
}

// A group that a message names is fetched by a job; one in which the account is not, is not kept.
func TestGroupWanted(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, bob := p.mock.NewAccount("alice"), p.mock.NewAccount("bob")
		p.link()
		p.run()
		want := func(key zkgroup.MasterKey, revision uint32) {
			require.NoError(t, p.store.Update(func(tx *store.Tx) error { return p.groups.want(tx, key, revision) }))
			p.outbox.wakeJobs()
		}
		first := alice.NewGroup("Club", interop.Changes{"members": []string{"bob"}})
		first.Change(bob, interop.Changes{"add": []string{"me"}})
		key := masterKeyOf(t, first)
		want(key, 1)
		want(key, 1)
		p.awaitGroup(first, storepb.GroupStanding_GROUP_MEMBER, 1)
		changes := p.changes(first)
		require.Equal(t, []model.GroupChangeKind{model.GroupMemberAdded}, kinds(changes))
		require.Equal(t, aciOf(t, bob), changes[0].Editor)

		created := alice.NewGroup("New", interop.Changes{"members": []string{"me"}})
		want(masterKeyOf(t, created), 0)
		p.awaitGroup(created, storepb.GroupStanding_GROUP_MEMBER, 0)
		changes = p.changes(created)
		require.Equal(t, []model.GroupChangeKind{model.GroupCreated}, kinds(changes))
		require.Equal(t, aciOf(t, alice), changes[0].Editor)

		foreign := alice.NewGroup("Not for us", nil)
		want(masterKeyOf(t, foreign), 7)
		p.await("the foreign group to be dropped", func(tx *store.Tx) bool {
			jobs, err := tx.CountJobs()
			_, groupErr := tx.Group(groupIDOf(t, foreign))
			return err == nil && jobs == 0 && errors.Is(groupErr, store.ErrNotFound)
		})
		_, err := p.Group(p.timely(), groupIDOf(t, foreign), true)
		require.ErrorIs(t, err, model.ErrGroupNotFound)
	})
}

func masterKeyOf(t *testing.T, g *interop.Group) zkgroup.MasterKey {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(g.MasterKey)
	require.NoError(t, err)
	key, err := zkgroup.ParseMasterKey(raw)
	require.NoError(t, err)
	return key
}

// Made-up answers are refused, and nothing of them is kept; once the service tells the truth, all is well.
func TestGroupForgeries(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		g := alice.NewGroup("True", interop.Changes{"members": []string{"me"}})
		p.me.SetStorageGroup(g, nil)
		p.mock.Forge("authCredential", 1)
		p.link()
		p.run()
		p.await("the group's record", func(tx *store.Tx) bool {
			_, err := tx.Group(groupIDOf(t, g))
			return err == nil
		})
		key := p.group(g).params.MasterKey()
		require.Eventually(t, func() bool {
			_, err := p.groups.sync(p.timely(), key, 0)
			return err == nil
		}, patience, 50*time.Millisecond)

		p.mock.Forge("state", 1)
		_, err := p.groups.syncFor(p.timely(), key, groupWish{full: true})
		require.ErrorIs(t, err, group.ErrState)
		known := p.group(g)
		require.Equal(t, "True", known.state.Title)
		require.NotEmpty(t, known.record.GetProblem())
		require.NotZero(t, known.record.GetFailures())
		_, err = p.groups.syncFor(p.timely(), key, groupWish{full: true})
		require.NoError(t, err)
		require.Empty(t, p.group(g).record.GetProblem())
		require.Empty(t, p.changes(g))
	})
}

// Endorsements come with the state, are kept while they hold, and are asked for anew when they end or members come.
func TestGroupEndorsements(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		for _, name := range []string{"bob", "carol", "dave"} {
			p.mock.NewAccount(name)
		}
		g := alice.NewGroup("Club", interop.Changes{"members": []string{"me", "bob", "carol"}})
		p.me.SetStorageGroup(g, nil)
		p.link()
		p.run()
		p.awaitGroup(g, storepb.GroupStanding_GROUP_MEMBER, 0)
		get := func() *zkgroup.GroupSendEndorsements {
			e, err := p.groups.endorsements(p.timely(), p.group(g))
			require.NoError(t, err)
			return e
		}
		first := get()
		require.Len(t, first.Members, 3)
		require.NotContains(t, first.Members, aciOf(t, p.me))
		_, err := first.Combined.Token(p.group(g).params, first.Expires)
		require.NoError(t, err)
		require.Equal(t, first, get(), "they are kept")

		g.Change(alice, interop.Changes{"remove": []string{"bob"}})
		p.sync(g)
		require.Len(t, get().Members, 2)
		g.Change(alice, interop.Changes{"add": []string{"dave"}})
		p.sync(g)
		added := get()
		require.Len(t, added.Members, 3)
		require.NotEqual(t, first.Combined, added.Combined)

		p.mock.Forge("endorsements", 1)
		known := p.group(g)
		_, err = p.groups.syncFor(p.timely(), known.params.MasterKey(), groupWish{full: true})
		require.NoError(t, err, "the state is true all the same")
		_, err = p.groups.endorsements(p.timely(), known)
		require.ErrorIs(t, err, errNoEndorsements)
		p.clock.advance(endorsementRetry)
		require.Len(t, get().Members, 3)

		p.clock.advance(time.Until(added.Expires) - endorsementMargin + time.Minute)
		_, err = p.groups.storedEndorsements(p.group(g))
		require.NoError(t, err)
		stale, err := p.groups.storedEndorsements(p.group(g))
		require.NoError(t, err)
		require.Nil(t, stale, "they end too soon")

		known = p.group(g)
		known.record.Standing = storepb.GroupStanding_GROUP_LEFT
		_, err = p.groups.endorsements(p.timely(), known)
		require.ErrorIs(t, err, model.ErrNotAGroupMember)
	})
}
