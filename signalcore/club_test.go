package signalcore

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// club is a group as the service has it: its states by revision, and the signed changes between them. The first of its
// members is the admin.
type club struct {
	t      testing.TB
	world  *world
	params *zkgroup.GroupSecretParams

	mu      sync.Mutex
	states  []group.State
	changes []*servicepb.GroupChange // that which led to each revision; none to the first
	asked   int
	refusal int // the status that everybody gets, where one is set
}

func (w *world) newClub(t testing.TB, members ...*party) *club {
	t.Helper()
	key, err := zkgroup.GenerateMasterKey(rand.Reader)
	require.NoError(t, err)
	c := &club{t: t, world: w, params: zkgroup.DeriveGroupSecretParams(key)}
	state := group.State{MasterKey: key, ID: c.params.GroupID(), Title: "Club"}
	state.Access.Attributes, state.Access.Members = group.RequiredMember, group.RequiredMember
	for i, p := range members {
		role := group.RoleMember
		if i == 0 {
			role = group.RoleAdmin
		}
		state.Members = append(state.Members, group.Member{ACI: p.aci(), Role: role, ProfileKey: p.profileKey()})
	}
	c.states, c.changes = []group.State{state}, []*servicepb.GroupChange{nil}
	w.clubs.Store(hex.EncodeToString(c.params.PublicParams()), c)
	return c
}

func (p *party) profileKey() profilekey.Key { return profilekey.Key(p.accounts.get().profileKey) }

func (c *club) id() []byte {
	id := c.params.GroupID()
	return id[:]
}

func (c *club) state() group.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.states[len(c.states)-1]
}

// change has an editor change the group, and returns the signed change.
func (c *club) change(editor *party, actions *servicepb.GroupChange_Actions) []byte {
	c.t.Helper()
	id, before := c.params.GroupID(), c.state()
	actions.SourceUserId, actions.GroupId = c.params.EncryptServiceID(editor.aci()), id[:]
	actions.Version = proto.Uint32(before.Revision + 1)
	raw, err := proto.Marshal(actions)
	require.NoError(c.t, err)
	signature, err := c.world.fake.ZK.Sign(rand.Reader, raw)
	require.NoError(c.t, err)
	signed := &servicepb.GroupChange{Actions: raw, ServerSignature: signature, ChangeEpoch: proto.Uint32(1)}
	parsed, err := group.ParseChange(signed, c.params, nil)
	require.NoError(c.t, err)
	after, err := before.Apply(parsed)
	require.NoError(c.t, err)
	c.mu.Lock()
	c.states, c.changes = append(c.states, after), append(c.changes, signed)
	c.mu.Unlock()
	serialized, err := proto.Marshal(signed)
	require.NoError(c.t, err)
	return serialized
}

func (c *club) blob(fill *servicepb.GroupAttributeBlob) []byte {
	c.t.Helper()
	plain, err := proto.Marshal(fill)
	require.NoError(c.t, err)
	encrypted, err := c.params.EncryptBlob(rand.Reader, plain, 0)
	require.NoError(c.t, err)
	return encrypted
}

func (c *club) titleBlob(title string) []byte {
	return c.blob(&servicepb.GroupAttributeBlob{Content: &servicepb.GroupAttributeBlob_Title{Title: title}})
}

func (c *club) renames(editor *party, title string) []byte {
	return c.change(editor, &servicepb.GroupChange_Actions{
		ModifyTitle: &servicepb.GroupChange_Actions_ModifyTitleAction{Title: c.titleBlob(title)},
	})
}

func (c *club) adds(editor, member *party) []byte {
	return c.change(editor, &servicepb.GroupChange_Actions{
		AddMembers: []*servicepb.GroupChange_Actions_AddMemberAction{{
			Added: c.wireMember(group.Member{ACI: member.aci(), Role: group.RoleMember, ProfileKey: member.profileKey()}),
		}},
	})
}

func (c *club) removes(editor, member *party) []byte {
	return c.change(editor, &servicepb.GroupChange_Actions{
		DeleteMembers: []*servicepb.GroupChange_Actions_DeleteMemberAction{{
			DeletedUserId: c.params.EncryptServiceID(member.aci()),
		}},
	})
}

