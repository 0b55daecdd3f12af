package zkgroup

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func seconds(n int64) time.Time { return time.Unix(n, 0) }

func TestCommitments(t *testing.T) {
	for _, c := range loadVectors(t).Commitments {
		equalBytes(t, c.Commitment, ProfileKeyCommitment(c.Key.key(), c.ACI.ServiceID))
	}
	c := loadVectors(t).Commitments[0].Commitment
	requireFlipsRefused(t, c, func(b []byte) error {
		if changed, err := parseCommitment(b); err != nil {
			return err
		} else if !bytes.Equal(appendAll([]byte{0}, changed.j1, changed.j2, changed.j3), c) {
			return ErrVerification // another commitment
		}
		return nil
	})
}

func (v serverVectors) params(t testing.TB) (*ServerSecretParams, *ServerPublicParams) {
	t.Helper()
	secret, err := ParseServerSecretParams(v.Secret)
	require.NoError(t, err)
	public, err := ParseServerPublicParams(v.Public)
	require.NoError(t, err)
	return secret, public
}

// serialize is libsignal's form of the context, which nothing here stores.
func (c *ProfileKeyCredentialRequestContext) serialize() []byte {
	out := append(append([]byte{0}, c.aci.UUID[:]...), c.key[:]...)
	return appendBytes(appendAll(out, c.private, c.public, c.r1, c.r2, c.blinded), c.proof)
}

func TestProfileKeyCredentialVectors(t *testing.T) {
	for _, server := range loadVectors(t).Servers {
		secret, public := server.params(t)
		for _, v := range server.Profiles {
			group := DeriveGroupSecretParams(MasterKey(v.Master))
			context, err := public.RequestProfileKeyCredential(v.RequestRandom.reader(), v.ACI.ServiceID, v.Key.key())
			require.NoError(t, err)
			equalBytes(t, v.Request, context.Request())
			equalBytes(t, v.Context, context.serialize())

			response, err := secret.IssueExpiringProfileKeyCredential(
				v.IssueRandom.reader(), v.Request, v.ACI.ServiceID, v.Commitment, seconds(v.Expires))
			require.NoError(t, err)
			equalBytes(t, v.Response, response)

			credential, err := public.ReceiveProfileKeyCredential(context, v.Response, seconds(v.Now))
			require.NoError(t, err)
			equalBytes(t, v.Credential, credential.Serialize())
			parsed, err := ParseProfileKeyCredential(v.Credential)
			require.NoError(t, err)
			equalBytes(t, v.Credential, parsed.Serialize())
			require.Equal(t, v.ACI.ServiceID, parsed.ACI())
			require.Equal(t, v.Expires, parsed.Expires().Unix())

			presentation, err := public.PresentProfileKeyCredential(v.PresentRandom.reader(), group, parsed)
			require.NoError(t, err)
			equalBytes(t, v.Presentation, presentation)
			require.NoError(t, secret.VerifyProfileKeyCredentialPresentation(group.PublicParams(), presentation, seconds(v.Now)))
			user, key, err := ProfileKeyPresentationCiphertexts(presentation)
			require.NoError(t, err)
			equalBytes(t, v.User, user)
			equalBytes(t, v.ProfileKey, key)
		}
		for _, v := range server.Old {
			user, key, err := ProfileKeyPresentationCiphertexts(v.Presentation)
			require.NoError(t, err)
			equalBytes(t, v.User, user)
			equalBytes(t, v.ProfileKey, key)
			err = secret.VerifyProfileKeyCredentialPresentation(loadVectors(t).Groups[0].Public, v.Presentation, seconds(0))
			require.ErrorIs(t, err, ErrVerification)
		}
	}
}

