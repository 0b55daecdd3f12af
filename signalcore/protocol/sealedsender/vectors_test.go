package sealedsender

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	*h = decoded
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

type contentVector struct {
	Type        MessageType
	Certificate hexBytes
	Message     hexBytes
	Hint        ContentHint
	Group       hexBytes
}

type certificateVector struct {
	Name        string
	Certificate hexBytes
	TrustRoots  []hexBytes
	Time        int64
	certificateVerdict
}

type certificateVerdict struct {
	Valid          bool
	Sender, E164   string
	Device         uint32
	Expires        int64
	ServerID       uint32
	Key, ServerKey hexBytes
}

type vectors struct {
	V1 []struct {
		contentVector
		Identity, Sealed hexBytes
	}
	V2 []struct {
		contentVector
		Recipients []struct{ Identity, Sealed hexBytes }
	}
	Certificates []certificateVector
}

func load(t testing.TB) vectors {
	raw, err := os.ReadFile("../../../testdata/vectors/sealedsender.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

func keyPair(t testing.TB, private []byte) curve.KeyPair {
	key, err := curve.ParsePrivateKey(private)
	require.NoError(t, err)
	return key.KeyPair()
}

func (c contentVector) requireEqual(t testing.TB, got Content) {
	require.Equal(t, c.Type, got.Type)
	require.Equal(t, c.Hint, got.ContentHint)
	require.True(t, bytes.Equal(c.Certificate, got.Certificate.Serialize()))
	require.True(t, bytes.Equal(c.Message, got.Message))
	require.True(t, bytes.Equal(c.Group, got.GroupID))
}

func TestOfficialV1Opens(t *testing.T) {
	v := load(t).V1
	require.NotEmpty(t, v)
	for _, c := range v {
		content, err := Decrypt(keyPair(t, c.Identity), c.Sealed)
		require.NoError(t, err)
		c.requireEqual(t, content)
	}
}

func TestOfficialV2Opens(t *testing.T) {
	v := load(t).V2
	require.NotEmpty(t, v)
	for _, c := range v {
		for _, r := range c.Recipients {
			content, err := Decrypt(keyPair(t, r.Identity), r.Sealed)
			require.NoError(t, err)
			c.requireEqual(t, content)
		}
	}
}

func TestOfficialCertificates(t *testing.T) {
	v := load(t).Certificates
	require.NotEmpty(t, v)
	for _, c := range v {
		t.Run(c.Name, func(t *testing.T) { c.check(t) })
	}
}

func (c certificateVector) check(t *testing.T) {
	parsed, err := ParseSenderCertificate(c.Certificate)
	require.NoError(t, err)
	require.Equal(t, c.Sender, parsed.Sender.ServiceID.String())
	require.Equal(t, c.Device, parsed.Sender.DeviceID)
	require.Equal(t, c.E164, parsed.E164)
	require.EqualValues(t, c.Key, parsed.IdentityKey.Serialize())
	require.Equal(t, c.Expires, parsed.Expires.UnixMilli())
	require.EqualValues(t, c.Certificate, parsed.Serialize())
	signer, err := parsed.Signer()
	require.NoError(t, err)
	require.Equal(t, c.ServerID, signer.ID)
	require.EqualValues(t, c.ServerKey, signer.Key.Serialize())

	var roots []curve.PublicKey
	for _, serialized := range c.TrustRoots {
		root, err := curve.ParsePublicKey(serialized)
		require.NoError(t, err)
		roots = append(roots, root)
	}
	err = parsed.Validate(roots, time.UnixMilli(c.Time))
	switch {
	case c.Valid:
		require.NoError(t, err)
	case strings.Contains(c.Name, "expired"):
		require.ErrorIs(t, err, ErrExpired)
	case strings.Contains(c.Name, "revoked"):
		require.ErrorIs(t, err, ErrRevoked)
	default:
		require.ErrorIs(t, err, ErrUntrusted)
	}
	require.Equal(t, !c.Valid, err != nil)
	trust := NewTrust(roots...)
	for range 2 {
		require.Equal(t, err, trust.Validate(parsed, time.UnixMilli(c.Time)))
	}
}

// TestKnownServerCertificates checks the built-in ones against the trust roots that libsignal lists with them.
func TestKnownServerCertificates(t *testing.T) {
	for id, root := range map[uint32]string{
		stagingServerID:    "058854ead3e3a8fe3a286644cd1b3538be14dfd5797653c9fd7d3d85ae2b12b926",
		productionServerID: "054918d08fbdfa83e00c29f8f8073a22ef35df2bea903aff81af03ccbc45c6e93a",
		testServerID:       "052fe57da347cd62431528daac5fbb290730fff684afc4cfc2ed90995f58cb3b74",
	} {
		certificate, err := knownServerCertificate(id)
		require.NoError(t, err)
		require.Equal(t, id, certificate.ID)
		serialized, err := hex.DecodeString(root)
		require.NoError(t, err)
		key, err := curve.ParsePublicKey(serialized)
		require.NoError(t, err)
		require.NoError(t, certificate.Validate([]curve.PublicKey{key}), "server certificate %#x", id)
	}
	_, err := knownServerCertificate(4)
	require.ErrorIs(t, err, ErrUnknownServer)
}
