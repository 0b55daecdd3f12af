package zkgroup

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	mathrand "math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
)

// service is a service with random keys.
type service struct {
	secret              *ServerSecretParams
	public              *ServerPublicParams
	secretHex, openHex  hexBytes
	masterKey           MasterKey
	group               *GroupSecretParams
	groupHex, masterHex hexBytes
}

// randomServices returns some services with a group each. The cases take turns.
func randomServices(t testing.TB, n int) []service {
	var out []service
	for range n {
		secret, err := GenerateServerSecretParams(rand.Reader)
		require.NoError(t, err)
		master, err := GenerateMasterKey(rand.Reader)
		require.NoError(t, err)
		s := service{secret: secret, public: secret.PublicParams(), masterKey: master, group: DeriveGroupSecretParams(master)}
		s.secretHex, s.openHex = secret.Serialize(), s.public.Serialize()
		s.groupHex, s.masterHex = s.group.PublicParams(), master[:]
		out = append(out, s)
	}
	return out
}

func TestOfficialLibraryGeneratesTheSameServerParams(t *testing.T) {
	o := startOfficial(t)
	var calls []call
	for range interopCases {
		calls = append(calls, call{"random": randomBytes(32)})
	}
	for i, theirs := range do[struct{ Secret, Public hexBytes }](t, o, "generateServer", calls) {
		ours, err := GenerateServerSecretParams(bytes.NewReader(calls[i]["random"].([]byte)))
		require.NoError(t, err)
		equalBytes(t, theirs.Secret, ours.Serialize())
		equalBytes(t, theirs.Public, ours.PublicParams().Serialize())
	}
}

func TestOfficialLibraryAndSignatures(t *testing.T) {
	o := startOfficial(t)
	services := randomServices(t, 10)
	var sign, verify, changed []call
	var signatures [][]byte
	var ours []error
	for i := range interopCases {
		s, random, message := services[i%10], randomBytes(32), randomBytes(mathrand.IntN(300))
		signature, err := s.secret.Sign(bytes.NewReader(random), message)
		require.NoError(t, err)
		signatures = append(signatures, signature)
		sign = append(sign, call{"secret": s.secretHex, "random": random, "message": message})
		verify = append(verify, call{"public": s.openHex, "message": message, "signature": signature})
		bad := flipped(signature)
		ours = append(ours, s.public.VerifySignature(message, bad))
		changed = append(changed, call{"public": s.openHex, "message": message, "signature": bad})
	}
	do[struct{}](t, o, "verifySignature", verify)
	for i, theirs := range do[struct{ Signature hexBytes }](t, o, "sign", sign) {
		equalBytes(t, theirs.Signature, signatures[i])
		require.NoError(t, services[i%10].public.VerifySignature(verify[i]["message"].([]byte), theirs.Signature))
	}
	requireAgreed(t, o.verdicts(t, "verifySignature", changed), ours)
}

// stages collects what is asked of the official library at one step of a credential's life.
type stages map[string][]call

func (s stages) add(op string, c call) { s[op] = append(s[op], c) }

