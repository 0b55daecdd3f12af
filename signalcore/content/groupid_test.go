package content

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGroupIDsOfTheOfficialLibrary(t *testing.T) {
	file, err := os.ReadFile("../../testdata/vectors/content.json")
	require.NoError(t, err)
	var v struct {
		Groups []struct{ MasterKey, ID string }
	}
	require.NoError(t, json.Unmarshal(file, &v))
	require.NotEmpty(t, v.Groups)
	for _, g := range v.Groups {
		masterKey, err := hex.DecodeString(g.MasterKey)
		require.NoError(t, err)
		require.Equal(t, g.ID, hex.EncodeToString((&Group{MasterKey: masterKey}).ID()))
	}
}
