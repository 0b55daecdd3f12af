package phone

import (
	"context"
	"fmt"

	"signalbox/sandbox/messenger"
	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/signalpb/servicepb"
)

// Attendant serves the account's linked devices: it answers what they ask the primary for. What it tells them is what
// the account has in the storage service, the one place where it is kept.
//
// Sources: Signal-Android messages/SyncMessageProcessor (handleSynchronizeRequestMessage) and the MultiDevice…UpdateJobs
// in jobs.
type Attendant struct {
	*messenger.Messenger
	phone *Phone
}

// Attend makes the attendant of the phone's messenger.
func (p *Phone) Attend(m *messenger.Messenger) *Attendant { return &Attendant{m, p} }

// Run reads the phone's queue until ctx ends. Messages of others are read, and nothing is said to them.
func (a *Attendant) Run(ctx context.Context) { a.Messenger.Run(ctx, a.Hear) }

// Hear answers a message of another device of the account. Transcripts of what they send, and of what they have read,
// are taken note of by having been read: a phone without a screen shows nobody anything.
func (a *Attendant) Hear(m messenger.Message) error {
	if m.From.ServiceID != a.phone.ACI || m.Sync == nil || m.Sync.Type != content.SyncRequest {
		return nil
	}
	answer, err := a.answer(m.Sync.Request)
	if err != nil {
		return fmt.Errorf("a request for %s: %w", m.Sync.Request, err)
	}
	if answer == nil {
		return nil
	}
	return a.tell(answer)
}

// answer is the sync message for a request, nil for one that there is none for.
func (a *Attendant) answer(what content.RequestType) (*servicepb.SyncMessage, error) {
	if what == content.RequestKeys {
		return a.phone.keysSync(), nil
	}
	stored, err := a.Stored(a.phone.Pool.MasterKey().StorageKey())
	if err != nil {
		return nil, err
	}
	switch what {
	case content.RequestContacts:
		return a.contactsSync(stored)
	case content.RequestBlocked:
		return blockedSync(stored), nil
	case content.RequestConfiguration:
		return configurationSync(stored), nil
	}
	return nil, nil
}

// StorageChanged tells the linked devices to read the storage service again.
func (a *Attendant) StorageChanged() error {
	return a.tell(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_FetchLatest_{
		FetchLatest: &servicepb.SyncMessage_FetchLatest{Type: servicepb.SyncMessage_FetchLatest_STORAGE_MANIFEST.Enum()},
	}})
}

// tell sends the account's other devices a sync message.
func (a *Attendant) tell(m *servicepb.SyncMessage) error {
	padding, err := a.phone.random(syncPadding)
	if err != nil {
		return err
	}
	m.Padding = padding
	return a.Send(a.phone.ACI, messenger.Outgoing{
		Timestamp: a.Timestamp(), Hint: sealedsender.Implicit,
		Content: &servicepb.Content{Content: &servicepb.Content_SyncMessage{SyncMessage: m}},
	})
}
