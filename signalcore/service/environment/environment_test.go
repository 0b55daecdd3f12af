package environment

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/zkgroup"
)

func TestBuiltInEnvironmentsAreComplete(t *testing.T) {
	for _, name := range []string{"live", "staging"} {
		t.Run(name, func(t *testing.T) {
			env, err := Load(name)
			require.NoError(t, err)
			require.Equal(t, name, env.Name)
			require.Len(t, env.SealedSenderTrustRoots, 2)
			require.NotEmpty(t, env.CDSIMrenclave)
			require.NotNil(t, env.Roots())
			_, err = zkgroup.ParseServerPublicParams(env.ZKServerPublicParams)
			require.NoError(t, err)
			for _, number := range []uint32{0, 2, 3} {
				_, err := env.CDN(number)
				require.NoError(t, err)
			}
			for _, text := range env.CACertificates {
				block, rest := pem.Decode([]byte(text))
				require.Empty(t, rest)
				certificate, err := x509.ParseCertificate(block.Bytes)
				require.NoError(t, err)
				require.True(t, certificate.IsCA)
				require.NoError(t, certificate.CheckSignatureFrom(certificate))
			}
		})
	}
}

func TestMissingFieldIsNamed(t *testing.T) {
	for _, field := range []string{
		"chatUrl", "storageUrl", "cdnUrls", "cdsiUrl", "cdsiMrenclave", "sealedSenderTrustRoots",
		"zkServerPublicParams", "zkGenericServerPublicParams", "zkBackupServerPublicParams",
	} {
		t.Run(field, func(t *testing.T) {
			_, err := Parse(edited(t, func(fields map[string]any) { delete(fields, field) }))
			var missing *FieldError
			require.ErrorAs(t, err, &missing)
			require.Equal(t, field, missing.Field)
			require.ErrorContains(t, err, field+" is missing")
		})
	}
}

func TestUnusableFieldIsNamed(t *testing.T) {
	for field, value := range map[string]any{
		"chatUrl":                "http://chat.example",
		"storageUrl":             "https://user@storage.example",
		"cdnUrls.0":              "cdn.example",
		"cdsiMrenclave":          "abcd",
		"sealedSenderTrustRoots": []string{"AAAA"},
		"caCertificates":         []string{"no certificate"},
		"zkServerPublicParams":   7,
	} {
		t.Run(field, func(t *testing.T) {
			_, err := Parse(edited(t, func(fields map[string]any) {
				if field == "cdnUrls.0" {
					fields["cdnUrls"] = map[string]any{"0": value}
					return
				}
				fields[field] = value
			}))
			var unusable *FieldError
			require.ErrorAs(t, err, &unusable)
			require.Equal(t, field, unusable.Field)
		})
	}
}

func TestLoadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "service.json")
	without := edited(t, func(fields map[string]any) {
		delete(fields, "cdsiUrl")
		delete(fields, "cdsiMrenclave")
		delete(fields, "caCertificates")
	})
	require.NoError(t, os.WriteFile(path, without, 0o600))
	env, err := Load(path)
	require.NoError(t, err)
	require.Nil(t, env.Roots(), "no list means the certificates of the system")
	_, err = env.CDN(7)
	require.ErrorContains(t, err, "cdnUrls.7 is missing")

	_, err = Load(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func edited(t *testing.T, edit func(map[string]any)) []byte {
	t.Helper()
	fields := map[string]any{}
	require.NoError(t, json.Unmarshal(liveJSON, &fields))
	edit(fields)
	data, err := json.Marshal(fields)
	require.NoError(t, err)
	return data
}

func FuzzParse(f *testing.F) {
	f.Add(liveJSON)
	f.Add([]byte(`{"chatUrl":"https://x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if env, err := Parse(data); err == nil {
			require.NotEmpty(t, env.ChatURL)
		}
	})
}
