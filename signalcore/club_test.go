package signalcore

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/messenger"
	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// club is a group at the service. The first of its members has made it, and is its admin.
type club struct {
	t       testing.TB
	world   *world
	params  *zkgroup.GroupSecretParams
	founder *party
	named   *content.Group // at the latest revision
	latest  group.State
}

func (w *world) newClub(t testing.TB, members ...*party) *club {
	t.Helper()
	named, err := members[0].voice().CreateGroup("Club", candidates(members[1:]))
	require.NoError(t, err)
	c := &club{t: t, world: w, founder: members[0], named: named}
	c.params = zkgroup.DeriveGroupSecretParams(zkgroup.MasterKey(named.MasterKey))
	c.refresh()
	return c
}

// voice is what a party speaks to the group service with, besides its client.
func (p *party) voice() *messenger.Messenger {
	if p.member == nil {
		a := p.accounts.get()
		p.member = messenger.New(messenger.Account{
			DeviceID: a.deviceID, ACI: a.aci, PNI: a.pni, Number: a.number, ProfileKey: p.profileKey(),
		}, p.world.World().World)
	}
	return p.member
}

func candidates(parties []*party) (out []messenger.Candidate) {
	for _, p := range parties {
		out = append(out, messenger.Candidate{ACI: p.aci(), ProfileKey: p.profileKey()})
	}
	return out
}

func (c *club) refresh() {
	c.t.Helper()
	var err error
	c.latest, err = c.founder.voice().Group(c.named)
	require.NoError(c.t, err)
}

func (c *club) id() []byte {
	id := c.params.GroupID()
	return id[:]
}

func (c *club) to() model.Destination { return model.Destination{Group: c.id()} }

func (c *club) state() group.State { return c.latest }

// change has an editor change the group, and returns the change as the service has signed it.
func (c *club) change(editor *party, wish func(*group.Edit) error, joining ...*party) []byte {
	c.t.Helper()
	signed, err := editor.voice().ChangeGroup(c.named, wish, candidates(joining)...)
	require.NoError(c.t, err)
	c.named = c.context(c.named.Revision+1, nil)
	c.refresh()
	serialized, err := proto.Marshal(signed)
	require.NoError(c.t, err)
	return serialized
}

func (c *club) renames(editor *party, title string) []byte {
	return c.change(editor, func(e *group.Edit) error { return e.Title(title) })
}

func (c *club) adds(editor, member *party) []byte {
	return c.change(editor, func(*group.Edit) error { return nil }, member)
}

func (c *club) removes(editor, member *party) []byte {
	return c.change(editor, func(e *group.Edit) error { return e.Remove(member.aci()) })
}

// knownBy has parties know the group as it is now.
func (c *club) knownBy(parties ...*party) { c.t.Helper(); c.knownAs(c.state(), parties...) }

// knownAs has them know it as it is not.
func (c *club) knownAs(state group.State, parties ...*party) {
	c.t.Helper()
	serialized, err := state.Marshal()
	require.NoError(c.t, err)
	for _, p := range parties {
		record := &storepb.Group{
			GroupId: c.id(), MasterKey: state.MasterKey[:], State: serialized, Revision: state.Revision,
			Standing: storepb.GroupStanding_GROUP_LEFT, RefreshedAt: 1,
		}
		if _, member := state.Member(p.aci()); member {
			record.Standing = storepb.GroupStanding_GROUP_MEMBER
		}
		p.update(func(tx *store.Tx) error { return tx.PutGroup(record) })
	}
}

// context names the group in a message, at a revision.
func (c *club) context(revision uint32, change []byte) *content.Group {
	key := c.params.MasterKey()
	return &content.Group{MasterKey: key[:], Revision: revision, Change: change}
}

// text is a message to the group from someone who knows its present state.
func (c *club) text(l letter, text string) *servicepb.Content {
	return c.textAt(l, text, c.context(c.state().Revision, nil))
}

func (c *club) textAt(l letter, text string, context *content.Group) *servicepb.Content {
	c.t.Helper()
	out, err := content.NewMessage(content.Common{Timestamp: l.timestamp, Group: context}, content.Message{Text: text})
	require.NoError(c.t, err)
	return out
}

// update tells of a change, and says nothing.
func (c *club) update(l letter, change []byte) *servicepb.Content {
	context := c.context(c.state().Revision, change)
	return &servicepb.Content{Content: &servicepb.Content_DataMessage{DataMessage: &servicepb.DataMessage{
		Timestamp: proto.Uint64(l.timestamp),
		GroupV2: &servicepb.GroupContextV2{
			MasterKey: context.MasterKey, Revision: proto.Uint32(context.Revision), GroupChange: change,
		},
	}}}
}

// groupOf is a party's record of a group.
func (p *party) groupOf(c *club) *storepb.Group {
	p.t.Helper()
	var out *storepb.Group
	p.view(func(tx *store.Tx) (err error) {
		out, err = tx.Group(c.id())
		return err
	})
	return out
}
