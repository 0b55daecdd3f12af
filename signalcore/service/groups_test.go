package service_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/servicetest"
	"signalbox/signalcore/signalpb/grpcpb"
	"signalbox/signalcore/signalpb/servicepb"
)

var groupAuth = service.GroupAuth{PublicParams: []byte{0xab}, Presentation: []byte{0xcd}}

// fakeGroups is a group server that answers everything alike, and says what was asked of it.
func fakeGroups(t *testing.T, status int, header http.Header, answer []byte) (*service.Groups, *[]string) {
	t.Helper()
	asked := &[]string{}
	fake := servicetest.StartFake(t, true, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != hex.EncodeToString(groupAuth.PublicParams) || password != hex.EncodeToString(groupAuth.Presentation) {
			status = http.StatusUnauthorized
		}
		*asked = append(*asked, r.Method+" "+r.URL.RequestURI())
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	})
	return fakeNetwork(t, fake, service.Options{}).Groups(), asked
}

func TestStatusesOfGroups(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*service.Groups) error{
		"get": func(g *service.Groups) error { _, err := g.Group(testContext(t), groupAuth); return err },
		"create": func(g *service.Groups) error {
			_, err := g.CreateGroup(testContext(t), groupAuth, &servicepb.Group{})
			return err
		},
		"modify": func(g *service.Groups) error {
			_, err := g.ModifyGroup(testContext(t), groupAuth, &servicepb.GroupChange_Actions{}, nil)
			return err
		},
		"log": func(g *service.Groups) error {
			_, err := g.GroupLog(testContext(t), groupAuth, 0, service.GroupLogOptions{})
			return err
		},
		"joined": func(g *service.Groups) error { _, err := g.GroupJoinedAt(testContext(t), groupAuth); return err },
		"link": func(g *service.Groups) error {
			_, err := g.GroupJoinInfo(testContext(t), groupAuth, []byte("password"))
			return err
		},
		"form":  func(g *service.Groups) error { _, err := g.GroupAvatarForm(testContext(t), groupAuth); return err },
		"token": func(g *service.Groups) error { _, err := g.GroupToken(testContext(t), groupAuth); return err },
	}
	own := map[string]map[int]error{
		"create": {400: service.ErrGroupRejected, 403: service.ErrGroupForbidden, 409: service.ErrGroupExists},
		"modify": {400: service.ErrGroupRejected, 403: service.ErrGroupForbidden, 409: service.ErrGroupConflict},
		"link":   {403: service.ErrGroupLink},
		"form":   {403: service.ErrGroupForbidden},
	}
	for name, call := range calls {
		for status, want := range map[int]error{
			401: service.ErrUnauthorized, 403: service.ErrNotInGroup, 404: service.ErrNoGroup, 499: service.ErrOutdated,
			400: nil, 409: nil,
		} {
			if special := own[name][status]; special != nil {
				want = special
			}
			groups, _ := fakeGroups(t, status, nil, []byte("why"))
			err := call(groups)
			if want != nil {
				require.ErrorIs(t, err, want, "%s %d", name, status)
				continue
			}
			var other *service.StatusError
			require.ErrorAs(t, err, &other, "%s %d", name, status)
			require.Equal(t, service.StatusError{Code: status, Body: "why"}, *other)
		}
		for _, status := range []int{413, 429} {
			groups, _ := fakeGroups(t, status, http.Header{"Retry-After": {"60"}}, nil)
			var limited *service.RateLimitedError
			require.ErrorAs(t, call(groups), &limited, name)
			require.Equal(t, time.Minute, limited.RetryAfter)
		}
		groups, _ := fakeGroups(t, http.StatusForbidden, http.Header{"X-Signal-Forbidden-Reason": {"banned"}}, nil)
		require.ErrorIs(t, call(groups), service.ErrGroupBanned)
		groups, _ = fakeGroups(t, http.StatusOK, nil, []byte{0xff})
		require.ErrorIs(t, call(groups), service.ErrProtocol, "%s: an answer that cannot be read", name)
	}
	empty, _ := fakeGroups(t, http.StatusOK, nil, nil)
	require.ErrorIs(t, calls["get"](empty), service.ErrProtocol, "no group")
	require.ErrorIs(t, calls["modify"](empty), service.ErrProtocol, "no signed change")
}