// TestOfficialLibraryAndAuthCredentials takes each credential through its life twice: the library issues and verifies
// and we receive and present, and the other way round.
func TestOfficialLibraryAndAuthCredentials(t *testing.T) {
	o := startOfficial(t)
	services := randomServices(t, 10)
	asked := stages{}
	var vectors []authVector
	for i := range interopCases {
		s := services[i%10]
		v := authVector{ACI: account{randomACI()}, PNI: account{serviceid.NewPNI(randomACI().UUID)}, Time: randomDay(),
			IssueRandom: randomBytes(32), PresentRandom: randomBytes(32)}
		vectors = append(vectors, v)
		asked.add("issueAuth",
			call{"secret": s.secretHex, "random": v.IssueRandom, "aci": v.ACI, "pni": v.PNI, "time": v.Time})
	}
	responses := do[struct{ Response hexBytes }](t, o, "issueAuth", asked["issueAuth"])
	var ourPresentations [][]byte
	var refusedResponses []error
	for i, v := range vectors {
		s := services[i%10]
		response, err := v.issue(s.secret)
		require.NoError(t, err)
		equalBytes(t, responses[i].Response, response)
		credential, err := v.receive(s.public, response, seconds(v.Time))
		require.NoError(t, err)
		presentation, err := s.public.PresentAuthCredential(v.PresentRandom.reader(), s.group, credential)
		require.NoError(t, err)
		ourPresentations = append(ourPresentations, presentation)

		known := call{"public": s.openHex, "aci": v.ACI, "pni": v.PNI, "time": v.Time, "response": response}
		asked.add("receiveAuth", known)
		bad := flipped(response)
		_, err = v.receive(s.public, bad, seconds(v.Time))
		refusedResponses = append(refusedResponses, err)
		asked.add("changed", call{"public": s.openHex, "aci": v.ACI, "pni": v.PNI, "time": v.Time, "response": bad})
	}
	requireAgreed(t, o.verdicts(t, "receiveAuth", asked["changed"]), refusedResponses)
	for i, c := range do[struct{ Credential hexBytes }](t, o, "receiveAuth", asked["receiveAuth"]) {
		s := services[i%10]
		asked.add("presentAuth",
			call{"public": s.openHex, "random": vectors[i].PresentRandom, "master": s.masterHex, "credential": c.Credential})
	}
	var refused []error
	delete(asked, "changed")
	for i, p := range do[struct{ Presentation hexBytes }](t, o, "presentAuth", asked["presentAuth"]) {
		s, now := services[i%10], vectors[i].Time-day+mathrand.Int64N(3*day)
		equalBytes(t, p.Presentation, ourPresentations[i])
		seen, err := s.secret.VerifyAuthCredentialPresentation(s.groupHex, p.Presentation, seconds(now))
		require.NoError(t, err)
		equalBytes(t, s.group.EncryptServiceID(vectors[i].ACI.ServiceID), seen.ACI())
		asked.add("verifyAuth",
			call{"secret": s.secretHex, "group": s.groupHex, "presentation": ourPresentations[i], "now": now})
		bad := flipped(p.Presentation)
		_, err = s.secret.VerifyAuthCredentialPresentation(s.groupHex, bad, seconds(now))
		refused = append(refused, err)
		asked.add("changed", call{"secret": s.secretHex, "group": s.groupHex, "presentation": bad, "now": now})
	}
	do[struct{ ACI, PNI hexBytes }](t, o, "verifyAuth", asked["verifyAuth"])
	requireAgreed(t, o.verdicts(t, "verifyAuth", asked["changed"]), refused)
}

// Without a PNI the life is the same, with other attributes: its beginning is enough.
func TestOfficialLibraryAndAuthCredentialsWithoutPNI(t *testing.T) {
	o := startOfficial(t)
	s := randomServices(t, 1)[0]
	var vectors []authVector
	var issue, receive []call
	for range interopCases {
		v := authVector{
			ACI: account{randomACI()}, Salt: randomBytes(mathrand.IntN(40)), Time: randomDay(), IssueRandom: randomBytes(32),
		}
		vectors = append(vectors, v)
		issue = append(issue,
			call{"secret": s.secretHex, "random": v.IssueRandom, "aci": v.ACI, "salt": v.Salt, "time": v.Time})
		response, err := v.issue(s.secret)
		require.NoError(t, err)
		receive = append(receive,
			call{"public": s.openHex, "aci": v.ACI, "salt": v.Salt, "time": v.Time, "response": response})
	}
	received := do[struct{ Credential hexBytes }](t, o, "receiveAuthWithoutPni", receive)
	for i, theirs := range do[struct{ Response hexBytes }](t, o, "issueAuthWithoutPni", issue) {
		credential, err := vectors[i].receive(s.public, theirs.Response, seconds(vectors[i].Time))
		require.NoError(t, err)
		equalBytes(t, received[i].Credential, credential.Serialize())
	}
}