func (c *club) wireMember(m group.Member) *servicepb.Member {
	return &servicepb.Member{
		UserId: c.params.EncryptServiceID(m.ACI), ProfileKey: c.params.EncryptProfileKey(m.ProfileKey, m.ACI),
		Role: servicepb.Member_Role(m.Role).Enum(), JoinedAtVersion: proto.Uint32(m.JoinedAt),
	}
}

// wire is a state as the service has it.
func (c *club) wire(s group.State) *servicepb.Group {
	out := &servicepb.Group{
		PublicKey: c.params.PublicParams(), Title: c.titleBlob(s.Title), Version: proto.Uint32(s.Revision),
		AccessControl: &servicepb.AccessControl{
			Attributes: servicepb.AccessControl_AccessRequired(s.Access.Attributes).Enum(),
			Members:    servicepb.AccessControl_AccessRequired(s.Access.Members).Enum(),
		},
		AnnouncementsOnly: proto.Bool(s.AnnouncementsOnly),
	}
	for _, m := range s.Members {
		out.Members = append(out.Members, c.wireMember(m))
	}
	return out
}

// knownBy has a party know the group as it is now.
func (c *club) knownBy(parties ...*party) {
	c.t.Helper()
	state := c.state()
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

// serveGroup is the storage service.
func (w *world) serveGroup(out http.ResponseWriter, r *http.Request) {
	username, password, _ := r.BasicAuth()
	found, ok := w.clubs.Load(username)
	public, err := hex.DecodeString(username)
	presentation, presentationErr := hex.DecodeString(password)
	if !ok || err != nil || presentationErr != nil {
		out.WriteHeader(http.StatusNotFound)
		return
	}
	who, err := w.fake.ZK.VerifyAuthCredentialPresentation(public, presentation, time.Now())
	if err != nil {
		out.WriteHeader(http.StatusUnauthorized)
		return
	}
	found.(*club).serve(out, r, who.ACI())
}

func (c *club) serve(out http.ResponseWriter, r *http.Request, who []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	last := c.states[len(c.states)-1]
	inside := false
	for _, m := range last.Members {
		inside = inside || bytes.Equal(c.params.EncryptServiceID(m.ACI), who)
	}
	switch {
	case c.refusal != 0:
		out.WriteHeader(c.refusal)
	case !inside:
		out.WriteHeader(http.StatusForbidden)
	case strings.HasPrefix(r.URL.Path, "/v2/groups/logs/"):
		from, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/v2/groups/logs/"))
		if err != nil || from > len(c.states) {
			out.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(out, c.log(from))
	case r.URL.Path == "/v2/groups":
		answer(out, &servicepb.GroupResponse{Group: c.wire(last)})
	default:
		out.WriteHeader(http.StatusNotFound)
	}
}

// log is the group's past from a revision on, with all the states.
func (c *club) log(from int) *servicepb.GroupChanges {
	changes := &servicepb.GroupChanges{}
	for revision := from; revision < len(c.states); revision++ {
		changes.GroupChanges = append(changes.GroupChanges, &servicepb.GroupChanges_GroupChangeState{
			GroupChange: c.changes[revision], GroupState: c.wire(c.states[revision]),
		})
	}
	return changes
}

func answer(out http.ResponseWriter, message proto.Message) {
	body, err := proto.Marshal(message)
	if err != nil {
		out.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = out.Write(body)
}

// groupCredentials are what the account shows to the storage service, for today and some days.
func (c *chat) groupCredentials() reply {
	type credential struct {
		Credential     []byte `json:"credential"`
		RedemptionTime int64  `json:"redemptionTime"`
	}
	a := c.p.accounts.get()
	var days []credential
	for day := range 3 {
		redemption := dayOf(time.Now()).AddDate(0, 0, day)
		issued, err := c.p.world.fake.ZK.IssueAuthCredential(rand.Reader, a.aci, a.pni, redemption)
		if err != nil {
			return reply{status: http.StatusInternalServerError}
		}
		days = append(days, credential{issued, redemption.Unix()})
	}
	return jsonReply(map[string]any{"credentials": days, "pni": a.pni.UUID.String()})
}
