package commands_test

import (
	"context"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands/signaltest"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/statuscodes"
)

// sent runs a sending command and returns what reached the client.
func (r *rig) sent(request string) model.SendRequest {
	r.t.Helper()
	r.signal.Sent = make(chan model.SendRequest, 1)
	require.JSONEq(r.t, `{"timestamp":1700000000000}`, r.result(request))
	return <-r.signal.Sent
}

func TestSendMessage(t *testing.T) {
	r := newRig(t, nil)
	got := r.sent(`{command:'send_message',recipient:'+43 664 765-43.21',dataMessage:{message:'hi',
		attachments:[{base64Data:'aGVsbG8=',filename:'a.txt',contentType:'text/plain'}]}}`)
	require.Equal(t, []model.Recipient{{
		Kind: model.RecipientNumber, Number: signaltest.ContactNumber, Text: "+43 664 765-43.21",
	}}, got.To.Recipients)
	require.Equal(t, content.KindMessage, got.Event.Kind)
	require.Equal(t, "hi", got.Event.Message.Text)
	require.Len(t, got.Uploads, 1)
	data, err := got.Uploads[0].Open()
	require.NoError(t, err)
	text, err := io.ReadAll(data)
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
	require.Equal(t, "a.txt", got.Event.Message.Attachments[0].FileName)
}

func TestSendMessageChecks(t *testing.T) {
	r := newRig(t, nil)
	for _, tc := range []struct {
		rest    string
		code    statuscodes.Code
		message string
	}{
		{``, statuscodes.InvalidArgument, "dataMessage has neither text"},
		{`dataMessage:{}`, statuscodes.InvalidArgument, "dataMessage has neither text"},
		{`dataMessage:'hi'`, statuscodes.InvalidArgument, "dataMessage must be an object, not a string."},
		{`dataMessage:{message:['hi']}`, statuscodes.InvalidArgument, "dataMessage.message must be a string, not an array."},
		{`dataMessage:{attachments:{}}`, statuscodes.InvalidArgument, "dataMessage.attachments must be an array, not an object."},
		{`dataMessage:{attachments:[null]}`, statuscodes.InvalidArgument, "dataMessage.attachments[0] must be a value, not null."},
		{`dataMessage:{attachments:[{}]}`, statuscodes.InvalidAttachment, "dataMessage.attachments[0].base64Data is missing."},
		{`dataMessage:{attachments:[{base64Data:'a!'}]}`, statuscodes.InvalidAttachment, "dataMessage.attachments[0].base64Data is not valid base64."},
		{`dataMessage:{attachments:[{base64Data:1}]}`, statuscodes.InvalidArgument, "dataMessage.attachments[0].base64Data must be a string of base64, not 1."},
		{`dataMessage:{attachments:[{base64Data:'',voiceNote:'maybe'}]}`, statuscodes.InvalidArgument, "dataMessage.attachments[0].voiceNote must be true or false, not a string."},
		{`dataMessage:{message:'x',expiresInSeconds:-1}`, statuscodes.InvalidArgument, "dataMessage.expiresInSeconds is out of range."},
		{`dataMessage:{message:'x',quote:{author:'+1',timestamp:5}}`, statuscodes.InvalidNumber, "dataMessage.quote.author is not a phone number"},
		{`dataMessage:{message:'x'},idempotencyKey:''`, statuscodes.InvalidArgument, "idempotencyKey must have 1 to 128 characters."},
		{`dataMessage:{message:'x'},idempotencyKey:'` + strings.Repeat("x", 129) + `'`, statuscodes.InvalidArgument, "idempotencyKey must have"},
		{`dataMessage:{message:'x'},queue:{}`, statuscodes.InvalidArgument, "queue.ttlSeconds must be 1 to"},
		{`dataMessage:{message:'x'},queue:true`, statuscodes.InvalidArgument, "queue must be an object, not a boolean."},
	} {
		message := r.fails(tc.code, `{command:'send_message',recipient:'self',`+tc.rest+`}`)
		require.True(t, strings.HasPrefix(message, tc.message), "%s: %s", tc.rest, message)
	}
	var long [200_000]byte
	r.sent(`{command:'send_message',recipient:'self',dataMessage:{attachments:[{base64Data:'` +
		base64.StdEncoding.EncodeToString(long[:]) + `'}]}}`)
}

