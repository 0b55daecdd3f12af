package signalcore

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func TestGroupChangeEntries(t *testing.T) {
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
