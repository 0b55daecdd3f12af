package group

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// TestImpossibleStates: what an honest service never hands out is refused, and nothing of it is kept.
func TestImpossibleStates(t *testing.T) {
	for name, lie := range map[string]func(w *world, g *servicepb.Group){
		"another group": func(w *world, g *servicepb.Group) {
			g.PublicKey = newWorld(w.t, 99, 1, MaxSize).params.PublicParams()
		},
		"no group": func(_ *world, g *servicepb.Group) { g.PublicKey = nil },
		"a member twice": func(_ *world, g *servicepb.Group) {
			g.Members = append(g.Members, proto.CloneOf(g.GetMembers()[0]))
		},
		"a member that does not decrypt": func(_ *world, g *servicepb.Group) { g.Members[0].UserId = make([]byte, 65) },
		"a member without id":            func(_ *world, g *servicepb.Group) { g.Members[0].UserId = nil },
		"a member by number": func(w *world, g *servicepb.Group) {
			g.Members[0].UserId = w.params.EncryptServiceID(w.people[0].PNI)
		},
		"another's profile key": func(_ *world, g *servicepb.Group) {
			g.Members[0].ProfileKey = g.GetMembers()[1].ProfileKey
		},
		"no role":            func(_ *world, g *servicepb.Group) { g.Members[0].Role = nil },
		"a role of tomorrow": func(_ *world, g *servicepb.Group) { g.Members[0].Role = servicepb.Member_Role(9).Enum() },
		"an invitation twice": func(_ *world, g *servicepb.Group) {
			g.MembersPendingProfileKey = append(g.MembersPendingProfileKey, g.GetMembersPendingProfileKey()...)
		},
		"an empty request": func(_ *world, g *servicepb.Group) {
			g.MembersPendingAdminApproval = append(g.MembersPendingAdminApproval, &servicepb.MemberPendingAdminApproval{})
		},
		"a crowd": func(_ *world, g *servicepb.Group) {
			for range maxList {
				g.MembersBanned = append(g.MembersBanned, &servicepb.MemberBanned{})
			}
			g.MembersBanned = append(g.MembersBanned, &servicepb.MemberBanned{})
		},
		"a long path": func(_ *world, g *servicepb.Group) { g.AvatarUrl = proto.String(strings.Repeat("x", maxPath+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 8, 4, MaxSize, 1)
			require.NoError(t, w.edit(0, func(e *Edit) error {
				return e.Add(Candidate{ServiceID: w.people[2].ACI, Role: RoleMember})
			}))
			g := proto.CloneOf(w.service.group)
			lie(w, g)
			got, err := Decrypt(g, w.params)
			require.ErrorIs(t, err, ErrState)
			require.Zero(t, got)
		})
	}
}

// TestMembersNonsense: what any member can write must not cost the others their group.
func TestMembersNonsense(t *testing.T) {
	w := newWorld(t, 9, 3, MaxSize, 1)
	g := proto.CloneOf(w.service.group)
	g.Title, g.Description, g.DisappearingMessagesTimer = []byte("x"), make([]byte, 100), []byte{1}
	g.Members[1].LabelString = []byte("not encrypted")
	g.MembersPendingProfileKey = append(g.MembersPendingProfileKey, &servicepb.MemberPendingProfileKey{
		Member: &servicepb.Member{UserId: []byte("someone")}, AddedByUserId: []byte("nobody"),
	})
	g.MembersBanned = append(g.MembersBanned, &servicepb.MemberBanned{UserId: []byte("another")})
	s, err := Decrypt(g, w.params)
	require.NoError(t, err)
	require.Empty(t, s.Title)
	require.Equal(t, []Pending{{Ciphertext: []byte("someone"), Role: RoleMember}}, s.Pending)
	require.Equal(t, []Banned{{Ciphertext: []byte("another")}}, s.Banned)
	require.Len(t, s.Model(w.people[0].Identity).Pending, 1)
	require.Empty(t, s.Model(w.people[0].Identity).Banned)
	require.Equal(t, s, s.comparable(t))

	w.service.group, w.state = g, s
	gone := &servicepb.GroupChange_Actions{
		Version: proto.Uint32(s.Revision + 1),
		DeleteMembersPendingProfileKey: []*servicepb.GroupChange_Actions_DeleteMemberPendingProfileKeyAction{
			{DeletedUserId: []byte("someone")},
		},
		DeleteMembersBanned: []*servicepb.GroupChange_Actions_DeleteMemberBannedAction{{DeletedUserId: []byte("another")}},
	}
	before := w.state
	byChange, _ := w.follow(before, 0, nil, gone)
	require.Equal(t, []model.GroupChangeKind{model.GroupInvitationRevoked, model.GroupMemberUnbanned}, kindsOf(byChange))
	require.Empty(t, w.state.Pending)
	require.Empty(t, w.state.Banned)
}

