package interop

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// groupKills is how often the daemon is killed while groups change.
func groupKills() int {
	if soak {
		return 100
	}
	return 4
}

// longestLife is how long the daemon lives at most from one kill to the next: in the soak long enough, on a busy machine
// too, for sends of ours to be under way.
func longestLife() time.Duration {
	if soak {
		return 2 * time.Second
	}
	return 500 * time.Millisecond
}

// kill -9 while a group changes and messages flow both ways: every message is in the inbox exactly once, every change
// by others is told exactly once, every send arrives exactly once at each member, and in the end signalbox shows what
// the service has.
func TestGroupKill(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol")
		alice, bob, c := r.Contact("alice"), r.Contact("bob"), r.Daemon.Dial()
		bob.AddDevice()
		group := r.newGroup(c, alice, "killed", Changes{"members": []string{"bob", "carol"}, "admins": []string{"me"}})
		c.SendGroupText(group.ID, "hello")
		bob.AwaitText("hello")

		load := &groupLoad{t: t, rig: r, group: group, stop: make(chan struct{})}
		var running sync.WaitGroup
		running.Go(load.send)
		running.Go(load.update)
		for round := range groupKills() {
			connections := r.Connections()
			var theirs sync.WaitGroup
			theirs.Go(func() { load.theirs(round) })
			time.Sleep(rand.N(longestLife())) // the moment of death is what is random here
			r.Daemon.Kill()
			theirs.Wait()
			r.Daemon.Start()
			r.AwaitConnected(connections + 1)
		}
		close(load.stop)
		running.Wait()
		load.verify()
	})
}

// groupLoad is what goes on in a group while the daemon is killed.
type groupLoad struct {
	t     *testing.T
	rig   *Rig
	group *Group
	stop  chan struct{}
	// sent and updated count our sends and updates that were answered.
	sent, updated int
	// told are texts that were sent to us.
	told []string
	// changed counts the changes of others.
	changed int
}

const (
	textsPerRound   = 40
	changesPerRound = 5
)

func (l *groupLoad) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *groupLoad) untilAnswered(what string, request Request) {
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); {
		reply, err := l.rig.Daemon.tryOnce(request)
		if err == nil && reply.StatusCode == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond) // it starts the quicker for not being asked all the time
	}
	l.t.Errorf("%s never succeeded", what)
}

// send sends numbered texts with keys, and repeats each until it is answered.
func (l *groupLoad) send() {
	for ; !l.stopped(); l.sent++ {
		request := sendGroupText(l.group.ID, fmt.Sprintf("ours %d", l.sent))
		request["idempotencyKey"] = fmt.Sprintf("group send %d", l.sent)
		l.untilAnswered(fmt.Sprintf("send %d", l.sent), request)
	}
}

// update gives the group new descriptions, and repeats each until it is answered.
func (l *groupLoad) update() {
	for ; !l.stopped(); l.updated++ {
		l.untilAnswered(fmt.Sprintf("update %d", l.updated), updateGroup(l.group, Request{
			"description": fmt.Sprintf("description %d", l.updated)}))
	}
}

// theirs are the texts and changes of others in one round: changes told, mentioned, and left to be found.
func (l *groupLoad) theirs(round int) {
	alice, bob := l.rig.Contact("alice"), l.rig.Contact("bob")
	var both sync.WaitGroup
	both.Go(func() {
		assert.NoError(l.t, l.rig.Try("queueMany", SendOptions{In: l.group}.with(args{"from": bob.Name, "to": "me",
			"count": textsPerRound, "prefix": fmt.Sprintf("theirs %d: ", round)}), nil))
	})
	both.Go(func() {
		for i := range changesPerRound {
			how := []args{{"announce": "change"}, {"announce": "revision"}, {}}[i%3]
			_, err := l.group.tryChange(alice, Changes{"title": fmt.Sprintf("title %d.%d", round, i)}, how)
			assert.NoError(l.t, err)
		}
	})
	both.Wait()
	l.changed += changesPerRound
	for i := range textsPerRound {
		l.told = append(l.told, fmt.Sprintf("theirs %d: %d", round, i))
	}
}

func (l *groupLoad) verify() {
	r, t := l.rig, l.t
	r.Contact("alice").SendText(r.Me, "the end of theirs", SendOptions{In: l.group})
	r.awaitEmptyQueue()
	c := r.Daemon.Dial()
	texts, titles := map[string]int{}, map[string]int{}
	c.Receive("all of it", len(l.told)+1, nil, func(m Message) bool {
		require.Zero(t, m.StatusCode, "%+v", m)
		if change := m.GroupChange; change != nil && change.Kind == "titleChanged" {
			titles[change.After]++
		}
		if m.Type == "message" {
			texts[m.Body]++
		}
		return m.Type == "message"
	})
	for _, body := range l.told {
		require.Equal(t, 1, texts[body], body)
	}
	require.Len(t, titles, l.changed)
	for title, times := range titles {
		require.Equal(t, 1, times, title)
	}
	require.Positive(t, l.sent)
	require.Positive(t, l.updated)
	t.Logf("%d kills: %d texts and %d changes of theirs, %d texts and %d updates of ours", groupKills(), len(l.told),
		l.changed, l.sent, l.updated)
	c.SendGroupText(l.group.ID, "the end of ours")
	for _, name := range []string{"alice", "bob", "carol"} {
		member := r.Contact(name)
		member.AwaitText("the end of ours")
		for i := range l.sent {
			require.Equal(t, 1, member.count(fmt.Sprintf("ours %d", i)), "%s: ours %d", name, i)
		}
	}
	require.Empty(t, r.Events(func(e Event) bool { return e.Event == "undecryptable" }))
	l.group.inSync(c)
	require.Equal(t, fmt.Sprintf("description %d", l.updated-1), l.group.State().Description)
}
