package service_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/servicetest"
	"signalbox/signalcore/signalpb/servicepb"
)

// newGroup fetches today's credential and has the official library present it for a new group.
func newGroup(t *testing.T, d *device) (auth service.GroupAuth, members [][]byte) {
	t.Helper()
	today := time.Now()
	credentials, pni, err := d.socket.GroupAuthCredentials(testContext(t), today, today.AddDate(0, 0, 7))
	require.NoError(t, err)
	require.Len(t, credentials, 8)
	require.Equal(t, d.linked.PNI, pni)
	require.Equal(t, today.UTC().Truncate(24*time.Hour), credentials[0].RedemptionTime)
	var answer struct {
		PublicParams, Presentation []byte
		Members                    [][]byte
	}
	d.mock.Do("newGroup", map[string]any{
		"credential": credentials[0].Credential, "redemptionTime": credentials[0].RedemptionTime.Unix(),
	}, &answer)
	return service.GroupAuth{PublicParams: answer.PublicParams, Presentation: answer.Presentation}, answer.Members
}

func TestGroupsOfTheMockServer(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		auth, presentations := newGroup(t, d)
		groups := d.network.Groups()

		_, err := groups.Group(ctx, auth)
		require.ErrorIs(t, err, service.ErrNoGroup)
		wrong := auth
		wrong.Presentation = make([]byte, len(auth.Presentation))
		_, err = groups.Group(ctx, wrong)
		require.ErrorIs(t, err, service.ErrNotInGroup, "the mock server says 403 to credentials that do not verify")

		access := servicepb.AccessControl_MEMBER.Enum()
		group := &servicepb.Group{
			PublicKey: auth.PublicParams, Title: []byte("title"), Version: proto.Uint32(0),
			AccessControl: &servicepb.AccessControl{Attributes: access, Members: access, AddFromInviteLink: access},
		}
		for _, presentation := range presentations {
			group.Members = append(group.Members, &servicepb.Member{
				Role: servicepb.Member_ADMINISTRATOR.Enum(), Presentation: presentation,
			})
		}
		created, err := groups.CreateGroup(ctx, auth, group)
		require.NoError(t, err)
		require.Len(t, created.GetGroup().GetMembers(), 2)
		response := created.GetGroupSendEndorsementsResponse()
		require.NotEmpty(t, response)
		_, err = groups.CreateGroup(ctx, auth, &servicepb.Group{PublicKey: auth.PublicParams})
		require.ErrorIs(t, err, service.ErrGroupRejected)

		fetched, err := groups.Group(ctx, auth)
		require.NoError(t, err)
		require.Equal(t, "title", string(fetched.GetGroup().GetTitle()))
		require.NotEmpty(t, fetched.GetGroupSendEndorsementsResponse())
		joined, err := groups.GroupJoinedAt(ctx, auth)
		require.NoError(t, err)
		require.Zero(t, joined)

		change := func(version uint32) *servicepb.GroupChange_Actions {
			return &servicepb.GroupChange_Actions{
				Version:     &version,
				ModifyTitle: &servicepb.GroupChange_Actions_ModifyTitleAction{Title: []byte("another")},
			}
		}
		changed, err := groups.ModifyGroup(ctx, auth, change(1), nil)
		require.NoError(t, err)
		require.Len(t, changed.GetGroupChange().GetServerSignature(), 64)
		_, err = groups.ModifyGroup(ctx, auth, change(1), nil)
		require.ErrorIs(t, err, service.ErrGroupConflict)
		named := change(2)
		named.GroupId = []byte("id")
		_, err = groups.ModifyGroup(ctx, auth, named, nil)
		require.ErrorIs(t, err, service.ErrGroupRejected)

		expiry := time.Now().AddDate(0, 0, 1)
		page, err := groups.GroupLog(ctx, auth, 0, service.GroupLogOptions{IncludeFirst: true, EndorsementsExpiry: expiry})
		require.NoError(t, err)
		require.Len(t, page.Changes.GetGroupChanges(), 2)
		require.False(t, page.More)
	})
}

