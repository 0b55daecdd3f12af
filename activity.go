package main

import (
	"fmt"
	"strings"
	"time"

	"signalbox/signalcore/model"
)

// account is what a client tells of what takes long.
type account interface {
	Connection() (model.ConnectionState, string)
	FirstSync() (model.FirstSync, error)
	Transfers() []model.Transfer
}

// activity is what a daemon does that takes long, as it shows on its terminal.
type activity struct {
	account account
	shown   *progress
	now     func() time.Time

	began   time.Time // zero while nothing is waited for
	visible bool      // the first sync has been shown, and its end has not been told
	silent  bool      // nothing comes, which has been told
	last    model.FirstSync
	changed time.Time // when last was another

	sending, receiving meter
}

// syncSilence is how long the first sync is shown although nothing comes: the phone may be switched off for days.
const syncSilence = time.Minute

func newActivity(account account, shown *progress) *activity {
	return &activity{account: account, shown: shown, now: time.Now, sending: meter{outgoing: true}}
}

// look is the line as it should be now.
func (a *activity) look() string {
	var parts []string
	under, now := a.account.Transfers(), a.now()
	for _, part := range []string{a.sync(now), a.sending.line(under, now), a.receiving.line(under, now)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

// sync tells of the first sync, or of messages that waited for a device that was away. While there is no connection the
// log says so.
func (a *activity) sync(now time.Time) string {
	state, _ := a.account.Connection()
	sync, err := a.account.FirstSync()
	if err != nil || state != model.StateConnected {
		a.began = time.Time{}
		return ""
	}
	if a.began.IsZero() || sync != a.last {
		a.last, a.changed, a.silent = sync, now, false
	}
	if a.began.IsZero() {
		a.began = now
	}
	switch {
	case sync.Complete():
		if a.visible {
			a.tell(sync)
		}
		a.began, a.visible = time.Time{}, false
		return ""
	case now.Sub(a.began) < noticeable || a.silent:
		return ""
	case sync.InStore() && !a.visible:
		if sync.Messages == 0 {
			return ""
		}
		return fmt.Sprintf("Messages that waited: %d", sync.Messages)
	case now.Sub(a.changed) >= syncSilence:
		a.tell(sync)
		a.silent = true
		return ""
	}
	a.visible = true
	return "First sync ... " + syncing(sync)
}

// tell writes a line that stays.
func (a *activity) tell(sync model.FirstSync) {
	_, _ = fmt.Fprintf(a.shown, "First sync: %s\n", synced(sync)) // a terminal that is gone is nobody to tell of it
}

// syncing is how far a first sync is.
func syncing(s model.FirstSync) string {
	var parts []string
	switch {
	case s.Contacts == model.SyncAwaited && s.ContactsRead == 0:
		parts = append(parts, "the phone's contacts are awaited")
	case s.ContactsRead > 0:
		parts = append(parts, fmt.Sprintf("contacts: %d", s.ContactsRead))
	}
	if s.Groups > 0 {
		parts = append(parts, fmt.Sprintf("groups: %d of %d", s.GroupsFetched+s.GroupsRefused, s.Groups))
	}
	if s.Messages > 0 {
		parts = append(parts, fmt.Sprintf("messages that waited: %d", s.Messages))
	}
	return strings.Join(parts, ", ")
}

// synced is what a first sync has brought, and what is missing.
func synced(s model.FirstSync) string {
	var parts []string
	if s.ContactsRead > 0 {
		parts = append(parts, count(s.ContactsRead, "contact"))
	}
	if s.GroupsFetched > 0 {
		parts = append(parts, count(s.GroupsFetched, "group"))
	}
	if s.Messages > 0 {
		parts = append(parts, count(s.Messages, "message")+" that waited")
	}
	if s.Contacts == model.SyncLost {
		parts = append(parts, "the phone's list of contacts is lost: it sends another when a contact changes")
	}
	if missing := s.GroupsRefused; missing > 0 {
		parts = append(parts, count(missing, "group")+" could not be read")
	}
	switch missing := s.Groups - s.GroupsFetched - s.GroupsRefused; {
	case s.Contacts == model.SyncAwaited:
		parts = append(parts, "the phone has not sent its contacts yet")
	case !s.Complete() && missing > 0:
		parts = append(parts, count(missing, "group")+" yet to come")
	case !s.Complete():
		parts = append(parts, "more is yet to come")
	case len(parts) == 0:
		return "done"
	}
	return strings.Join(parts, ", ")
}
