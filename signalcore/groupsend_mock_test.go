package signalcore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
)

// say sends a text to a group.
func (p *phone) say(g *interop.Group, text string) model.SendResult {
	p.t.Helper()
	result, err := p.Send(p.timely(), model.SendRequest{
		To:    model.Destination{Group: groupIDOf(p.t, g)},
		Event: content.Event{Kind: content.KindMessage, Message: &content.Message{Text: text}},
	})
	require.NoError(p.t, err)
	return result
}

// The members are the official library's: each message is encrypted once, and read by every device of every member.
func TestMembersReadWhatWeSend(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, bob, carol := p.mock.NewAccount("alice"), p.mock.NewAccount("bob"), p.mock.NewAccount("carol")
		second := alice.AddDevice()
		g := alice.NewGroup("Kiosk", interop.Changes{"members": []string{"me", "bob", "carol"}, "timer": 60})
		p.me.SetStorageGroup(g, nil)
		p.link()
		p.run()
		p.awaitGroup(g, storepb.GroupStanding_GROUP_MEMBER, 0)

		read := func(text string) {
			t.Helper()
			for _, e := range []interop.Event{alice.AwaitText(text), alice.AwaitTextOn(second, text), bob.AwaitText(text)} {
				require.Equal(t, "SenderKey", e.Type)
				require.Equal(t, g.ID, e.GroupID)
			}
		}
		require.Empty(t, p.say(g, "first").Failures)
		read("first")
		require.NotNil(t, carol.AwaitText("first").Content.DataMessage.GroupV2)

		third := bob.AddDevice()
		carol.Reinstall(1, true)
		require.Empty(t, p.say(g, "to other devices").Failures)
		read("to other devices")
		bob.AwaitTextOn(third, "to other devices")
		carol.AwaitText("to other devices")
		require.NotEmpty(t, p.mock.Events(p.me.Received(func(e interop.Event) bool {
			return e.Content.SyncMessage != nil
		})), "our phone has the transcripts")

		bob.RemoveDevice(third)
		for _, kind := range []string{"ACI", "PNI"} {
			p.mock.Call("unregister", map[string]any{"account": "carol", "kind": kind}, nil)
		}
		result := p.say(g, "without carol")
		read("without carol")
		require.Len(t, result.Failures, 1)
		require.ErrorIs(t, result.Failures[0].Err, service.ErrUnregistered)
		require.Empty(t, p.mock.Events(func(e interop.Event) bool { return e.Event == "undecryptable" }))
	})
}

// The service refuses the token, the first time and then for good.
func TestEndorsementsAreRefused(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice, g := p.joined("Kiosk")
		for times, kind := range map[int]string{1: "SenderKey", -1: ""} {
			hits := p.refuseTogether(times)
			text := "in the end " + kind
			require.Empty(t, p.say(g, text).Failures)
			e := alice.AwaitText(text)
			if kind != "" {
				require.Equal(t, kind, e.Type)
			}
			require.NotNil(t, e.Content.DataMessage.GroupV2)
			require.Positive(t, hits())
		}
	})
}

// refuseTogether has the service refuse messages to many. What it returns ends that, and says how often it was done.
func (p *phone) refuseTogether(times int) (end func() int) {
	var rules []int
	for _, on := range []string{"ws", "http"} {
		var rule struct{ Fault int }
		p.mock.Call("fault", map[string]any{
			"on": on, "path": "multi_recipient|SendMultiRecipient", "times": times, "status": 401,
		}, &rule)
		rules = append(rules, rule.Fault)
	}
	return func() int {
		var ended struct{ Hits int }
		hits := 0
		for _, rule := range rules {
			p.mock.Call("endFault", map[string]any{"fault": rule}, &ended)
			hits += ended.Hits
		}
		return hits
	}
}
