package interop

import (
	"github.com/stretchr/testify/require"
)

// Line is a connection of the official library's network client to the sandbox
// (testdata/interop/harness/netcommands.mjs).
type Line struct {
	mock *Mock
	id   int
}

// Login opens a connection that says whose it is; the zero value one that does not.
type Login struct {
	Device          int    `json:"device,omitempty"`
	Login, Password string `json:",omitempty"`
}

// Refusal is an error of the official library, as its callers see it.
type Refusal struct {
	// Code is the name of its kind.
	Code, Message     string
	RetryAfterSeconds *int
	Token             string
	Options           []string
	Entries           []Mismatch
}

// Mismatch is what the library has understood of an answer that says that an account's devices differ.
type Mismatch struct {
	Account               string
	Missing, Extra, Stale []int
}

// Fetched is the answer to a request.
type Fetched struct {
	Status  int
	Headers map[string]string
	Body    string
	Refused *Refusal
}

// NewLogin links a device to the account that nobody plays.
func (a *Account) NewLogin() Login {
	a.mock.t.Helper()
	var made Login
	a.mock.Call("netDevice", args{"account": a.Name}, &made)
	return made
}

// TryOpen opens a connection over that version of HTTP.
func (m *Mock) TryOpen(http int, login Login) (*Line, *Refusal) {
	m.t.Helper()
	return m.tryOpen(args{"http": http, "login": login.Login, "password": login.Password})
}

// OpenEarly does, with a part of it done before, as the apps do when they start.
func (m *Mock) OpenEarly(http int, login Login) *Line {
	m.t.Helper()
	line, refused := m.tryOpen(args{"http": http, "login": login.Login, "password": login.Password, "early": true})
	require.Nil(m.t, refused)
	return line
}

func (m *Mock) tryOpen(a args) (*Line, *Refusal) {
	m.t.Helper()
	var opened struct {
		Line    int
		Refused *Refusal
	}
	m.Call("netOpen", a, &opened)
	return &Line{m, opened.Line}, opened.Refused
}

// Open is TryOpen, with a refusal ending the test.
func (m *Mock) Open(http int, login Login) *Line {
	m.t.Helper()
	line, refused := m.TryOpen(http, login)
	require.Nil(m.t, refused)
	return line
}

// Fetch asks something.
func (l *Line) Fetch(verb, path string) Fetched {
	l.mock.t.Helper()
	var answer Fetched
	l.mock.Call("netFetch", args{"line": l.id, "verb": verb, "path": path}, &answer)
	return answer
}

// AwaitEmpty waits until the service has said that nothing more waits.
func (l *Line) AwaitEmpty() {
	l.mock.t.Helper()
	l.mock.Await("the queue to be empty", func(e Event) bool { return e.Event == "lineEmpty" && e.Line == l.id })
}

// AwaitEnd waits until the connection has ended; it answers why, nil where the client wanted it.
func (l *Line) AwaitEnd() *Refusal {
	l.mock.t.Helper()
	ended := l.mock.Await("the connection to end", func(e Event) bool { return e.Event == "lineEnded" && e.Line == l.id })
	return ended.Refused
}

// Close closes it, and waits for that.
func (l *Line) Close() {
	l.mock.t.Helper()
	l.mock.Call("netClose", args{"line": l.id}, nil)
	l.AwaitEnd()
}

// Attempt tries once to send a text, and answers how the library says that it was refused.
func (a *Account) Attempt(to *Account, body string, o SendOptions) *Refusal {
	a.mock.t.Helper()
	var outcome struct{ Refused *Refusal }
	a.mock.Call("attempt", o.with(args{"from": a.Name, "to": to.Name, "body": body}), &outcome)
	return outcome.Refused
}

// Hold has the account's devices neither read nor acknowledge what comes.
func (a *Account) Hold(hold bool) {
	a.mock.t.Helper()
	a.mock.Call("habits", args{"account": a.Name, "hold": hold}, nil)
}

// Reconnect has the account's first device connect anew.
func (a *Account) Reconnect() {
	a.mock.t.Helper()
	a.mock.Call("reconnect", args{"account": a.Name}, nil)
}
