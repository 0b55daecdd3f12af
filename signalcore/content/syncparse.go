package content

import (
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

func (p *parser) syncMessage(m *servicepb.SyncMessage) (Event, error) {
	s, err := p.sync(m)
	if s == nil || err != nil {
		return Event{Kind: KindUnknown}, err
	}
	event := Event{Kind: KindSync, Sync: s}
	if s.Sent != nil {
		event.Timestamp = s.Sent.Event.Timestamp
	}
	return event, nil
}

// sync reads the lists, which are fields of their own, and then the one of everything else. It returns nil for what
// is not known.
func (p *parser) sync(m *servicepb.SyncMessage) (*Sync, error) {
	switch {
	case len(m.GetRead()) > 0:
		return &Sync{Type: SyncRead, Read: refs(p, m.GetRead())}, nil
	case len(m.GetViewed()) > 0:
		return &Sync{Type: SyncViewed, Viewed: refs(p, m.GetViewed())}, nil
	case len(m.GetStickerPackOperation()) > 0:
		return &Sync{Type: SyncStickerPacks, StickerPacks: stickerPacks(m.GetStickerPackOperation())}, nil
	}
	switch c := m.GetContent().(type) {
	case *servicepb.SyncMessage_Sent_:
		sent, err := p.sent(c.Sent)
		return &Sync{Type: SyncSent, Sent: sent}, err
	case *servicepb.SyncMessage_ViewOnceOpen_:
		if list := refs(p, []*servicepb.SyncMessage_ViewOnceOpen{c.ViewOnceOpen}); len(list) == 1 {
			return &Sync{Type: SyncViewOnceOpen, ViewOnceOpen: &list[0]}, nil
		}
		return nil, invalid("sync message", "a view-once message of nobody")
	case *servicepb.SyncMessage_Blocked_:
		return &Sync{Type: SyncBlocked, Blocked: p.blocked(c.Blocked)}, nil
	case *servicepb.SyncMessage_DeleteForMe_:
		return &Sync{Type: SyncDeleteForMe, DeleteForMe: deleteForMe(c.DeleteForMe)}, nil
	case *servicepb.SyncMessage_MessageRequestResponse_:
		return p.messageRequest(c.MessageRequestResponse)
	case *servicepb.SyncMessage_Verified:
		return p.verified(c.Verified)
	case *servicepb.SyncMessage_CallEvent_:
		return &Sync{Type: SyncCallEvent, CallEvent: callEvent(c.CallEvent)}, nil
	case *servicepb.SyncMessage_CallLogEvent_:
		return &Sync{Type: SyncCallLog}, nil
	case *servicepb.SyncMessage_CallLinkUpdate_:
		return &Sync{Type: SyncCallLink}, nil
	case *servicepb.SyncMessage_OutgoingPayment_:
		return &Sync{Type: SyncPayment}, nil
	}
	return p.accountSync(m)
}

// accountSync reads what concerns the account as such.
func (p *parser) accountSync(m *servicepb.SyncMessage) (*Sync, error) {
	switch c := m.GetContent().(type) {
	case *servicepb.SyncMessage_Contacts_:
		if c.Contacts.GetBlob() == nil {
			return nil, invalid("sync message", "contacts without an attachment")
		}
		return &Sync{Type: SyncContacts, Contacts: &ContactsSync{
			Attachment: parseAttachment(c.Contacts.GetBlob()), Complete: c.Contacts.GetComplete(),
		}}, nil
	case *servicepb.SyncMessage_FetchLatest_:
		if what, known := fetches[c.FetchLatest.GetType()]; known {
			return &Sync{Type: SyncFetchLatest, FetchLatest: what}, nil
		}
	case *servicepb.SyncMessage_Request_:
		if what, known := requests[c.Request.GetType()]; known {
			return &Sync{Type: SyncRequest, Request: what}, nil
		}
	case *servicepb.SyncMessage_Configuration_:
		return &Sync{Type: SyncConfiguration, Configuration: &Configuration{
			ReadReceipts: c.Configuration.ReadReceipts, TypingIndicators: c.Configuration.TypingIndicators,
			SealedSenderIndicators: c.Configuration.UnidentifiedDeliveryIndicators,
			LinkPreviews:           c.Configuration.LinkPreviews,
		}}, nil
	case *servicepb.SyncMessage_Keys_:
		return &Sync{Type: SyncKeys, Keys: &Keys{
			AccountEntropyPool: c.Keys.GetAccountEntropyPool(), MasterKey: nonEmpty(c.Keys.GetMaster()),
			StorageKey: nonEmpty(c.Keys.GetStorageService()), MediaRootBackupKey: nonEmpty(c.Keys.GetMediaRootBackupKey()),
		}}, nil
	case *servicepb.SyncMessage_PniChangeNumber_:
		return &Sync{Type: SyncPNIChange, PNIChange: &PNIChange{
			IdentityKeyPair: c.PniChangeNumber.GetIdentityKeyPair(), SignedPreKey: c.PniChangeNumber.GetSignedPreKey(),
			LastResortKyberPreKey: c.PniChangeNumber.GetLastResortKyberPreKey(),
			RegistrationID:        c.PniChangeNumber.GetRegistrationId(), Number: c.PniChangeNumber.GetNewE164(),
		}}, nil
	case *servicepb.SyncMessage_DeviceNameChange_:
		return &Sync{Type: SyncDeviceName, DeviceName: c.DeviceNameChange.GetDeviceId()}, nil
	case *servicepb.SyncMessage_UsernameChange_:
		return &Sync{Type: SyncUsername}, nil
	case *servicepb.SyncMessage_AttachmentBackfillRequest_, *servicepb.SyncMessage_AttachmentBackfillResponse_:
		return &Sync{Type: SyncBackfill}, nil
	}
	return nil, nil
}

// sent reads a transcript. It needs a destination, or something that says the group.
func (p *parser) sent(s *servicepb.SyncMessage_Sent) (*Sent, error) {
	out := &Sent{
		DestinationNumber: s.GetDestinationE164(), ExpirationStart: s.GetExpirationStartTimestamp(),
		Update: s.GetIsRecipientUpdate(),
	}
	out.Destination, _ = parseID(s.GetDestinationServiceId(), s.GetDestinationServiceIdBinary())
	out.Recipients = p.sentRecipients(s)
	var err error
	switch {
	case s.GetMessage() != nil:
		out.Event, err = p.dataMessage(s.GetMessage())
	case s.GetEditMessage() != nil:
		out.Event, err = p.editMessage(s.GetEditMessage())
	case s.GetStoryMessage() != nil:
		out.Event, err = p.storyMessage(s.GetStoryMessage())
	case len(s.GetStoryMessageRecipients()) > 0:
		out.Event = Event{Kind: KindStory, Story: &Story{}}
	default:
		err = invalid("sent transcript", "nothing in it")
	}
	if out.Event.Timestamp == 0 {
		out.Event.Timestamp = s.GetTimestamp()
	}
	switch {
	case err != nil:
	case s.GetTimestamp() == 0 || s.GetTimestamp() != out.Event.Timestamp:
		err = invalid("sent transcript", "its timestamp is not that of the message")
	case out.Event.Kind == KindUnknown:
		err = ErrNoContent
	case out.Destination.IsZero() && out.DestinationNumber == "" && out.Event.Group == nil && out.Event.Kind != KindStory:
		err = invalid("sent transcript", "no destination")
	}
	return out, err
}

func (p *parser) sentRecipients(s *servicepb.SyncMessage_Sent) []SentRecipient {
	var out []SentRecipient
	for _, status := range s.GetUnidentifiedStatus() {
		id, ok := parseID(status.GetDestinationServiceId(), status.GetDestinationServiceIdBinary())
		if !ok {
			p.note("a malformed recipient of a sent transcript left out")
			continue
		}
		out = append(out, SentRecipient{
			ServiceID: id, Sealed: status.GetUnidentified(), PNIIdentityKey: nonEmpty(status.GetDestinationPniIdentityKey()),
		})
	}
	return out
}

// senderRef is what read, viewed and view-once entries have in common.
type senderRef interface {
	GetSenderAci() string
	GetSenderAciBinary() []byte
	GetTimestamp() uint64
}

func refs[T senderRef](p *parser, in []T) []MessageRef {
	var out []MessageRef
	for _, r := range in {
		author, ok := parseACI(r.GetSenderAci(), r.GetSenderAciBinary())
		if !ok || r.GetTimestamp() == 0 {
			p.note("a message of nobody left out")
			continue
		}
		out = append(out, MessageRef{author, r.GetTimestamp()})
	}
	return out
}

// blocked joins the two lists of accounts, of which a primary may write either or both.
func (p *parser) blocked(b *servicepb.SyncMessage_Blocked) *Blocked {
	out := &Blocked{Groups: b.GetGroupIds()}
	for _, number := range b.GetNumbers() {
		out.Numbers = append(out.Numbers, cleanText(number))
	}
	seen := make(map[serviceid.ServiceID]bool)
	add := func(text string, binary []byte) {
		aci, ok := parseACI(text, binary)
		if !ok {
			p.note("a malformed blocked account left out")
		} else if !seen[aci] {
			seen[aci] = true
			out.ACIs = append(out.ACIs, aci)
		}
	}
	for _, binary := range b.GetAcisBinary() {
		add("", binary)
	}
	for _, text := range b.GetAcis() {
		add(text, nil)
	}
	return out
}

func stickerPacks(in []*servicepb.SyncMessage_StickerPackOperation) []StickerPackChange {
	var out []StickerPackChange
	for _, op := range in {
		out = append(out, StickerPackChange{
			PackID: op.GetPackId(), PackKey: op.GetPackKey(),
			Remove: op.GetType() == servicepb.SyncMessage_StickerPackOperation_REMOVE,
		})
	}
	return out
}

func (p *parser) messageRequest(m *servicepb.SyncMessage_MessageRequestResponse) (*Sync, error) {
	out := &MessageRequest{Response: responses[m.GetType()]}
	var ok bool
	if out.Conversation.ServiceID, ok = parseACI(m.GetThreadAci(), m.GetThreadAciBinary()); !ok {
		if len(m.GetGroupId()) == 0 {
			return nil, invalid("message request response", "no conversation")
		}
		out.Conversation.GroupID = m.GetGroupId()
	}
	return &Sync{Type: SyncMessageRequest, MessageRequest: out}, nil
}

func (p *parser) verified(v *servicepb.Verified) (*Sync, error) {
	aci, ok := parseACI(v.GetDestinationAci(), v.GetDestinationAciBinary())
	if !ok {
		return nil, invalid("verification", "no account")
	}
	return &Sync{Type: SyncVerified, Verified: &Verified{
		ACI: aci, IdentityKey: v.GetIdentityKey(), State: verifications[v.GetState()],
	}}, nil
}

func callEvent(c *servicepb.SyncMessage_CallEvent) *CallEvent {
	return &CallEvent{
		CallID: c.GetCallId(), Timestamp: c.GetTimestamp(), ConversationID: c.GetConversationId(),
		Type: callTypes[c.GetType()], Direction: callDirections[c.GetDirection()], Event: callEvents[c.GetEvent()],
	}
}

func deleteForMe(d *servicepb.SyncMessage_DeleteForMe) *DeleteForMe {
	out := &DeleteForMe{}
	for _, m := range d.GetMessageDeletes() {
		out.Messages = append(out.Messages, DeletedMessages{conversation(m.GetConversation()), addressed(m.GetMessages())})
	}
	for _, a := range d.GetAttachmentDeletes() {
		out.Attachments = append(out.Attachments, DeletedAttachment{
			Conversation: conversation(a.GetConversation()), Message: addressedMessage(a.GetTargetMessage()),
			ClientUUID: a.GetClientUuid(), Digest: a.GetFallbackDigest(), PlaintextHash: a.GetFallbackPlaintextHash(),
		})
	}
	for _, c := range d.GetConversationDeletes() {
		out.Conversations = append(out.Conversations, DeletedConversation{
			Conversation: conversation(c.GetConversation()), MostRecent: addressed(c.GetMostRecentMessages()),
			Full: c.GetIsFullDelete(),
		})
	}
	for _, c := range d.GetLocalOnlyConversationDeletes() {
		out.Conversations = append(out.Conversations, DeletedConversation{
			Conversation: conversation(c.GetConversation()), LocalOnly: true,
		})
	}
	return out
}

func conversation(c *servicepb.ConversationIdentifier) Conversation {
	id, _ := parseID(c.GetThreadServiceId(), c.GetThreadServiceIdBinary())
	return Conversation{ServiceID: id, Number: c.GetThreadE164(), GroupID: nonEmpty(c.GetThreadGroupId())}
}

func addressed(in []*servicepb.AddressableMessage) []AddressedMessage {
	var out []AddressedMessage
	for _, m := range in {
		out = append(out, addressedMessage(m))
	}
	return out
}

func addressedMessage(m *servicepb.AddressableMessage) AddressedMessage {
	id, _ := parseID(m.GetAuthorServiceId(), m.GetAuthorServiceIdBinary())
	return AddressedMessage{MessageRef: MessageRef{id, m.GetSentTimestamp()}, Number: m.GetAuthorE164()}
}
