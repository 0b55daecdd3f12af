package storagecipher

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

type vectorCase struct {
	StorageKey, RecordIkm, Version, Manifest, Item, ItemKey, Number string
}

func loadCases(t testing.TB) []vectorCase {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/vectors/storage.json")
	require.NoError(t, err)
	var v struct{ Cases []vectorCase }
	require.NoError(t, json.Unmarshal(data, &v))
	require.NotEmpty(t, v.Cases)
	return v.Cases
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func decode[M proto.Message](t testing.TB, s string, m M) M {
	t.Helper()
	require.NoError(t, proto.Unmarshal(unhex(t, s), m))
	return m
}

func TestOpensWhatTheMockServerSealed(t *testing.T) {
	for _, c := range loadCases(t) {
		storageKey := [32]byte(unhex(t, c.StorageKey))
		sealed := decode(t, c.Manifest, &servicepb.StorageManifest{})
		manifest, err := OpenManifest(storageKey, sealed)
		require.NoError(t, err)
		require.Equal(t, c.Version, strconv.FormatUint(manifest.GetVersion(), 10))
		require.Equal(t, unhex(t, c.ItemKey), manifest.GetIdentifiers()[0].GetRaw())
		require.Equal(t, c.RecordIkm, hex.EncodeToString(manifest.GetRecordIkm()))

		keys := ItemKeys{StorageKey: storageKey, RecordIKM: manifest.GetRecordIkm()}
		record, err := keys.OpenItem(decode(t, c.Item, &servicepb.StorageItem{}))
		require.NoError(t, err)
		require.Equal(t, c.Number, record.GetContact().GetE164())

		sealed.Version = proto.Uint64(sealed.GetVersion() + 1)
		_, err = OpenManifest(storageKey, sealed)
		require.ErrorIs(t, err, ErrWrongKey)
	}
}

func TestSealsWhatItOpens(t *testing.T) {
	for _, ikm := range [][]byte{nil, bytes.Repeat([]byte{5}, 32)} {
		keys := ItemKeys{StorageKey: [32]byte{1}, RecordIKM: ikm}
		record := &servicepb.StorageRecord{Record: &servicepb.StorageRecord_Contact{
			Contact: &servicepb.ContactRecord{E164: proto.String("+1555")},
		}}
		item, err := keys.SealItem(rand.Reader, []byte("key"), record)
		require.NoError(t, err)
		opened, err := keys.OpenItem(item)
		require.NoError(t, err)
		require.True(t, proto.Equal(record, opened))

		item.Value[20] ^= 1
		_, err = keys.OpenItem(item)
		require.ErrorIs(t, err, ErrWrongKey)
	}
	manifest := &servicepb.ManifestRecord{Version: proto.Uint64(7), RecordIkm: []byte("ikm")}
	sealed, err := SealManifest(rand.Reader, [32]byte{2}, manifest)
	require.NoError(t, err)
	opened, err := OpenManifest([32]byte{2}, sealed)
	require.NoError(t, err)
	require.True(t, proto.Equal(manifest, opened))
}

func TestManifestOfAnotherVersionIsRefused(t *testing.T) {
	key := [32]byte{3}
	plaintext, err := proto.Marshal(&servicepb.ManifestRecord{Version: proto.Uint64(8)})
	require.NoError(t, err)
	value, err := seal(rand.Reader, manifestKey(key, 9), plaintext)
	require.NoError(t, err)
	_, err = OpenManifest(key, &servicepb.StorageManifest{Version: proto.Uint64(9), Value: value})
	require.ErrorIs(t, err, ErrMalformed)
}

func FuzzOpen(f *testing.F) {
	c := loadCases(f)[1]
	f.Add(unhex(f, c.StorageKey), unhex(f, c.Item))
	f.Fuzz(func(t *testing.T, key, encoded []byte) {
		item, manifest := &servicepb.StorageItem{}, &servicepb.StorageManifest{}
		if len(key) != keySize {
			return
		}
		if proto.Unmarshal(encoded, item) == nil {
			if record, err := (ItemKeys{StorageKey: [32]byte(key)}).OpenItem(item); err == nil {
				require.NotNil(t, record)
			}
		}
		if proto.Unmarshal(encoded, manifest) == nil {
			if record, err := OpenManifest([32]byte(key), manifest); err == nil {
				require.Equal(t, manifest.GetVersion(), record.GetVersion())
			}
		}
	})
}
