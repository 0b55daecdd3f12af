package accountkeys

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	*h = decoded
	return err
}

type vectors struct {
	Pools []struct {
		Pool, RegistrationLock, ACI                           string
		Master, MockMaster, Storage, MockStorage              hexBytes
		RecoveryPassword, Logging, Backup, BackupID, BackupEC hexBytes
	}
	Valid, Invalid []string
}

func load(t *testing.T) vectors {
	raw, err := os.ReadFile("../../../testdata/vectors/accountkeys.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

func TestDerivations(t *testing.T) {
	v := load(t)
	require.NotEmpty(t, v.Pools)
	for _, c := range v.Pools {
		pool, err := ParseEntropyPool(c.Pool)
		require.NoError(t, err)
		require.Equal(t, c.Pool, pool.Reveal())
		aci, err := serviceid.Parse(c.ACI)
		require.NoError(t, err)

		master := pool.MasterKey()
		require.EqualValues(t, c.Master, master[:])
		require.EqualValues(t, c.MockMaster, master[:])
		require.Equal(t, c.RegistrationLock, master.RegistrationLock())
		recovery, logging, storage := master.RecoveryPassword(), master.LoggingKey(), master.StorageKey()
		require.EqualValues(t, c.RecoveryPassword, recovery[:])
		require.EqualValues(t, c.Logging, logging[:])
		require.EqualValues(t, c.Storage, storage[:])
		require.EqualValues(t, c.MockStorage, storage[:])

		backup := pool.BackupKey()
		id := backup.BackupID(aci)
		ec, err := backup.ECKey(aci)
		require.NoError(t, err)
		require.EqualValues(t, c.Backup, backup[:])
		require.EqualValues(t, c.BackupID, id[:])
		require.EqualValues(t, c.BackupEC, ec[:])
	}
}

// TestKnownMasterKey has the known answers of Signal-iOS, as libsignal's own tests do.
func TestKnownMasterKey(t *testing.T) {
	master, err := ParseMasterKey(bytes.Repeat([]byte{0x2a}, 32))
	require.NoError(t, err)
	storage := master.StorageKey()
	require.Equal(t, "3a40e25812e6c20cca76a602451dd2bc7484553514438cade320c2aef54e10d1", master.RegistrationLock())
	require.Equal(t, "3f31b618172a9f8ad45e290788e6176736e6161d4ea0e8050f8553521f59c200", hex.EncodeToString(storage[:]))
	_, err = ParseMasterKey(make([]byte, 31))
	require.ErrorIs(t, err, ErrMalformedKey)
}

func TestEntropyPoolsAreJudgedAsInLibsignal(t *testing.T) {
	v := load(t)
	for _, text := range v.Valid {
		_, err := ParseEntropyPool(text)
		require.NoError(t, err, text)
	}
	for _, text := range v.Invalid {
		_, err := ParseEntropyPool(text)
		require.ErrorIs(t, err, ErrMalformedPool, text)
	}
}

func TestGeneratedPoolsAreValidAndVaried(t *testing.T) {
	counts := map[rune]int{}
	for range 500 {
		pool, err := GenerateEntropyPool(rand.Reader)
		require.NoError(t, err)
		_, err = ParseEntropyPool(pool.Reveal())
		require.NoError(t, err)
		for _, c := range pool.Reveal() {
			counts[c]++
		}
	}
	require.Len(t, counts, len(alphabet))
	for c, n := range counts {
		require.InDelta(t, 500*poolSize/len(alphabet), n, 300, "character %c", c)
	}
	_, err := GenerateEntropyPool(bytes.NewReader(make([]byte, 10)))
	require.Error(t, err)
}

func TestSecretsDoNotPrint(t *testing.T) {
	pool, err := ParseEntropyPool(load(t).Valid[0])
	require.NoError(t, err)
	master := pool.MasterKey()
	for _, secret := range []any{pool, master, master.StorageKey(), pool.BackupKey()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			require.Regexp(t, `^\([a-zA-Z ]+\)$`, fmt.Sprintf(verb, secret))
		}
	}
}

func FuzzParseEntropyPool(f *testing.F) {
	f.Add("m")
	f.Fuzz(func(t *testing.T, text string) {
		if pool, err := ParseEntropyPool(text); err == nil {
			require.Equal(t, text, pool.Reveal())
		}
	})
}
