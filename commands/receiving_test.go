package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/commands/signaltest"
	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

func TestReceiveMessages(t *testing.T) {
	r := newRig(t, nil)
	require.Equal(t, `{"messages":[]}`, r.result(`{command:'receive_messages',timeout:0}`))
	require.Equal(t, `{"messages":[]}`, r.result(`{command:'receive_messages',timeout:'20'}`))
	r.signal.Deliver(signaltest.Text("1", "hello"))
	reply := r.run(`{command:'receive_messages'}`)
	require.Len(t, reply.Result.(*commands.ReceiveMessagesReply).Messages, 1)
	all, leased := r.signal.Left()
	require.Equal(t, []int{1, 1}, []int{all, leased}, "until it is delivered")
	reply.Settle(false)
	all, leased = r.signal.Left()
	require.Equal(t, []int{1, 0}, []int{all, leased})
	require.Contains(t, r.result(`{command:'receive_messages'}`), `"redelivered":true`)
	all, _ = r.signal.Left()
	require.Zero(t, all)
}

func TestReceiveMessagesChecks(t *testing.T) {
	r := newRig(t, nil)
	for _, field := range []string{
		`timeout:-2`, `timeout:'x'`, `timeout:1.5`, `timeout:{}`, `timeout:1e30`, `maxMessages:0`, `maxMessages:10001`, `types:[]`,
		`types:['messages']`, `types:'message'`, `types:[{}]`, `ack:'later'`, `leaseSeconds:0`, `ignoreAttachments:'x'`,
	} {
		r.fails(statuscodes.InvalidArgument, `{command:'receive_messages',`+field+`}`)
	}
}

func TestReceiveMessagesEndsWithItsClient(t *testing.T) {
	r := newRig(t, nil)
	gone, leave := context.WithCancel(context.Background())
	go func() {
		<-r.signal.Waiting()
		leave()
	}()
	require.Equal(t, statuscodes.Unknown, r.runWith(gone, `{command:'receive_messages',timeout:-1}`).Code)
}

func TestUndeliveredAcknowledgement(t *testing.T) {
	r := newRig(t, nil)
	r.signal.OnAck = func([]string) error { return errors.New("disk full") }
	r.signal.Deliver(signaltest.Text("1", "x"))
	r.run(`{command:'receive_messages'}`).Settle(true)
	all, leased := r.signal.Left()
	require.Equal(t, []int{1, 0}, []int{all, leased}, "better twice than never")
	require.Contains(t, r.log.String(), "disk full")
}

func TestTypes(t *testing.T) {
	r := newRig(t, nil)
	for _, kind := range []model.MessageType{model.TypeMessage, model.TypeReceipt, model.TypeTyping, model.TypeStory, model.TypeUnknown, model.TypeSync} {
		m := signaltest.Text(string(kind), "x")
		m.Type = kind
		r.signal.Deliver(m)
	}
	require.Equal(t, []string{"receipt"}, r.ids(`{command:'receive_messages',types:['receipt']}`))
	require.Equal(t, []string{"message", "story", "unknown"}, r.ids(`{command:'receive_messages',types:['message']}`))
	require.Equal(t, []string{"sync"}, r.ids(`{command:'receive_messages'}`))
	require.Equal(t, []string{"typing"}, r.ids(`{command:'receive_messages',types:['typing','receipt']}`))
}

