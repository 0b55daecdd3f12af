package commands_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/commands/signaltest"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/statuscodes"
)

// kiln is the identifier of the group that the fake client knows.
const kiln = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

// pixel is a PNG.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

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
	require.JSONEq(t, `{`+kilnWhole+`}`, r.result(`{command:'get_group',groupId:'`+kiln+`',avatar:true}`), "it has none")

	stranger := serviceid.NewPNI(uuid.MustParse("44444444-4444-4444-8444-444444444444"))
	g := &r.signal.List[0]
	g.Description, g.HasAvatar, g.Link, g.LinkURL = "Firings", true, model.GroupLinkApproval, "https://signal.group/#x"
	g.ExpiresInSeconds, g.AnnouncementsOnly, g.Blocked = 60, true, true
	g.Members[1].Label, g.Members[1].LabelEmoji = "Potter", "🏺"
	g.Pending = []model.GroupPendingMember{
		{ServiceID: stranger, Role: model.GroupRoleMember, InvitedBy: signaltest.Contact, Timestamp: 5},
		{Role: model.GroupRoleAdmin},
	}
	g.Requesting = []model.GroupRequestingMember{{ServiceID: stranger, Timestamp: 6}}
	g.Banned = []model.GroupBannedMember{{ServiceID: signaltest.Contact, Timestamp: 7}}
	r.signal.Avatar = signaltest.Bytes([]byte("jpeg"))
	reply := r.run(`{command:'get_group',groupId:'` + kiln + `',avatar:'true',refresh:true}`)
	require.Equal(t, statuscodes.Success, reply.Code, reply.Message)
	got := reply.Result.(*commands.GetGroupReply)
	require.EqualValues(t, 4, got.Avatar.Size)
	data, err := got.Avatar.Base64Data.Open()
	require.NoError(t, err)
	picture, err := io.ReadAll(data)
	require.NoError(t, err)
	require.Equal(t, "jpeg", string(picture))
	got.Avatar = nil
	text, err := json.Marshal(reply.Result)
	require.NoError(t, err)
	require.JSONEq(t, `{"groupId":"`+kiln+`","revision":3,"membership":"member","role":"admin","title":"Kiln","memberCount":2,
		"expiresInSeconds":60,"announcementsOnly":true,"blocked":true,"description":"Firings","hasAvatar":true,
		"link":"approval","linkUrl":"https://signal.group/#x",
		"permissions":{"addMembers":"members","editDetails":"admins","editLabels":"members"},
		"members":[
			{"recipient":"11111111-1111-4111-8111-111111111111","uuid":"11111111-1111-4111-8111-111111111111","self":true,
				"role":"admin","joinedAtRevision":0},
			{"recipient":"+436647654321","uuid":"33333333-3333-4333-8333-333333333333","name":"Contact","role":"member",
				"label":"Potter","labelEmoji":"🏺","joinedAtRevision":2}],
		"pending":[
			{"recipient":"PNI:44444444-4444-4444-8444-444444444444","uuid":"PNI:44444444-4444-4444-8444-444444444444",
				"role":"member","timestamp":5,"invitedBy":{"recipient":"+436647654321",
				"uuid":"33333333-3333-4333-8333-333333333333","name":"Contact"}},
			{"role":"admin"}],
		"requesting":[{"recipient":"PNI:44444444-4444-4444-8444-444444444444",
			"uuid":"PNI:44444444-4444-4444-8444-444444444444","timestamp":6}],
		"banned":[{"recipient":"+436647654321","uuid":"33333333-3333-4333-8333-333333333333","name":"Contact","timestamp":7}]
		}`, string(text))

	r.signal.Avatar = model.Blob{}
	r.fails(statuscodes.NotFound, `{command:'get_group',groupId:'`+kiln+`',avatar:true}`)
	r.signal.OnRefresh = func([]byte) error { return &service.NetworkError{Err: errSomething} }
	r.fails(statuscodes.NetworkError, `{command:'get_group',groupId:'`+kiln+`',refresh:true}`)
}

