package interop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Rig is the usual setting: a service with a person whose phone has linked signalbox, contacts of that person, and the
// daemon running.
type Rig struct {
	*Mock
	T        testing.TB
	Me       *Account
	Contacts map[string]*Account
	Daemon   *Daemon
}

// RigOptions change the usual setting.
type RigOptions struct {
	Mock Options
	// Tags are build tags of the binary.
	Tags []string
	// Arguments are added to the daemon's command line.
	Arguments []string
	// Env is added to the daemon's environment.
	Env []string
	// Unlinked leaves the daemon unlinked and not started.
	Unlinked bool
}

// NewRig makes one. Contacts are in the phone's storage service, with their profile keys.
func NewRig(t testing.TB, version int, o RigOptions, contacts ...string) *Rig {
	t.Helper()
	Require(t)
	binary := Binary(t, o.Tags...)
	r := &Rig{T: t, Mock: Start(t, version, o.Mock), Contacts: map[string]*Account{}}
	accounts := r.NewAccounts(append([]string{"me"}, contacts...)...)
	r.Me = accounts[0]
	for i, name := range contacts {
		r.Contacts[name] = accounts[i+1]
	}
	r.SetContacts(contacts...)
	r.Daemon = NewDaemon(t, r.Mock, binary)
	r.Daemon.Arguments, r.Daemon.Env = o.Arguments, o.Env
	if o.Unlinked {
		return r
	}
	r.Daemon.Link(r.Me)
	r.Daemon.Start()
	r.AwaitConnected(1)
	r.awaitContacts()
	return r
}

// awaitContacts waits until the daemon has read the phone's contacts: a number is known only then.
func (r *Rig) awaitContacts() {
	r.T.Helper()
	if len(r.Contacts) == 0 {
		return
	}
	probe := r.NewAccount("probe")
	r.SetContacts("probe")
	r.Me.SendContent(r.Me, map[string]any{"syncMessage": map[string]any{"fetchLatest": map[string]any{
		"type": "STORAGE_MANIFEST"}}}, SendOptions{Unsealed: true})
	c := r.Daemon.Dial()
	defer c.Close()
	deadline := time.Now().Add(patience)
	for c.Do(Request{"command": "send_typing", "recipient": probe.Number}).StatusCode != 0 {
		require.True(r.T, time.Now().Before(deadline), "the phone's contacts do not come")
		time.Sleep(5 * time.Millisecond)
	}
}

// SetContacts writes the phone's storage service.
func (r *Rig) SetContacts(names ...string) {
	r.T.Helper()
	if names == nil {
		names = []string{}
	}
	r.Call("setContacts", args{"account": "me", "contacts": names}, nil)
}

// AwaitConnected waits until signalbox's websocket has come n times since the mock started.
func (r *Rig) AwaitConnected(n int) {
	r.T.Helper()
	r.AwaitN("signalbox to connect", n, patience, func(e Event) bool { return e.Event == "connected" })
}

// Connections counts how often signalbox's websocket came.
func (r *Rig) Connections() int {
	return len(r.Events(func(e Event) bool { return e.Event == "connected" }))
}

// Contact is a contact by name.
func (r *Rig) Contact(name string) *Account { return r.Contacts[name] }

// QueueState is the service's queue for signalbox.
type QueueState struct {
	Depth, InFlight, Acknowledged, Rejected int
	Connected                               bool
	DrainMillis                             float64
}

// Queue asks for it.
func (r *Rig) Queue() QueueState {
	r.T.Helper()
	var state QueueState
	r.Call("queueState", args{"account": "me"}, &state)
	return state
}

// Fault makes requests fail, by a rule of testdata/interop/harness/faults.mjs; it answers the rule's number.
func (r *Rig) Fault(rule map[string]any) int {
	r.T.Helper()
	var added struct{ Fault int }
	r.Call("fault", rule, &added)
	return added.Fault
}

// EndFault ends a rule and answers how many requests it hit.
func (r *Rig) EndFault(fault int) int {
	r.T.Helper()
	var ended struct{ Hits int }
	r.Call("endFault", args{"fault": fault}, &ended)
	return ended.Hits
}

// awaitEmptyQueue waits until signalbox has acknowledged all that the service has for it.
func (r *Rig) awaitEmptyQueue() {
	r.T.Helper()
	deadline := time.Now().Add(patience)
	for r.Queue().Depth > 0 {
		require.True(r.T, time.Now().Before(deadline), "signalbox does not acknowledge: %+v", r.Queue())
	}
}
