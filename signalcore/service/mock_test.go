package service_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/servicetest"
	"signalbox/signalcore/signalpb/servicepb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachMock runs a test against every mock server.
func eachMock(t *testing.T, test func(*testing.T, *servicetest.Mock)) {
	t.Parallel()
	for _, version := range servicetest.Versions {
		t.Run("mock-server-"+version, func(t *testing.T) {
			t.Parallel()
			test(t, servicetest.StartMock(t, version))
		})
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func newNetwork(t testing.TB, mock *servicetest.Mock, options service.Options) *service.Network {
	t.Helper()
	options.Logger = zerolog.New(zerolog.NewTestWriter(t))
	network, err := service.NewNetwork(mock.Environment, options)
	require.NoError(t, err)
	t.Cleanup(network.Close)
	return network
}

func dial(t testing.TB, network *service.Network) *service.Link {
	t.Helper()
	link, err := network.Dial(testContext(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = link.Close() })
	return link
}

// device is a linked device with an open socket.
type device struct {
	mock        *servicetest.Mock
	network     *service.Network
	link        *service.Link
	linked      *service.LinkedDevice
	credentials service.Credentials
	socket      *service.Authenticated
	anonymous   *service.Anonymous
}

func publicKey(t testing.TB) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	return append([]byte{0x05}, key.PublicKey().Bytes()...)
}

func signedKey(t testing.TB, id uint32) service.SignedPreKey {
	return service.SignedPreKey{ID: id, PublicKey: publicKey(t), Signature: make([]byte, 64)}
}

func kyberKey(id uint32) service.SignedPreKey {
	return service.SignedPreKey{ID: id, PublicKey: append([]byte{0x08}, make([]byte, 1568)...), Signature: make([]byte, 64)}
}

func linkKeys(t testing.TB) service.LinkKeys {
	return service.LinkKeys{Signed: signedKey(t, 1), LastResort: kyberKey(2)}
}

// linkDevice goes through provisioning and linking, with keys that nobody will use.
func linkDevice(t testing.TB, mock *servicetest.Mock, options service.Options) *device {
	t.Helper()
	ctx := testContext(t)
	d := &device{mock: mock, network: newNetwork(t, mock, options)}
	d.link = dial(t, d.network)

	provisioning, err := d.link.OpenProvisioning(ctx)
	require.NoError(t, err)
	address, err := provisioning.Address(ctx)
	require.NoError(t, err)
	uri := "sgnl://linkdevice?" + url.Values{
		"uuid": {address}, "pub_key": {base64.StdEncoding.EncodeToString(publicKey(t))},
	}.Encode()
	var answer struct{ Code string }
	mock.Do("provision", map[string]any{"url": uri}, &answer)
	envelope, err := provisioning.Envelope(ctx)
	require.NoError(t, err)
	require.Len(t, envelope.GetPublicKey(), 33)
	require.NotEmpty(t, envelope.GetBody())
	require.NoError(t, provisioning.Close())

	d.anonymous, err = d.link.OpenAnonymous(ctx)
	require.NoError(t, err)
	aci, err := serviceid.Parse(mock.Account.ACI)
	require.NoError(t, err)
	pniKeys := linkKeys(t)
	d.linked, err = d.anonymous.LinkDevice(ctx, service.LinkRequest{
		ACI: aci, Number: mock.Account.Number, Password: "password", ProvisioningCode: answer.Code, EncryptedName: []byte("name"),
		RegistrationID: 1000, PNIRegistrationID: 2000, Capabilities: map[string]bool{"spqr": true},
		ACIKeys: linkKeys(t), PNIKeys: &pniKeys,
	})
	require.NoError(t, err)
	require.Equal(t, aci, d.linked.ACI)
	require.Equal(t, mock.Account.PNI, d.linked.PNI.String())
	// The mock server takes whoever asked for linking as authenticated from then on.
	require.NoError(t, d.anonymous.Close())
	d.anonymous, err = d.link.OpenAnonymous(ctx)
	require.NoError(t, err)

	d.credentials = service.DeviceCredentials(aci, d.linked.DeviceID, "password")
	d.socket, err = d.link.OpenAuthenticated(ctx, d.credentials)
	require.NoError(t, err)
	return d
}

func TestLinkAndCalls(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)

		account, err := d.socket.WhoAmI(ctx)
		require.NoError(t, err)
		require.Equal(t, service.Account{ACI: d.linked.ACI, PNI: d.linked.PNI, Number: mock.Account.Number}, *account)

		for _, identity := range []serviceid.Kind{serviceid.ACI, serviceid.PNI} {
			upload := service.UploadKeys{}
			for id := range uint32(100) {
				upload.PreKeys = append(upload.PreKeys, service.PreKey{ID: 10 + id, PublicKey: publicKey(t)})
				upload.KyberPreKeys = append(upload.KyberPreKeys, kyberKey(200+id))
			}
			require.NoError(t, d.socket.UploadPreKeys(ctx, identity, upload))
			ec, kyber, err := d.socket.PreKeyCounts(ctx, identity)
			require.NoError(t, err)
			require.Equal(t, [2]int{100, 100}, [2]int{ec, kyber})
		}
		var linked struct{ DeviceID uint32 }
		mock.Do("linked", nil, &linked)
		require.Equal(t, d.linked.DeviceID, linked.DeviceID)

		certificate, err := d.socket.SenderCertificate(ctx, false)
		require.NoError(t, err)
		require.NotEmpty(t, certificate)
		require.NoError(t, d.socket.SetCapabilities(ctx, map[string]bool{"spqr": true}))
		require.NoError(t, d.socket.AnswerCaptcha(ctx, "token", "captcha"))
	})
}