// TestGroupIDs: every command that is about one group reads its name alike.
func TestGroupIDs(t *testing.T) {
	r := newRig(t, nil)
	for _, request := range []string{
		`{command:'get_group',`, `{command:'update_group',title:'x',`, `{command:'leave_group',`, `{command:'delete_group',`,
		`{command:'join_group',`, `{command:'set_expiration',expiresInSeconds:1,`, `{command:'send_typing',`,
	} {
		r.fails(statuscodes.InvalidNumber, request+`groupId:'abc'}`)
		r.fails(statuscodes.InvalidNumber, request+`groupId:'`+strings.Repeat("A", 44)+`'}`)
		legacy := base64.StdEncoding.EncodeToString(make([]byte, 16))
		message := r.fails(statuscodes.GroupNotFound, request+`groupId:'`+legacy+`'}`)
		require.Contains(t, message, "legacy group")
		r.fails(statuscodes.InvalidArgument, request+`groupId:[]}`)
		r.run(request + `groupId:'` + strings.TrimRight(kiln, "=") + `'}`)
	}
	for _, name := range []string{"get_group", "update_group", "leave_group", "delete_group"} {
		require.Equal(t, "groupId is missing.", r.fails(statuscodes.InvalidRecipient, `{command:'`+name+`'}`))
	}
	r.fails(statuscodes.GroupNotFound, `{command:'get_group',groupId:'`+strings.Repeat("A", 43)+`'}`)
}

func TestCreateGroup(t *testing.T) {
	r := newRig(t, nil)
	var got model.GroupCreation
	r.signal.OnCreate = func(creation model.GroupCreation) (model.GroupResult, error) {
		got = creation
		return model.GroupResult{Group: r.signal.List[0], Failures: []model.SendFailure{
			{Recipient: creation.Members[0], Err: service.ErrUnregistered},
		}}, nil
	}
	contact := model.Recipient{Kind: model.RecipientNumber, Number: signaltest.ContactNumber, Text: signaltest.ContactNumber}
	const failures = `"failures":[{"recipient":"+436647654321","statusCode":13,
		"errorMessage":"The recipient is not registered with the service."}]`
	require.JSONEq(t, `{`+kilnWhole+`,`+failures+`}`, r.result(`{command:'create_group',title:'Kiln',members:['+436647654321']}`))
	require.Equal(t, model.GroupCreation{Title: "Kiln", Members: []model.Recipient{contact}}, got)

	r.result(`{command:'create_group',title:'Kiln',description:'d',members:['+436647654321'],admins:['+436647654321'],
		avatar:{base64Data:'` + pixel + `'},expiresInSeconds:'60',announcementsOnly:true,link:'approval',
		permissions:{addMembers:'admins',editDetails:'members',editLabels:'admins'}}`)
	require.EqualValues(t, 70, got.Avatar.Size)
	got.Avatar = nil
	require.Equal(t, model.GroupCreation{
		Title: "Kiln", Description: "d", Members: []model.Recipient{contact}, Admins: []model.Recipient{contact},
		ExpiresInSeconds: 60, AnnouncementsOnly: true, Link: model.GroupLinkApproval,
		AddMembers: model.GroupPermissionAdmins, EditDetails: model.GroupPermissionMembers, EditLabels: model.GroupPermissionAdmins,
	}, got)

	for fields, want := range map[string]struct {
		code    statuscodes.Code
		message string
	}{
		``:                             {statuscodes.InvalidArgument, "title is missing."},
		`title:''`:                     {statuscodes.InvalidArgument, "title is missing."},
		`title:['x']`:                  {statuscodes.InvalidArgument, "title must be a string, not an array."},
		`title:'x',members:'self'`:     {statuscodes.InvalidArgument, "members must be an array, not a string."},
		`title:'x',members:['nobody']`: {statuscodes.InvalidNumber, "members[0] is not a phone number"},
		`title:'x',admins:['u:x']`:     {statuscodes.InvalidRecipient, "admins[0] is not a username"},
		`title:'x',avatar:{}`:          {statuscodes.InvalidAttachment, "avatar.base64Data is missing."},
		`title:'x',avatar:{base64Data:'!'}`: {
			statuscodes.InvalidAttachment, "avatar.base64Data is not valid base64."},
		`title:'x',avatar:{base64Data:'aGVsbG8='}`: {
			statuscodes.InvalidAttachment, "avatar.base64Data is not a JPEG, PNG or WebP, but text/plain."},
		`title:'x',avatar:{base64Data:'` + strings.Repeat("AAAA", 1<<20) + `'}`: {
			statuscodes.InvalidAttachment, "avatar.base64Data is larger than the 3 MiB"},
		`title:'x',expiresInSeconds:-1`:           {statuscodes.InvalidArgument, "expiresInSeconds is out of range."},
		`title:'x',expiresInSeconds:4000000000`:   {statuscodes.InvalidArgument, "expiresInSeconds is too long."},
		`title:'x',link:'open'`:                   {statuscodes.InvalidArgument, "link must be off, on or approval."},
		`title:'x',permissions:'admins'`:          {statuscodes.InvalidArgument, "permissions must be an object"},
		`title:'x',permissions:{addMembers:'me'}`: {statuscodes.InvalidArgument, "permissions.addMembers must be members or admins."},
	} {
		message := r.fails(want.code, `{command:'create_group',`+fields+`}`)
		require.True(t, strings.HasPrefix(message, want.message), "%.80s: %s", fields, message)
	}
	r.signal.OnCreate = func(model.GroupCreation) (model.GroupResult, error) {
		return model.GroupResult{}, model.ErrPermission
	}
	r.fails(statuscodes.PermissionDenied, `{command:'create_group',title:'Kiln'}`)
}