func TestPathsOfGroups(t *testing.T) {
	answer, err := proto.Marshal(&servicepb.GroupChangeResponse{GroupChange: &servicepb.GroupChange{Actions: []byte("a")}})
	require.NoError(t, err)
	groups, asked := fakeGroups(t, http.StatusOK, nil, answer)
	ctx := testContext(t)
	password := []byte{0xfb, 0xff, 0xfe, 1}
	_, err = groups.ModifyGroup(ctx, groupAuth, &servicepb.GroupChange_Actions{}, password)
	require.NoError(t, err)
	_, _ = groups.GroupJoinInfo(ctx, groupAuth, password)
	_, _ = groups.GroupJoinInfo(ctx, groupAuth, nil)
	_, _ = groups.GroupLog(ctx, groupAuth, 7, service.GroupLogOptions{IncludeLast: true})
	_, _ = groups.GroupAvatarForm(ctx, groupAuth)
	require.Equal(t, []string{
		"PATCH /v2/groups?inviteLinkPassword=-__-AQ",
		"GET /v2/groups/join/-__-AQ",
		"GET /v2/groups/join/",
		"GET /v2/groups/logs/7?maxSupportedChangeEpoch=7&includeFirstState=false&includeLastState=true",
		"GET /v2/groups/avatar/form",
	}, *asked)
}

