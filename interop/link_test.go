package interop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The status codes of docs/socket-protocol.md, section 3.
const (
	codeUnknownCommand    = 1
	codeInvalidNumber     = 2
	codeInvalidAttachment = 3
	codeInvalidJSON       = 4
	codeInvalidRecipient  = 5
	codeGroupNotFound     = 6
	codeNotAMember        = 7
	codeMessageError      = 8
	codeMissingContent    = 9
	codeParsingError      = 10
	codeMissingReaction   = 11
	codeNotLinked         = 12
	codeUnregistered      = 13
	codeRateLimited       = 14
	codeChallenge         = 15
	codeNetwork           = 17
	codeInvalidArgument   = 18
	codeUnauthorized      = 19
	codeRequestTooLarge   = 20
	codeNotFound          = 21
	codePermissionDenied  = 22
	codeShuttingDown      = 23
	codeStorage           = 24
	codeTooMany           = 25
	codeTimeout           = 26
)

func TestLink(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice")
		link := r.Await("the link", func(e Event) bool { return e.Event == "linkRequest" })
		require.NotEqual(t, "signalbox under test", link.Attributes["name"], "the device name is encrypted")
		require.NotEmpty(t, link.Attributes["capabilities"])

		c := r.Daemon.Dial()
		account := c.Must(Request{"command": "get_account"}).Line
		for _, part := range []string{r.Me.Number, r.Me.ACI, "signalbox under test"} {
			require.Contains(t, account, part)
		}
		require.Contains(t, c.Must(Request{"command": "list_devices"}).Line, "signalbox under test")
		require.Contains(t, c.Must(Request{"command": "status"}).Line, "connected")

		t.Run("a second daemon on the same directory refuses", func(t *testing.T) {
			second := *r.Daemon
			second.t, second.Address, second.Unix = t, freeAddress(t), r.Daemon.Unix+"2"
			require.Error(t, second.TryStart())
		})
		t.Run("a restart keeps account and sessions", func(t *testing.T) {
			alice := r.Contact("alice")
			c.SendText(alice.Number, "before")
			alice.AwaitText("before")
			connections := r.Connections()
			require.NoError(t, r.Daemon.Stop())
			alice.SendText(r.Me, "meanwhile", SendOptions{})
			r.Daemon.Start()
			r.AwaitConnected(connections + 1)
			c := r.Daemon.Dial()
			c.ReceiveText("meanwhile")
			c.SendText(alice.Number, "after")
			require.Equal(t, "CipherText", alice.AwaitText("after").Type)
		})
	})
}

// Linking over the socket: a daemon on an empty directory listens, and says what to do.
func TestLinkOverSocket(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{Unlinked: true}, "alice")
		r.Daemon.Start()
		c := r.Daemon.Dial()
		refused := c.Do(sendText("+14155550123", "too early"))
		require.Equal(t, codeNotLinked, refused.StatusCode, refused.Line)
		require.Contains(t, refused.ErrorMessage, "link")
		require.Equal(t, codeNotLinked, c.Do(Request{"command": "receive_messages", "timeout": 0}).StatusCode)

		uri := c.Must(Request{"command": "start_link", "deviceName": "by socket"}).URI
		require.Contains(t, uri, "sgnl://linkdevice?")
		c.Send(Request{"command": "finish_link", "uri": uri})
		r.Me.Scan(uri)
		require.Zero(t, c.Reply().StatusCode)
		r.AwaitConnected(1)
		alice := r.Contact("alice")
		c.SendText(alice.Number, "linked")
		require.True(t, alice.AwaitText("linked").Sealed)
	})
}

// The phone removes the device: state is kept, status says so, and linking again goes on with the same inbox.
func TestUnlinkedRemotely(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice")
		alice, c := r.Contact("alice"), r.Daemon.Dial()
		alice.SendText(r.Me, "kept over the unlinking", SendOptions{})
		events := r.Daemon.Dial()
		events.Must(Request{"command": "subscribe"})
		alice.SendText(r.Me, "and this", SendOptions{})
		events.AwaitEvent("the second message", "and this")

		r.Call("unlink", args{"account": "me"}, nil)
		events.AwaitEvent("the unlinking", "notLinked")
		require.Contains(t, c.Must(Request{"command": "status"}).Line, "notLinked")
		require.Equal(t, codeNotLinked, c.Do(sendText(alice.ACI, "no more")).StatusCode)

		uri := c.Must(Request{"command": "start_link"}).URI
		c.Send(Request{"command": "finish_link", "uri": uri})
		r.Me.Scan(uri)
		require.Zero(t, c.Reply().StatusCode)
		c.ReceiveText("and this")
		c.SendText(alice.ACI, "here again")
		alice.AwaitText("here again")
	})
}
