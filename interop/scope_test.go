package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scope is what a scenario does not have in common with the others. Each sentence completes "because …".
type scope struct {
	// older is why it runs on the older mock day by day; all others do in the soak.
	older string
	// notOnMocks and notOnSandbox are why it cannot hold there.
	notOnMocks, notOnSandbox string
}

// scopes are the exceptions to the rule that a scenario runs on the newer mock and on the sandbox, and in the soak on the
// older mock, too. A scenario goes by its test's name, without the service; what is said of one holds for its parts.
var scopes = map[string]scope{
	"TestLink":       {older: "its websocket opens by HTTP/1.1's upgrade, and it takes another login"},
	"TestSendFaults": {older: "it has its own ways to fail: of HTTP/1.1, without gRPC"},
	"TestConversation": {
		older: "uploads are REST's, and it writes only the binary identifiers"},
	"TestGroupSends": {older: "uploads for many recipients are REST's"},
	"TestGroupsPlainMock": {
		older:        "it has shapes of its own for groups",
		notOnSandbox: "it is about the mock with nothing added"},
	"TestStatusCodes/unreadable messages/without content": {notOnSandbox: "it refuses the sender, as the live service does"},
	"TestStatusCodes/unreadable messages/not an envelope": {notOnSandbox: "it hands out nothing else"},
	"TestRedelivery/string":                               {notOnSandbox: "the live service numbers its envelopes in binary"},
	"TestRedelivery/none":                                 {notOnSandbox: "the live service numbers each envelope"},
}

// eachService runs a scenario on every service that it is for, at the same time.
func eachService(t *testing.T, test func(t *testing.T, version int)) {
	Require(t)
	for _, version := range []int{Sandbox, 27, 15} {
		t.Run(ServiceName(version), func(t *testing.T) {
			inScope(t, version)
			t.Parallel()
			test(t, version)
		})
	}
}

// inScope skips a scenario on a service that it is not for, and says why.
func inScope(t *testing.T, version int) {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/"+ServiceName(version), "")
	why := scopes[strings.ReplaceAll(name, "_", " ")]
	switch {
	case version == Sandbox && why.notOnSandbox != "":
		t.Skip("not on the sandbox: " + why.notOnSandbox)
	case version != Sandbox && why.notOnMocks != "":
		t.Skip("not on the mock servers: " + why.notOnMocks)
	case version == 15 && why.older == "" && !soak:
		t.Skip("on the older mock in the soak alone: its shape of the service makes no difference here")
	}
}

// An exception for a scenario that is called otherwise by now would go unnoticed.
func TestScopesAreOfScenarios(t *testing.T) {
	var source strings.Builder
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		if file == "scope_test.go" {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		source.Write(text)
	}
	for name := range scopes {
		test, parts, _ := strings.Cut(name, "/")
		require.Contains(t, source.String(), "func "+test+"(", name)
		for _, part := range strings.Split(parts, "/") {
			require.Contains(t, source.String(), part, name)
		}
	}
}