// TestSignedChange has the service's own signature on a change: a flipped bit anywhere, another service or another
// group refuse it.
func TestSignedChange(t *testing.T) {
	random := rand.New(rand.NewSource(10))
	secret, err := zkgroup.GenerateServerSecretParams(random)
	require.NoError(t, err)
	server := secret.PublicParams()
	stranger, err := zkgroup.GenerateServerSecretParams(random)
	require.NoError(t, err)
	w := newWorld(t, 10, 2, MaxSize, 1)
	e, err := w.state.Edit(w.params, w.people[0].Identity, random)
	require.NoError(t, err)
	require.NoError(t, e.Title("Signed"))
	actions, _ := e.Actions()
	change, err := w.service.modify(w.people[0].user(w.params), nil, actions)
	require.NoError(t, err)
	change.ServerSignature, err = secret.Sign(random, change.GetActions())
	require.NoError(t, err)
	signed, err := proto.Marshal(change)
	require.NoError(t, err)

	got, err := ParseSigned(signed, w.params, server)
	require.NoError(t, err)
	require.Equal(t, "Signed", *got.Title)
	require.Equal(t, w.people[0].ACI, got.Editor)
	require.Equal(t, w.params.GroupID(), got.GroupID)

	_, err = ParseSigned(signed, w.params, stranger.PublicParams())
	require.ErrorIs(t, err, ErrSignature)
	_, err = ParseSigned(signed, newWorld(t, 11, 1, MaxSize).params, server)
	require.ErrorIs(t, err, ErrSignature)
	for i := range change.GetActions() {
		flipped := proto.CloneOf(change)
		flipped.Actions[i] ^= 1 << (i % 8)
		_, err := ParseChange(flipped, w.params, server)
		require.ErrorIs(t, err, ErrSignature)
	}
	for i := range change.GetServerSignature() {
		flipped := proto.CloneOf(change)
		flipped.ServerSignature[i] ^= 1 << (i % 8)
		_, err := ParseChange(flipped, w.params, server)
		require.ErrorIs(t, err, ErrSignature)
	}
	_, err = ParseSigned(nil, w.params, server)
	require.ErrorIs(t, err, ErrMalformed)

	nameless := &servicepb.GroupChange_Actions{Version: proto.Uint32(1)}
	change.Actions, err = proto.Marshal(nameless)
	require.NoError(t, err)
	change.ServerSignature, err = secret.Sign(random, change.GetActions())
	require.NoError(t, err)
	_, err = ParseChange(change, w.params, server)
	require.ErrorIs(t, err, ErrSignature, "a change that does not say its group could be any group's")
}

func TestChangesThatDoNotFit(t *testing.T) {
	w := newWorld(t, 12, 5, MaxSize, 1)
	stranger, twice := w.people[3], Banned{ServiceID: w.people[3].ACI}
	for name, tc := range map[string]struct {
		change Change
		want   error
	}{
		"this revision":         {Change{Revision: w.state.Revision}, ErrRevision},
		"a hole":                {Change{Revision: w.state.Revision + 2}, ErrRevision},
		"another group":         {Change{GroupID: zkgroup.GroupID{1}}, ErrNotApplicable},
		"someone twice":         {Change{AddMembers: []AddedMember{{Member: w.state.Members[1]}}}, ErrNotApplicable},
		"a stranger's role":     {Change{Roles: []MemberRole{{stranger.ACI, RoleAdmin}}}, ErrNotApplicable},
		"a stranger's key":      {Change{ProfileKeys: []MemberKey{{ACI: stranger.ACI}}}, ErrNotApplicable},
		"a stranger's label":    {Change{Labels: []MemberLabel{{ACI: stranger.ACI}}}, ErrNotApplicable},
		"nobody's invitation":   {Change{PromotePending: []MemberKey{{ACI: stranger.ACI}}}, ErrNotApplicable},
		"nobody's number":       {Change{PromotePNI: []PromotedPNI{{PNI: stranger.PNI}}}, ErrNotApplicable},
		"nobody's request":      {Change{PromoteRequesting: []MemberRole{{stranger.ACI, RoleMember}}}, ErrNotApplicable},
		"a ban twice":           {Change{AddBanned: []Banned{twice, twice}}, ErrNotApplicable},
		"who leaves is not in":  {Change{DeleteMembers: w.state.MemberIDs()[:0]}, nil},
		"nothing is something?": {Change{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.change.Revision == 0 && name != "this revision" {
				tc.change.Revision = w.state.Revision + 1
			}
			_, err := w.state.Apply(tc.change)
			require.ErrorIs(t, err, tc.want)
		})
	}
}

func TestTooNew(t *testing.T) {
	w := newWorld(t, 13, 1, MaxSize)
	actions, err := proto.Marshal(&servicepb.GroupChange_Actions{Version: proto.Uint32(1)})
	require.NoError(t, err)
	change := &servicepb.GroupChange{Actions: actions, ChangeEpoch: proto.Uint32(HighestEpoch + 1)}
	_, err = ParseChange(change, w.params, nil)
	require.ErrorIs(t, err, ErrTooNew)
	later := append(actions, 0xfa, 0x01, 0x00) // field 31, of length 0
	_, err = ParseChange(&servicepb.GroupChange{Actions: later}, w.params, nil)
	require.ErrorIs(t, err, ErrTooNew)
}

// TestWithoutAdmins: the last admin goes by another client's mistake, and the service makes everyone one.
func TestWithoutAdmins(t *testing.T) {
	w := newWorld(t, 14, 3, MaxSize, 1, 2)
	leave := &servicepb.GroupChange_Actions{
		Version: proto.Uint32(1),
		DeleteMembers: []*servicepb.GroupChange_Actions_DeleteMemberAction{
			{DeletedUserId: w.params.EncryptServiceID(w.people[0].ACI)},
		},
	}
	byChange, _ := w.follow(w.state, 0, nil, leave)
	require.Equal(t, []model.GroupChangeKind{
		model.GroupMemberLeft, model.GroupRoleChanged, model.GroupRoleChanged,
	}, kindsOf(byChange))
	require.True(t, w.state.IsAdmin(w.people[1].ACI))
}

func TestMarshalRefusesNonsense(t *testing.T) {
	_, err := Unmarshal([]byte{1, 2, 3})
	require.ErrorIs(t, err, ErrMalformed)
	_, err = Unmarshal(nil)
	require.ErrorIs(t, err, ErrMalformed)
}