// TestOfficialLibraryAndProfileKeyCredentials takes each credential through its life with the roles shared both ways.
func TestOfficialLibraryAndProfileKeyCredentials(t *testing.T) {
	o := startOfficial(t)
	services := randomServices(t, 10)
	asked := stages{}
	type life struct {
		profileVector
		context *ProfileKeyCredentialRequestContext
	}
	var lives []life
	for i := range interopCases {
		s := services[i%10]
		l := life{profileVector: profileVector{ACI: account{randomACI()}, Key: randomBytes(32), Expires: randomDay(),
			RequestRandom: randomBytes(32), IssueRandom: randomBytes(32), PresentRandom: randomBytes(32)}}
		l.Now = l.Expires - day - mathrand.Int64N(6*day)
		l.Commitment = ProfileKeyCommitment(l.Key.key(), l.ACI.ServiceID)
		var err error
		l.context, err = s.public.RequestProfileKeyCredential(l.RequestRandom.reader(), l.ACI.ServiceID, l.Key.key())
		require.NoError(t, err)
		lives = append(lives, l)
		asked.add("requestProfile", call{"public": s.openHex, "random": l.RequestRandom, "aci": l.ACI, "key": l.Key})
		asked.add("issueProfile", call{"secret": s.secretHex, "random": l.IssueRandom, "request": l.context.Request(),
			"aci": l.ACI, "commitment": l.Commitment, "expires": l.Expires})
		changed := call{"secret": s.secretHex, "random": l.IssueRandom, "request": flipped(l.context.Request()),
			"aci": l.ACI, "commitment": l.Commitment, "expires": l.Expires}
		asked.add("changedRequest", changed)
	}
	var refused []error
	for i, c := range asked["changedRequest"] {
		_, err := services[i%10].secret.IssueExpiringProfileKeyCredential(lives[i].IssueRandom.reader(),
			c["request"].([]byte), lives[i].ACI.ServiceID, lives[i].Commitment, seconds(lives[i].Expires))
		refused = append(refused, err)
	}
	requireAgreed(t, o.verdicts(t, "issueProfile", asked["changedRequest"]), refused)

	issued := do[struct{ Response hexBytes }](t, o, "issueProfile", asked["issueProfile"])
	refused = nil
	for i, theirs := range do[struct{ Context, Request hexBytes }](t, o, "requestProfile", asked["requestProfile"]) {
		s, l := services[i%10], &lives[i]
		equalBytes(t, theirs.Request, l.context.Request())
		equalBytes(t, theirs.Context, l.context.serialize())
		response, err := s.secret.IssueExpiringProfileKeyCredential(
			l.IssueRandom.reader(), theirs.Request, l.ACI.ServiceID, l.Commitment, seconds(l.Expires))
		require.NoError(t, err)
		equalBytes(t, issued[i].Response, response)
		asked.add("receiveProfile", call{"public": s.openHex, "context": theirs.Context, "response": response, "now": l.Now})
		bad := flipped(response)
		asked.add("changedResponse", call{"public": s.openHex, "context": theirs.Context, "response": bad, "now": l.Now})
		_, err = s.public.ReceiveProfileKeyCredential(l.context, bad, seconds(l.Now))
		refused = append(refused, err)

		credential, err := s.public.ReceiveProfileKeyCredential(l.context, issued[i].Response, seconds(l.Now))
		require.NoError(t, err)
		l.Credential = credential.Serialize()
		l.Presentation, err = s.public.PresentProfileKeyCredential(l.PresentRandom.reader(), s.group, credential)
		require.NoError(t, err)
		asked.add("presentProfile",
			call{"public": s.openHex, "random": l.PresentRandom, "master": s.masterHex, "credential": l.Credential})
		asked.add("verifyProfile",
			call{"secret": s.secretHex, "group": s.groupHex, "presentation": l.Presentation, "now": l.Now})
	}
	requireAgreed(t, o.verdicts(t, "receiveProfile", asked["changedResponse"]), refused)
	for i, theirs := range do[struct{ Credential hexBytes }](t, o, "receiveProfile", asked["receiveProfile"]) {
		equalBytes(t, theirs.Credential, lives[i].Credential)
	}
	do[struct{}](t, o, "verifyProfile", asked["verifyProfile"])

	refused = nil
	for i, theirs := range do[struct{ Presentation hexBytes }](t, o, "presentProfile", asked["presentProfile"]) {
		s, l := services[i%10], lives[i]
		equalBytes(t, theirs.Presentation, l.Presentation)
		require.NoError(t, s.secret.VerifyProfileKeyCredentialPresentation(s.groupHex, theirs.Presentation, seconds(l.Now)))
		bad := flipped(theirs.Presentation)
		asked.add("changedPresentation",
			call{"secret": s.secretHex, "group": s.groupHex, "presentation": bad, "now": l.Now})
		refused = append(refused, s.secret.VerifyProfileKeyCredentialPresentation(s.groupHex, bad, seconds(l.Now)))
	}
	requireAgreed(t, o.verdicts(t, "verifyProfile", asked["changedPresentation"]), refused)
}