// TestNoErrorNamesALink: the password of a link is in the address that is asked, and errors are shown.
func TestNoErrorNamesALink(t *testing.T) {
	fake := servicetest.StartFake(t, true, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	groups := fakeNetwork(t, fake, service.Options{}).Groups()
	password := []byte{0xfb, 0xff, 0xfe, 1}
	_, err := groups.GroupJoinInfo(testContext(t), groupAuth, password)
	var network *service.NetworkError
	require.ErrorAs(t, err, &network)
	require.NotContains(t, err.Error(), "-__-AQ")
	require.NotContains(t, err.Error(), "http")
	ctx, cancel := context.WithTimeout(testContext(t), 0)
	defer cancel()
	_, err = groups.ModifyGroup(ctx, groupAuth, &servicepb.GroupChange_Actions{}, password)
	require.ErrorAs(t, err, &network)
	require.True(t, network.Timeout())
	require.NotContains(t, err.Error(), "-__-AQ")
}

func TestPagesOfTheLog(t *testing.T) {
	page := func(from uint32, span string, changes int) (*service.GroupLogPage, error) {
		log := &servicepb.GroupChanges{}
		for range changes {
			log.GroupChanges = append(log.GroupChanges, &servicepb.GroupChanges_GroupChangeState{})
		}
		answer, err := proto.Marshal(log)
		require.NoError(t, err)
		groups, _ := fakeGroups(t, http.StatusPartialContent, http.Header{"Content-Range": {span}}, answer)
		return groups.GroupLog(testContext(t), groupAuth, from, service.GroupLogOptions{})
	}
	got, err := page(5, "versions 5-68/100", 64)
	require.NoError(t, err)
	require.True(t, got.More)
	require.EqualValues(t, 69, got.Next)
	require.EqualValues(t, 100, got.CurrentRevision)
	require.Len(t, got.Changes.GetGroupChanges(), 64)
	for _, span := range []string{
		"", "bytes 5-68/100", "versions 5/100", "versions 5-x/100", "versions 5-68", "versions 1-4/100", "versions 5-100/100",
		"versions 5-99999999999/999999999999",
	} {
		_, err := page(5, span, 1)
		require.ErrorIs(t, err, service.ErrProtocol, "%q", span)
	}
	_, err = page(0, "versions 0-999/1000", 1000)
	require.ErrorIs(t, err, service.ErrProtocol, "too many")
}

func TestGroupCredentialsThatCannotBeUsed(t *testing.T) {
	for name, body := range map[string]string{
		"none": `{"credentials":[]}`, "no JSON": "x", "no account": `{"credentials":[{"credential":"AA"}],"pni":"x"}`,
	} {
		socket, server := openFake(t, service.Options{})
		answering(t, server, http.StatusOK, body)
		_, _, err := socket.GroupAuthCredentials(testContext(t), time.Now(), time.Now())
		require.ErrorIs(t, err, service.ErrProtocol, name)
	}
	socket, server := openFake(t, service.Options{})
	answering(t, server, http.StatusOK, `{"credentials":[{"credential":"AAE","redemptionTime":86400}]}`)
	credentials, pni, err := socket.GroupAuthCredentials(testContext(t), time.Now(), time.Now())
	require.NoError(t, err)
	require.True(t, pni.IsZero())
	require.Equal(t, []service.GroupCredential{{RedemptionTime: time.Unix(86400, 0).UTC(), Credential: []byte{0, 1}}}, credentials)

	socket, server = openFake(t, service.Options{})
	answering(t, server, http.StatusOK, `{}`)
	_, err = socket.ProfileKeyCredential(testContext(t), someone, "00", []byte("request"))
	require.ErrorIs(t, err, service.ErrNoProfileCredential)
	_, err = socket.ProfileKeyCredential(testContext(t), someone, "00", make([]byte, 2000))
	require.Error(t, err)
}

func openAnonymousFake(t *testing.T, http2 bool, handler http.HandlerFunc) (*service.Anonymous, *servicetest.Socket) {
	t.Helper()
	fake := servicetest.StartFake(t, http2, handler)
	socket, err := dial(t, fakeNetwork(t, fake, service.Options{})).OpenAnonymous(testContext(t))
	require.NoError(t, err)
	server := <-fake.Sockets
	t.Cleanup(func() { _ = server.Close() })
	return socket, server
}

func TestMultiRecipientByREST(t *testing.T) {
	other := serviceid.NewPNI(uuid.UUID{9})
	for name, test := range map[string]struct {
		status       uint32
		body         string
		unregistered []serviceid.ServiceID
		want         error
	}{
		"success":      {200, `{"uuids404":[]}`, nil, nil},
		"unregistered": {200, fmt.Sprintf(`{"uuids404":[%q,%q]}`, someone, other), []serviceid.ServiceID{someone, other}, nil},
		"unauthorized": {401, "", nil, service.ErrUnauthorized},
		"mismatched": {
			409, fmt.Sprintf(`[{"uuid":%q,"devices":{"missingDevices":[2],"extraDevices":[3]}}]`, someone), nil,
			&service.MultiDevicesError{Accounts: map[serviceid.ServiceID]service.AccountDevices{
				someone: {Missing: []uint32{2}, Extra: []uint32{3}},
			}},
		},
		"stale": {
			410, fmt.Sprintf(`[{"uuid":%q,"devices":{"staleDevices":[2]}}]`, other), nil,
			&service.MultiDevicesError{Accounts: map[serviceid.ServiceID]service.AccountDevices{other: {Stale: []uint32{2}}}},
		},
		"limited":             {429, "", nil, &service.RateLimitedError{}},
		"mismatch of nothing": {409, `[]`, nil, &service.StatusError{Code: 409, Body: "[]"}},
		"mismatch of nobody":  {410, `[{"uuid":"x"}]`, nil, &service.StatusError{Code: 410, Body: `[{"uuid":"x"}]`}},
	} {
		t.Run(name, func(t *testing.T) {
			socket, server := openAnonymousFake(t, false, nil)
			answering(t, server, test.status, test.body)
			unregistered, err := socket.SendMultiRecipient(testContext(t), service.MultiSend{Timestamp: 1}, []byte("token"))
			require.Equal(t, test.want, err)
			require.Equal(t, test.unregistered, unregistered)
		})
	}
	socket, server := openAnonymousFake(t, false, nil)
	answering(t, server, http.StatusOK, `{"uuids404":["x"]}`)
	_, err := socket.SendMultiRecipient(testContext(t), service.MultiSend{}, nil)
	require.ErrorIs(t, err, service.ErrProtocol)
	_, err = socket.SendMultiRecipient(testContext(t), service.MultiSend{Payload: make([]byte, service.MaxMultiPayload+1)}, nil)
	require.ErrorIs(t, err, service.ErrTooLarge)
}

func TestRequestOfAMultiRecipientSend(t *testing.T) {
	socket, server := openAnonymousFake(t, false, nil)
	done := make(chan error, 1)
	go func() {
		_, err := socket.SendMultiRecipient(testContext(t), service.MultiSend{
			Payload: []byte("payload"), Timestamp: 42, Online: true,
		}, []byte("token"))
		done <- err
	}()
	message, err := server.Next()
	require.NoError(t, err)
	request := message.GetRequest()
	require.Equal(t, "/v1/messages/multi_recipient?ts=42&online=true&urgent=false&story=false", request.GetPath())
	require.Equal(t, "payload", string(request.GetBody()))
	require.ElementsMatch(t, []string{
		"content-type:application/vnd.signal-messenger.mrm",
		"group-send-token:" + base64.StdEncoding.EncodeToString([]byte("token")),
	}, request.GetHeaders())
	require.NoError(t, server.Respond(request.GetId(), http.StatusOK, "{}"))
	require.NoError(t, <-done)
}

func TestMultiRecipientByGRPC(t *testing.T) {
	identifier := &grpcpb.ServiceIdentifier{
		IdentityType: grpcpb.IdentityType_IDENTITY_TYPE_ACI, Uuid: someone.UUID[:],
	}
	for name, test := range map[string]struct {
		answer       *grpcpb.SendMultiRecipientMessageResponse
		unregistered []serviceid.ServiceID
		want         error
	}{
		"unregistered": {
			&grpcpb.SendMultiRecipientMessageResponse{Response: &grpcpb.SendMultiRecipientMessageResponse_Success{
				Success: &grpcpb.MultiRecipientSuccess{UnresolvedRecipients: []*grpcpb.ServiceIdentifier{identifier}},
			}}, []serviceid.ServiceID{someone}, nil,
		},
		"unauthorized": {
			&grpcpb.SendMultiRecipientMessageResponse{
				Response: &grpcpb.SendMultiRecipientMessageResponse_FailedUnidentifiedAuthorization{
					FailedUnidentifiedAuthorization: &grpcpb.FailedUnidentifiedAuthorization{},
				},
			}, nil, service.ErrUnauthorized,
		},
		"nobody": {
			&grpcpb.SendMultiRecipientMessageResponse{Response: &grpcpb.SendMultiRecipientMessageResponse_Success{
				Success: &grpcpb.MultiRecipientSuccess{UnresolvedRecipients: []*grpcpb.ServiceIdentifier{{}}},
			}}, nil, service.ErrProtocol,
		},
		"nothing": {&grpcpb.SendMultiRecipientMessageResponse{}, nil, service.ErrProtocol},
		"devices": {
			&grpcpb.SendMultiRecipientMessageResponse{Response: &grpcpb.SendMultiRecipientMessageResponse_MismatchedDevices{
				MismatchedDevices: &grpcpb.MultiRecipientMismatchedDevices{MismatchedDevices: []*grpcpb.MismatchedDevices{
					{ServiceIdentifier: identifier, MissingDevices: []uint32{2}, StaleDevices: []uint32{1}},
				}},
			}}, nil, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := &grpcpb.SendMultiRecipientMessageRequest{}
			socket, _ := openAnonymousFake(t, true, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.Header.Get("Authorization") != "" || proto.Unmarshal(body[5:], request) != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				grpcAnswer(w, test.answer, map[string]string{"Grpc-Status": "0"})
			})
			unregistered, err := socket.SendMultiRecipient(testContext(t), service.MultiSend{
				Payload: []byte("payload"), Timestamp: 42, Urgent: true,
			}, []byte("token"))
			var devices *service.MultiDevicesError
			if name == "devices" {
				require.ErrorAs(t, err, &devices)
				require.Equal(t, service.AccountDevices{Missing: []uint32{2}, Stale: []uint32{1}}, devices.Accounts[someone])
			} else {
				require.ErrorIs(t, err, test.want)
			}
			require.Equal(t, test.unregistered, unregistered)
			require.True(t, proto.Equal(&grpcpb.SendMultiRecipientMessageRequest{
				Urgent: true, GroupSendToken: []byte("token"),
				Message: &grpcpb.MultiRecipientMessage{Timestamp: 42, Payload: []byte("payload")},
			}, request))
		})
	}
}

func TestMultiRecipientFallsBackToREST(t *testing.T) {
	asked := 0
	socket, server := openAnonymousFake(t, true, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		grpcAnswer(w, nil, map[string]string{"Grpc-Status": "12"})
	})
	answering(t, server, http.StatusOK, "{}")
	for range 2 {
		_, err := socket.SendMultiRecipient(testContext(t), service.MultiSend{}, []byte("token"))
		require.NoError(t, err)
	}
	require.Equal(t, 1, asked, "the answer is remembered")
}
