package commands_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/statuscodes"
)

type description struct {
	Name    string
	Help    string
	Request schema
	Reply   schema
}

type schema struct {
	Schema     string                     `json:"$schema"`
	Type       string                     `json:"type"`
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
	Defs       map[string]json.RawMessage `json:"$defs"`
}

func describeAll(t *testing.T) []description {
	var reply struct{ Commands []description }
	require.NoError(t, json.Unmarshal([]byte(newRig(t, nil).result(`{command:'protocol'}`)), &reply))
	return reply.Commands
}

// TestEveryCommand: each has help, schemas and, in the tests of this package, at least one test.
func TestEveryCommand(t *testing.T) {
	tests := sourceOfTests(t)
	var names []string
	for _, c := range describeAll(t) {
		names = append(names, c.Name)
		require.Regexp(t, `^[A-Z].*\.$`, c.Help, c.Name)
		require.Regexp(t, `^[a-z]+(_[a-z]+)*$`, c.Name)
		for _, s := range []schema{c.Request, c.Reply} {
			require.Equal(t, "https://json-schema.org/draft/2020-12/schema", s.Schema)
			require.Equal(t, "object", s.Type)
			require.Contains(t, s.Properties, "reqId")
		}
		require.Contains(t, c.Request.Required, "command")
		require.Equal(t, `{"type":"string","const":"`+c.Name+`"}`, string(c.Request.Properties["command"]))
		require.Contains(t, c.Reply.Required, "statusCode")
		require.Regexp(t, regexp.MustCompile(`command:'`+c.Name+`'`), tests, "no test sends it")
	}
	require.ElementsMatch(t, []string{
		"send_message", "send_reaction", "receive_messages", "ack_messages", "get_outgoing", "subscribe", "unsubscribe",
		"get_attachment", "send_receipt", "send_typing", "delete_message", "start_link", "finish_link", "get_account",
		"list_devices", "version", "status", "protocol", "auth", "list_groups", "get_group", "create_group", "update_group",
		"leave_group", "join_group", "get_group_link_info", "delete_group", "set_expiration",
	}, names)
}

func sourceOfTests(t *testing.T) string {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range files {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		all.Write(source)
	}
	return all.String()
}

func TestSchemasSayMore(t *testing.T) {
	for _, c := range describeAll(t) {
		switch c.Name {
		case "send_message":
			require.Contains(t, c.Request.Required, "dataMessage")
			require.Contains(t, string(c.Request.Defs["Attachment"]), `"contentEncoding":"base64"`)
			require.Contains(t, c.Request.Properties, "idempotencyKey")
			require.Contains(t, c.Reply.Properties, "failures")
			require.Contains(t, c.Reply.Properties, "retryAfterSeconds")
		case "receive_messages":
			require.Contains(t, string(c.Request.Properties["timeout"]), `"default":1000`)
			require.Contains(t, string(c.Reply.Defs["Message"]), `"senderUuid"`)
			require.Contains(t, string(c.Reply.Defs["Message"]), `"required":["statusCode"]`)
		}
	}
}

// provoked says which test provokes each status code; TestEveryStatusCode fails when one is missing.
var provoked = map[statuscodes.Code]string{
	statuscodes.Unknown:               "commands TestUnknownAndPanic, tcpserver TestPanicCostsItsCallerAnError",
	statuscodes.Success:               "commands TestSendMessage",
	statuscodes.UnknownCommand:        "commands TestHeader, tcpserver TestFieldOrder",
	statuscodes.InvalidNumber:         "commands TestTargets",
	statuscodes.InvalidAttachment:     "commands TestSendMessageChecks",
	statuscodes.InvalidJSON:           "tcpserver TestFieldOrder",
	statuscodes.InvalidRecipient:      "commands TestTargets",
	statuscodes.GroupNotFound:         "commands TestGroupIDs",
	statuscodes.NotAGroupMember:       "commands TestUpdateGroupInPart",
	statuscodes.MessageError:          "commands TestUnreadableMessages",
	statuscodes.MissingMessageContent: "commands TestUnreadableMessages",
	statuscodes.MessageParsingError:   "commands TestUnreadableMessages",
	statuscodes.MissingReaction:       "commands TestSendReaction",
	statuscodes.NotLinked:             "commands TestErrorsOfTheClient",
	statuscodes.UnregisteredRecipient: "commands TestErrorsOfTheClient",
	statuscodes.RateLimited:           "commands TestErrorsOfTheClient",
	statuscodes.ChallengeRequired:     "commands TestErrorsOfTheClient",
	statuscodes.UntrustedIdentity:     "commands TestErrorsOfTheClient",
	statuscodes.NetworkError:          "commands TestErrorsOfTheClient",
	statuscodes.InvalidArgument:       "commands TestSendMessageChecks",
	statuscodes.Unauthorized:          "commands TestAuth, tcpserver TestToken",
	statuscodes.RequestTooLarge:       "tcpserver TestTooLargeRequest",
	statuscodes.NotFound:              "commands TestGetAttachment",
	statuscodes.PermissionDenied:      "commands TestUpdateGroupInPart, tcpserver TestOtherUsersAreRefused",
	statuscodes.ShuttingDown:          "commands TestShuttingDown, tcpserver TestShutdownAnswersWaitingPolls",
	statuscodes.StorageError:          "commands TestErrorsOfTheClient",
	statuscodes.TooManyConnections:    "tcpserver TestTooManyConnections",
	statuscodes.Timeout:               "commands TestTimeouts",
}

func TestEveryStatusCode(t *testing.T) {
	here := sourceOfTests(t)
	for _, code := range statuscodes.All() {
		for where := range strings.SplitSeq(provoked[code], ", ") {
			pkg, test, ok := strings.Cut(where, " ")
			require.True(t, ok, "no test provokes %s", code)
			if pkg == "commands" {
				require.Contains(t, here, "func "+test+"(t *testing.T)", code.String())
			}
		}
	}
	require.Len(t, provoked, len(statuscodes.All()))
}