func TestUpdateGroup(t *testing.T) {
	r := newRig(t, nil)
	var got model.GroupUpdate
	r.signal.OnUpdate = func(update model.GroupUpdate) (model.GroupResult, error) {
		got = update
		return model.GroupResult{Group: r.signal.List[0], Done: []model.GroupPart{model.GroupPartTitle}}, nil
	}
	require.JSONEq(t, `{`+kilnWhole+`,"done":["title"]}`, r.result(`{command:'update_group',groupId:'`+kiln+`',title:'Kiln'}`))
	title := "Kiln"
	require.Equal(t, model.GroupUpdate{Group: r.signal.List[0].ID, Title: &title}, got)

	r.result(`{command:'update_group',groupId:'` + kiln + `',title:'Kiln',description:'',avatar:{base64Data:'` + pixel + `'},
		expiresInSeconds:0,announcementsOnly:false,permissions:{addMembers:'members',editDetails:'admins',editLabels:'members'},
		link:'off',resetLink:true,addMembers:['self','self'],removeMembers:['self'],addAdmins:['self'],removeAdmins:['self'],
		ban:['self'],unban:['self'],approve:['self'],deny:['self'],label:'Potter',labelEmoji:'🏺'}`)
	require.EqualValues(t, 70, got.Avatar.Size)
	got.Avatar = nil
	self := []model.Recipient{{Kind: model.RecipientSelf, Text: "self"}}
	empty, label, emoji, zero, no, off := "", "Potter", "🏺", uint32(0), false, model.GroupLinkOff
	members, admins := model.GroupPermissionMembers, model.GroupPermissionAdmins
	require.Equal(t, model.GroupUpdate{
		Group: r.signal.List[0].ID, Title: &title, Description: &empty, ExpiresInSeconds: &zero, AnnouncementsOnly: &no,
		AddMembersBy: &members, EditDetailsBy: &admins, EditLabelsBy: &members, Link: &off, ResetLink: true,
		AddMembers: append(self, self...), RemoveMembers: self, AddAdmins: self, RemoveAdmins: self, Ban: self, Unban: self,
		Approve: self, Deny: self, Label: &label, LabelEmoji: &emoji,
	}, got)

	r.result(`{command:'update_group',groupId:'` + kiln + `',removeAvatar:true}`)
	require.NotNil(t, got.Avatar)
	require.Zero(t, got.Avatar.Size)
}

func TestUpdateGroupChecks(t *testing.T) {
	r := newRig(t, nil)
	r.signal.OnUpdate = func(model.GroupUpdate) (model.GroupResult, error) { return model.GroupResult{}, errSomething }
	const nothing = "The request changes nothing: name what is to change."
	for fields, want := range map[string]struct {
		code    statuscodes.Code
		message string
	}{
		`x:1`:                                {statuscodes.InvalidArgument, nothing},
		`title:null`:                         {statuscodes.InvalidArgument, nothing},
		`permissions:{}`:                     {statuscodes.InvalidArgument, nothing},
		`addMembers:[],ban:[]`:               {statuscodes.InvalidArgument, nothing},
		`resetLink:false,removeAvatar:false`: {statuscodes.InvalidArgument, nothing},
		`title:''`:                           {statuscodes.InvalidArgument, "title must not be empty."},
		`avatar:{}`:                          {statuscodes.InvalidAttachment, "avatar.base64Data is missing."},
		`removeAvatar:1,avatar:{base64Data:'AA=='}`: {statuscodes.InvalidArgument, "removeAvatar contradicts avatar."},
		`expiresInSeconds:4000000000`:               {statuscodes.InvalidArgument, "expiresInSeconds is too long."},
		`announcementsOnly:'perhaps'`:               {statuscodes.InvalidArgument, "announcementsOnly must be true or false, not a string."},
		`permissions:{editLabels:'none'}`:           {statuscodes.InvalidArgument, "permissions.editLabels must be members or admins."},
		`link:''`:                                   {statuscodes.InvalidArgument, "link must be off, on or approval."},
		`ban:['nobody']`:                            {statuscodes.InvalidNumber, "ban[0] is not a phone number"},
		`unban:['PNI:x']`:                           {statuscodes.InvalidRecipient, "unban[0] is not PNI: and a UUID."},
		`approve:[null]`:                            {statuscodes.InvalidArgument, "approve[0] must be a value, not null."},
	} {
		message := r.fails(want.code, `{command:'update_group',groupId:'`+kiln+`',`+fields+`}`)
		require.True(t, strings.HasPrefix(message, want.message), "%s: %s", fields, message)
	}
}

