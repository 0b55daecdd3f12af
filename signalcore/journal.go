package signalcore

import (
	"encoding/base64"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// What a person who follows the log at info is told of messages, one line each: what kind, with whom, and how it went.
// People and groups go by the beginning of their identifiers (serviceid's Short, and shortGroup); what was said, names,
// numbers and keys are never there.

// shortGroup is a group in the log.
func shortGroup(id []byte) string {
	text := base64.StdEncoding.EncodeToString(id)
	return text[:min(8, len(text))]
}

// withGroup adds a group where there is one.
func withGroup(event *zerolog.Event, id []byte) *zerolog.Event {
	if len(id) == 0 {
		return event
	}
	return event.Str("group", shortGroup(id))
}

// noteReceived tells of an entry once it is on disk. Receipts and typing come in numbers that only a search for a fault
// wants to see.
func (r *receiver) noteReceived(tx *store.Tx, entry *storepb.InboxEntry) {
	level := zerolog.InfoLevel
	switch entry.GetType() {
	case storepb.EntryType_ENTRY_RECEIPT, storepb.EntryType_ENTRY_TYPING:
		level = zerolog.DebugLevel
	}
	tx.OnCommit(func() {
		event := withGroup(r.log.WithLevel(level).Str("type", string(messageTypes[entry.GetType()])), entry.GetGroupId())
		event = event.Str("from", senderOf(entry).Short()).Uint32("device", entry.GetSenderDevice())
		if n := len(entry.GetAttachmentIds()); n > 0 {
			event = event.Int("attachments", n)
		}
		event.Bool("sealed", entry.GetSealed()).Msg("received")
	})
}

// noteGroupStep tells of a newer state of a group once it is on disk.
func (k *groupKeeper) noteGroupStep(tx *store.Tx, next *storepb.Group, changes []model.GroupChange) {
	tx.OnCommit(func() {
		event := withGroup(k.log.Info(), next.GetGroupId()).Uint32("revision", next.GetRevision())
		var editor serviceid.ServiceID
		kinds := make([]string, len(changes))
		for i, change := range changes {
			kinds[i], editor = string(change.Kind), change.Editor
		}
		if !editor.IsZero() {
			event = event.Str("by", editor.Short())
		}
		event.Strs("changes", kinds).Msg("group changed")
	})
}

// noteSent tells how a send went.
func (s *sender) noteSent(o *order, deliveries []*delivery) {
	sent, failed, devices, sealed := 0, 0, 0, 0
	var cause error
	for _, d := range deliveries {
		if d.err != nil {
			failed, cause = failed+1, d.err
			continue
		}
		sent, devices = sent+1, devices+len(d.messages)
		if d.sealed {
			sealed++
		}
	}
	event := withGroup(s.log.Info().Str("type", o.kind()), o.group)
	if len(deliveries) == 1 && len(o.group) == 0 {
		event = event.Str("to", deliveries[0].target.id.Short())
	}
	event = event.Int("recipients", sent)
	if devices > 0 {
		event = event.Int("devices", devices)
	}
	event = event.Int("sealed", sealed)
	if !o.began.IsZero() {
		event = event.Stringer("took", s.config.Now().Sub(o.began).Round(time.Millisecond))
	}
	if failed > 0 {
		event = event.Int("failed", failed).Err(cause)
	}
	if sent == 0 {
		event.Msg("not sent")
		return
	}
	event.Msg("sent")
}

// kind is what an order sends, by the names that clients use.
func (o *order) kind() string {
	if o.receipt != nil {
		return string(model.TypeReceipt)
	}
	return string(o.event.Kind)
}

// noteQueued tells of a send that waits for the connection.
func (s *sender) noteQueued(o *order) {
	withGroup(s.log.Info().Str("type", o.kind()), o.group).Msg("queued: it is sent once the service can be reached")
}
