package groups

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

// FuzzActions applies whatever may be a change, by each kind of people: it is refused, or leaves a state that holds.
func FuzzActions(f *testing.F) {
	seeds := []*act{
		{Version: proto.Uint32(8), ModifyTitle: &servicepb.GroupChange_Actions_ModifyTitleAction{Title: []byte("Choir")}},
		{Version: proto.Uint32(8), DeleteMembers: []*servicepb.GroupChange_Actions_DeleteMemberAction{
			{DeletedUserId: []byte("ben")},
		}},
		{Version: proto.Uint32(8), AddMembers: []*servicepb.GroupChange_Actions_AddMemberAction{
			{Added: &servicepb.Member{Presentation: []byte("key:cleo"), Role: normal.Enum()}},
		}},
	}
	for who, seed := range seeds {
		data, err := proto.Marshal(seed)
		require.NoError(f, err)
		f.Add(data, uint8(who))
	}
	people := []string{"anna", "ben", "rolf", "bad", "stranger"}
	f.Fuzz(func(t *testing.T, data []byte, who uint8) {
		var wanted act
		if proto.Unmarshal(data, &wanted) != nil {
			return
		}
		before := club()
		done, err := apply(before, request{
			&wanted, person(people[int(who)%len(people)]), make([]byte, 16), named, time.Unix(1_700_000_000, 0),
		})
		require.True(t, proto.Equal(club(), before), "a change leaves what was")
		if err != nil {
			require.IsType(t, &wire.Refusal{}, err)
			return
		}
		require.NoError(t, checkState(done.after))
		require.Equal(t, uint32(8), done.after.GetVersion())
		require.NotEmpty(t, done.signed.GetSourceUserId())
	})
}

// FuzzGroup makes whatever may be a group.
func FuzzGroup(f *testing.F) {
	seed := &servicepb.Group{
		PublicKey: []byte("club"), Title: []byte("Club"),
		AccessControl: &servicepb.AccessControl{
			Attributes: servicepb.AccessControl_MEMBER.Enum(), Members: servicepb.AccessControl_MEMBER.Enum(),
		},
		Members: []*servicepb.Member{{Presentation: []byte("key:anna"), Role: admin.Enum()}},
	}
	data, err := proto.Marshal(seed)
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var wanted servicepb.Group
		if proto.Unmarshal(data, &wanted) != nil {
			return
		}
		state, err := newGroup(&wanted, person("anna"), named, time.Unix(1_700_000_000, 0))
		if err == nil {
			require.NoError(t, checkState(state))
			require.True(t, person("anna").adminOf(state))
		}
	})
}
