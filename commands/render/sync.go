package render

import (
	"encoding/hex"
	"strconv"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
)

func (r *renderer) sync(s *content.Sync) *Sync {
	out := &Sync{
		Type: string(s.Type), FetchLatest: string(s.FetchLatest), Request: string(s.Request), Device: s.DeviceName,
	}
	switch s.Type {
	case content.SyncSent:
		out.Sent = r.sent(s.Sent)
	case content.SyncRead:
		out.Messages = r.refs(s.Read)
	case content.SyncViewed:
		out.Messages = r.refs(s.Viewed)
	case content.SyncViewOnceOpen:
		out.Messages = r.refs([]content.MessageRef{*s.ViewOnceOpen})
	case content.SyncBlocked:
		out.Blocked = blocked(s.Blocked)
	case content.SyncDeleteForMe:
		out.Deleted = r.deleted(s.DeleteForMe)
	case content.SyncMessageRequest:
		conversation := r.conversation(s.MessageRequest.Conversation)
		out.Conversation, out.Response = &conversation, s.MessageRequest.Response
	case content.SyncConfiguration:
		settings := Settings(*s.Configuration)
		out.Configuration = &settings
	case content.SyncVerified:
		number, _ := r.person(s.Verified.ACI)
		out.Verified = &Verified{Recipient: number, RecipientUUID: s.Verified.ACI.String(), State: s.Verified.State}
	case content.SyncCallEvent:
		e := s.CallEvent
		out.CallEvent = &CallEvent{
			CallID: strconv.FormatUint(e.CallID, 10), Timestamp: e.Timestamp, Type: e.Type, Direction: e.Direction,
			Event: e.Event,
		}
	case content.SyncStickerPacks:
		for _, p := range s.StickerPacks {
			out.StickerPacks = append(out.StickerPacks, StickerPack{
				PackID: hex.EncodeToString(p.PackID), PackKey: p.PackKey, Remove: p.Remove,
			})
		}
	case content.SyncPNIChange:
		out.Number = s.PNIChange.Number
	}
	return out
}

func (r *renderer) sent(s *content.Sent) *Sent {
	out := &Sent{Timestamp: s.Event.Timestamp, Recipient: s.DestinationNumber, Type: model.MessageType(s.Event.Kind)}
	if !s.Destination.IsZero() {
		out.RecipientUUID = s.Destination.String()
		if out.Recipient == "" {
			out.Recipient, _ = r.person(s.Destination)
		}
	}
	for _, recipient := range s.Recipients {
		number, _ := r.person(recipient.ServiceID)
		out.Recipients = append(out.Recipients, SentRecipient{
			Recipient: number, UUID: recipient.ServiceID.String(), Sealed: recipient.Sealed,
		})
	}
	r.event(&out.Head, &out.Rest, &s.Event)
	return out
}

func (r *renderer) refs(in []content.MessageRef) []Ref {
	var out []Ref
	for _, m := range in {
		out = append(out, r.ref(m))
	}
	return out
}

func blocked(b *content.Blocked) *Blocked {
	out := &Blocked{Numbers: b.Numbers, GroupIDs: b.Groups}
	for _, aci := range b.ACIs {
		out.UUIDs = append(out.UUIDs, aci.String())
	}
	return out
}

func (r *renderer) deleted(d *content.DeleteForMe) *Deleted {
	out := &Deleted{}
	for _, m := range d.Messages {
		out.Messages = append(out.Messages, DeletedMessages{r.conversation(m.Conversation), r.addressed(m.Messages...)})
	}
	for _, a := range d.Attachments {
		out.Attachments = append(out.Attachments, DeletedMessages{r.conversation(a.Conversation), r.addressed(a.Message)})
	}
	for _, c := range d.Conversations {
		out.Conversations = append(out.Conversations, r.conversation(c.Conversation))
	}
	return out
}

func (r *renderer) conversation(c content.Conversation) Conversation {
	out := Conversation{Recipient: c.Number, GroupID: c.GroupID}
	if !c.ServiceID.IsZero() {
		out.RecipientUUID = c.ServiceID.String()
		out.Recipient, _ = r.person(c.ServiceID)
	}
	return out
}

func (r *renderer) addressed(in ...content.AddressedMessage) []Ref {
	out := make([]Ref, len(in))
	for i, m := range in {
		out[i] = r.ref(m.MessageRef)
		if out[i].Author == "" {
			out[i].Author = m.Number
		}
	}
	return out
}
