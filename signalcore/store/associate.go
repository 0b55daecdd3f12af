package store

import (
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// Identifiers are what is known to name one and the same person. Zero values are unknown.
type Identifiers struct {
	ACI    serviceid.ServiceID
	PNI    serviceid.ServiceID
	Number string
}

// Associate returns the recipient that all the identifiers name, made or merged as needed. Call it only with what a
// trusted source says belongs together: the storage service, a contact sync, the directory, a verified PNI signature, a
// sender certificate.
//
// The ACI is the person; a PNI and a number can change hands. So of several records found, the one with the ACI
// stays. Another one that has no ACI is the same person and is merged into it; one that has a different ACI only loses
// the PNI or number. (Signal-Android, RecipientTable.getAndPossiblyMerge, reaches the same ends.)
func (tx *Tx) Associate(ids Identifiers) (*storepb.Recipient, error) {
	found, err := tx.findAll(ids)
	if err != nil {
		return nil, err
	}
	target := pickTarget(found, ids)
	before := proto.CloneOf(target)
	for _, other := range found {
		if other.Id == target.Id {
			continue
		}
		if err := tx.yield(other, target, ids); err != nil {
			return nil, err
		}
	}
	setIdentifiers(target, ids)
	if target.Id != 0 && proto.Equal(before, target) {
		return target, nil
	}
	return target, tx.PutRecipient(target)
}

// findAll returns the distinct records under the identifiers, in the order ACI, PNI, number.
func (tx *Tx) findAll(ids Identifiers) ([]*storepb.Recipient, error) {
	var keys [][]byte
	if !ids.ACI.IsZero() {
		keys = append(keys, serviceIDIndex(ids.ACI))
	}
	if !ids.PNI.IsZero() {
		keys = append(keys, serviceIDIndex(ids.PNI))
	}
	if ids.Number != "" {
		keys = append(keys, kindRecipientNumber.key([]byte(ids.Number)))
	}
	if len(keys) == 0 {
		return nil, errors.New("no identifier to look for")
	}
	var out []*storepb.Recipient
	for _, key := range keys {
		r, err := tx.recipientAt(key)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(out) == 0 || out[0].Id != r.Id && out[len(out)-1].Id != r.Id {
			out = append(out, r)
		}
	}
	return out, nil
}

// pickTarget takes the record with the ACI. Where no ACI is given, it takes one that has an ACI and no other PNI, then one
// that has no ACI. Else the person is new.
func pickTarget(found []*storepb.Recipient, ids Identifiers) *storepb.Recipient {
	var anonymous *storepb.Recipient
	for _, r := range found {
		aci, hasACI := RecipientACI(r)
		pni, hasPNI := RecipientPNI(r)
		switch {
		case hasACI && aci == ids.ACI:
			return r
		case hasACI && ids.ACI.IsZero() && (!hasPNI || ids.PNI.IsZero() || pni == ids.PNI):
			return r
		case !hasACI && anonymous == nil:
			anonymous = r
		}
	}
	if anonymous != nil {
		return anonymous
	}
	return new(storepb.Recipient)
}

// yield takes from another record what belongs to the target: everything, or only its identifiers.
func (tx *Tx) yield(other, target *storepb.Recipient, ids Identifiers) error {
	if _, separate := RecipientACI(other); !separate {
		mergeRecipient(target, other)
		return tx.DeleteRecipient(other.Id)
	}
	if pni, ok := RecipientPNI(other); ok && pni == ids.PNI {
		other.Pni, other.PniDevices, other.PniDevicesAt = nil, nil, 0
	}
	if other.Number == ids.Number {
		other.Number = ""
	}
	return tx.PutRecipient(other)
}

func setIdentifiers(r *storepb.Recipient, ids Identifiers) {
	if !ids.ACI.IsZero() {
		r.Aci = ids.ACI.UUID[:]
	}
	if !ids.PNI.IsZero() {
		if old, ok := RecipientPNI(r); ok && old != ids.PNI {
			r.PniDevices, r.PniDevicesAt = nil, 0
		}
		r.Pni = ids.PNI.UUID[:]
	}
	if ids.Number != "" {
		r.Number = ids.Number
	}
}

// mergeRecipient fills what the target lacks. Flags that hold for either hold for both.
func mergeRecipient(target, other *storepb.Recipient) {
	id, to := target.Id, target.ProtoReflect()
	other.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if !to.Has(field) {
			to.Set(field, value)
		}
		return true
	})
	target.Id = id
	if target.CreatedAt == 0 || other.CreatedAt != 0 && other.CreatedAt < target.CreatedAt {
		target.CreatedAt = other.CreatedAt
	}
}