// TestUpdateGroupInPart: an error reply says what was done before.
func TestUpdateGroupInPart(t *testing.T) {
	r := newRig(t, nil)
	var err error
	r.signal.OnUpdate = func(model.GroupUpdate) (model.GroupResult, error) { return model.GroupResult{}, err }
	const request = `{command:'update_group',groupId:'` + kiln + `',title:'x',ban:['self']}`
	for _, tc := range []struct {
		err     error
		code    statuscodes.Code
		message string
		fields  string
	}{
		{
			&model.GroupPartError{Part: "ban", Done: []model.GroupPart{"title"}, Err: model.ErrPermission}, statuscodes.PermissionDenied,
			"ban: this device may not do that (done before: title).", `{"done":["title"]}`,
		},
		{
			&model.GroupPartError{Part: "addMembers", Err: &service.RateLimitedError{RetryAfter: 1}}, statuscodes.RateLimited,
			"addMembers: ", `{"retryAfterSeconds":1,"done":[]}`,
		},
		{model.ErrNotAGroupMember, statuscodes.NotAGroupMember, "This account is not a member of the group.", `null`},
		{model.ErrGroupNotFound, statuscodes.GroupNotFound, "This account knows no such group.", `null`},
		{model.ErrPermission, statuscodes.PermissionDenied, "This device may not do that.", `null`},
	} {
		err = tc.err
		reply := r.run(request)
		require.Equal(t, tc.code, reply.Code)
		require.True(t, strings.HasPrefix(reply.Message, tc.message), reply.Message)
		fields, marshalErr := json.Marshal(reply.Result)
		require.NoError(t, marshalErr)
		require.JSONEq(t, tc.fields, string(fields))
	}
}

func TestUpdateGroupRunsOutOfTime(t *testing.T) {
	r := newRig(t, nil)
	const request = `{command:'update_group',groupId:'` + kiln + `',title:'x'}`
	for mayHave, want := range map[bool]string{
		true:  "The service took too long to answer; the group may have been changed: get_group with refresh tells.",
		false: "The service took too long to answer; nothing was changed.",
	} {
		r.signal.OnUpdate = func(model.GroupUpdate) (model.GroupResult, error) {
			return model.GroupResult{}, &service.NetworkError{Err: context.DeadlineExceeded, MayHaveLeft: mayHave}
		}
		require.Equal(t, want, r.fails(statuscodes.Timeout, request))
	}
}

func TestLeaveGroup(t *testing.T) {
	r := newRig(t, nil)
	var got model.GroupLeave
	r.signal.OnLeave = func(leave model.GroupLeave) (model.GroupResult, error) {
		got = leave
		return model.GroupResult{Group: r.signal.List[0]}, nil
	}
	require.JSONEq(t, `{`+kilnWhole+`}`, r.result(`{command:'leave_group',groupId:'`+kiln+`'}`))
	require.Equal(t, model.GroupLeave{Group: r.signal.List[0].ID}, got)
	r.result(`{command:'leave_group',groupId:'` + kiln + `',adminToPromote:'self'}`)
	require.Equal(t, []model.Recipient{{Kind: model.RecipientSelf, Text: "self"}}, got.AdminToPromote)
	r.fails(statuscodes.InvalidNumber, `{command:'leave_group',groupId:'`+kiln+`',adminToPromote:'x'}`)
}

