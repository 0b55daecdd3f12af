package zkgroup

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// issue and receive choose by whether there is a PNI.
func (v authVector) issue(secret *ServerSecretParams) ([]byte, error) {
	if v.PNI.IsZero() {
		return secret.IssueAuthCredentialWithoutPNI(v.IssueRandom.reader(), v.ACI.ServiceID, v.Salt, seconds(v.Time))
	}
	return secret.IssueAuthCredential(v.IssueRandom.reader(), v.ACI.ServiceID, v.PNI.ServiceID, seconds(v.Time))
}

func (v authVector) receive(public *ServerPublicParams, response []byte, redemption time.Time) (
	*AuthCredential, error,
) {
	if v.PNI.IsZero() {
		return public.ReceiveAuthCredentialWithoutPNI(response, v.ACI.ServiceID, v.Salt, redemption)
	}
	return public.ReceiveAuthCredential(response, v.ACI.ServiceID, v.PNI.ServiceID, redemption)
}

func TestAuthCredentialVectors(t *testing.T) {
	for _, server := range loadVectors(t).Servers {
		secret, public := server.params(t)
		for _, v := range append(server.Auth, server.AuthWithoutPNI...) {
			group := DeriveGroupSecretParams(MasterKey(v.Master))
			response, err := v.issue(secret)
			require.NoError(t, err)
			equalBytes(t, v.Response, response)
			credential, err := v.receive(public, v.Response, seconds(v.Time))
			require.NoError(t, err)
			equalBytes(t, v.Credential, credential.Serialize())
			parsed, err := ParseAuthCredential(v.Credential)
			require.NoError(t, err)
			equalBytes(t, v.Credential, parsed.Serialize())
			require.Equal(t, v.Time, parsed.Redemption().Unix())

			presentation, err := public.PresentAuthCredential(v.PresentRandom.reader(), group, parsed)
			require.NoError(t, err)
			equalBytes(t, v.Presentation, presentation)
			seen, err := secret.VerifyAuthCredentialPresentation(group.PublicParams(), presentation, seconds(v.Time))
			require.NoError(t, err)
			equalBytes(t, v.ACICiphertext, seen.ACI())
			equalBytes(t, v.PNICiphertext, seen.PNI())
			require.Equal(t, v.Time, seen.Redemption().Unix())
		}
	}
}

func TestAuthCredentialRefusals(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	otherSecret, otherPublic := loadVectors(t).Servers[1].params(t)
	v, w := server.Auth[0], server.Auth[1]
	group := DeriveGroupSecretParams(MasterKey(v.Master)).PublicParams()

	requireFlipsRefused(t, v.Response, func(b []byte) error {
		_, err := v.receive(public, b, seconds(v.Time))
		return err
	})
	for _, wrong := range []authVector{
		{ACI: w.ACI, PNI: v.PNI}, {ACI: v.ACI, PNI: w.PNI}, {ACI: v.ACI, Salt: []byte{1}}, {ACI: v.PNI, PNI: v.ACI},
	} {
		_, err := wrong.receive(public, v.Response, seconds(v.Time))
		require.ErrorIs(t, err, ErrVerification)
	}
	for _, at := range []int64{v.Time + day, v.Time - day, v.Time + 1, 0, -1} {
		_, err := v.receive(public, v.Response, seconds(at))
		require.ErrorIs(t, err, ErrVerification)
	}
	_, err := v.receive(otherPublic, v.Response, seconds(v.Time))
	require.ErrorIs(t, err, ErrVerification)
	salted := server.AuthWithoutPNI[0]
	salted.Salt = append(bytes.Clone(salted.Salt), 0)
	_, err = salted.receive(public, salted.Response, seconds(salted.Time))
	require.ErrorIs(t, err, ErrVerification)

	requireFlipsRefused(t, v.Presentation, func(b []byte) error {
		_, err := secret.VerifyAuthCredentialPresentation(group, b, seconds(v.Time))
		return err
	})
	requireFlipsRefused(t, group[1+KeySize:1+2*KeySize], func(b []byte) error {
		changed := append(append(bytes.Clone(group[:1+KeySize]), b...), group[1+2*KeySize:]...)
		_, err := secret.VerifyAuthCredentialPresentation(changed, v.Presentation, seconds(v.Time))
		return err
	})
	_, err = otherSecret.VerifyAuthCredentialPresentation(group, v.Presentation, seconds(v.Time))
	require.ErrorIs(t, err, ErrVerification)
	other := DeriveGroupSecretParams(MasterKey(w.Master)).PublicParams()
	_, err = secret.VerifyAuthCredentialPresentation(other, v.Presentation, seconds(v.Time))
	require.ErrorIs(t, err, ErrVerification)

	for _, cut := range []int{0, 1, 100, len(v.Credential) - 1} {
		_, err = ParseAuthCredential(v.Credential[:cut])
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err = ParseAuthCredential(append(bytes.Clone(v.Credential), 0))
	require.ErrorIs(t, err, ErrMalformed)
}

// A credential is accepted from a day before its day to two days after that begins.
func TestAuthCredentialTimes(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, _ := server.params(t)
	v := server.Auth[0]
	group := DeriveGroupSecretParams(MasterKey(v.Master)).PublicParams()
	for after, ok := range map[int64]bool{
		-day - 1: false, -day: true, -1: true, 0: true, day: true, 2 * day: true, 2*day + 1: false, -v.Time - 5: false,
	} {
		_, err := secret.VerifyAuthCredentialPresentation(group, v.Presentation, seconds(v.Time+after))
		require.Equal(t, ok, err == nil, "%d s after", after)
	}
	require.False(t, inAuthWindow(0, 0))
	require.False(t, inAuthWindow(^uint64(0), ^uint64(0)))
	require.True(t, inAuthWindow(day, 0))
}

func FuzzAuthCredential(f *testing.F) {
	server := loadVectors(f).Servers[0]
	secret, public := server.params(f)
	v := server.Auth[0]
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	for _, b := range [][]byte{v.Response, v.Credential, v.Presentation} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := v.receive(public, b, seconds(v.Time))
		require.True(t, err != nil && isTyped(err) || bytes.Equal(b, v.Response))
		_, err = secret.VerifyAuthCredentialPresentation(group.PublicParams(), b, seconds(v.Time))
		require.True(t, err != nil && isTyped(err) || bytes.Equal(b, v.Presentation))
		if credential, err := ParseAuthCredential(b); err == nil {
			require.True(t, bytes.Equal(b, credential.Serialize()))
			_, err = public.PresentAuthCredential(rand.Reader, group, credential)
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrMalformed)
		}
	})
}
