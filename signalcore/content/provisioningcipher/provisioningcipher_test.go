package provisioningcipher

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	*h = decoded
	return err
}

type vector struct {
	Device, Identity, Body, PublicKey hexBytes
	Number, Code                      string
}

func load(t testing.TB) []vector {
	raw, err := os.ReadFile("../../../testdata/vectors/provisioning.json")
	require.NoError(t, err)
	var v struct{ Provisioning []vector }
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v.Provisioning)
	return v.Provisioning
}

func (v vector) open(t testing.TB) (curve.PrivateKey, *servicepb.ProvisionEnvelope) {
	private, err := curve.ParsePrivateKey(v.Device)
	require.NoError(t, err)
	return private, &servicepb.ProvisionEnvelope{PublicKey: v.PublicKey, Body: v.Body}
}

func TestEnvelopesOfTheMockServerOpen(t *testing.T) {
	for _, c := range load(t) {
		message, err := Decrypt(c.open(t))
		require.NoError(t, err)
		require.EqualValues(t, c.Identity, message.GetAciIdentityKeyPrivate())
		require.Equal(t, c.Number, message.GetNumber())
		require.Equal(t, c.Code, message.GetProvisioningCode())
	}
}

func TestRoundTrip(t *testing.T) {
	pair, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	for length := range 40 {
		message := &servicepb.ProvisionMessage{ProfileKey: bytes.Repeat([]byte{9}, length)}
		envelope, err := Encrypt(rand.Reader, pair.Public, message)
		require.NoError(t, err)
		decrypted, err := Decrypt(pair.Private, envelope)
		require.NoError(t, err)
		require.True(t, proto.Equal(message, decrypted))
	}
}

func TestBadEnvelopesAreRefused(t *testing.T) {
	private, good := load(t)[0].open(t)
	for name, c := range map[string]struct {
		change func(*servicepb.ProvisionEnvelope)
		want   error
	}{
		"nothing":      {func(e *servicepb.ProvisionEnvelope) { proto.Reset(e) }, ErrMalformed},
		"version":      {func(e *servicepb.ProvisionEnvelope) { e.Body[0] = 2 }, ErrVersion},
		"short":        {func(e *servicepb.ProvisionEnvelope) { e.Body = e.Body[:64] }, ErrMalformed},
		"cut":          {func(e *servicepb.ProvisionEnvelope) { e.Body = e.Body[:len(e.Body)-1] }, ErrMAC},
		"huge":         {func(e *servicepb.ProvisionEnvelope) { e.Body = make([]byte, maxBody+1) }, ErrMalformed},
		"MAC":          {func(e *servicepb.ProvisionEnvelope) { e.Body[len(e.Body)-1] ^= 1 }, ErrMAC},
		"IV":           {func(e *servicepb.ProvisionEnvelope) { e.Body[3] ^= 1 }, ErrMAC},
		"no key":       {func(e *servicepb.ProvisionEnvelope) { e.PublicKey = nil }, ErrMalformed},
		"other key":    {func(e *servicepb.ProvisionEnvelope) { e.PublicKey = otherKey(t) }, ErrMAC},
		"key of zeros": {func(e *servicepb.ProvisionEnvelope) { clear(e.PublicKey[1:]) }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			envelope := proto.Clone(good).(*servicepb.ProvisionEnvelope)
			c.change(envelope)
			_, err := Decrypt(private, envelope)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func otherKey(t *testing.T) []byte {
	pair, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	return pair.Public.Serialize()
}

func FuzzDecrypt(f *testing.F) {
	private, good := load(f)[1].open(f)
	f.Add(good.GetPublicKey(), good.GetBody())
	f.Fuzz(func(t *testing.T, public, body []byte) {
		_, _ = Decrypt(private, &servicepb.ProvisionEnvelope{PublicKey: public, Body: body})
	})
}

// FuzzOpen reaches what a MAC that holds protects.
func FuzzOpen(f *testing.F) {
	f.Add(make([]byte, 16), make([]byte, 32))
	f.Fuzz(func(t *testing.T, iv, ciphertext []byte) {
		if len(iv) == ivSize && len(ciphertext) >= ivSize {
			_, _ = keys{aes: make([]byte, 32)}.open(iv, ciphertext)
		}
	})
}