func TestKeysAndProfiles(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		contact, err := serviceid.Parse(mock.Contact.ACI)
		require.NoError(t, err)
		number, err := serviceid.Parse(mock.Contact.PNI)
		require.NoError(t, err)
		access := service.Access{Key: mock.Contact.AccessKey}

		for _, target := range []serviceid.ServiceID{contact, number} {
			for _, which := range []uint32{service.AllDevices, 1} {
				bundles, err := d.socket.PreKeys(ctx, target, which)
				require.NoError(t, err)
				require.Len(t, bundles.IdentityKey, 33)
				require.Len(t, bundles.Devices, 1)
				device := bundles.Devices[0]
				require.EqualValues(t, 1, device.DeviceID)
				require.Len(t, device.Signed.PublicKey, 33)
				require.Len(t, device.Signed.Signature, 64)
				require.Len(t, device.Kyber.PublicKey, 1569)
			}
		}
		bundles, err := d.anonymous.PreKeys(ctx, contact, service.AllDevices, access)
		require.NoError(t, err)
		require.Equal(t, mock.Contact.RegistrationID, bundles.Devices[0].RegistrationID)
		_, err = d.socket.PreKeys(ctx, contact, 9)
		require.ErrorIs(t, err, service.ErrUnregistered)

		for _, version := range []string{"", "00"} {
			profile, err := d.socket.Profile(ctx, contact, version)
			require.NoError(t, err)
			require.Equal(t, bundles.IdentityKey, profile.IdentityKey)
			require.True(t, profile.Capabilities["ssre2"] || len(profile.Capabilities) > 0)
			_, err = d.anonymous.Profile(ctx, contact, version, access)
			require.NoError(t, err)
		}
		_, err = d.anonymous.Profile(ctx, contact, "", service.Access{Key: make([]byte, 16)})
		require.ErrorIs(t, err, service.ErrUnauthorized)
	})
}

func TestSending(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		contact, err := serviceid.Parse(mock.Contact.ACI)
		require.NoError(t, err)
		access := service.Access{Key: mock.Contact.AccessKey}
		message := service.DeviceMessage{
			Type: int32(servicepb.Envelope_PREKEY_MESSAGE), DeviceID: 1,
			RegistrationID: mock.Contact.RegistrationID, Content: []byte("ciphertext"),
		}
		send := func(messages ...service.DeviceMessage) service.Send {
			return service.Send{Destination: contact, Timestamp: service.Milliseconds(time.Now()), Messages: messages}
		}
		sealed := message
		sealed.Type = int32(servicepb.Envelope_UNIDENTIFIED_SENDER)

		require.NoError(t, d.socket.SendMessage(ctx, send(message)))
		require.NoError(t, d.anonymous.SendMessage(ctx, send(sealed), access))
		var got struct {
			Messages []struct {
				From    string
				Content []byte
			}
		}
		mock.Do("received", nil, &got)
		require.Len(t, got.Messages, 2)
		require.Equal(t, "ciphertext", string(got.Messages[1].Content))
		require.Equal(t, mock.Account.ACI, got.Messages[0].From)
		require.Empty(t, got.Messages[1].From, "a sealed send must not name the sender")

		require.ErrorIs(t, d.anonymous.SendMessage(ctx, send(sealed), service.Access{Key: make([]byte, 16)}), service.ErrUnauthorized)

		var mismatched *service.MismatchedDevicesError
		extra := message
		extra.DeviceID = 7
		require.ErrorAs(t, d.socket.SendMessage(ctx, send(extra)), &mismatched)
		require.Equal(t, service.MismatchedDevicesError{Missing: []uint32{1}, Extra: []uint32{7}}, *mismatched)

		var stale *service.StaleDevicesError
		old := message
		old.RegistrationID++
		require.ErrorAs(t, d.socket.SendMessage(ctx, send(old)), &stale)
		require.Equal(t, []uint32{1}, stale.Stale)

		var challenge *service.ChallengeError
		mock.Do("rateLimit", nil, nil)
		require.ErrorAs(t, d.socket.SendMessage(ctx, send(message)), &challenge)
		require.Equal(t, "token", challenge.Token)
		mock.Do("stopRateLimiting", nil, nil)
		mock.Do("challenge", map[string]any{"status": 413}, nil)
		var limited *service.RateLimitedError
		require.ErrorAs(t, d.socket.AnswerCaptcha(ctx, "token", "captcha"), &limited)

		mock.Do("unregister", nil, nil)
		require.ErrorIs(t, d.socket.SendMessage(ctx, send(message)), service.ErrUnregistered)
	})
}

