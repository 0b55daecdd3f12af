package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	"signalbox/statuscodes"
)

func TestHeader(t *testing.T) {
	r := newRig(t, nil)
	reply := r.run(`{command:'version',reqId:7}`)
	require.Equal(t, "version", *reply.Command)
	require.Equal(t, "7", *reply.ReqID)
	require.Nil(t, r.run(`{command:'version'}`).ReqID)
	require.Nil(t, r.run(`{command:'version',reqId:null}`).ReqID)
	require.Empty(t, *r.run(`{command:'version',reqId:''}`).ReqID)
	require.Equal(t, "true", *r.run(`{command:'version',reqId:true}`).ReqID)

	reply = r.run(`{reqId:'x'}`)
	require.Equal(t, statuscodes.UnknownCommand, reply.Code)
	require.Nil(t, reply.Command)
	require.Equal(t, "x", *reply.ReqID)

	reply = r.run(`{command:'version',reqId:{}}`)
	require.Equal(t, statuscodes.InvalidArgument, reply.Code)
	require.Equal(t, "reqId must be a string, not an object.", reply.Message)
	require.Equal(t, "version", *reply.Command)

	require.Equal(t, statuscodes.InvalidArgument, r.run(`{command:['version']}`).Code)
	require.Equal(t, statuscodes.UnknownCommand, r.run(`{command:5}`).Code)
	require.Equal(t, statuscodes.UnknownCommand, r.run(`{command:'Version'}`).Code)
}

func TestUsername(t *testing.T) {
	r := newRig(t, nil)
	for _, name := range []string{
		"+436641234567", "+43 664 123-45.67", "11111111-1111-4111-8111-111111111111",
		"PNI:22222222-2222-4222-8222-222222222222", "box.42", "u:box.42", "self",
	} {
		r.result(`{command:'version',username:'` + name + `'}`)
	}
	for _, name := range []string{"+436641234568", "33333333-3333-4333-8333-333333333333", "u:fox.42", "nonsense", ""} {
		require.Equal(t, "username is not the account that is linked here.",
			r.fails(statuscodes.InvalidArgument, `{command:'version',username:'`+name+`'}`))
	}
	r.signal.OnAccount = func() (model.Account, error) { return model.Account{}, model.ErrNotLinked }
	r.result(`{command:'version',username:'+436641234568'}`)
}

func TestAuth(t *testing.T) {
	r := newRig(t, func(o *commands.Options) { o.Token = "secret" })
	require.Contains(t, r.fails(statuscodes.Unauthorized, `{command:'version'}`), "is missing")
	require.Equal(t, "The token is wrong.", r.fails(statuscodes.Unauthorized, `{command:'version',token:'secret '}`))
	r.result(`{command:'version',token:'secret'}`)
	r.result(`{command:'auth',token:'secret'}`)
	r.result(`{command:'version'}`)
	r.fails(statuscodes.Unauthorized, `{command:'auth',token:'wrong'}`)
	r.fails(statuscodes.Unauthorized, `{command:'auth'}`)
	require.True(t, r.run(`{command:'auth',token:'wrong'}`).Hangup)
	require.NotContains(t, r.log.String(), "secret")

	open := newRig(t, nil)
	open.result(`{command:'auth',token:'whatever'}`)
}

func TestUnknownAndPanic(t *testing.T) {
	r := newRig(t, nil)
	r.signal.OnSend = func(context.Context, model.SendRequest) (model.SendResult, error) {
		return model.SendResult{}, errSomething
	}
	const request = `{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`
	require.Equal(t, "Something happened.", r.fails(statuscodes.Unknown, request))
	r.signal.OnSend = func(context.Context, model.SendRequest) (model.SendResult, error) { panic("at the disco") }
	require.Equal(t, "The command failed inside; the log says more.", r.fails(statuscodes.Unknown, request))
	require.Contains(t, r.log.String(), "at the disco")
}