func (r *rig) ids(request string) []string {
	var reply struct{ Messages []struct{ ID string } }
	require.NoError(r.t, json.Unmarshal([]byte(r.result(request)), &reply))
	var ids []string
	for _, m := range reply.Messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestUnreadableMessages(t *testing.T) {
	r := newRig(t, nil)
	for _, code := range []statuscodes.Code{
		statuscodes.MessageError, statuscodes.MissingMessageContent, statuscodes.MessageParsingError,
	} {
		r.signal.Deliver(model.InboxMessage{
			ID: code.String(), Type: model.TypeUnknown, StatusCode: int(code), ErrorMessage: "It cannot be read.",
		})
		reply := r.run(`{command:'receive_messages'}`)
		require.Equal(t, statuscodes.Success, reply.Code)
		message := reply.Result.(*commands.ReceiveMessagesReply).Messages[0]
		require.Equal(t, int(code), message.StatusCode)
		require.Equal(t, "It cannot be read.", message.ErrorMessage)
		reply.Settle(true)
	}
}

func TestAckMessages(t *testing.T) {
	r := newRig(t, nil)
	r.signal.Deliver(signaltest.Text("1", "x"))
	reply := r.run(`{command:'receive_messages',ack:'manual'}`)
	require.Nil(t, reply.Settle)
	require.JSONEq(t, `{"acknowledged":1}`, r.result(`{command:'ack_messages',ids:['1','9']}`))
	r.fails(statuscodes.InvalidArgument, `{command:'ack_messages'}`)
	r.fails(statuscodes.InvalidArgument, `{command:'ack_messages',ids:'1'}`)
}

func TestGetAttachment(t *testing.T) {
	r := newRig(t, nil)
	r.signal.Attachments = map[string]model.StoredAttachment{
		"ready":  {ID: "ready", ContentType: "text/plain", Filename: "f", Ready: true, Data: signaltest.Bytes([]byte("hello"))},
		"coming": {ID: "coming"},
		"lost":   {ID: "lost", ErrorMessage: "it is gone from the CDN"},
	}
	reply := r.run(`{command:'get_attachment',id:'ready'}`).Result.(*commands.GetAttachmentReply)
	require.EqualValues(t, 5, reply.Size)
	require.Equal(t, "text/plain", reply.ContentType)
	r.fails(statuscodes.NotFound, `{command:'get_attachment',id:'coming'}`)
	r.fails(statuscodes.NotFound, `{command:'get_attachment',id:'other'}`)
	r.fails(statuscodes.MessageParsingError, `{command:'get_attachment',id:'lost'}`)
	r.fails(statuscodes.InvalidArgument, `{command:'get_attachment'}`)
}

func TestSubscribe(t *testing.T) {
	r := newRig(t, nil)
	r.result(`{command:'subscribe',reqId:'a'}`)
	seven := 7
	for _, event := range []model.Event{
		{Connection: &model.ConnectionEvent{State: model.StateConnected, Timestamp: 1}},
		{Outgoing: &model.Outgoing{Timestamp: 2, State: model.OutgoingSent}},
		{Identity: &model.IdentityEvent{ServiceID: signaltest.Contact, Fingerprint: []byte{5}, Timestamp: 3}},
		{Missed: &seven},
	} {
		r.signal.Publish(event)
	}
	for _, want := range []string{
		`{"type":"connection","timestamp":1,"state":"connected"}`,
		`{"type":"sendResult","timestamp":2,"outgoing":{"timestamp":2,"state":"sent","statusCode":0}}`,
		`{"type":"identity","timestamp":3,"uuid":"33333333-3333-4333-8333-333333333333","identity":"BQ=="}`,
		`{"type":"missed","count":7}`,
	} {
		line, err := json.Marshal(<-r.pushed)
		require.NoError(t, err)
		require.JSONEq(t, `{"command":"subscribe","reqId":"a","event":`+want+`}`, string(line))
	}
	r.result(`{command:'subscribe',reqId:'b',types:['message'],ignoreAttachments:true}`)
	require.Equal(t, 1, r.signal.Subscribers(), "it replaces the first")
	r.signal.Deliver(signaltest.File("1", signaltest.Zeros(5)))
	line, err := json.Marshal((<-r.pushed).(commands.Push))
	require.NoError(t, err)
	require.Contains(t, string(line), `"attachments":[]`)
	r.result(`{command:'unsubscribe'}`)
	require.Zero(t, r.signal.Subscribers())
	r.result(`{command:'unsubscribe'}`)
	r.fails(statuscodes.InvalidArgument, `{command:'subscribe',types:['x']}`)
}

func TestUndeliveredSubscribeNeverPushes(t *testing.T) {
	r := newRig(t, nil)
	r.run(`{command:'subscribe'}`).Settle(false)
	r.signal.Deliver(signaltest.Text("1", "x"))
	r.session.Close()
	require.Empty(t, r.pushed)
}

func TestStatus(t *testing.T) {
	r := newRig(t, nil)
	now := time.Now()
	r.signal.OnStatus = func() model.Status {
		return model.Status{
			Account:    &model.Account{Number: signaltest.Number, ACI: signaltest.ACI, DeviceID: 2},
			Connection: model.StatePaused, Since: time.UnixMilli(5), Reason: "the inbox is full",
			LastFrame: now.Add(-5 * time.Second), LastLoopStep: now, InboxMessages: 1, InboxBytes: 2, InboxMaxBytes: 3,
			OutboxDepth: 4, Quarantined: 5, Dropped: 6, PreKeys: model.PreKeyCounts{ACIEC: 1, ACIKyber: 2, PNIEC: 3, PNIKyber: 4},
			ThrottledUntil: time.UnixMilli(6), LastError: "ouch", LastErrorAt: time.UnixMilli(7),
		}
	}
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.result(`{command:'status'}`)), &got))
	require.InDelta(t, 5, got["lastFrameAge"], 2)
	require.NotContains(t, got, "lastMessageAge")
	delete(got, "lastFrameAge")
	delete(got, "lastLoopStepAge")
	delete(got, "buildAge")
	delete(got, "uptime")
	text, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, `{"account":{"number":"+436641234567","uuid":"11111111-1111-4111-8111-111111111111","deviceId":2},
		"connection":{"state":"paused","since":5,"reason":"the inbox is full"},
		"inbox":{"messages":1,"bytes":2,"maxBytes":3},"outbox":{"queued":4},"quarantined":5,"dropped":6,
		"preKeys":{"aci":1,"aciKyber":2,"pni":3,"pniKyber":4},"throttledUntil":6,
		"lastError":{"message":"ouch","timestamp":7}}`, string(text))
}