func TestTargets(t *testing.T) {
	r := newRig(t, nil)
	const group32 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, tc := range []struct {
		target string
		code   statuscodes.Code
	}{
		{`x:1`, statuscodes.InvalidRecipient},
		{`recipient:''`, statuscodes.InvalidRecipient},
		{`recipients:[]`, statuscodes.InvalidRecipient},
		{`recipient:'self',groupId:'` + group32 + `='`, statuscodes.InvalidRecipient},
		{`recipient:'self',recipients:['self']`, statuscodes.InvalidRecipient},
		{`recipient:'u:ab'`, statuscodes.InvalidRecipient},
		{`recipient:'u:name.1'`, statuscodes.InvalidRecipient},
		{`recipient:'PNI:33333333'`, statuscodes.InvalidRecipient},
		{`recipient:'06641234567'`, statuscodes.InvalidNumber},
		{`recipient:'+'`, statuscodes.InvalidNumber},
		{`recipient:'+999999999999'`, statuscodes.InvalidNumber},
		{`recipient:'+43'`, statuscodes.InvalidNumber},
		{`recipient:'+4366412345x7'`, statuscodes.InvalidNumber},
		{`recipient:436641234567`, statuscodes.InvalidNumber},
		{`recipient:'somebody'`, statuscodes.InvalidNumber},
		{`recipients:['self','somebody']`, statuscodes.InvalidNumber},
		{`recipient:['self']`, statuscodes.InvalidArgument},
		{`groupId:'abc'`, statuscodes.InvalidNumber},
		{`groupId:'!'`, statuscodes.InvalidNumber},
		{`groupId:'` + strings.Repeat("_-", 21) + `_8'`, statuscodes.InvalidNumber},
		{`groupId:'` + strings.Repeat("A", 22) + `=='`, statuscodes.GroupNotFound},
	} {
		r.fails(tc.code, `{command:'send_message',`+tc.target+`,dataMessage:{message:'x'}}`)
	}
	for _, id := range []string{group32, group32 + "=", strings.Repeat("_-", 21) + "8"} {
		require.Len(t, r.sent(`{command:'send_message',groupId:'`+id+`',dataMessage:{message:'x'}}`).To.Group, 32)
	}
	got := r.sent(`{command:'send_message',dataMessage:{message:'x'},recipients:['self','+1 (202) 555-0123',
		'33333333-3333-4333-8333-333333333333','pni:22222222-2222-4222-8222-222222222222','u:some_body.01']}`)
	texts := []model.Recipient{
		{Kind: model.RecipientSelf, Text: "self"},
		{Kind: model.RecipientNumber, Number: "+12025550123", Text: "+1 (202) 555-0123"},
		{Kind: model.RecipientServiceID, ServiceID: signaltest.Contact, Text: signaltest.Contact.String()},
		{Kind: model.RecipientServiceID, ServiceID: signaltest.PNI, Text: "pni:22222222-2222-4222-8222-222222222222"},
		{Kind: model.RecipientUsername, Username: "some_body.01", Text: "u:some_body.01"},
	}
	require.Equal(t, texts, got.To.Recipients)
}

func TestSendFailures(t *testing.T) {
	r := newRig(t, nil)
	r.signal.OnSend = func(_ context.Context, request model.SendRequest) (model.SendResult, error) {
		return model.SendResult{Timestamp: 5, Repeated: true, Queued: true, Failures: []model.SendFailure{
			{Recipient: request.To.Recipients[1], Err: service.ErrUnregistered},
		}}, nil
	}
	require.JSONEq(t, `{"timestamp":5,"repeated":true,"queued":true,"failures":[{"recipient":"+43 6647654321",
		"statusCode":13,"errorMessage":"The recipient is not registered with the service."}]}`,
		r.result(`{command:'send_message',recipients:['self','+43 6647654321'],dataMessage:{message:'x'}}`))
}

func TestDurableSends(t *testing.T) {
	r := newRig(t, nil)
	base := r.sent(`{command:'send_message',recipient:'self',dataMessage:{message:'x',attachments:[{base64Data:'aGVsbG8='}]},
		idempotencyKey:'k',queue:{ttlSeconds:'60'}}`)
	require.Equal(t, "k", base.IdempotencyKey)
	require.True(t, base.Queue)
	require.Equal(t, time.Minute, base.QueueTTL)
	for request, same := range map[string]bool{
		`{reqId:5,token:'t',username:'self',idempotencyKey:'k',queue:{ttlSeconds:60},dataMessage:{attachments:[{filename:null,base64Data:'aGVs bG8='}],message:'x'},recipient:'self',command:'send_message'}`: true,
		`{command:'send_message',recipient:'self',dataMessage:{message:'y',attachments:[{base64Data:'aGVsbG8='}]},idempotencyKey:'k',queue:{ttlSeconds:60}}`:                                                  false,
		`{command:'send_message',recipient:'self',dataMessage:{message:'x',attachments:[{base64Data:'aGVsbG9v'}]},idempotencyKey:'k',queue:{ttlSeconds:60}}`:                                                  false,
		`{command:'send_message',recipient:'self',dataMessage:{message:'x'},idempotencyKey:'k',queue:{ttlSeconds:60}}`:                                                                                        false,
	} {
		require.Equal(t, same, r.sent(request).Fingerprint == base.Fingerprint, request)
	}
	plain := r.sent(`{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`)
	require.Zero(t, plain.SendOptions)
}