// A presentation is parsed for its ciphertexts where it does not verify, too: of any version, and of any bytes, both
// read the same or nothing. (But that the library reads past what follows a value, and we refuse that.)
func TestOfficialLibraryReadsTheSamePresentations(t *testing.T) {
	o := startOfficial(t)
	server := loadVectors(t).Servers[0]
	var known [][]byte
	for _, old := range server.Old {
		known = append(known, old.Presentation)
	}
	known = append(known, server.Profiles[0].Presentation)
	var calls []call
	for i := range interopCases {
		b := flipped(known[i%len(known)])
		switch mathrand.IntN(4) {
		case 0:
			b = flipped(b)
		case 1:
			b[0] = known[i%len(known)][0] ^ byte(1+3*mathrand.IntN(2)) // a version of the same length, or none
		case 2:
			b = b[:1+mathrand.IntN(len(b))] // the library does not survive an empty one
		}
		calls = append(calls, call{"presentation": b})
	}
	var ours []error
	theirs := o.verdicts(t, "presentationCiphertexts", calls)
	for i, c := range calls {
		user, key, err := ProfileKeyPresentationCiphertexts(c["presentation"].([]byte))
		ours = append(ours, err)
		if err == nil {
			var want struct{ User, ProfileKey hexBytes }
			require.NoError(t, json.Unmarshal(theirs[i].Result, &want))
			equalBytes(t, want.User, user)
			equalBytes(t, want.ProfileKey, key)
		}
	}
	requireAgreed(t, theirs, ours)
}