func TestVersion(t *testing.T) {
	require.JSONEq(t, `{"name":"signalbox","version":"1.2.3","commit":"abc","built":1000}`,
		newRig(t, nil).result(`{command:'version'}`))
}

func TestAccount(t *testing.T) {
	r := newRig(t, nil)
	require.JSONEq(t, `{"number":"+436641234567","uuid":"11111111-1111-4111-8111-111111111111",
		"pni":"PNI:22222222-2222-4222-8222-222222222222","username":"box.42","deviceId":2,"deviceName":"signalbox"}`,
		r.result(`{command:'get_account'}`))
	require.JSONEq(t, `{"devices":[{"id":1,"name":"phone"},{"id":2,"name":"signalbox","this":true}]}`,
		r.result(`{command:'list_devices'}`))
	r.signal.OnAccount = func() (model.Account, error) { return model.Account{Unlinked: true}, nil }
	r.fails(statuscodes.NotLinked, `{command:'get_account'}`)
	r.signal.OnAccount = func() (model.Account, error) { return model.Account{}, model.ErrNotLinked }
	r.fails(statuscodes.NotLinked, `{command:'get_account'}`)
	r.fails(statuscodes.NotLinked, `{command:'list_devices'}`)
}

func TestLinking(t *testing.T) {
	r := newRig(t, nil)
	require.JSONEq(t, `{"uri":"sgnl://linkdevice?name=signalbox"}`, r.result(`{command:'start_link'}`))
	require.JSONEq(t, `{"uri":"sgnl://linkdevice?name=kiosk"}`, r.result(`{command:'start_link',deviceName:'kiosk'}`))
	r.fails(statuscodes.InvalidArgument, `{command:'start_link',deviceName:'012345678901234567890123456789012345678901234567890'}`)
	require.Contains(t, r.result(`{command:'finish_link',uri:'x'}`), signaltest.Number)
	r.fails(statuscodes.InvalidArgument, `{command:'finish_link'}`)
	r.signal.OnLink = func(ctx context.Context, _ string) (model.Account, error) {
		close(r.drain)
		<-ctx.Done()
		return model.Account{}, ctx.Err()
	}
	r.fails(statuscodes.ShuttingDown, `{command:'finish_link',uri:'x'}`)
}
