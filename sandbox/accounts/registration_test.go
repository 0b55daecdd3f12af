package accounts

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox/wire"
)

// A registration is taken with valid keys alone, or refused.
func FuzzRegistration(f *testing.F) {
	f.Add([]byte(`{"accountAttributes":{"fetchesMessages":true,"registrationId":1,"pniRegistrationId":2,` +
		`"unidentifiedAccessKey":"AAAAAAAAAAAAAAAAAAAAAA==","capabilities":{"spqr":true}},` +
		`"aciIdentityKey":"BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","aciSignedPreKey":{"keyId":1,"publicKey":"BQ","signature":""}}`))
	f.Add([]byte(`{"accountAttributes":{"capabilities":null}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var request registrationRequest
		err := (&wire.Request{Body: body}).Decode(&request)
		if err == nil {
			_, err = request.registration("+12025550133", "secret")
		}
		var refusal *wire.Refusal
		require.True(t, err == nil || errors.As(err, &refusal))
	})
}
