package signalcore

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/accounts"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// world is what parties share: a sandbox of their own, whose clock is theirs, and what stands around its calls.
type world struct {
	*sandbox.Service
	env   *environment.Environment
	clock *testClock
	time  atomic.Uint64        // of the latest letter
	line  atomic.Pointer[chat] // of the party that is online
	asked atomic.Int32         // how often the group service was
	files atomic.Pointer[shelf]
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{clock: &testClock{now: time.Now()}}
	w.time.Store(uint64(w.clock.Now().UnixMilli()))
	var err error
	w.Service, err = sandbox.Start(sandbox.Options{
		Now: w.clock.Now, Around: w.around, AroundCDN: w.aroundCDN, Logger: zerolog.Nop(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	w.env = w.Environment()
	return w
}

func (w *world) around(r *wire.Request, next func() *wire.Response) *wire.Response {
	if strings.HasPrefix(r.Path, "/v2/groups") {
		w.asked.Add(1)
	}
	line := w.line.Load()
	if s := submissionOf(r); s != nil && line != nil {
		return line.takes(s, next)
	}
	return next()
}

// call makes a call of a device, or of nobody, in the process; it has to succeed.
func (w *world) call(t testing.TB, r *wire.Request, into any) {
	t.Helper()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", wire.MediaTypeJSON)
	response := w.World().Call(t.Context(), r)
	require.NotNil(t, response)
	require.Equal(t, 2, response.Status/100, "%s %s: %d %s", r.Method, r.Path, response.Status, response.Body)
	if into != nil {
		require.NoError(t, json.Unmarshal(response.Body, into))
	}
}

// own is a call of the party's device.
func (p *party) own(method, path string, body any) *wire.Request {
	p.t.Helper()
	device := p.device()
	r := &wire.Request{Method: method, Path: path, By: &device}
	if body != nil {
		var err error
		r.Body, err = json.Marshal(body)
		require.NoError(p.t, err)
	}
	return r
}

// device is what the service calls the party.
func (p *party) device() wire.Device {
	a := p.accounts.get()
	return wire.Device{Account: a.aci.UUID, ID: a.deviceID}
}

func (p *party) profileKey() profilekey.Key { return profilekey.Key(p.accounts.get().profileKey) }

// deviceCapabilities are what every device here says of itself.
var deviceCapabilities = map[string]bool{"storage": true, "spqr": true, "usernameChangeSyncMessage": true}

// register makes the party's account at the service, with the party as its primary device.
func (p *party) register() {
	p.t.Helper()
	a, key := p.accounts.get(), p.profileKey()
	access, pniKeys := key.AccessKey(), p.newKeys(a.pni).link()
	require.NoError(p.t, p.world.Accounts.Register(accounts.Registration{
		Account: accounts.Account{
			ACI: a.aci, PNI: a.pni, Number: a.number, Identity: a.aciIdentity.keys.Public,
			PNIIdentity: a.pniIdentity.keys.Public, AccessKey: access[:],
		},
		Device: accounts.Device{
			RegistrationID: a.aciIdentity.registrationID, PNIRegistrationID: a.pniIdentity.registrationID,
			Capabilities: deviceCapabilities,
		},
		Password: a.password, Keys: p.newKeys(a.aci).link(), PNIKeys: &pniKeys,
		Profile: &accounts.Profile{Commitment: accounts.CommitmentOf(key, a.aci)}, ProfileVersion: key.Version(a.aci),
	}))
	p.uploadOneTime()
}

// link makes the party a linked device of its account.
func (p *party) link() {
	p.t.Helper()
	a := p.accounts.get()
	code, err := p.world.Accounts.NewLinkingCode(a.aci)
	require.NoError(p.t, err)
	aciKeys, pniKeys := p.newKeys(a.aci).link(), p.newKeys(a.pni).link()
	body, err := json.Marshal(map[string]any{
		"verificationCode": code,
		"accountAttributes": map[string]any{
			"fetchesMessages": true, "capabilities": deviceCapabilities,
			"registrationId": a.aciIdentity.registrationID, "pniRegistrationId": a.pniIdentity.registrationID,
		},
		"aciSignedPreKey": aciKeys.Signed, "aciPqLastResortPreKey": aciKeys.LastResort,
		"pniSignedPreKey": pniKeys.Signed, "pniPqLastResortPreKey": pniKeys.LastResort,
	})
	require.NoError(p.t, err)
	password := base64.StdEncoding.EncodeToString([]byte("anybody:" + a.password))
	var linked struct{ DeviceID uint32 }
	p.world.call(p.t, &wire.Request{
		Method: http.MethodPut, Path: "/v1/devices/link", Body: body, Header: http.Header{"Authorization": {"Basic " + password}},
	}, &linked)
	require.Equal(p.t, a.deviceID, linked.DeviceID)
	p.uploadOneTime()
}

// keyPair are the keys that an identity of a device always has.
type keyPair struct {
	signed     prekey.Signed
	lastResort prekey.Kyber
}

// newKeys makes and keeps those of one of the party's identities.
func (p *party) newKeys(id serviceid.ServiceID) keyPair {
	p.t.Helper()
	identity, ok := p.accounts.get().identity(id)
	require.True(p.t, ok)
	p.nextKey++
	var k keyPair
	var err error
	k.signed, err = prekey.GenerateSigned(rand.Reader, identity.keys.Private, p.nextKey, p.clock.Now())
	require.NoError(p.t, err)
	k.lastResort, err = prekey.GenerateLastResort(rand.Reader, identity.keys.Private, p.nextKey, p.clock.Now())
	require.NoError(p.t, err)
	p.update(func(tx *store.Tx) error {
		return (&keyBatch{signed: &k.signed, lastResort: &k.lastResort}).save(tx, id.Kind)
	})
	return k
}

func (k keyPair) link() accounts.LinkKeys {
	signed, last := k.signed.Public(), k.lastResort.Public()
	return accounts.LinkKeys{
		Signed: accounts.SignedPreKey{
			ID: int64(signed.ID), PublicKey: signed.Key.Serialize(), Signature: signed.Signature,
		},
		LastResort: accounts.SignedPreKey{
			ID: int64(last.ID), PublicKey: last.Key.Serialize(), Signature: last.Signature,
		},
	}
}

// bundles are what the service would hand out of the keys of a party's PNI, if it knew of it.
func (k keyPair) bundles(of *party) []prekey.Bundle {
	a := of.accounts.get()
	return []prekey.Bundle{{
		RegistrationID: a.pniIdentity.registrationID, DeviceID: a.deviceID, Identity: a.pniIdentity.keys.Public,
		Signed: k.signed.Public(), Kyber: k.lastResort.Public(),
	}}
}

// uploadOneTime gives the service one-time prekeys for two sessions with the ACI; later ones, and those with the PNI,
// begin with the last resort.
func (p *party) uploadOneTime() {
	p.t.Helper()
	const count = 2
	a := p.accounts.get()
	var batch keyBatch
	var err error
	batch.ec, err = prekey.GenerateEC(rand.Reader, p.nextKey+1, count)
	require.NoError(p.t, err)
	batch.kyber, err = prekey.GenerateKyber(rand.Reader, a.aciIdentity.keys.Private, p.nextKey+1, count, p.clock.Now())
	require.NoError(p.t, err)
	p.nextKey += count
	p.update(func(tx *store.Tx) error { return batch.save(tx, serviceid.ACI) })
	var body struct {
		OneTime []accounts.PreKey       `json:"preKeys"`
		Kyber   []accounts.SignedPreKey `json:"pqPreKeys"`
	}
	for _, key := range batch.ec {
		body.OneTime = append(body.OneTime, accounts.PreKey{ID: int64(key.ID), PublicKey: key.Keys.Public.Serialize()})
	}
	for _, key := range batch.kyber {
		public := key.Public()
		body.Kyber = append(body.Kyber, accounts.SignedPreKey{
			ID: int64(public.ID), PublicKey: public.Key.Serialize(), Signature: public.Signature,
		})
	}
	p.world.call(p.t, p.own(http.MethodPut, "/v2/keys", body), nil)
}

// certificate is the party's, from the service.
func (p *party) certificate() *sealedsender.SenderCertificate {
	p.t.Helper()
	var answer struct{ Certificate []byte }
	p.world.call(p.t, p.own(http.MethodGet, "/v1/certificate/delivery", nil), &answer)
	certificate, err := sealedsender.ParseSenderCertificate(answer.Certificate)
	require.NoError(p.t, err)
	return certificate
}

// posts has the service take envelopes from the party.
func (p *party) posts(to *party, envelopes ...*servicepb.Envelope) {
	p.t.Helper()
	a := to.accounts.get()
	for _, e := range envelopes {
		p.world.call(p.t, p.own(http.MethodPut, "/v1/messages/"+e.GetDestinationServiceId(), map[string]any{
			"timestamp": e.GetClientTimestamp(),
			"messages": []map[string]any{{
				"type": e.GetType(), "content": e.GetContent(), "destinationDeviceId": a.deviceID,
				"destinationRegistrationId": a.aciIdentity.registrationID,
			}},
		}), nil)
	}
}

// collects takes what waits for a party that is not online, and acknowledges it.
func (p *party) collects() (out []*servicepb.Envelope) {
	p.t.Helper()
	ctx, cancel := contextOf(p.t)
	defer cancel()
	consumer := p.world.Messages.Open(p.device())
	defer consumer.Close()
	for {
		delivery, err := consumer.Next(ctx)
		require.NoError(p.t, err)
		if delivery.QueueEmpty {
			return out
		}
		out = append(out, delivery.Envelope)
		p.world.Messages.Acknowledge(consumer, delivery)
	}
}

// takes has a party that is not online receive what waits for it.
func (p *party) takes() { p.t.Helper(); p.gets(p.collects()...) }

// takesLast loses all but the last.
func (p *party) takesLast() { p.t.Helper(); all := p.collects(); p.gets(all[len(all)-1]) }

// waiting is how much the party has not acknowledged.
func (p *party) waiting() int { return p.world.Messages.Waiting(p.device()) }

// awaitEmpty waits until everything is acknowledged.
func (p *party) awaitEmpty() {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.waiting() == 0 }, soon, 5*time.Millisecond)
}

// record is the account as it is in the party's store.
func (p *party) record() (out *storepb.Account) {
	p.t.Helper()
	p.view(func(tx *store.Tx) (err error) {
		out, err = tx.Account()
		return err
	})
	return out
}
