package commands_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/commands/signaltest"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	"signalbox/statuscodes"
)

// kiln is the identifier of the group that the fake client knows.
const kiln = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

const (
	kilnHead = `"groupId":"` + kiln + `","revision":3,"membership":"member","role":"admin","title":"Kiln","memberCount":2,
		"expiresInSeconds":0,"announcementsOnly":false,"blocked":false`
	kilnDetails = `"hasAvatar":false,"link":"off",
		"permissions":{"addMembers":"members","editDetails":"admins","editLabels":"members"},"members":[
		{"recipient":"11111111-1111-4111-8111-111111111111","uuid":"11111111-1111-4111-8111-111111111111","self":true,
			"role":"admin","joinedAtRevision":0},
		{"recipient":"+436647654321","uuid":"33333333-3333-4333-8333-333333333333","name":"Contact",
			"role":"member","joinedAtRevision":2}]`
	kilnWhole = kilnHead + `,` + kilnDetails
)

func TestListGroups(t *testing.T) {
	r := newRig(t, nil)
	r.signal.List = append(r.signal.List, signaltest.GroupOf(2, "allotment"))
	r.signal.List[1].Members, r.signal.List[1].Membership = nil, model.GroupLeft
	const left = `{"groupId":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=","revision":3,"membership":"left",
		"title":"allotment","memberCount":0,"expiresInSeconds":0,"announcementsOnly":false,"blocked":false`
	require.JSONEq(t, `{"groups":[`+left+`},{`+kilnHead+`}]}`, r.result(`{command:'list_groups'}`))
	require.JSONEq(t, `{"groups":[`+left+`,"hasAvatar":false,"link":"off","members":[],
		"permissions":{"addMembers":"members","editDetails":"admins","editLabels":"members"}},{`+kilnWhole+`}]}`,
		r.result(`{command:'list_groups',details:true}`))
	r.signal.List = nil
	require.JSONEq(t, `{"groups":[]}`, r.result(`{command:'list_groups'}`))
	r.fails(statuscodes.InvalidArgument, `{command:'list_groups',details:'yes'}`)
}

func TestGetGroup(t *testing.T) {
	r := newRig(t, nil)
	require.JSONEq(t, `{`+kilnWhole+`}`, r.result(`{command:'get_group',groupId:'`+kiln+`'}`))
	require.Equal(t, "groupId is missing.", r.fails(statuscodes.InvalidRecipient, `{command:'get_group'}`))
	r.fails(statuscodes.InvalidNumber, `{command:'get_group',groupId:'abc'}`)
	r.fails(statuscodes.GroupNotFound, `{command:'get_group',groupId:'`+strings.Repeat("A", 43)+`'}`)
	r.signal.OnRefresh = func([]byte) error { return &service.NetworkError{Err: errSomething} }
	r.fails(statuscodes.NetworkError, `{command:'get_group',groupId:'`+kiln+`',refresh:true}`)
}
