package interop

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
)

// GroupState is a group as the service has it, decrypted by the official library; lists are in the service's order.
type GroupState struct {
	ID                string
	MasterKey         string
	Revision          int
	Title             string
	Description       string
	Timer             int
	Avatar            string
	AnnouncementsOnly bool
	// AddMembers, EditDetails and EditLabels are members, admins or none; Link is off, on or approval.
	AddMembers, EditDetails, EditLabels string
	Link                                string
	LinkURL                             string `json:"linkUrl"`
	Terminated                          bool
	Members                             []GroupMember
	Pending                             []struct{ ServiceID, Role, InvitedBy string }
	// Requesting and Banned are service ids.
	Requesting, Banned []string
}

// GroupMember is a full member in a GroupState.
type GroupMember struct {
	ServiceID, Role, Label, Emoji string
	JoinedAt                      int
	// ProfileKey is in base64.
	ProfileKey string
}

// Changes are what somebody of the harness changes in a group, all in one revision: the names of
// testdata/interop/harness/groupclient.mjs, accounts by their names.
type Changes map[string]any

// Group is a group of which the harness has the master key.
type Group struct {
	mock *Mock
	ID   string
	// MasterKey is in base64; empty for a group that signalbox made.
	MasterKey string
}

// NewGroup has a contact make a group: fields are title, members, admins, invited, invitedPni (names of accounts),
// description, timer, link, announcementsOnly, attributesAccess, membersAccess, labelAccess. The maker is an admin.
func (a *Account) NewGroup(title string, fields Changes) *Group {
	a.mock.t.Helper()
	request := args{"account": a.Name, "title": title}
	for name, value := range fields {
		request[name] = value
	}
	var state GroupState
	a.mock.Call("createGroup", request, &state)
	return &Group{mock: a.mock, ID: state.ID, MasterKey: state.MasterKey}
}

// Group is a handle of one that signalbox made, once somebody of the harness has had a message of it.
func (m *Mock) Group(id string) *Group { return &Group{mock: m, ID: id} }

// State is the group as the service has it now.
func (g *Group) State() GroupState {
	g.mock.t.Helper()
	state, err := g.tryState()
	require.NoError(g.mock.t, err)
	return state
}

func (g *Group) tryState() (state GroupState, err error) {
	err = g.mock.Try("groupState", args{"group": g.ID}, &state)
	return state, err
}

// Change has somebody change the group without telling signalbox; it answers the new revision.
func (g *Group) Change(editor *Account, changes Changes) int {
	g.mock.t.Helper()
	return g.change(editor, changes, args{})
}

// ChangeAndTell has somebody change the group and tell signalbox, with the signed change in the message.
func (g *Group) ChangeAndTell(editor *Account, changes Changes) int {
	g.mock.t.Helper()
	return g.change(editor, changes, args{"announce": "change"})
}

// ChangeAndMention has somebody change the group and send signalbox a message that names the revision only.
func (g *Group) ChangeAndMention(editor *Account, changes Changes) int {
	g.mock.t.Helper()
	return g.change(editor, changes, args{"announce": "revision"})
}

func (g *Group) change(editor *Account, changes Changes, more args) int {
	g.mock.t.Helper()
	revision, err := g.tryChange(editor, changes, more)
	require.NoError(g.mock.t, err)
	return revision
}

func (g *Group) tryChange(editor *Account, changes Changes, more args) (int, error) {
	request := args{"account": editor.Name, "group": g.ID, "changes": changes}
	for name, value := range more {
		request[name] = value
	}
	var changed struct{ Revision int }
	err := g.mock.Try("changeGroup", request, &changed)
	return changed.Revision, err
}

// Retitle changes the title so many times, to prefix0, prefix1, …, and tells nobody.
func (g *Group) Retitle(editor *Account, count int, prefix string) {
	g.mock.t.Helper()
	g.mock.Call("changeGroupMany", args{"account": editor.Name, "group": g.ID, "count": count, "prefix": prefix}, nil)
}

// Interpose has somebody change the group just before each of the next so many requests of signalbox to change one:
// the service answers those with a conflict.
func (g *Group) Interpose(editor *Account, times int, changes Changes) {
	g.mock.t.Helper()
	g.mock.Call("interpose", args{"account": editor.Name, "group": g.ID, "changes": changes, "times": times}, nil)
}