func TestOfficialLibraryAndEndorsements(t *testing.T) {
	o := startOfficial(t)
	services := randomServices(t, 10)
	asked := stages{}
	var lives []endorsementVector
	for i := range interopCases {
		s := services[i%10]
		v := endorsementVector{Random: randomBytes(32), Expires: randomDay()}
		v.Now = v.Expires - minEndorsementLasts - mathrand.Int64N(6*day)
		for range 1 + mathrand.IntN(8) {
			v.Members = append(v.Members, account{randomID()})
		}
		v.Self = account{randomACI()}
		v.Members[mathrand.IntN(len(v.Members))] = v.Self
		v.Key = s.secret.GroupSendKeyPair(seconds(v.Expires)).serialize()
		lives = append(lives, v)
		var members []hexBytes
		for _, c := range encryptAll(s.group, v.members()) {
			members = append(members, c)
		}
		asked.add("endorsementKey", call{"secret": s.secretHex, "expires": v.Expires})
		asked.add("issueEndorsements", call{"key": v.Key, "random": v.Random, "members": members})
	}
	for i, theirs := range do[struct{ Key hexBytes }](t, o, "endorsementKey", asked["endorsementKey"]) {
		equalBytes(t, theirs.Key, lives[i].Key)
	}
	responses := do[struct{ Response hexBytes }](t, o, "issueEndorsements", asked["issueEndorsements"])
	var refused []error
	for i, theirs := range responses {
		s, v := services[i%10], lives[i]
		keys := s.secret.GroupSendKeyPair(seconds(v.Expires))
		response, err := keys.IssueGroupSendEndorsements(v.Random.reader(), encryptAll(s.group, v.members()))
		require.NoError(t, err)
		equalBytes(t, theirs.Response, response)
		known := func(response []byte) call {
			return call{"public": s.openHex, "master": s.masterHex, "response": response,
				"members": v.Members, "self": v.Self, "now": v.Now}
		}
		asked.add("receiveEndorsements", known(response))
		bad := flipped(response)
		asked.add("changed", known(bad))
		_, err = s.public.ReceiveGroupSendEndorsements(bad, v.members(), v.Self.ServiceID, s.group, seconds(v.Now))
		refused = append(refused, err)
	}
	requireAgreed(t, o.verdicts(t, "receiveEndorsements", asked["changed"]), refused)

	type received struct {
		Expires  int64
		Members  []hexBytes
		Combined hexBytes
	}
	var tokens [][]byte
	for i, theirs := range do[received](t, o, "receiveEndorsements", asked["receiveEndorsements"]) {
		s, v := services[i%10], lives[i]
		ours, err := s.public.ReceiveGroupSendEndorsements(
			responses[i].Response, v.members(), v.Self.ServiceID, s.group, seconds(v.Now))
		require.NoError(t, err)
		require.Equal(t, theirs.Expires, ours.Expires.Unix())
		equalBytes(t, theirs.Combined, ours.Combined.libsignals())
		for j, id := range v.members() {
			endorsement := ours.Members[id]
			equalBytes(t, theirs.Members[j], endorsement.libsignals())
		}
		// A random half of the members, by combination and by removal.
		split := mathrand.IntN(len(v.Members) + 1)
		var some, rest []GroupSendEndorsement
		for j, id := range v.members() {
			if j < split {
				some = append(some, ours.Members[id])
			} else {
				rest = append(rest, ours.Members[id])
			}
		}
		combined, err := CombineEndorsements(some...)
		require.NoError(t, err)
		all, err := CombineEndorsements(append(some, rest...)...)
		require.NoError(t, err)
		left, err := all.Without(rest...)
		require.NoError(t, err)
		require.True(t, combined == left)
		unwanted, err := CombineEndorsements(rest...)
		require.NoError(t, err)
		asked.add("combine", call{"endorsements": theirs.Members[:split]})
		asked.add("remove", call{"from": all.libsignals(), "unwanted": unwanted.libsignals()})
		lives[i].Combined = combined.libsignals()

		token, err := combined.Token(s.group, ours.Expires)
		require.NoError(t, err)
		tokens = append(tokens, token)
		asked.add("token", call{"endorsement": combined.libsignals(), "master": s.masterHex, "expires": v.Expires})
		asked.add("verifyToken", call{"token": token, "members": v.Members[:split], "key": v.Key, "now": v.Now})
	}
	for i, theirs := range do[struct{ Combined hexBytes }](t, o, "combine", asked["combine"]) {
		equalBytes(t, theirs.Combined, lives[i].Combined)
	}
	for i, theirs := range do[struct{ Left hexBytes }](t, o, "remove", asked["remove"]) {
		equalBytes(t, theirs.Left, lives[i].Combined)
	}
	do[struct{}](t, o, "verifyToken", asked["verifyToken"])
	delete(asked, "changed")
	refused = nil
	for i, theirs := range do[struct{ Token hexBytes }](t, o, "token", asked["token"]) {
		s, v, c := services[i%10], lives[i], asked["verifyToken"][i]
		equalBytes(t, theirs.Token, tokens[i])
		keys := s.secret.GroupSendKeyPair(seconds(v.Expires))
		members := v.members()[:len(c["members"].([]account))]
		require.NoError(t, keys.VerifyGroupSendToken(theirs.Token, members, seconds(v.Now)))
		// The library panics over another expiry than the key pair's, so the change is in what is before it.
		bad := bytes.Clone(theirs.Token)
		copy(bad[9:25], flipped(bad[9:25]))
		asked.add("changed", call{"token": bad, "members": c["members"], "key": v.Key, "now": v.Now})
		refused = append(refused, keys.VerifyGroupSendToken(bad, members, seconds(v.Now)))
	}
	requireAgreed(t, o.verdicts(t, "verifyToken", asked["changed"]), refused)
}
