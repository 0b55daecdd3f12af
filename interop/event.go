package interop

import (
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for something that should happen; only failures take that long.
const patience = 3 * time.Minute

// Event is what the harness reports: a message that a contact opened ("received"), opened before ("duplicate") or
// could not open ("undecryptable"), and the comings and goings of devices.
type Event struct {
	Event        string
	Account      string
	Device       int
	Kind         string
	Type         string
	Sealed       bool
	Source       string
	SourceDevice int
	Timestamp    int64
	Content      Content
	Attachments  []Attachment
	Error        string
	Status       int
	Attributes   map[string]any
	File         string
	Port         int
	// GroupID is the group that a sealed message names outside of its content.
	GroupID string `json:"groupId"`
	// Iteration is the step of the sender key's chain that a message by sender key is of.
	Iteration int
	// Of an upload for many recipients ("multiRecipient"): how many, its size, and whether it told who sends.
	Recipients, Devices, Bytes int
	Identified, Online         bool
	// GUID is the service's number of an envelope, in hexadecimal ("envelope").
	GUID string `json:"guid"`
	// Of a connection of the official library's own ("lineEmpty", "lineEnded"): which, and why it has ended.
	Line    int
	Refused *Refusal
}

// Attachment is one that a contact downloaded, checked and decrypted.
type Attachment struct {
	ContentType, FileName, Caption string
	Size                           int64
	SHA256                         string
	BucketOK                       bool
	Error                          string
}

// Content is the protobuf of that name, as far as tests look at it; bytes are base64.
type Content struct {
	DataMessage         *DataMessage
	EditMessage         *EditMessage
	SyncMessage         *SyncMessage
	ReceiptMessage      *ReceiptMessage
	TypingMessage       *TypingMessage
	NullMessage         *struct{}
	PniSignatureMessage *struct{ Pni, Signature string }
	// SenderKeyDistributionMessage tells the sender key of a group.
	SenderKeyDistributionMessage string
	// DecryptionErrorMessage is the sender's request to send again.
	DecryptionErrorMessage string
}

// DataMessage is a message, reaction or deletion.
type DataMessage struct {
	Body        string
	Timestamp   int64
	Flags       int
	ExpireTimer int
	IsViewOnce  bool
	ProfileKey  string
	Attachments []struct {
		ContentType, FileName, Caption string
		Size, Flags                    int
	}
	Quote *struct {
		ID              int64 `json:"id"`
		AuthorAciBinary string
		Text            string
	}
	Reaction *struct {
		Emoji                 string
		Remove                bool
		TargetAuthorAciBinary string
		TargetSentTimestamp   int64
	}
	Delete     *struct{ TargetSentTimestamp int64 }
	BodyRanges []struct {
		Start, Length    int
		MentionAciBinary string
		Style            string
	}
	Preview []struct{ URL, Title, Description string }
	Sticker *struct {
		PackID    string `json:"packId"`
		StickerID int    `json:"stickerId"`
		Data      *struct{ Size int }
	}
	GroupV2 *struct {
		MasterKey   string
		Revision    int
		GroupChange string
	}
}

// EditMessage replaces an earlier message.
type EditMessage struct {
	TargetSentTimestamp int64
	DataMessage         *DataMessage
}

// SyncMessage is what signalbox tells the account's other devices.
type SyncMessage struct {
	Sent *struct {
		DestinationServiceIDBinary string `json:"destinationServiceIdBinary"`
		DestinationE164            string
		Timestamp                  int64
		Message                    *DataMessage
		EditMessage                *EditMessage
	}
	Read, Viewed []struct {
		SenderAciBinary string
		Timestamp       int64
	}
	Request     *struct{ Type string }
	FetchLatest *struct{ Type string }
}

// ReceiptMessage tells of messages delivered, read or viewed.
type ReceiptMessage struct {
	Type      string
	Timestamp []int64
}

// TypingMessage tells that somebody types, or stopped.
type TypingMessage struct {
	Timestamp int64
	Action    string
	GroupID   string `json:"groupId"`
}

// eventLog keeps every event of a mock, and wakes those who wait for one.
type eventLog struct {
	mu     sync.Mutex
	events []Event
	grown  chan struct{}
	closed bool
}

func newEventLog() *eventLog { return &eventLog{grown: make(chan struct{})} }

func (l *eventLog) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *eventLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	close(l.grown)
	l.grown = make(chan struct{})
}

// from returns the events from index on, and a channel that is closed when there are more.
func (l *eventLog) from(index int) ([]Event, <-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[index:], l.grown, l.closed
}

// Await waits until an event matches, past or to come, and returns it.
func (m *Mock) Await(what string, match func(Event) bool) Event {
	m.t.Helper()
	return m.AwaitN(what, 1, patience, match)[0]
}

// AwaitN waits until n events match, past or to come.
func (m *Mock) AwaitN(what string, n int, limit time.Duration, match func(Event) bool) []Event {
	m.t.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var found []Event
	for seen := 0; ; {
		events, grown, closed := m.events.from(seen)
		seen += len(events)
		for _, e := range events {
			if match(e) {
				found = append(found, e)
			}
		}
		if len(found) >= n {
			return found
		}
		require.Falsef(m.t, closed, "the mock ended before %s", what)
		select {
		case <-grown:
		case <-timeout.C:
			require.Failf(m.t, "nothing came", "waited for %s: %d of %d", what, len(found), n)
		}
	}
}

// Events returns what has happened so far and matches.
func (m *Mock) Events(match func(Event) bool) []Event {
	events, _, _ := m.events.from(0)
	var found []Event
	for _, e := range events {
		if match(e) {
			found = append(found, e)
		}
	}
	return found
}