// TestErrorsOfTheClient: what the client answers comes out as a code, a sentence and details.
func TestErrorsOfTheClient(t *testing.T) {
	r := newRig(t, nil)
	var err error
	r.signal.OnSend = func(context.Context, model.SendRequest) (model.SendResult, error) { return model.SendResult{}, err }
	for _, tc := range []struct {
		err    error
		code   statuscodes.Code
		fields string
	}{
		{model.ErrNotAGroupMember, statuscodes.NotAGroupMember, `null`},
		{model.ErrNotLinked, statuscodes.NotLinked, `null`},
		{service.ErrUnlinked, statuscodes.NotLinked, `null`},
		{service.ErrUnregistered, statuscodes.UnregisteredRecipient, `null`},
		{&service.RateLimitedError{RetryAfter: time.Minute}, statuscodes.RateLimited, `{"retryAfterSeconds":60}`},
		{
			&service.ChallengeError{Token: "t", Options: []string{"captcha"}}, statuscodes.ChallengeRequired,
			`{"challengeToken":"t","challengeOptions":["captcha"]}`,
		},
		{&model.UntrustedIdentityError{}, statuscodes.UntrustedIdentity, `null`},
		{&service.NetworkError{Err: errors.New("refused")}, statuscodes.NetworkError, `null`},
		{model.ErrPermission, statuscodes.PermissionDenied, `null`},
		{model.ErrKeyReused, statuscodes.InvalidArgument, `null`},
		{model.ErrStorage, statuscodes.StorageError, `null`},
	} {
		err = tc.err
		reply := r.run(`{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`)
		require.Equal(t, tc.code, reply.Code, "%v", tc.err)
		require.NotEmpty(t, reply.Message)
		fields, marshalErr := json.Marshal(reply.Result)
		require.NoError(t, marshalErr)
		require.Equal(t, tc.fields, string(fields))
	}
}

func TestTimeouts(t *testing.T) {
	r := newRig(t, func(o *commands.Options) { o.CommandTimeout = 20 * time.Millisecond })
	const request = `{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`
	for want, err := range map[string]error{
		"The send was cut short: the message may have left.": &model.CutShortError{
			Departure: model.MayHaveLeft, Err: context.DeadlineExceeded},
		"The send was cut short: the message has not left.": &model.CutShortError{Err: context.DeadlineExceeded},
		"The command took longer than --command-timeout (20ms); the message may have left.": &service.NetworkError{
			Err: context.DeadlineExceeded, MayHaveLeft: true},
		"The command took longer than --command-timeout (20ms); the message has not left.": &service.NetworkError{
			Err: context.DeadlineExceeded},
		"The command took longer than --command-timeout (20ms).": context.DeadlineExceeded,
	} {
		r.signal.OnSend = func(ctx context.Context, _ model.SendRequest) (model.SendResult, error) {
			<-ctx.Done()
			return model.SendResult{}, err
		}
		require.Equal(t, want, r.fails(statuscodes.Timeout, request))
	}
	r = newRig(t, nil) // in which the command's own time is not over
	r.signal.OnSend = func(context.Context, model.SendRequest) (model.SendResult, error) {
		return model.SendResult{}, &service.NetworkError{Err: context.DeadlineExceeded, MayHaveLeft: true}
	}
	require.Equal(t, "The service took too long to answer; the message may have left.", r.fails(statuscodes.Timeout, request))
}

func TestShuttingDown(t *testing.T) {
	r := newRig(t, nil)
	r.signal.OnSend = func(ctx context.Context, _ model.SendRequest) (model.SendResult, error) {
		r.abort()
		<-ctx.Done()
		return model.SendResult{}, ctx.Err()
	}
	r.fails(statuscodes.ShuttingDown, `{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`)
	close(r.drain)
	r.fails(statuscodes.ShuttingDown, `{command:'version'}`)
}
