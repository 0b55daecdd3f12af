package signalcore

import (
	"bytes"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// retryFor is how long a request to send again, and the answer to one, is worth trying.
const retryFor = 2 * time.Hour

// apply saves what a content changes about its sender, or, when the sender is another device of ours, about us.
func (h *handler) apply(a *arrival, parsed *content.Parsed) (effects, error) {
	var out effects
	if err := h.applySession(a, parsed, &out); err != nil {
		return out, err
	}
	if h.account.isSelf(a.sender.ServiceID) {
		if parsed.Kind == content.KindSync && parsed.Sync != nil {
			return out, h.applySync(a, parsed.Sync, &out)
		}
		return out, nil
	}
	return out, h.applySender(a, parsed, &out)
}

// applySession handles what concerns the session itself.
func (h *handler) applySession(a *arrival, parsed *content.Parsed, out *effects) error {
	if parsed.Effects.EndSession {
		if err := h.book.archive(sessionName{a.destination.Kind, a.sender}); err != nil {
			return err
		}
	}
	if key := parsed.Effects.SenderKeyDistribution; key != nil {
		if err := h.applyDistribution(a, key); err != nil {
			return err
		}
	}
	if parsed.Effects.DecryptionError == nil {
		return nil
	}
	out.jobs = true
	return h.retryRequested(a, parsed.Effects.DecryptionError)
}

// applySender saves what the message tells about its sender.
func (h *handler) applySender(a *arrival, parsed *content.Parsed, out *effects) error {
	recipient, err := h.tx.Associate(store.Identifiers{ACI: a.sender.ServiceID, Number: a.number})
	if err != nil {
		return err
	}
	before := proto.CloneOf(recipient)
	recipient.UnregisteredAt = 0
	switch receipt := parsed.Receipt; {
	case a.destination.Kind == serviceid.PNI:
		recipient.PniSignatureNeeded = true
	case receipt != nil && receipt.Type == content.ReceiptDelivery:
		recipient.PniSignatureNeeded = false // they have had a message of ours, and so the signature
	}
	if key := parsed.Effects.ProfileKey; key != nil && !bytes.Equal(key, recipient.GetProfileKey()) {
		recipient.ProfileKey, recipient.Access = key, storepb.Access_ACCESS_UNKNOWN
		if err := h.addJob(storepb.JobKind_JOB_PROFILE_FETCH, a.sender.ServiceID, nil); err != nil {
			return err
		}
		out.jobs = true
	}
	if timer := parsed.Timer; timer != nil && parsed.Group == nil && parsed.Kind == content.KindMessage {
		setTimer(recipient, timer)
	}
	if !proto.Equal(before, recipient) {
		if err := h.tx.PutRecipient(recipient); err != nil {
			return err
		}
	}
	if parsed.Effects.PNISignature != nil {
		return h.verifyPNI(a, parsed.Effects.PNISignature)
	}
	return nil
}

// setTimer keeps the later of two timers; senders that know no versions always count.
func setTimer(recipient *storepb.Recipient, timer *content.Timer) {
	if timer.Version != 0 && timer.Version < recipient.GetExpireTimerVersion() {
		return
	}
	recipient.ExpireTimerSeconds = timer.Seconds
	recipient.ExpireTimerVersion = max(timer.Version, recipient.GetExpireTimerVersion())
}

// verifyPNI joins the sender's ACI with a PNI that we wrote to, if the PNI's identity key signed the ACI's.
func (h *handler) verifyPNI(a *arrival, claim *content.PNISignature) error {
	pniKey, err := h.identityKey(claim.PNI)
	if err != nil || pniKey == nil {
		return err
	}
	aciKey, err := h.identityKey(a.sender.ServiceID)
	if err != nil || aciKey == nil {
		return err
	}
	if !pniKey.VerifyAlternateIdentity(*aciKey, claim.Signature) {
		h.r.log.Warn().Str("from", a.sender.ServiceID.Short()).Msg("a PNI signature does not verify")
		return nil
	}
	recipient, err := h.tx.Associate(store.Identifiers{ACI: a.sender.ServiceID, PNI: claim.PNI, Number: a.number})
	if err != nil {
		return err
	}
	recipient.PniSignatureVerified = true
	return h.tx.PutRecipient(recipient)
}

// identityKey returns a contact's identity key, nil where none was seen.
func (h *handler) identityKey(id serviceid.ServiceID) (*curve.PublicKey, error) {
	identity, err := h.tx.RemoteIdentity(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := curve.ParsePublicKey(identity.GetKey())
	if err != nil {
		return nil, err
	}
	return &key, nil
}

// requestRetry writes the job that asks a sender for another copy.
func (h *handler) requestRetry(a *arrival) error {
	request, err := session.NewDecryptionError(
		a.ciphertext, a.kind, a.envelope.GetClientTimestamp(), a.sender.DeviceID)
	if err != nil { // nothing in it can be named
		return nil //nolint:nilerr
	}
	return h.tx.AddJob(&storepb.Job{
		Kind: storepb.JobKind_JOB_RETRY_REQUEST, ServiceId: a.sender.ServiceID.Binary(), DeviceId: a.sender.DeviceID,
		Payload: request.Plaintext(), ToPni: a.destination.Kind == serviceid.PNI, GroupId: a.group,
		ExpiresAt: h.r.now().Add(retryFor).UnixMilli(),
	})
}

// retryRequested handles a contact's word that a device of theirs could not read what we sent: the session goes if it
// is still the one in use, and the message is sent again.
func (h *handler) retryRequested(a *arrival, serialized []byte) error {
	request, err := session.ParseDecryptionError(serialized)
	if err != nil || request.DeviceID != h.account.deviceID {
		return nil //nolint:nilerr // for another device, or nonsense
	}
	name := sessionName{a.destination.Kind, a.sender}
	archived := false
	if request.RatchetKey != nil {
		record, err := h.book.get(name)
		switch {
		case errors.Is(err, session.ErrCorrupt):
			archived, err = true, h.book.drop(name)
		case err == nil && record.RatchetKeyMatches(*request.RatchetKey):
			archived, err = true, h.book.archive(name)
		}
		if err != nil {
			return err
		}
	} else if err := h.senderKeyLost(a); err != nil {
		return err
	}
	payload, err := proto.Marshal(&storepb.ResendRequest{Timestamp: request.Timestamp, Archived: archived})
	if err != nil {
		return err
	}
	return h.tx.AddJob(&storepb.Job{
		Kind: storepb.JobKind_JOB_RESEND, ServiceId: a.sender.ServiceID.Binary(), DeviceId: a.sender.DeviceID,
		Payload: payload, ExpiresAt: h.r.now().Add(retryFor).UnixMilli(), ToPni: a.destination.Kind == serviceid.PNI,
	})
}

// senderKeyLost has a device get our sender key again, which could not read a message to a group: to that which its
// request names, or, where it names none, to all.
func (h *handler) senderKeyLost(a *arrival) error {
	if len(a.group) == 0 {
		h.book.renewed(a.sender)
		return nil
	}
	return unshare(h.tx, a.group, a.sender)
}

func (h *handler) addJob(kind storepb.JobKind, id serviceid.ServiceID, payload []byte) error {
	job := &storepb.Job{Kind: kind, Payload: payload}
	if !id.IsZero() {
		job.ServiceId = id.Binary()
	}
	return h.tx.AddJob(job)
}