// LinkURL is the group's invite link.
func (g *Group) LinkURL() string {
	g.mock.t.Helper()
	var answer struct{ Link string }
	g.mock.Call("groupLink", args{"group": g.ID}, &answer)
	return answer.Link
}

// JoinByLink has somebody join (changes {"join": true}) or ask to ({"request": true}), by a link.
func (a *Account) JoinByLink(link string, changes Changes) {
	a.mock.t.Helper()
	a.mock.Call("changeGroup", args{"account": a.Name, "link": link, "changes": changes}, nil)
}

// Forge has the service falsify the next so many: state, signature, endorsements, authCredential, profileCredential; or
// refuse the next so many tokens: token.
func (m *Mock) Forge(what string, times int) {
	m.t.Helper()
	m.Call("forge", args{"what": what, "times": times}, nil)
}

// StorageGroup is a group's record in the storage service.
type StorageGroup struct {
	ID                             string
	Whitelisted, Blocked, Archived bool
}

// StorageGroups are the group records of the account's storage service, as its phone reads them.
func (a *Account) StorageGroups() map[string]StorageGroup {
	a.mock.t.Helper()
	var records []StorageGroup
	a.mock.Call("storageGroups", args{"account": a.Name}, &records)
	byID := map[string]StorageGroup{}
	for _, record := range records {
		byID[record.ID] = record
	}
	return byID
}

// SetStorageGroup writes a group's record, as the account's phone.
func (a *Account) SetStorageGroup(group *Group, fields map[string]any) {
	a.mock.t.Helper()
	request := args{"account": a.Name, "group": group.ID}
	if fields != nil {
		request["fields"] = fields
	}
	a.mock.Call("setStorageGroup", request, nil)
}

// ForgetSenderKeys has a contact's device lose the sender keys of another account.
func (a *Account) ForgetSenderKeys(device int, of *Account) {
	a.mock.t.Helper()
	a.mock.Call("forgetSenderKeys", args{"account": a.Name, "device": device, "with": of.Name}, nil)
}

// NewSenderKey has a contact's device begin a new distribution in a group.
func (a *Account) NewSenderKey(group *Group, device int) {
	a.mock.t.Helper()
	a.mock.Call("newSenderKey", args{"account": a.Name, "group": group.ID, "device": device}, nil)
}

// NewAccounts registers several.
func (m *Mock) NewAccounts(names ...string) []*Account {
	m.t.Helper()
	var accounts []*Account
	m.Call("createAccounts", args{"names": names}, &accounts)
	for _, account := range accounts {
		account.mock = m
	}
	return accounts
}

// Crowd makes accounts whose profile keys the phone knows, and waits until signalbox knows them; every tenth has a
// second device.
func (r *Rig) Crowd(prefix string, n int) (members []*Account, names []string) {
	r.T.Helper()
	if n == 0 {
		return nil, nil
	}
	for i := range n {
		names = append(names, fmt.Sprintf("%s%d", prefix, i))
	}
	members = r.NewAccounts(names...)
	for i := 0; i < n; i += 10 {
		members[i].AddDevice()
	}
	r.SetContacts(names...)
	if r.Daemon.process == nil {
		return members, names
	}
	r.Me.SendContent(r.Me, map[string]any{"syncMessage": map[string]any{"fetchLatest": map[string]any{
		"type": "STORAGE_MANIFEST"}}}, SendOptions{Unsealed: true})
	c := r.Daemon.Dial()
	defer c.Close()
	r.await("the contacts", func() bool {
		return c.Do(Request{"command": "send_typing", "recipient": members[n-1].Number}).StatusCode == 0
	})
	return members, names
}

// await asks until something holds.
func (r *Rig) await(what string, holds func() bool) {
	r.T.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		require.Truef(r.T, time.Now().Before(deadline), "waited for %s", what)
	}
}

// OfficialGroupDevice is a linked device of an account, played by the official library, that sends so many texts to a
// group: what signalbox's sends to groups are set beside.
func (g *Group) OfficialGroupDevice(account *Account, count int) *Official {
	g.mock.t.Helper()
	var sending json.RawMessage
	g.mock.Call("groupSending", args{"account": account.Name, "group": g.ID}, &sending)
	return g.mock.OfficialDevice(account, "group", strconv.Itoa(count), string(sending))
}

// Uploads are the messages for many recipients that signalbox has uploaded.
func (m *Mock) Uploads() []Event {
	return m.Events(func(e Event) bool { return e.Event == "multiRecipient" })
}
