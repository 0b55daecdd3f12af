package zkgroup

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
)

// The names are those that testdata/interop/zkgroup-bench.mjs measures the official library by.

// must is for what cannot fail in a benchmark.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

type benchWorld struct {
	service
	aci, pni serviceid.ServiceID
	key      profilekey.Key
}

const benchTime = 20_000 * day

func newBenchWorld(b *testing.B) *benchWorld {
	return &benchWorld{
		service: randomServices(b, 1)[0], aci: randomACI(), pni: serviceid.NewPNI(randomACI().UUID),
		key: must(profilekey.Generate(rand.Reader)),
	}
}

// loop runs f once outside of the measurement, for what is made when first needed.
func loop(b *testing.B, f func()) {
	f()
	for b.Loop() {
		f()
	}
}

func BenchmarkGenerateServer(b *testing.B) {
	loop(b, func() { must(GenerateServerSecretParams(rand.Reader)) })
}

func BenchmarkParseServer(b *testing.B) {
	w := newBenchWorld(b)
	loop(b, func() { must(ParseServerPublicParams(w.openHex)) })
}

func BenchmarkDeriveGroup(b *testing.B) {
	loop(b, func() { DeriveGroupSecretParams(MasterKey{1}) })
}

func BenchmarkEncryptServiceID(b *testing.B) {
	w := newBenchWorld(b)
	loop(b, func() { w.group.EncryptServiceID(w.aci) })
}

func BenchmarkDecryptServiceID(b *testing.B) {
	w := newBenchWorld(b)
	encrypted := w.group.EncryptServiceID(w.aci)
	loop(b, func() { must(w.group.DecryptServiceID(encrypted)) })
}

func BenchmarkEncryptProfileKey(b *testing.B) {
	w := newBenchWorld(b)
	loop(b, func() { w.group.EncryptProfileKey(w.key, w.aci) })
}

func BenchmarkDecryptProfileKey(b *testing.B) {
	w := newBenchWorld(b)
	encrypted := w.group.EncryptProfileKey(w.key, w.aci)
	loop(b, func() { must(w.group.DecryptProfileKey(encrypted, w.aci)) })
}

func BenchmarkEncryptBlob(b *testing.B) {
	w := newBenchWorld(b)
	plaintext := make([]byte, 1000)
	loop(b, func() { must(w.group.EncryptBlob(rand.Reader, plaintext, 0)) })
}

func BenchmarkDecryptBlob(b *testing.B) {
	w := newBenchWorld(b)
	blob := must(w.group.EncryptBlob(rand.Reader, make([]byte, 1000), 0))
	loop(b, func() { must(w.group.DecryptBlob(blob)) })
}

func BenchmarkSign(b *testing.B) {
	w := newBenchWorld(b)
	message := make([]byte, 200)
	loop(b, func() { must(w.secret.Sign(rand.Reader, message)) })
}

func BenchmarkVerifySignature(b *testing.B) {
	w := newBenchWorld(b)
	message := make([]byte, 200)
	signature := must(w.secret.Sign(rand.Reader, message))
	loop(b, func() { require.NoError(b, w.public.VerifySignature(message, signature)) })
}

func BenchmarkIssueAuth(b *testing.B) {
	w := newBenchWorld(b)
	loop(b, func() { must(w.secret.IssueAuthCredential(rand.Reader, w.aci, w.pni, seconds(benchTime))) })
}

func (w *benchWorld) auth() ([]byte, *AuthCredential) {
	response := must(w.secret.IssueAuthCredential(rand.Reader, w.aci, w.pni, seconds(benchTime)))
	return response, must(w.public.ReceiveAuthCredential(response, w.aci, w.pni, seconds(benchTime)))
}

func BenchmarkReceiveAuth(b *testing.B) {
	w := newBenchWorld(b)
	response, _ := w.auth()
	loop(b, func() { must(w.public.ReceiveAuthCredential(response, w.aci, w.pni, seconds(benchTime))) })
}

func BenchmarkPresentAuth(b *testing.B) {
	w := newBenchWorld(b)
	_, credential := w.auth()
	loop(b, func() { must(w.public.PresentAuthCredential(rand.Reader, w.group, credential)) })
}

func BenchmarkVerifyAuth(b *testing.B) {
	w := newBenchWorld(b)
	_, credential := w.auth()
	shown := must(w.public.PresentAuthCredential(rand.Reader, w.group, credential))
	loop(b, func() { must(w.secret.VerifyAuthCredentialPresentation(w.groupHex, shown, seconds(benchTime))) })
}

