package signalcore

import (
	"bytes"
	"errors"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/accountkeys"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// applySync saves what another device of this account tells about the account.
func (h *handler) applySync(a *arrival, sync *content.Sync, out *effects) error {
	switch sync.Type {
	case content.SyncSent:
		return h.applySent(sync.Sent)
	case content.SyncKeys:
		return h.applyKeys(sync.Keys, out)
	case content.SyncFetchLatest:
		return h.applyFetchLatest(sync.FetchLatest, out)
	case content.SyncUsername:
		return h.applyFetchLatest(content.FetchStorage, out)
	case content.SyncContacts:
		return h.applyContacts(sync.Contacts, out)
	case content.SyncBlocked:
		return h.applyBlocked(sync.Blocked)
	case content.SyncConfiguration:
		return h.applyConfiguration(sync.Configuration)
	case content.SyncPNIChange:
		return h.applyPNIChange(a, sync.PNIChange, out)
	case content.SyncVerified:
		return h.applyVerified(sync.Verified)
	case content.SyncMessageRequest:
		return h.applyMessageRequest(sync.MessageRequest)
	}
	return nil
}

// applySent learns from a transcript: who has which number, a PNI's identity key, a conversation's timer.
func (h *handler) applySent(sent *content.Sent) error {
	if sent == nil {
		return nil
	}
	for _, r := range sent.Recipients {
		key, err := curve.ParsePublicKey(r.PNIIdentityKey)
		if r.ServiceID.Kind != serviceid.PNI || err != nil {
			continue
		}
		if _, err := h.book.saveIdentity(r.ServiceID, key); err != nil {
			return err
		}
	}
	if sent.Destination.IsZero() || h.account.isSelf(sent.Destination) {
		return nil
	}
	recipient, err := h.tx.Associate(identifiers(sent.Destination, sent.DestinationNumber))
	if err != nil {
		return err
	}
	if timer := sent.Event.Timer; timer != nil && sent.Event.Kind == content.KindMessage {
		setTimer(recipient, timer)
	}
	recipient.PniSignatureNeeded = false
	recipient.Whitelisted = true
	return h.tx.PutRecipient(recipient)
}

// identifiers names a person by a service id of either kind, and a number where there is one.
func identifiers(id serviceid.ServiceID, number string) store.Identifiers {
	ids := store.Identifiers{Number: number}
	if id.Kind == serviceid.PNI {
		ids.PNI = id
	} else {
		ids.ACI = id
	}
	return ids
}

// applyKeys saves the account's secrets, and has the storage service read with them.
func (h *handler) applyKeys(keys *content.Keys, out *effects) error {
	record, err := h.tx.Account()
	if err != nil {
		return err
	}
	master := keys.MasterKey
	if pool, err := accountkeys.ParseEntropyPool(keys.AccountEntropyPool); err == nil {
		key := pool.MasterKey()
		master, record.AccountEntropyPool = key[:], keys.AccountEntropyPool
	}
	if len(master) == 0 {
		return nil
	}
	changed := !bytes.Equal(record.MasterKey, master)
	record.MasterKey = master
	if len(keys.MediaRootBackupKey) > 0 {
		record.MediaRootBackupKey = keys.MediaRootBackupKey
	}
	out.account, out.jobs = true, true
	if err := h.tx.PutAccount(record); err != nil || !changed {
		return err
	}
	return h.addJob(storepb.JobKind_JOB_STORAGE_SYNC, serviceid.ServiceID{}, nil)
}

func (h *handler) applyFetchLatest(what content.FetchLatest, out *effects) error {
	out.jobs = true
	switch what {
	case content.FetchStorage:
		return h.addJob(storepb.JobKind_JOB_STORAGE_SYNC, serviceid.ServiceID{}, nil)
	case content.FetchProfile:
		return h.addJob(storepb.JobKind_JOB_PROFILE_FETCH, h.account.aci, nil)
	}
	return nil
}

// applyContacts leaves the download of the list to a job.
func (h *handler) applyContacts(contacts *content.ContactsSync, out *effects) error {
	if contacts == nil {
		return nil
	}
	if contacts.Attachment.Problem != "" {
		return noteContactsLost(h.tx)
	}
	pointer, err := proto.Marshal(contacts.Attachment.Pointer())
	if err != nil {
		return err
	}
	out.jobs = true
	return h.addJob(storepb.JobKind_JOB_CONTACT_SYNC, serviceid.ServiceID{}, pointer)
}

// applyBlocked makes the list of blocked people the one that the primary sent.
func (h *handler) applyBlocked(list *content.Blocked) error {
	blocked := make(map[uint64]bool)
	mark := func(ids store.Identifiers) error {
		recipient, err := h.tx.Associate(ids)
		if err == nil {
			blocked[recipient.Id] = true
		}
		return err
	}
	for _, number := range list.Numbers {
		if err := mark(store.Identifiers{Number: number}); err != nil {
			return err
		}
	}
	for _, aci := range list.ACIs {
		if err := mark(store.Identifiers{ACI: aci}); err != nil {
			return err
		}
	}
	err := h.tx.Recipients(0, 0, func(r *storepb.Recipient) error {
		if r.GetBlocked() == blocked[r.Id] {
			return nil
		}
		r.Blocked = blocked[r.Id]
		return h.tx.PutRecipient(r)
	})
	if err != nil {
		return err
	}
	return h.applyBlockedGroups(list.Groups)
}

// applyBlockedGroups does so for groups. One that is not known is blocked by its record in the storage service.
func (h *handler) applyBlockedGroups(ids [][]byte) error {
	blocked := make(map[string]bool, len(ids))
	for _, id := range ids {
		blocked[string(id)] = true
	}
	clear(h.groups)
	return h.tx.Groups(func(g *storepb.Group) error {
		if now := blocked[string(g.GetGroupId())]; g.GetBlocked() != now {
			g.Blocked = now
			return h.tx.PutGroup(g)
		}
		return nil
	})
}

func (h *handler) applyConfiguration(c *content.Configuration) error {
	settings, err := h.tx.AccountSettings()
	if err != nil {
		return err
	}
	applyConfiguration(settings, c)
	return h.tx.PutAccountSettings(settings)
}

// applyConfiguration takes over those settings that the other side says anything about.
func applyConfiguration(settings *storepb.AccountSettings, c *content.Configuration) {
	for _, s := range []struct {
		to   **bool
		from *bool
	}{
		{&settings.ReadReceipts, c.ReadReceipts},
		{&settings.TypingIndicators, c.TypingIndicators},
		{&settings.UnidentifiedDeliveryIndicators, c.SealedSenderIndicators},
		{&settings.LinkPreviews, c.LinkPreviews},
	} {
		if s.from != nil {
			*s.to = s.from
		}
	}
}

// applyVerified saves what a person decided about an identity key on another device.
func (h *handler) applyVerified(v *content.Verified) error {
	if v == nil || v.ACI.IsZero() {
		return nil
	}
	identity, err := h.tx.RemoteIdentity(v.ACI)
	if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(identity.GetKey(), v.IdentityKey) {
		return nil
	}
	if err != nil {
		return err
	}
	identity.Trust = storepb.Trust_TRUST_ON_FIRST_USE
	if v.State == "verified" {
		identity.Trust = storepb.Trust_TRUST_VERIFIED
	}
	return h.tx.PutRemoteIdentity(v.ACI, identity)
}

// applyMessageRequest follows the answer that a person gave to a stranger's message on another device.
func (h *handler) applyMessageRequest(m *content.MessageRequest) error {
	if m != nil && len(m.Conversation.GroupID) > 0 {
		return h.applyGroupRequest(m)
	}
	if m == nil || m.Conversation.ServiceID.IsZero() {
		return nil
	}
	recipient, err := h.tx.Associate(identifiers(m.Conversation.ServiceID, m.Conversation.Number))
	if err != nil {
		return err
	}
	switch m.Response {
	case "accept":
		recipient.Whitelisted, recipient.Blocked = true, false
	case "block", "blockAndDelete", "blockAndSpam":
		recipient.Blocked = true
	}
	return h.tx.PutRecipient(recipient)
}

// applyGroupRequest does so for a group.
func (h *handler) applyGroupRequest(m *content.MessageRequest) error {
	clear(h.groups)
	record, err := h.tx.Group(m.Conversation.GroupID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch m.Response {
	case "accept":
		record.Whitelisted, record.Blocked = true, false
	case "block", "blockAndDelete", "blockAndSpam":
		record.Blocked = true
	}
	return h.tx.PutGroup(record)
}

// applyPNIChange takes over the new phone-number identity after a change of number on the primary. The PNI itself is in
// the envelope.
func (h *handler) applyPNIChange(a *arrival, change *content.PNIChange, out *effects) error {
	pni, ok := content.EnvelopeUpdatedPNI(a.envelope)
	if !ok || change == nil {
		return nil
	}
	keys, err := readPNIKeys(change)
	if err != nil {
		h.r.log.Warn().Err(err).Msg("a change of number came with keys that cannot be read")
		return nil
	}
	record, err := h.tx.Account()
	if err != nil {
		return err
	}
	id := pni.UUID
	record.Pni, record.Number = id[:], change.Number
	record.PniIdentity = keyPairRecord(keys.identity)
	record.PniRegistrationId = change.RegistrationID
	out.account, out.jobs = true, true
	if err := h.replacePNIKeys(keys); err != nil {
		return err
	}
	if err := h.tx.PutAccount(record); err != nil {
		return err
	}
	return h.addJob(storepb.JobKind_JOB_PREKEY_CHECK, serviceid.ServiceID{}, nil)
}

// replacePNIKeys forgets the sessions and prekeys of the former identity. The active keys are the primary's choice,
// numbers included.
func (h *handler) replacePNIKeys(keys pniKeys) error {
	if err := h.book.dropAll(serviceid.PNI); err != nil {
		return err
	}
	if _, err := h.tx.DeleteAllPreKeys(serviceid.PNI); err != nil {
		return err
	}
	now := h.r.now().UnixMilli()
	state, err := h.tx.PreKeyState(serviceid.PNI)
	if err != nil {
		return err
	}
	state.ActiveSignedId, state.ActiveLastResortId = keys.signed.ID, keys.lastResort.ID
	state.SignedRotatedAt, state.LastResortRotatedAt = now, now
	state.NextSignedId = max(state.NextSignedId, keys.signed.ID+1)
	state.NextKyberId = max(state.NextKyberId, keys.lastResort.ID+1)
	state.CheckedAt, state.ServiceEcCount, state.ServiceKyberCount = 0, 0, 0
	if err := h.tx.PutPreKeyState(serviceid.PNI, state); err != nil {
		return err
	}
	if err := h.tx.PutPreKey(serviceid.PNI, store.ECSigned, keys.signed.ID,
		&storepb.PreKey{Record: keys.signed.Serialize()}); err != nil {
		return err
	}
	return h.tx.PutPreKey(serviceid.PNI, store.KyberLastResort, keys.lastResort.ID,
		&storepb.PreKey{Record: keys.lastResort.Serialize()})
}

func keyPairRecord(pair curve.KeyPair) *storepb.KeyPair {
	return &storepb.KeyPair{Private: bytes.Clone(pair.Private[:]), Public: pair.Public.Serialize()}
}

func uuidBytes(id uuid.UUID) []byte { return bytes.Clone(id[:]) }
