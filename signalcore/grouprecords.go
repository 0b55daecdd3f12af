package signalcore

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content/storagecipher"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// storageIDBytes is the length of the keys under which the service has items.
const storageIDBytes = 16

// keepGroup makes a group record a known group. The upkeep fetches its state.
func (s *storageSync) keepGroup(tx *store.Tx, key []byte, record *servicepb.GroupV2Record) error {
	master, err := zkgroup.ParseMasterKey(record.GetMasterKey())
	if err != nil {
		s.log.Debug().Err(err).Msg("a group of the storage service was passed over")
		return nil
	}
	known, err := s.groups.loadOrNew(tx, s.groups.params(master))
	if err != nil {
		return err
	}
	g := known.record
	if g.Forgotten { // deleted here, and the record is yet to be removed
		g.StorageId = key
		return tx.PutGroup(g)
	}
	base := &servicepb.GroupV2Record{}
	if err := proto.Unmarshal(g.StorageRecord, base); err != nil {
		return &store.CorruptError{Kind: "group", Err: err}
	}
	// What was changed here and is yet to be written counts more.
	follow(&g.Blocked, base.GetBlocked(), record.GetBlocked())
	follow(&g.Whitelisted, base.GetWhitelisted(), record.GetWhitelisted())
	follow(&g.Archived, base.GetArchived(), record.GetArchived())
	g.MarkedUnread, g.MutedUntil = record.GetMarkedUnread(), int64(record.GetMutedUntilTimestamp())
	if g.StorageRecord, err = proto.Marshal(record); err != nil {
		return err
	}
	g.StorageId = key
	return tx.PutGroup(g)
}

// follow takes over a new value where ours is still that of the former record.
func follow(ours *bool, former, now bool) {
	if *ours == former {
		*ours = now
	}
}

// dropGroupRecords forgets which records groups had that a manifest does not list. The groups stay known.
func dropGroupRecords(tx *store.Tx, manifest *servicepb.ManifestRecord) error {
	listed := make(map[string]bool)
	for _, id := range manifest.GetIdentifiers() {
		if id.GetType() == servicepb.ManifestRecord_Identifier_GROUPV2 {
			listed[string(id.GetRaw())] = true
		}
	}
	return tx.Groups(func(g *storepb.Group) error {
		if len(g.StorageId) == 0 || listed[string(g.StorageId)] {
			return nil
		}
		g.StorageId = nil
		return tx.PutGroup(g)
	})
}

// publish has a group's record written into the storage service, so that the account's other devices learn of it and of
// what was decided about it here. The caller wakes the outbox once it has committed (effects.jobs).
func (k *groupKeeper) publish(tx *store.Tx, known *knownGroup) error {
	id := known.id()
	record, err := tx.Group(id) // which may be newer than known
	if err != nil {
		return err
	}
	if record.RecordJob != 0 {
		_, err := tx.Job(record.RecordJob)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	payload, err := proto.Marshal(&storepb.GroupRecordWrite{GroupId: id})
	if err != nil {
		return err
	}
	job := &storepb.Job{Kind: storepb.JobKind_JOB_GROUP_RECORD, Payload: payload}
	if err := tx.AddJob(job); err != nil {
		return err
	}
	record.RecordJob = job.Id
	return tx.PutGroup(record)
}

// forget deletes a known group here, and has its record removed from the storage service. Until that is done its key is kept, so
// that the record does not bring it back.
func (k *groupKeeper) forget(tx *store.Tx, known *knownGroup) error {
	record, err := tx.Group(known.id())
	if err != nil {
		return err
	}
	if err := tx.DeleteGroup(known.id()); err != nil {
		return err
	}
	err = tx.PutGroup(&storepb.Group{
		GroupId: record.GetGroupId(), MasterKey: record.GetMasterKey(), CreatedAt: record.GetCreatedAt(),
		StorageId: record.GetStorageId(), StorageRecord: record.GetStorageRecord(), Forgotten: true,
	})
	if err != nil {
		return err
	}
	return k.publish(tx, known)
}

// groupRecordEdit is a change of the storage service's records that brings a group's into line with the store.
type groupRecordEdit struct {
	remove []byte // the item that goes; nil for none
	item   *servicepb.StorageItem
	record []byte // what is in the item
	key    []byte // and the key under which it is filed
	// manifest is the one that lists it, once operation was called.
	manifest *servicepb.ManifestRecord
}

// editGroupRecord works out what has to be written for a group; nil where its record is as it should be.
func editGroupRecord(random io.Reader, keys storagecipher.ItemKeys, g *storepb.Group) (*groupRecordEdit, error) {
	if g.Forgotten {
		if len(g.StorageId) == 0 {
			return nil, nil
		}
		return &groupRecordEdit{remove: g.StorageId}, nil
	}
	record := &servicepb.GroupV2Record{}
	if err := proto.Unmarshal(g.StorageRecord, record); err != nil {
		return nil, &store.CorruptError{Kind: "group", Err: err}
	}
	record.MasterKey = g.MasterKey
	for _, field := range []struct {
		to   **bool
		from bool
	}{
		{&record.Blocked, g.Blocked}, {&record.Whitelisted, g.Whitelisted}, {&record.Archived, g.Archived},
	} {
		if (*field.to != nil && **field.to) != field.from {
			*field.to = proto.Bool(field.from)
		}
	}
	raw, err := proto.Marshal(record)
	if err != nil {
		return nil, err
	}
	if len(g.StorageId) > 0 && bytes.Equal(raw, g.StorageRecord) {
		return nil, nil
	}
	key := make([]byte, storageIDBytes)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	item, err := keys.SealItem(random, key, &servicepb.StorageRecord{
		Record: &servicepb.StorageRecord_GroupV2{GroupV2: record},
	})
	return &groupRecordEdit{remove: g.StorageId, item: item, record: raw, key: key}, err
}

// operation is the write that makes an edit, on top of the manifest that stands.
func (e *groupRecordEdit) operation(
	random io.Reader, keys storagecipher.ItemKeys, stands *servicepb.ManifestRecord, device uint32,
) (*servicepb.WriteOperation, error) {
	next := proto.CloneOf(stands)
	next.Version, next.SourceDevice = proto.Uint64(stands.GetVersion()+1), proto.Uint32(device)
	operation := &servicepb.WriteOperation{}
	kept := next.Identifiers[:0]
	for _, id := range next.GetIdentifiers() {
		if len(e.remove) == 0 || !bytes.Equal(id.GetRaw(), e.remove) {
			kept = append(kept, id)
			continue
		}
		operation.DeleteKey = [][]byte{e.remove}
	}
	next.Identifiers = kept
	if e.item != nil {
		next.Identifiers = append(next.Identifiers, &servicepb.ManifestRecord_Identifier{
			Raw: e.key, Type: servicepb.ManifestRecord_Identifier_GROUPV2.Enum(),
		})
		operation.InsertItem = []*servicepb.StorageItem{e.item}
	}
	sealed, err := storagecipher.SealManifest(random, keys.StorageKey, next)
	operation.Manifest, e.manifest = sealed, next
	return operation, err
}