func TestReceiving(t *testing.T) {
	const count = 3000 // more than is queued here at once
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		batch, err := d.socket.Receive(ctx, service.Limits{})
		require.NoError(t, err)
		require.True(t, batch.QueueEmpty)
		require.Empty(t, batch.Envelopes)
		require.NoError(t, d.socket.Close())
		_, err = d.socket.Receive(ctx, service.Limits{})
		require.ErrorIs(t, err, service.ErrClosed)

		deliver := map[string]any{"deviceId": d.linked.DeviceID, "content": []byte("envelope"), "count": count}
		mock.Do("deliver", deliver, nil)
		d.socket, err = d.link.OpenAuthenticated(ctx, d.credentials)
		require.NoError(t, err)
		received := 0
		for empty := false; !empty; {
			batch, err := d.socket.Receive(ctx, service.Limits{Count: 100})
			require.NoError(t, err)
			require.LessOrEqual(t, len(batch.Envelopes), 100)
			for _, envelope := range batch.Envelopes {
				require.Equal(t, "envelope", string(envelope.Bytes))
			}
			require.NoError(t, d.socket.Acknowledge(ctx, batch.Envelopes))
			received += len(batch.Envelopes)
			empty = batch.QueueEmpty
		}
		require.Equal(t, count, received)

		deliver["count"] = 1
		mock.Do("deliver", deliver, nil)
		batch, err = d.socket.Receive(ctx, service.Limits{})
		require.NoError(t, err)
		require.Len(t, batch.Envelopes, 1)
		require.NoError(t, d.socket.Acknowledge(ctx, batch.Envelopes))
	})
}

func TestEndsOfTheSocket(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		if d.link.HTTP2() { // the older mock server closes nobody
			again, err := d.link.OpenAuthenticated(ctx, d.credentials)
			require.NoError(t, err)
			<-d.socket.Done()
			require.ErrorIs(t, d.socket.Err(), service.ErrConnectedElsewhere)
			_, err = d.socket.WhoAmI(ctx)
			require.ErrorIs(t, err, service.ErrConnectedElsewhere)
			var network *service.NetworkError
			require.ErrorAs(t, err, &network)
			require.False(t, network.MayHaveLeft)
			require.NoError(t, again.Err())
		}
		wrong := d.credentials
		wrong.Password = "wrong"
		refused, err := d.link.OpenAuthenticated(ctx, wrong)
		if err == nil {
			<-refused.Done()
			err = refused.Err()
		}
		require.ErrorIs(t, err, service.ErrUnlinked)
	})
}

func TestKeepalive(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{KeepaliveInterval: 20 * time.Millisecond})
		for range 10 {
			_, err := d.socket.WhoAmI(testContext(t))
			require.NoError(t, err)
			<-time.After(20 * time.Millisecond)
		}
		require.NoError(t, d.socket.Err())
	})
}

func TestStorage(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		ctx := testContext(t)
		credentials, err := d.socket.StorageCredentials(ctx)
		require.NoError(t, err)
		storage := d.network.Storage(credentials)

		manifest, err := storage.Manifest(ctx, 0)
		require.NoError(t, err)
		require.Nil(t, manifest)

		version := uint64(1)
		write := &servicepb.WriteOperation{Manifest: &servicepb.StorageManifest{Version: &version, Value: []byte("manifest")}}
		keys := [][]byte{}
		for i := range 5 {
			key := []byte(fmt.Sprintf("key %012d", i))
			keys = append(keys, key)
			write.InsertItem = append(write.InsertItem, &servicepb.StorageItem{Key: key, Value: []byte("value")})
		}
		require.NoError(t, storage.Write(ctx, write))
		var conflict *service.StorageConflictError
		require.ErrorAs(t, storage.Write(ctx, write), &conflict)
		require.EqualValues(t, 1, conflict.Current.GetVersion())

		manifest, err = storage.Manifest(ctx, 0)
		require.NoError(t, err)
		require.Equal(t, "manifest", string(manifest.GetValue()))
		manifest, err = storage.Manifest(ctx, 1)
		require.NoError(t, err)
		require.Nil(t, manifest, "not newer")

		items, err := storage.Items(ctx, keys[:3])
		require.NoError(t, err)
		require.Len(t, items, 3)
		_, err = storage.Items(ctx, keys)
		require.ErrorIs(t, err, service.ErrTooLarge)
	})
}

func TestUploadForm(t *testing.T) {
	eachMock(t, func(t *testing.T, mock *servicetest.Mock) {
		d := linkDevice(t, mock, service.Options{})
		for range 2 { // the second goes straight the way that the first one found
			form, err := d.socket.UploadForm(testContext(t), 1000)
			require.NoError(t, err)
			require.EqualValues(t, 3, form.CDN)
			require.NotEmpty(t, form.Headers)
		}
	})
}
