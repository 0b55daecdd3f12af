package signalcore

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func TestGroupChangeEntries(t *testing.T) {
	t.Parallel()
	aci, pni := serviceid.NewACI(uuid.UUID{1}), serviceid.NewPNI(uuid.UUID{2})
	for name, change := range map[string]model.GroupChange{
		"of the group":   {Kind: model.GroupTitleChanged, Revision: 7, Editor: aci, Before: "a", After: "b"},
		"of people":      {Kind: model.GroupMemberInvited, Revision: 1, Editor: aci, Affected: []serviceid.ServiceID{pni, aci}},
		"editor unknown": {Kind: model.GroupUnknownChange},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := proto.Marshal(groupChangeEntry(change))
			require.NoError(t, err)
			entry := new(storepb.GroupChangeEntry)
			require.NoError(t, proto.Unmarshal(raw, entry))
			require.Equal(t, change, *groupChangeOf(entry))
		})
	}
	odd := groupChangeOf(&storepb.GroupChangeEntry{Editor: []byte{1}, Affected: [][]byte{{2}, aci.Binary()}})
	require.True(t, odd.Editor.IsZero())
	require.Equal(t, []serviceid.ServiceID{aci}, odd.Affected)
}

// A group of 1,001 members, each with a label, and as many requests and bans fits into the store.
func TestTheBiggestGroupFits(t *testing.T) {
	t.Parallel()
	const people = 1001
	state := group.State{Title: strings.Repeat("t", 32), Description: strings.Repeat("d", 480)}
	for n := range people {
		id := uuid.UUID{byte(n), byte(n >> 8), 1}
		state.Members = append(state.Members, group.Member{
			ACI: serviceid.NewACI(id), Role: group.RoleMember, JoinedAt: 1000, Label: strings.Repeat("l", 24), LabelEmoji: "🦔",
		})
		state.Requesting = append(state.Requesting, group.Requesting{ACI: serviceid.NewACI(id), Timestamp: 1_800_000_000_000})
		state.Banned = append(state.Banned, group.Banned{ServiceID: serviceid.NewPNI(id), Timestamp: 1_800_000_000_000})
	}
	raw, err := state.Marshal()
	require.NoError(t, err)
	require.Less(t, len(raw), store.MaxGroupStateBytes)
	t.Logf("%d bytes", len(raw))
}
