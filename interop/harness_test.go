package interop

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The harness itself, with the official library in signalbox's place: what fails here is not signalbox's fault.
func TestHarness(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		m := Start(t, version, Options{})
		me, alice := m.NewAccount("me"), m.NewAccount("alice")
		t.Run("sends reach the contact", func(t *testing.T) {
			_, result := m.OfficialDevice(me, "send", "5", alice.ACI).Finish()
			require.Equal(t, 5, result.Count)
			for i := range 6 {
				e := alice.AwaitText(fmt.Sprintf("ceiling %d", i))
				require.Equal(t, me.ACI, e.Source)
			}
		})
		t.Run("messages reach the linked device in order", func(t *testing.T) {
			device := m.OfficialDevice(me, "drain", "51")
			alice.SendText(me, "first", SendOptions{})
			alice.QueueMany(me, 50, "q", SendOptions{})
			bodies, _ := device.Finish()
			require.Len(t, bodies, 51)
			require.Equal(t, []string{"first", "q0", "q1"}, bodies[:3])
		})
	})
}

// A queue of the service keeps what was not acknowledged, and sends it again on the next connection.
func TestHarnessKeepsUnacknowledged(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		m := Start(t, version, Options{})
		me, alice := m.NewAccount("me"), m.NewAccount("alice")
		m.OfficialDevice(me, "drain", "100").cmd.Process.Kill() //nolint:errcheck // it runs
		m.Await("the device to go", func(e Event) bool { return e.Event == "disconnected" })
		alice.QueueMany(me, 10, "kept", SendOptions{})
		var state QueueState
		m.Call("queueState", args{"account": "me"}, &state)
		require.Equal(t, 10, state.Depth)
		require.False(t, state.Connected)
	})
}

// The service that goes away and comes back is the same one: accounts, queues and port.
func TestHarnessComesBack(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		m := Start(t, version, Options{})
		me, alice := m.NewAccount("me"), m.NewAccount("alice")
		first := m.OfficialDevice(me, "drain", "100")
		m.Call("goAway", nil, nil)
		m.Await("the device to go", func(e Event) bool { return e.Event == "disconnected" })
		alice.SendText(me, "kept meanwhile", SendOptions{})
		m.Call("comeBack", nil, nil)
		second := m.OfficialDevice(me, "drain", "1")
		alice.SendText(me, "here again", SendOptions{})
		require.Equal(t, "here again", second.Next().Body)

		m.Call("unlink", args{"account": "me", "device": second.ID}, nil)
		var state QueueState
		m.Call("queueState", args{"account": "me", "device": first.ID}, &state)
		require.Equal(t, 2, state.Depth)
	})
}

// Groups of the harness: the rules of the service, and members whose messages by sender key another client can read.
func TestHarnessGroups(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		m := Start(t, version, Options{})
		accounts := m.NewAccounts("me", "alice", "bob", "carol")
		me, alice, bob, carol := accounts[0], accounts[1], accounts[2], accounts[3]
		group := alice.NewGroup("harness", Changes{"members": []string{"me", "bob"}})
		device := m.OfficialDevice(me, "drain", "4")
		alice.SendText(me, "by sender key", SendOptions{In: group})
		alice.SendText(me, "for each alone", SendOptions{In: group, Pairwise: true})
		_, err := group.tryChange(bob, Changes{"promote": []string{"bob"}}, nil)
		require.Error(t, err, "who is no admin makes nobody one")
		changes := Changes{"title": "changed", "link": "approval", "invitePni": []string{"carol"}}
		require.Equal(t, 1, group.ChangeAndTell(alice, changes))
		bodies, _ := device.Finish()
		require.Equal(t, []string{"", "by sender key", "for each alone", ""}, bodies,
			"the first tells the key, the last the change")
		group.Change(carol, Changes{"acceptPni": true})
		state := group.State()
		require.Equal(t, "changed", state.Title)
		require.Len(t, state.Members, 4)
		require.Empty(t, state.Pending)

		_, result := group.OfficialGroupDevice(bob, 3).Finish()
		require.Equal(t, 3, result.Count)
		for i := range 4 {
			e := carol.AwaitText(fmt.Sprintf("ceiling %d", i))
			require.Equal(t, "SenderKey", e.Type)
			require.Equal(t, i, e.Iteration)
		}
		require.Len(t, m.Uploads(), 4)
		require.Equal(t, Event{Event: "multiRecipient", Status: 200, Recipients: 3, Devices: 4,
			Bytes: m.Uploads()[3].Bytes, Timestamp: m.Uploads()[3].Timestamp}, m.Uploads()[3])
	})
}
