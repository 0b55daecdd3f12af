package docs

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/statuscodes"
)

var codeRow = regexp.MustCompile("(?m)^\\| (-?[0-9]+) \\| `([A-Z_]+)` \\| (.+) \\| (.+) \\|$")

// TestTroubleshooting: every status code says what happened and what to do, and none is made up.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile("troubleshooting.md")
	require.NoError(t, err)
	described := map[statuscodes.Code]string{}
	for _, row := range codeRow.FindAllStringSubmatch(string(text), -1) {
		number, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		described[statuscodes.Code(number)] = row[2]
	}
	require.Len(t, described, len(statuscodes.All()))
	for _, code := range statuscodes.All() {
		require.Equal(t, code.String(), described[code])
	}
}