func TestJoinGroup(t *testing.T) {
	r := newRig(t, nil)
	var got model.GroupJoin
	r.signal.OnJoin = func(join model.GroupJoin) (model.GroupResult, error) {
		got = join
		return model.GroupResult{Group: r.signal.List[0]}, nil
	}
	require.JSONEq(t, `{`+kilnWhole+`}`, r.result(`{command:'join_group',link:' https://signal.group/#x '}`))
	require.Equal(t, model.GroupJoin{Link: "https://signal.group/#x"}, got)
	r.result(`{command:'join_group',groupId:'` + kiln + `'}`)
	require.Equal(t, model.GroupJoin{Group: r.signal.List[0].ID}, got)
	r.fails(statuscodes.InvalidArgument, `{command:'join_group'}`)
	require.Equal(t, "Exactly one of link and groupId is needed.",
		r.fails(statuscodes.InvalidArgument, `{command:'join_group',link:'x',groupId:'`+kiln+`'}`))
}

func TestGetGroupLinkInfo(t *testing.T) {
	r := newRig(t, nil)
	require.JSONEq(t, `{"groupId":"`+kiln+`","title":"Kiln","hasAvatar":false,"memberCount":2,"revision":3,"link":"on"}`,
		r.result(`{command:'get_group_link_info',link:'https://signal.group/#x'}`))
	require.Equal(t, "link is missing.", r.fails(statuscodes.InvalidArgument, `{command:'get_group_link_info',link:' '}`))
	r.signal.OnPreview = func(string) (model.GroupPreview, error) { return model.GroupPreview{}, model.ErrNotFound }
	r.fails(statuscodes.NotFound, `{command:'get_group_link_info',link:'https://signal.group/#x'}`)
}

func TestDeleteGroup(t *testing.T) {
	r := newRig(t, nil)
	var got []byte
	r.signal.OnDelete = func(id []byte) error { got = id; return nil }
	require.Equal(t, "{}", r.result(`{command:'delete_group',groupId:'`+kiln+`'}`))
	require.Equal(t, r.signal.List[0].ID, got)
	r.signal.OnDelete = func([]byte) error { return errors.Join(model.ErrGroupNotFound) }
	r.fails(statuscodes.GroupNotFound, `{command:'delete_group',groupId:'`+kiln+`'}`)
}

func TestSetExpiration(t *testing.T) {
	r := newRig(t, nil)
	got := r.sent(`{command:'set_expiration',recipient:'self',expiresInSeconds:60,idempotencyKey:'k'}`)
	require.Equal(t, content.Event{
		Kind: content.KindMessage, Message: &content.Message{TimerUpdate: true}, Timer: &content.Timer{Seconds: 60},
	}, got.Event)
	require.Equal(t, "k", got.IdempotencyKey)
	var update model.GroupUpdate
	r.signal.OnUpdate = func(u model.GroupUpdate) (model.GroupResult, error) {
		update = u
		return model.GroupResult{Group: r.signal.List[0]}, nil
	}
	require.JSONEq(t, `{"revision":3}`, r.result(`{command:'set_expiration',groupId:'`+kiln+`',expiresInSeconds:0}`))
	zero := uint32(0)
	require.Equal(t, model.GroupUpdate{Group: r.signal.List[0].ID, ExpiresInSeconds: &zero}, update)
	r.fails(statuscodes.InvalidArgument, `{command:'set_expiration',recipient:'self'}`)
	r.fails(statuscodes.InvalidArgument, `{command:'set_expiration',recipient:'self',expiresInSeconds:3000000000}`)
	r.fails(statuscodes.InvalidArgument, `{command:'set_expiration',groupId:'`+kiln+`',expiresInSeconds:1,queue:{ttlSeconds:5}}`)
	r.fails(statuscodes.InvalidRecipient, `{command:'set_expiration',expiresInSeconds:1}`)
	r.signal.OnUpdate = func(model.GroupUpdate) (model.GroupResult, error) {
		return model.GroupResult{}, model.ErrNotAGroupMember
	}
	r.fails(statuscodes.NotAGroupMember, `{command:'set_expiration',groupId:'`+kiln+`',expiresInSeconds:1}`)
}

// TestSendingToGroups: whether a group is known, and what may be done in it, is for the client to say.
func TestSendingToGroups(t *testing.T) {
	r := newRig(t, nil)
	for _, request := range []string{
		`{command:'send_message',groupId:'` + kiln + `',dataMessage:{message:'x'}}`,
		`{command:'send_reaction',groupId:'` + kiln + `',reaction:{emoji:'😀',author:'self',timestamp:1}}`,
		`{command:'delete_message',groupId:'` + kiln + `',timestamp:1}`,
	} {
		require.Equal(t, model.Destination{Group: r.signal.List[0].ID}, r.sent(request).To)
	}
}