func BenchmarkCommitment(b *testing.B) {
	w := newBenchWorld(b)
	loop(b, func() { ProfileKeyCommitment(w.key, w.aci) })
}

func BenchmarkRequestProfile(b *testing.B) {
	w := newBenchWorld(b)
	loop(b, func() { must(w.public.RequestProfileKeyCredential(rand.Reader, w.aci, w.key)) })
}

// profile takes a credential's life as far as its presentation.
func (w *benchWorld) profile() (
	context *ProfileKeyCredentialRequestContext, response []byte, credential *ProfileKeyCredential, shown []byte,
) {
	context = must(w.public.RequestProfileKeyCredential(rand.Reader, w.aci, w.key))
	response = must(w.secret.IssueExpiringProfileKeyCredential(
		rand.Reader, context.Request(), w.aci, ProfileKeyCommitment(w.key, w.aci), seconds(benchTime)))
	credential = must(w.public.ReceiveProfileKeyCredential(context, response, seconds(benchTime-2*day)))
	shown = must(w.public.PresentProfileKeyCredential(rand.Reader, w.group, credential))
	return context, response, credential, shown
}

func BenchmarkIssueProfile(b *testing.B) {
	w := newBenchWorld(b)
	context, _, _, _ := w.profile()
	request, committed := context.Request(), ProfileKeyCommitment(w.key, w.aci)
	loop(b, func() {
		must(w.secret.IssueExpiringProfileKeyCredential(rand.Reader, request, w.aci, committed, seconds(benchTime)))
	})
}

func BenchmarkReceiveProfile(b *testing.B) {
	w := newBenchWorld(b)
	context, response, _, _ := w.profile()
	loop(b, func() { must(w.public.ReceiveProfileKeyCredential(context, response, seconds(benchTime-2*day))) })
}

func BenchmarkPresentProfile(b *testing.B) {
	w := newBenchWorld(b)
	_, _, credential, _ := w.profile()
	loop(b, func() { must(w.public.PresentProfileKeyCredential(rand.Reader, w.group, credential)) })
}

func BenchmarkVerifyProfile(b *testing.B) {
	w := newBenchWorld(b)
	_, _, _, shown := w.profile()
	loop(b, func() {
		require.NoError(b, w.secret.VerifyProfileKeyCredentialPresentation(w.groupHex, shown, seconds(benchTime-2*day)))
	})
}

// endorsed returns a group of 100 members with their endorsements.
func (w *benchWorld) endorsed() (keys *GroupSendKeyPair, members []serviceid.ServiceID, response []byte) {
	for range 100 {
		members = append(members, randomACI())
	}
	keys = w.secret.GroupSendKeyPair(seconds(benchTime))
	return keys, members, must(keys.IssueGroupSendEndorsements(rand.Reader, encryptAll(w.group, members)))
}

func BenchmarkIssueEndorsements100(b *testing.B) {
	w := newBenchWorld(b)
	keys, members, _ := w.endorsed()
	ciphertexts := encryptAll(w.group, members)
	loop(b, func() { must(keys.IssueGroupSendEndorsements(rand.Reader, ciphertexts)) })
}

func (w *benchWorld) receive(members []serviceid.ServiceID, response []byte) *GroupSendEndorsements {
	return must(w.public.ReceiveGroupSendEndorsements(response, members, members[0], w.group, seconds(benchTime-2*day)))
}

func BenchmarkReceiveEndorsements100(b *testing.B) {
	w := newBenchWorld(b)
	_, members, response := w.endorsed()
	loop(b, func() { w.receive(members, response) })
}

func BenchmarkCombineEndorsements100(b *testing.B) {
	w := newBenchWorld(b)
	_, members, response := w.endorsed()
	var all []GroupSendEndorsement
	for _, endorsement := range w.receive(members, response).Members {
		all = append(all, endorsement)
	}
	loop(b, func() { must(CombineEndorsements(all...)) })
}

func BenchmarkToken(b *testing.B) {
	w := newBenchWorld(b)
	_, members, response := w.endorsed()
	combined := w.receive(members, response).Combined
	loop(b, func() { must(combined.Token(w.group, seconds(benchTime))) })
}

func BenchmarkVerifyToken100(b *testing.B) {
	w := newBenchWorld(b)
	keys, members, response := w.endorsed()
	token := must(w.receive(members, response).Combined.Token(w.group, seconds(benchTime)))
	loop(b, func() { require.NoError(b, keys.VerifyGroupSendToken(token, members[1:], seconds(benchTime-2*day))) })
}
