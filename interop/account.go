package interop

import (
	"encoding/base64"

	"github.com/google/uuid"
)

// Account is an account of the mock, played by the harness: a contact, or the person who links signalbox.
type Account struct {
	mock       *Mock
	Name       string
	ACI        string
	PNI        string
	Number     string
	ProfileKey string
	Devices    []int
}

// SendOptions say how a contact sends; the zero value is a sealed message from its first device.
type SendOptions struct {
	// Kind is the identity that is addressed: "ACI" (default) or "PNI".
	Kind string `json:"kind,omitempty"`
	// Unsealed sends with the sender's name on the envelope.
	Unsealed bool `json:"-"`
	// Device is the contact's sending device; 0 is its first.
	Device int `json:"device,omitempty"`
	// Timestamp is the message's; 0 is now.
	Timestamp int64 `json:"timestamp,omitempty"`
	// GUID is the server's number of the envelope; "" is a new one.
	GUID string `json:"guid,omitempty"`
	// In sends as a member of that group, by sender key.
	In *Group
	// Pairwise sends in the group without sender key; Untold sends by a sender key that was not told; Garbled sends
	// something unreadable, and has the real thing ready for who asks again.
	Pairwise, Untold, Garbled bool
	// Revision is the group's in the message; 0 is the service's.
	Revision int
}

// Sent is a message that a contact sent.
type Sent struct {
	Timestamp int64
	Devices   []int
	// DeliveredAt is when it was handed to the service's queue, in nanoseconds of CLOCK_MONOTONIC.
	DeliveredAt int64
	Attachments []struct {
		SHA256 string
		Size   int64
	}
}

// NewAccount registers an account.
func (m *Mock) NewAccount(name string) *Account {
	m.t.Helper()
	a := &Account{mock: m}
	m.Call("createAccount", args{"name": name}, a)
	return a
}

func (o SendOptions) with(more args) args {
	more["sealed"] = !o.Unsealed
	if o.Kind != "" {
		more["kind"] = o.Kind
	}
	if o.Device != 0 {
		more["device"] = o.Device
	}
	if o.Timestamp != 0 {
		more["timestamp"] = o.Timestamp
	}
	if o.GUID != "" {
		more["guid"] = o.GUID
	}
	if o.In != nil {
		more["group"], more["pairwise"], more["untold"], more["garbled"] = o.In.ID, o.Pairwise, o.Untold, o.Garbled
		if o.Revision != 0 {
			more["revision"] = o.Revision
		}
	}
	return more
}

// SendText sends a text to the linked devices of an account.
func (a *Account) SendText(to *Account, body string, o SendOptions) Sent {
	a.mock.t.Helper()
	var sent Sent
	a.mock.Call("sendText", o.with(args{"from": a.Name, "to": to.Name, "body": body}), &sent)
	return sent
}

// SendData sends a data message with these fields (the protobuf's names, bytes in base64).
func (a *Account) SendData(to *Account, data map[string]any, o SendOptions) Sent {
	a.mock.t.Helper()
	var sent Sent
	a.mock.Call("sendData", o.with(args{"from": a.Name, "to": to.Name, "data": data}), &sent)
	return sent
}

// SendContent sends any content.
func (a *Account) SendContent(to *Account, content map[string]any, o SendOptions) Sent {
	a.mock.t.Helper()
	var sent Sent
	a.mock.Call("sendContent", o.with(args{"from": a.Name, "to": to.Name, "content": content}), &sent)
	return sent
}

// SendAttachments sends attachments: each has a size, and may have contentType, fileName, caption, flags, incremental.
func (a *Account) SendAttachments(to *Account, body string, attachments []map[string]any, o SendOptions) Sent {
	a.mock.t.Helper()
	var sent Sent
	request := args{"from": a.Name, "to": to.Name, "attachments": attachments}
	if body != "" {
		request["body"] = body
	}
	a.mock.Call("sendAttachments", o.with(request), &sent)
	return sent
}

// QueueMany encrypts count texts prefix0, prefix1, … and queues them.
func (a *Account) QueueMany(to *Account, count int, prefix string, o SendOptions) {
	a.mock.t.Helper()
	a.mock.Call("queueMany", o.with(args{"from": a.Name, "to": to.Name, "count": count, "prefix": prefix}), nil)
}

// AddDevice links one more device to the contact, and answers its number.
func (a *Account) AddDevice() int {
	a.mock.t.Helper()
	var added struct{ Device int }
	a.mock.Call("addDevice", args{"account": a.Name}, &added)
	return added.Device
}

// RemoveDevice unlinks a device of the contact.
func (a *Account) RemoveDevice(device int) {
	a.mock.t.Helper()
	a.mock.Call("removeDevice", args{"account": a.Name, "device": device}, nil)
}

// Reinstall starts a device anew, with no sessions and new registration ids; with a new identity where asked.
func (a *Account) Reinstall(device int, newIdentity bool) {
	a.mock.t.Helper()
	a.mock.Call("reinstall", args{"account": a.Name, "device": device, "newIdentity": newIdentity}, nil)
}

// Habits turns on what the contact does by itself: receipts, retryRequests, answerRetryRequests.
func (a *Account) Habits(habits ...string) {
	a.mock.t.Helper()
	request := args{"account": a.Name, "receipts": false, "retryRequests": false, "answerRetryRequests": false}
	for _, habit := range habits {
		request[habit] = true
	}
	a.mock.Call("habits", request, nil)
}

// Received is an event match: what this account opened and that satisfies match.
func (a *Account) Received(match func(Event) bool) func(Event) bool {
	return func(e Event) bool { return e.Event == "received" && e.Account == a.Name && match(e) }
}

// AwaitText waits until the account's first device has a text with that body.
func (a *Account) AwaitText(body string) Event {
	a.mock.t.Helper()
	return a.mock.Await(a.Name+" to get "+body, a.Received(func(e Event) bool { return e.Device == 1 && e.Text() == body }))
}

// AwaitTextOn waits until that device of the account has the text.
func (a *Account) AwaitTextOn(device int, body string) Event {
	a.mock.t.Helper()
	return a.mock.Await(a.Name+" to get "+body, a.Received(func(e Event) bool { return e.Device == device && e.Text() == body }))
}

// Text is the body of a data message; empty for anything else.
func (e Event) Text() string {
	if e.Content.DataMessage == nil {
		return ""
	}
	return e.Content.DataMessage.Body
}

// Binary is the account's ACI as protobufs have it, in base64.
func (a *Account) Binary() string {
	id := uuid.MustParse(a.ACI)
	return base64.StdEncoding.EncodeToString(id[:])
}
