package phone

import (
	"bytes"
	"slices"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// syncPadding is how long the padding of sync messages is. The apps hide their length by a random one.
const syncPadding = 128

// keysSync has the secrets from which the key of the storage service follows.
func (p *Phone) keysSync() *servicepb.SyncMessage {
	master := p.Pool.MasterKey()
	storage := master.StorageKey()
	return &servicepb.SyncMessage{Content: &servicepb.SyncMessage_Keys_{Keys: &servicepb.SyncMessage_Keys{
		AccountEntropyPool: proto.String(p.Pool.Reveal()), Master: master[:], StorageService: storage[:],
	}}}
}

// contactsSync points to the list of contacts, which it uploads.
func (a *Attendant) contactsSync(stored []*servicepb.StorageRecord) (*servicepb.SyncMessage, error) {
	list, err := contactList(stored)
	if err != nil {
		return nil, err
	}
	blob := content.Attachment{ContentType: "application/octet-stream"}
	uploaded, err := a.Upload(blob, bytes.NewReader(list), int64(len(list)))
	if err != nil {
		return nil, err
	}
	return &servicepb.SyncMessage{Content: &servicepb.SyncMessage_Contacts_{Contacts: &servicepb.SyncMessage_Contacts{
		Blob: uploaded.Pointer(), Complete: proto.Bool(true),
	}}}, nil
}

// contactList is the stream that content.ReadContacts reads.
func contactList(stored []*servicepb.StorageRecord) ([]byte, error) {
	var list bytes.Buffer
	for _, c := range contactsOf(stored) {
		details := &servicepb.ContactDetails{Aci: proto.String(c.ACI.UUID.String()), AciBinary: c.ACI.UUID[:]}
		if name := c.Name(); name != "" {
			details.Name = &name
		}
		if c.Number != "" {
			details.Number = &c.Number
		}
		if _, err := protodelim.MarshalTo(&list, details); err != nil {
			return nil, err
		}
	}
	return list.Bytes(), nil
}

// contactsOf are the contacts with an account among records, in the order of their names.
func contactsOf(stored []*servicepb.StorageRecord) []content.StoredContact {
	var out []content.StoredContact
	for _, record := range stored {
		if record.GetContact() == nil {
			continue
		}
		if contact, err := content.ParseStoredContact(record.GetContact()); err == nil && !contact.ACI.IsZero() {
			out = append(out, contact)
		}
	}
	slices.SortFunc(out, func(a, b content.StoredContact) int {
		return bytes.Compare([]byte(a.Name()+a.Number), []byte(b.Name()+b.Number))
	})
	return out
}

func blockedSync(stored []*servicepb.StorageRecord) *servicepb.SyncMessage {
	blocked := &servicepb.SyncMessage_Blocked{}
	for _, contact := range contactsOf(stored) {
		if !contact.Blocked {
			continue
		}
		blocked.Acis = append(blocked.Acis, contact.ACI.UUID.String())
		blocked.AcisBinary = append(blocked.AcisBinary, contact.ACI.UUID[:])
		if contact.Number != "" {
			blocked.Numbers = append(blocked.Numbers, contact.Number)
		}
	}
	for _, record := range stored {
		if master, err := zkgroup.ParseMasterKey(record.GetGroupV2().GetMasterKey()); err == nil &&
			record.GetGroupV2().GetBlocked() {
			id := master.GroupID()
			blocked.GroupIds = append(blocked.GroupIds, id[:])
		}
	}
	return &servicepb.SyncMessage{Content: &servicepb.SyncMessage_Blocked_{Blocked: blocked}}
}

func configurationSync(stored []*servicepb.StorageRecord) *servicepb.SyncMessage {
	configuration := &servicepb.SyncMessage_Configuration{}
	for _, record := range stored {
		if account := record.GetAccount(); account != nil {
			configuration.ReadReceipts = proto.Bool(account.GetReadReceipts())
			configuration.TypingIndicators = proto.Bool(account.GetTypingIndicators())
			configuration.UnidentifiedDeliveryIndicators = proto.Bool(account.GetSealedSenderIndicators())
			configuration.LinkPreviews = proto.Bool(account.GetLinkPreviews())
		}
	}
	return &servicepb.SyncMessage{Content: &servicepb.SyncMessage_Configuration_{Configuration: configuration}}
}

// GroupRecord is a group as an account keeps it in its storage service.
func GroupRecord(g *content.Group) *servicepb.StorageRecord {
	return &servicepb.StorageRecord{Record: &servicepb.StorageRecord_GroupV2{GroupV2: &servicepb.GroupV2Record{
		MasterKey: g.MasterKey, Whitelisted: proto.Bool(true),
	}}}
}
