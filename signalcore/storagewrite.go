package signalcore

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// maxStorageConflicts is how often a write is tried that comes after someone else's.
const maxStorageConflicts = 5

// writeGroup does a job that publish has written: it brings a group's record in the storage service into line with the
// store. Where another device wrote first, its manifest is read, and the change made upon that.
func (s *storageSync) writeGroup(ctx context.Context, job *storepb.Job) error {
	var write storepb.GroupRecordWrite
	if err := proto.Unmarshal(job.GetPayload(), &write); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for attempt := 1; ; attempt++ {
		err := s.writeGroupOnce(ctx, job.Id, write.GetGroupId())
		var conflict *service.StorageConflictError
		if !errors.As(err, &conflict) || attempt == maxStorageConflicts {
			return err
		}
		s.log.Debug().Uint64("version", conflict.Current.GetVersion()).Msg("another device wrote the storage service first")
	}
}

func (s *storageSync) writeGroupOnce(ctx context.Context, job uint64, id []byte) error {
	a, err := s.accounts.working()
	if err != nil {
		return err
	}
	storage, err := s.catchUp(ctx, 0)
	if err != nil {
		return err
	}
	var g *storepb.Group
	err = s.store.View(func(tx *store.Tx) error {
		g, err = tx.Group(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	edit, err := editGroupRecord(s.config.Rand, storage.keys, g)
	if err != nil {
		return err
	}
	if edit == nil {
		return s.keepWritten(job, id, nil)
	}
	stands := storage.manifest
	if stands == nil { // an account whose phone never wrote anything
		stands = &servicepb.ManifestRecord{}
	}
	operation, err := edit.operation(s.config.Rand, storage.keys, stands, a.deviceID)
	if err != nil {
		return err
	}
	if err := storage.Write(ctx, operation); err != nil {
		return err
	}
	return s.keepWritten(job, id, edit)
}

// keepWritten notes what the service has now, and has our other devices told. Without an edit there was nothing to write.
// Where the group was changed meanwhile, there is another job, and this one decides nothing more.
func (s *storageSync) keepWritten(job uint64, id []byte, edit *groupRecordEdit) error {
	err := s.store.Update(func(tx *store.Tx) error {
		g, err := tx.Group(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if edit != nil {
			g.StorageId, g.StorageRecord = edit.key, edit.record
			if err := keepManifest(tx, edit.manifest); err != nil {
				return err
			}
		}
		if g.RecordJob == job {
			g.RecordJob = 0
			if g.Forgotten {
				return tx.DeleteGroup(id)
			}
		}
		return tx.PutGroup(g)
	})
	if err == nil && edit != nil {
		s.outbox.wakeJobs()
	}
	return err
}

// keepManifest notes the manifest that was written, and has our other devices told of it.
func keepManifest(tx *store.Tx, manifest *servicepb.ManifestRecord) error {
	settings, err := tx.AccountSettings()
	if err != nil {
		return err
	}
	settings.StorageManifestVersion, settings.StorageRecordIkm = manifest.GetVersion(), manifest.GetRecordIkm()
	if err := tx.PutAccountSettings(settings); err != nil {
		return err
	}
	payload, err := proto.Marshal(&storepb.SyncRequest{What: string(content.FetchStorage)})
	if err != nil {
		return err
	}
	return tx.AddJob(&storepb.Job{Kind: storepb.JobKind_JOB_SYNC_FETCH, Payload: payload})
}
