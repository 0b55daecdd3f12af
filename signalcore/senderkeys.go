package signalcore

import (
	"errors"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// maxSenderKeyBytes bounds the record of one device's keys for one group: some thousand messages may be missing.
	maxSenderKeyBytes = 128 << 10
	// maxSenderKeys bounds the records of one device of someone: one for each group that they share with us, and one for
	// each of their lists of stories. Beyond that, the one that was not used for the longest goes.
	maxSenderKeys = 256
)

// senderKeyOf reads what is kept of a sender's keys. A damaged record is none: the sender is asked for the key again,
// which then takes its place.
func senderKeyOf(tx *store.Tx, sender serviceid.Address, distribution uuid.UUID) (senderkey.Record, error) {
	stored, err := tx.SenderKey(sender, distribution)
	if errors.Is(err, store.ErrNotFound) {
		return senderkey.Record{}, nil
	}
	if err != nil {
		return senderkey.Record{}, err
	}
	record, err := senderkey.ParseRecord(stored)
	if err != nil {
		return senderkey.Record{}, nil //nolint:nilerr
	}
	return record, nil
}

func putSenderKey(tx *store.Tx, sender serviceid.Address, distribution uuid.UUID, r senderkey.Record) error {
	return tx.PutSenderKey(sender, distribution, r.Shrink(maxSenderKeyBytes).Serialize())
}

// decryptSenderKey opens a message that was encrypted once for a whole group. Where its key is missing, whoever is asked
// for it again sends it to this device alone, in a session, and the key with it.
func (o *opener) decryptSenderKey(a *arrival) ([]byte, error) {
	distribution, err := senderkey.DistributionIDOf(a.ciphertext)
	if err != nil {
		return nil, o.unreadable(a, err)
	}
	record, err := senderKeyOf(o.tx, a.sender, distribution)
	if err != nil {
		return nil, err
	}
	plaintext, next, err := senderkey.Decrypt(record, a.ciphertext)
	if err != nil {
		return nil, o.unreadable(a, err)
	}
	return plaintext, putSenderKey(o.tx, a.sender, distribution, next)
}

// applyDistribution keeps the sender key that a content brings.
func (h *handler) applyDistribution(a *arrival, message []byte) error {
	d, err := senderkey.ParseDistribution(message)
	if err != nil {
		h.r.log.Warn().Err(err).Str("from", a.sender.ServiceID.Short()).Msg("a sender key cannot be read")
		return nil
	}
	record, err := senderKeyOf(h.tx, a.sender, d.ID)
	if err != nil {
		return err
	}
	first := record.IsEmpty()
	if _, record, err = senderkey.ProcessDistribution(message, record); err != nil {
		return err
	}
	if err := putSenderKey(h.tx, a.sender, d.ID, record); err != nil || !first {
		return err
	}
	return h.tx.TrimSenderKeys(a.sender, maxSenderKeys)
}

// ownDistribution returns the distribution message of our current sender key for a group; nil where there is none.
func ownDistribution(tx *store.Tx, self serviceid.Address, sender *storepb.GroupSender) ([]byte, error) {
	id, err := uuid.FromBytes(sender.GetDistributionId())
	if err != nil {
		return nil, &store.CorruptError{Kind: "groupsender", Err: err}
	}
	record, err := senderKeyOf(tx, self, id)
	if err != nil || !record.Owned() {
		return nil, err
	}
	message, _, err := senderkey.NewDistribution(nil, record, id)
	return message, err
}