func TestSendReaction(t *testing.T) {
	r := newRig(t, nil)
	got := r.sent(`{command:'send_reaction',recipient:'self',reaction:{emoji:'😀',author:'+436647654321',timestamp:'1234567'}}`)
	require.Equal(t, content.Reaction{
		Emoji: "😀", Target: content.MessageRef{Author: signaltest.Contact, Timestamp: 1234567},
	}, *got.Event.Reaction)
	for _, reaction := range []string{
		`reaction:null`, `x:1`, `reaction:{}`, `reaction:{author:'self',timestamp:1}`,
		`reaction:{emoji:'😀',timestamp:1}`, `reaction:{emoji:'😀',author:'self'}`,
	} {
		r.fails(statuscodes.MissingReaction, `{command:'send_reaction',recipient:'self',`+reaction+`}`)
	}
	r.fails(statuscodes.InvalidArgument, `{command:'send_reaction',recipient:'self',reaction:{emoji:'ab',author:'self',timestamp:1}}`)
	r.fails(statuscodes.InvalidNumber, `{command:'send_reaction',recipient:'self',reaction:{emoji:'😀',author:'x',timestamp:1}}`)
	r.signal.OnResolve = func([]model.Recipient) ([]serviceid.ServiceID, error) { return nil, model.ErrUnknownRecipient }
	r.fails(statuscodes.UnregisteredRecipient, `{command:'send_reaction',recipient:'self',reaction:{emoji:'😀',author:'self',timestamp:1}}`)
}

func TestDeleteMessage(t *testing.T) {
	r := newRig(t, nil)
	got := r.sent(`{command:'delete_message',recipient:'self',timestamp:5}`)
	require.EqualValues(t, 5, got.Event.Delete.Target.Timestamp)
	r.fails(statuscodes.InvalidArgument, `{command:'delete_message',recipient:'self'}`)
	r.fails(statuscodes.InvalidRecipient, `{command:'delete_message',timestamp:5}`)
}

func TestSendReceipt(t *testing.T) {
	r := newRig(t, nil)
	var got model.ReceiptRequest
	r.signal.OnReceipt = func(_ context.Context, request model.ReceiptRequest) (model.SendResult, error) {
		got = request
		return model.SendResult{Timestamp: 6}, nil
	}
	require.JSONEq(t, `{"timestamp":6}`, r.result(`{command:'send_receipt',recipient:'+436647654321',type:'viewed',timestamps:[1,2],timestamp:3}`))
	require.Equal(t, []uint64{1, 2, 3}, got.Timestamps)
	require.True(t, got.Viewed)
	r.result(`{command:'send_receipt',recipient:'+436647654321',timestamp:3}`)
	require.False(t, got.Viewed)
	r.fails(statuscodes.InvalidArgument, `{command:'send_receipt',recipient:'self'}`)
	r.fails(statuscodes.InvalidArgument, `{command:'send_receipt',recipient:'self',timestamp:1,type:'delivery'}`)
	r.fails(statuscodes.InvalidRecipient, `{command:'send_receipt',timestamp:1}`)
}

func TestSendTyping(t *testing.T) {
	r := newRig(t, nil)
	var got model.TypingRequest
	r.signal.OnTyping = func(_ context.Context, request model.TypingRequest) error {
		got = request
		return nil
	}
	require.Equal(t, "{}", r.result(`{command:'send_typing',recipient:'self',stop:'true'}`))
	require.True(t, got.Stopped)
	r.fails(statuscodes.InvalidRecipient, `{command:'send_typing'}`)
}

func TestGetOutgoing(t *testing.T) {
	r := newRig(t, nil)
	r.signal.Outbox = []model.Outgoing{
		{
			Timestamp: 2, IdempotencyKey: "k", State: model.OutgoingFailed, Queued: time.UnixMilli(1), Finished: time.UnixMilli(3),
			StatusCode: 13, ErrorMessage: "No.",
			Failures: []model.OutgoingFailure{{Recipient: "self", StatusCode: 13, ErrorMessage: "No."}},
		},
		{Timestamp: 1, State: model.OutgoingQueued},
	}
	const failed = `{"timestamp":2,"idempotencyKey":"k","state":"failed","queuedAt":1,"finishedAt":3,"statusCode":13,
		"errorMessage":"No.","failures":[{"recipient":"self","statusCode":13,"errorMessage":"No."}]}`
	const queued = `{"timestamp":1,"state":"queued","statusCode":0}`
	require.JSONEq(t, `{"messages":[`+failed+`,`+queued+`]}`, r.result(`{command:'get_outgoing'}`))
	require.JSONEq(t, `{"messages":[`+failed+`]}`, r.result(`{command:'get_outgoing',limit:1}`))
	require.JSONEq(t, `{"messages":[`+failed+`]}`, r.result(`{command:'get_outgoing',idempotencyKey:'k'}`))
	require.JSONEq(t, `{"messages":[`+queued+`]}`, r.result(`{command:'get_outgoing',timestamp:1}`))
	require.JSONEq(t, `{"messages":[]}`, r.result(`{command:'get_outgoing',timestamp:9}`))
	r.fails(statuscodes.InvalidArgument, `{command:'get_outgoing',limit:0}`)
}