func TestProfileKeyCredentialRefusals(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	_, otherPublic := loadVectors(t).Servers[1].params(t)
	v, w := server.Profiles[0], server.Profiles[1]
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	context, err := public.RequestProfileKeyCredential(v.RequestRandom.reader(), v.ACI.ServiceID, v.Key.key())
	require.NoError(t, err)

	issue := func(request, commitment []byte) error {
		_, err := secret.IssueExpiringProfileKeyCredential(
			rand.Reader, request, v.ACI.ServiceID, commitment, seconds(v.Expires))
		return err
	}
	requireFlipsRefused(t, v.Request, func(b []byte) error { return issue(b, v.Commitment) })
	requireFlipsRefused(t, v.Commitment, func(b []byte) error { return issue(v.Request, b) })
	require.ErrorIs(t, issue(v.Request, w.Commitment), ErrVerification)

	receive := func(response []byte, now int64) error {
		_, err := public.ReceiveProfileKeyCredential(context, response, seconds(now))
		return err
	}
	requireFlipsRefused(t, v.Response, func(b []byte) error { return receive(b, v.Now) })
	require.ErrorIs(t, receive(w.Response, w.Now), ErrVerification)
	_, err = otherPublic.ReceiveProfileKeyCredential(context, v.Response, seconds(v.Now))
	require.ErrorIs(t, err, ErrVerification)

	requireFlipsRefused(t, v.Presentation, func(b []byte) error {
		return secret.VerifyProfileKeyCredentialPresentation(group.PublicParams(), b, seconds(v.Now))
	})
	other := DeriveGroupSecretParams(MasterKey(w.Master)).PublicParams()
	verify := func(group []byte) error {
		return secret.VerifyProfileKeyCredentialPresentation(group, v.Presentation, seconds(v.Now))
	}
	require.ErrorIs(t, verify(other), ErrVerification)
	require.ErrorIs(t, verify(nil), ErrMalformed)

	for _, cut := range []int{0, 1, 100, len(v.Credential) - 1} {
		_, err = ParseProfileKeyCredential(v.Credential[:cut])
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err = ParseProfileKeyCredential(append(bytes.Clone(v.Credential), 0))
	require.ErrorIs(t, err, ErrMalformed)
}

// A credential expires at the begin of a day, from one to seven days ahead (ServerPublicParams
// receive_expiring_profile_key_credential); a presentation is valid until then.
func TestProfileKeyCredentialTimes(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	v := server.Profiles[0]
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	context, err := public.RequestProfileKeyCredential(rand.Reader, v.ACI.ServiceID, v.Key.key())
	require.NoError(t, err)
	const now = 20_000*day + 5*3600
	for expires, ok := range map[int64]bool{
		now - 5*3600: false, 20_001 * day: false, 20_002 * day: true, now + day: false, 20_008 * day: true,
		20_009 * day: false, 20_002*day + 1: false, 0: false,
	} {
		response, err := secret.IssueExpiringProfileKeyCredential(
			rand.Reader, context.Request(), v.ACI.ServiceID, v.Commitment, seconds(expires))
		require.NoError(t, err)
		credential, err := public.ReceiveProfileKeyCredential(context, response, seconds(now))
		if !ok {
			require.ErrorIs(t, err, ErrVerification, "%d", expires)
			continue
		}
		require.NoError(t, err, "%d", expires)
		presentation, err := public.PresentProfileKeyCredential(rand.Reader, group, credential)
		require.NoError(t, err)
		for at, valid := range map[int64]bool{0: true, expires - 1: true, expires: false, expires + 1: false} {
			err := secret.VerifyProfileKeyCredentialPresentation(group.PublicParams(), presentation, seconds(at))
			require.Equal(t, valid, err == nil, "%d at %d", expires, at)
		}
	}
}

func TestCredentialsPrintAsPlaceholders(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	v := server.Profiles[0]
	context, err := public.RequestProfileKeyCredential(rand.Reader, v.ACI.ServiceID, v.Key.key())
	require.NoError(t, err)
	credential, err := ParseProfileKeyCredential(v.Credential)
	require.NoError(t, err)
	auth, err := ParseAuthCredential(server.Auth[0].Credential)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%x", "%+v", "%s"} {
		require.Equal(t, "(server secret params)(profile key credential request)(profile key credential)(auth credential)",
			fmt.Sprintf(verb+verb+verb+verb, secret, context, credential, auth))
	}
}

