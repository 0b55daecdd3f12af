package groups

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

type act = servicepb.GroupChange_Actions

const (
	admin  = servicepb.Member_ADMINISTRATOR
	normal = servicepb.Member_DEFAULT
)

// named takes "key:name" for a presentation of name.
func named(presentation []byte) (userID, profileKey []byte, err error) {
	name, found := strings.CutPrefix(string(presentation), "key:")
	if !found {
		return nil, nil, errBad
	}
	return []byte(name), []byte("profile of " + name), nil
}

func person(name string) user { return user{aci: []byte(name), pni: []byte("pni:" + name)} }

func memberOf(name string, role servicepb.Member_Role) *servicepb.Member {
	return &servicepb.Member{
		UserId: []byte(name), ProfileKey: []byte("k"), Role: role.Enum(), JoinedAtVersion: proto.Uint32(0),
	}
}

// club has an admin, a member, somebody invited by PNI, somebody who asks, somebody banned, and a link for those who
// ask.
func club() *servicepb.Group {
	return &servicepb.Group{
		PublicKey: []byte("club"), Title: []byte("Club"), Version: proto.Uint32(7), InviteLinkPassword: make([]byte, 16),
		AccessControl: &servicepb.AccessControl{
			Attributes: servicepb.AccessControl_MEMBER.Enum(), Members: servicepb.AccessControl_ADMINISTRATOR.Enum(),
			AddFromInviteLink: servicepb.AccessControl_ADMINISTRATOR.Enum(),
		},
		Members: []*servicepb.Member{memberOf("anna", admin), memberOf("ben", normal)},
		MembersPendingProfileKey: []*servicepb.MemberPendingProfileKey{
			{Member: &servicepb.Member{UserId: []byte("pni:ida"), Role: normal.Enum()}, AddedByUserId: []byte("anna")},
		},
		MembersPendingAdminApproval: []*servicepb.MemberPendingAdminApproval{
			{UserId: []byte("rolf"), ProfileKey: []byte("r")},
		},
		MembersBanned: []*servicepb.MemberBanned{{UserId: []byte("bad")}},
	}
}

func add(name string, role servicepb.Member_Role) *act {
	return &act{AddMembers: []*servicepb.GroupChange_Actions_AddMemberAction{
		{Added: &servicepb.Member{Role: role.Enum(), Presentation: []byte("key:" + name)}},
	}}
}

func remove(names ...string) *act {
	a := &act{}
	for _, name := range names {
		a.DeleteMembers = append(a.DeleteMembers,
			&servicepb.GroupChange_Actions_DeleteMemberAction{DeletedUserId: []byte(name)})
	}
	return a
}

func title(text string) *act {
	return &act{ModifyTitle: &servicepb.GroupChange_Actions_ModifyTitleAction{Title: []byte(text)}}
}

func request7(by string, a *act) request {
	a.Version = proto.Uint32(8)
	return request{actions: a, by: person(by), password: make([]byte, 16), open: named, now: time.Unix(1_800_000_000, 0)}
}

// TestRules is who may do what, with the status for who may not.
func TestRules(t *testing.T) {
	ask := func(name string) *act {
		return &act{AddMembersPendingAdminApproval: []*servicepb.GroupChange_Actions_AddMemberPendingAdminApprovalAction{
			{Added: &servicepb.MemberPendingAdminApproval{Presentation: []byte("key:" + name)}},
		}}
	}
	approve := &act{
		PromoteMembersPendingAdminApproval: []*servicepb.GroupChange_Actions_PromoteMemberPendingAdminApprovalAction{
			{UserId: []byte("rolf"), Role: normal.Enum()},
		},
	}
	acceptPNI := &act{
		PromoteMembersPendingPniAciProfileKey: []*servicepb.GroupChange_Actions_PromoteMemberPendingPniAciProfileKeyAction{
			{Presentation: []byte("key:ida")},
		},
	}
	unknown := title("x")
	unknown.ProtoReflect().SetUnknown([]byte{0xfa, 0x7f, 0x01, 0x00})
	forged := title("x")
	forged.SourceUserId = []byte("anna")
	for _, c := range []struct {
		name, by string
		actions  *act
		status   int
	}{
		{"title by a member", "ben", title("x"), 200},
		{"title by a stranger", "eve", title("x"), 403},
		{"no title", "anna", title(""), 400},
		{"long title", "anna", title(strings.Repeat("x", maxTitle+1)), 400},
		{"add by an admin", "anna", add("eve", normal), 200},
		{"add by a member, who may not", "ben", add("eve", normal), 403},
		{"add who is there", "anna", add("ben", normal), 400},
		{"add who is banned", "anna", add("bad", normal), 400},
		{"add with an unknown role", "anna", add("eve", 0), 400},
		{"join by a link that admins watch", "eve", add("eve", normal), 403},
		{"ask to join", "eve", ask("eve"), 200},
		{"ask for another", "eve", ask("ida"), 403},
		{"ask when banned", "bad", ask("bad"), 403},
		{"approve", "anna", approve, 200},
		{"approve as a member", "ben", approve, 403},
		{"accept by PNI", "ida", acceptPNI, 200},
		{"accept for another", "eve", acceptPNI, 403},
		{"leave", "ben", remove("ben"), 200},
		{"remove as a member", "ben", remove("anna"), 403},
		{"remove who is not there", "anna", remove("eve"), 400},
		{"remove twice", "anna", remove("ben", "ben"), 400},
		{"unknown fields", "anna", unknown, 400},
		{"a source of its own", "anna", forged, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := club()
			done, err := apply(before, request7(c.by, proto.CloneOf(c.actions)))
			require.True(t, proto.Equal(club(), before), "the state before is not changed")
			if c.status == http.StatusOK {
				require.NoError(t, err)
				require.Equal(t, uint32(8), done.after.GetVersion())
				require.NotEmpty(t, done.signed.GetSourceUserId())
				return
			}
			var refusal *wire.Refusal
			require.True(t, errors.As(err, &refusal), "%v", err)
			require.Equal(t, c.status, refusal.Status)
		})
	}
}

func TestRevisionConflict(t *testing.T) {
	r := request7("anna", title("x"))
	r.actions.Version = proto.Uint32(9)
	_, err := apply(club(), r)
	var refusal *wire.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, http.StatusConflict, refusal.Status)
}

// TestLastAdmin leaves, and everyone else becomes one; the signed actions say so.
func TestLastAdmin(t *testing.T) {
	done, err := apply(club(), request7("anna", remove("anna")))
	require.NoError(t, err)
	require.Len(t, done.after.GetMembers(), 1)
	require.Equal(t, admin, done.after.GetMembers()[0].GetRole())
	require.Len(t, done.signed.GetModifyMemberRoles(), 1)
}

func TestWhatIsSigned(t *testing.T) {
	done, err := apply(club(), request7("anna", add("eve", normal)))
	require.NoError(t, err)
	added := done.signed.GetAddMembers()[0].GetAdded()
	require.Empty(t, added.GetPresentation())
	require.Equal(t, "eve", string(added.GetUserId()))
	require.Equal(t, uint32(8), added.GetJoinedAtVersion())
	require.Zero(t, done.epoch)
	done, err = apply(club(), request7("ida", &act{
		PromoteMembersPendingPniAciProfileKey: []*servicepb.GroupChange_Actions_PromoteMemberPendingPniAciProfileKeyAction{
			{Presentation: []byte("key:ida")},
		},
	}))
	require.NoError(t, err)
	require.Equal(t, "pni:ida", string(done.signed.GetSourceUserId()))
	require.EqualValues(t, epochPNI, done.epoch)
}
