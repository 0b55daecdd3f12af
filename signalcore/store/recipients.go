package store

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// Recipient reads a recipient by our own number for it.
func (tx *Tx) Recipient(id uint64) (*storepb.Recipient, error) {
	out := new(storepb.Recipient)
	return out, tx.read(kindRecipient.key(be64(id)), out)
}

// RecipientByServiceID finds a recipient by ACI or PNI.
func (tx *Tx) RecipientByServiceID(id serviceid.ServiceID) (*storepb.Recipient, error) {
	return tx.recipientAt(serviceIDIndex(id))
}

// RecipientByNumber finds a recipient by E.164.
func (tx *Tx) RecipientByNumber(number string) (*storepb.Recipient, error) {
	return tx.recipientAt(kindRecipientNumber.key([]byte(number)))
}

func serviceIDIndex(id serviceid.ServiceID) []byte {
	if id.Kind == serviceid.PNI {
		return kindRecipientPNI.key(id.UUID[:])
	}
	return kindRecipientACI.key(id.UUID[:])
}

func (tx *Tx) recipientAt(index []byte) (*storepb.Recipient, error) {
	value, err := tx.get(index)
	if err != nil {
		return nil, err
	}
	id, err := parseU64(value)
	if err != nil {
		return nil, &CorruptError{kindOf(index), err}
	}
	r, err := tx.Recipient(id)
	if errors.Is(err, ErrNotFound) { // an index without its record is no absence
		return nil, &CorruptError{kindOf(index), errors.New("it points to no recipient")}
	}
	return r, err
}

// RecipientACI is the ACI of a recipient, if known.
func RecipientACI(r *storepb.Recipient) (serviceid.ServiceID, bool) {
	id, err := uuid.FromBytes(r.GetAci())
	return serviceid.NewACI(id), err == nil
}

// RecipientPNI is the PNI of a recipient, if known.
func RecipientPNI(r *storepb.Recipient) (serviceid.ServiceID, bool) {
	id, err := uuid.FromBytes(r.GetPni())
	return serviceid.NewPNI(id), err == nil
}

func recipientIndexes(r *storepb.Recipient) [][]byte {
	var out [][]byte
	if id, ok := RecipientACI(r); ok {
		out = append(out, serviceIDIndex(id))
	}
	if id, ok := RecipientPNI(r); ok {
		out = append(out, serviceIDIndex(id))
	}
	if r.Number != "" {
		out = append(out, kindRecipientNumber.key([]byte(r.Number)))
	}
	return out
}

// PutRecipient writes a recipient and its indexes. A new one (Id 0) gets its number. An identifier that belongs to
// another recipient is refused: Associate is what moves them.
func (tx *Tx) PutRecipient(r *storepb.Recipient) error {
	indexes := recipientIndexes(r)
	if len(indexes) == 0 {
		return errors.New("a recipient needs an ACI, a PNI or a number")
	}
	for _, index := range indexes {
		owner, err := tx.get(index)
		if err == nil && string(owner) != string(be64(r.Id)) {
			return fmt.Errorf("%s names another recipient", kindOf(index))
		}
		if orEmpty(err) != nil {
			return err
		}
	}
	if err := tx.dropRecipientIndexes(r.Id); err != nil {
		return err
	}
	if r.Id == 0 {
		id, err := tx.next(kindRecipient)
		if err != nil {
			return err
		}
		r.Id, r.CreatedAt = id, tx.nowMillis()
	}
	for _, index := range indexes {
		if err := tx.put(index, be64(r.Id)); err != nil {
			return err
		}
	}
	return tx.write(kindRecipient.key(be64(r.Id)), r)
}

// dropRecipientIndexes deletes those of the record on disk.
func (tx *Tx) dropRecipientIndexes(id uint64) error {
	if id == 0 {
		return nil
	}
	old, err := tx.Recipient(id)
	if err != nil {
		return orEmpty(err)
	}
	for _, index := range recipientIndexes(old) {
		if err := tx.delete(index); err != nil {
			return err
		}
	}
	return nil
}

// DeleteRecipient forgets a recipient.
func (tx *Tx) DeleteRecipient(id uint64) error {
	if err := tx.dropRecipientIndexes(id); err != nil {
		return err
	}
	return tx.delete(kindRecipient.key(be64(id)))
}

// Recipients calls fn for up to limit recipients (0: all), from the given number on.
func (tx *Tx) Recipients(from uint64, limit int, fn func(*storepb.Recipient) error) error {
	r := scanRange{prefix: kindRecipient.key(), from: kindRecipient.key(be64(from)), limit: limit}
	return tx.scan(r, func(_, value []byte) error {
		record := new(storepb.Recipient)
		if err := decode(kindRecipient, value, record); err != nil {
			return err
		}
		return fn(record)
	})
}