// errNoRandomness is of a source that has broken.
var errNoRandomness = errors.New("no randomness")

func TestBrokenRandomnessIsAnError(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	v, auth := server.Profiles[0], server.Auth[0]
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	profileCredential, err := ParseProfileKeyCredential(v.Credential)
	require.NoError(t, err)
	authCredential, err := ParseAuthCredential(auth.Credential)
	require.NoError(t, err)
	for name, use := range map[string]func(io.Reader) error{
		"master key": func(r io.Reader) error { _, err := GenerateMasterKey(r); return err },
		"server":     func(r io.Reader) error { _, err := GenerateServerSecretParams(r); return err },
		"blob":       func(r io.Reader) error { _, err := group.EncryptBlob(r, nil, 0); return err },
		"sign":       func(r io.Reader) error { _, err := secret.Sign(r, nil); return err },
		"issue auth": func(r io.Reader) error {
			_, err := secret.IssueAuthCredential(r, auth.ACI.ServiceID, auth.PNI.ServiceID, seconds(auth.Time))
			return err
		},
		"present auth": func(r io.Reader) error {
			_, err := public.PresentAuthCredential(r, group, authCredential)
			return err
		},
		"request profile": func(r io.Reader) error {
			_, err := public.RequestProfileKeyCredential(r, v.ACI.ServiceID, v.Key.key())
			return err
		},
		"issue profile": func(r io.Reader) error {
			_, err := secret.IssueExpiringProfileKeyCredential(r, v.Request, v.ACI.ServiceID, v.Commitment, seconds(v.Expires))
			return err
		},
		"present profile": func(r io.Reader) error {
			_, err := public.PresentProfileKeyCredential(r, group, profileCredential)
			return err
		},
		"endorsements": func(r io.Reader) error {
			members := [][]byte{group.EncryptServiceID(v.ACI.ServiceID)}
			_, err := secret.GroupSendKeyPair(seconds(v.Expires)).IssueGroupSendEndorsements(r, members)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, use(rand.Reader))
			require.ErrorIs(t, use(iotest.ErrReader(errNoRandomness)), errNoRandomness)
			require.ErrorIs(t, use(bytes.NewReader(make([]byte, 31))), io.ErrUnexpectedEOF)
		})
	}
}

func FuzzProfileKeyCredential(f *testing.F) {
	server := loadVectors(f).Servers[0]
	secret, public := server.params(f)
	v := server.Profiles[0]
	for _, b := range [][]byte{
		v.Request, v.Response, v.Credential, v.Presentation, server.Old[0].Presentation, v.Commitment,
	} {
		f.Add(b)
	}
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	context, err := public.RequestProfileKeyCredential(v.RequestRandom.reader(), v.ACI.ServiceID, v.Key.key())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(err error, known []byte) {
			require.True(t, err == nil || isTyped(err), "%v", err)
			require.True(t, err != nil || bytes.Equal(b, known))
		}
		_, err := secret.IssueExpiringProfileKeyCredential(rand.Reader, b, v.ACI.ServiceID, v.Commitment, seconds(v.Expires))
		check(err, v.Request)
		_, err = secret.IssueExpiringProfileKeyCredential(rand.Reader, v.Request, v.ACI.ServiceID, b, seconds(v.Expires))
		check(err, v.Commitment)
		_, err = public.ReceiveProfileKeyCredential(context, b, seconds(v.Now))
		check(err, v.Response)
		check(secret.VerifyProfileKeyCredentialPresentation(group.PublicParams(), b, seconds(v.Now)), v.Presentation)
		if credential, err := ParseProfileKeyCredential(b); err == nil {
			require.True(t, bytes.Equal(b, credential.Serialize()))
		}
		if _, _, err := ProfileKeyPresentationCiphertexts(b); err != nil {
			require.ErrorIs(t, err, ErrMalformed)
		}
	})
}