func TestProfileKeyCredentialOfTheMockServer(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		contact, err := serviceid.Parse(mock.Contact.ACI)
		require.NoError(t, err)
		var request struct{ Request []byte }
		mock.Do("profileRequest", nil, &request)
		answer, err := d.socket.ProfileKeyCredential(ctx, contact, "00", request.Request)
		require.NoError(t, err)
		var received struct{ Expires int64 }
		mock.Do("profileReceive", map[string]any{"credential": answer}, &received)
		require.Greater(t, received.Expires, time.Now().UnixMilli())

		_, err = d.anonymous.ProfileKeyCredential(ctx, contact, "00", request.Request, service.Access{Key: mock.Contact.AccessKey})
		require.NoError(t, err)
		_, err = d.anonymous.ProfileKeyCredential(ctx, contact, "00", request.Request, service.Access{Key: make([]byte, 16)})
		require.ErrorIs(t, err, service.ErrUnauthorized)
		token := service.Access{GroupSendToken: []byte("token")} // which the mock server does not look at
		_, err = d.anonymous.PreKeys(ctx, contact, service.AllDevices, token)
		require.NoError(t, err)
		_, err = d.anonymous.Profile(ctx, contact, "", token)
		require.NoError(t, err)
	})
}

func TestMultiRecipientOfTheMockServer(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		contact, err := serviceid.Parse(mock.Contact.ACI)
		require.NoError(t, err)
		payload := multiPayload(t, d, contact)
		ours := sealedsender.Device{ID: 1, RegistrationID: mock.Contact.RegistrationID}
		send := func(devices ...sealedsender.Device) ([]serviceid.ServiceID, error) {
			return d.anonymous.SendMultiRecipient(ctx, service.MultiSend{
				Payload: payload(devices...), Timestamp: service.Milliseconds(time.Now()), Urgent: true,
			}, []byte("token"))
		}
		unregistered, err := send(ours)
		require.NoError(t, err)
		require.Empty(t, unregistered)
		var got struct{ Messages []struct{ From, To string } }
		mock.Do("received", nil, &got)
		require.Len(t, got.Messages, 1)
		require.Equal(t, mock.Contact.ACI, got.Messages[0].To)
		require.Empty(t, got.Messages[0].From)

		var devices *service.MultiDevicesError
		_, err = send(ours, sealedsender.Device{ID: 3, RegistrationID: 1})
		require.ErrorAs(t, err, &devices)
		require.Equal(t, []uint32{3}, devices.Accounts[contact].Extra)
		_, err = send(sealedsender.Device{ID: 3, RegistrationID: 1})
		require.ErrorAs(t, err, &devices)
		require.Equal(t, []uint32{1}, devices.Accounts[contact].Missing)
		_, err = send(sealedsender.Device{ID: 1, RegistrationID: ours.RegistrationID ^ 1})
		require.ErrorAs(t, err, &devices)
		require.Equal(t, []uint32{1}, devices.Accounts[contact].Stale)

		mock.Do("unregister", nil, nil)
		unregistered, err = send(ours)
		require.NoError(t, err)
		require.Equal(t, []serviceid.ServiceID{contact}, unregistered)
	})
}

// multiPayload seals something for devices of a contact.
func multiPayload(t *testing.T, d *device, contact serviceid.ServiceID) func(...sealedsender.Device) []byte {
	t.Helper()
	bundles, err := d.socket.PreKeys(testContext(t), contact, service.AllDevices)
	require.NoError(t, err)
	identity, err := curve.ParsePublicKey(bundles.IdentityKey)
	require.NoError(t, err)
	raw, err := d.socket.SenderCertificate(testContext(t), false)
	require.NoError(t, err)
	certificate, err := sealedsender.ParseSenderCertificate(raw)
	require.NoError(t, err)
	ours, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	return func(devices ...sealedsender.Device) []byte {
		payload, err := sealedsender.EncryptMulti(rand.Reader, ours, []sealedsender.Recipient{
			{ServiceID: contact, Identity: identity, Devices: devices},
		}, nil, sealedsender.Content{Type: sealedsender.SenderKeyMessage, Certificate: certificate, Message: []byte("message")})
		require.NoError(t, err)
		return payload
	}
}
