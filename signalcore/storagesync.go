package signalcore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/storagecipher"
	"signalbox/signalcore/protocol/accountkeys"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// storageChunk is how many items to ask for at once, before the service says that it is too many.
	storageChunk = 500
	// maxStorageItems bounds a manifest.
	maxStorageItems = 200_000
	// recordsPerUpdate keeps transactions short, so that receiving goes on meanwhile.
	recordsPerUpdate = 100
	// keysEvery is how often to ask the primary for the account's keys.
	keysEvery = time.Hour
)

// storageSync reads what the account keeps in the storage service: contacts, groups and settings; and writes the records of
// groups.
type storageSync struct {
	*Client
	mu sync.Mutex // one sync or write at a time
}

func newStorageSync(c *Client) *storageSync { return &storageSync{Client: c} }

// sync brings this device up to date with the storage service.
func (s *storageSync) sync(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	version, err := s.version()
	if err != nil {
		return err
	}
	_, err = s.catchUp(ctx, version)
	if errors.Is(err, errStorageKeys) {
		return nil // the primary was asked for them, and its answer leads here again
	}
	return err
}

// errStorageKeys means that this device lacks the keys to the storage service, and has asked the primary for them.
var errStorageKeys = errors.New("the keys to the storage service are yet to come from the primary device")

// openStorage is the storage service as it stood when it was asked.
type openStorage struct {
	*service.Storage
	keys     storagecipher.ItemKeys
	manifest *servicepb.ManifestRecord // nil where there is none, or none newer
}

// catchUp reads the manifest if it is newer than a version, and what it has that is not known here.
func (s *storageSync) catchUp(ctx context.Context, newerThan uint64) (*openStorage, error) {
	a, err := s.accounts.working()
	if err != nil {
		return nil, err
	}
	master, err := accountkeys.ParseMasterKey(a.masterKey)
	if err != nil {
		return nil, s.lackKeys()
	}
	storage, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	sealed, err := storage.Manifest(ctx, newerThan)
	if err != nil {
		return nil, err
	}
	out := &openStorage{Storage: storage, keys: storagecipher.ItemKeys{StorageKey: master.StorageKey()}}
	if sealed == nil {
		return out, s.finish(nil)
	}
	out.manifest, err = storagecipher.OpenManifest(out.keys.StorageKey, sealed)
	if errors.Is(err, storagecipher.ErrWrongKey) {
		s.log.Info().Msg("the storage service's manifest was sealed with another key")
		return nil, s.lackKeys()
	}
	if err != nil {
		return nil, err
	}
	out.keys.RecordIKM = out.manifest.GetRecordIkm()
	return out, s.readItems(ctx, out)
}

// lackKeys asks for the keys.
func (s *storageSync) lackKeys() error {
	if err := s.askForKeys(); err != nil {
		return err
	}
	return errStorageKeys
}

// readItems reads what a manifest has that is not known here, unless the manifest itself is known.
func (s *storageSync) readItems(ctx context.Context, storage *openStorage) error {
	version, err := s.version()
	if err != nil || version == storage.manifest.GetVersion() {
		return err
	}
	known, err := s.knownItems()
	if err != nil {
		return err
	}
	wanted, err := wantedItems(storage.manifest, known)
	if err != nil {
		return err
	}
	if err := s.read(ctx, storage.Storage, storage.keys, wanted); err != nil {
		return err
	}
	if err := s.finish(storage.manifest); err != nil {
		return err
	}
	s.upkeep.contactsRead()
	return nil
}

func (s *storageSync) open(ctx context.Context) (*service.Storage, error) {
	l, err := s.connector.line(ctx, linePatience)
	if err != nil {
		return nil, err
	}
	credentials, err := l.auth.StorageCredentials(ctx)
	if err != nil {
		return nil, err
	}
	return s.network.Storage(credentials), nil
}

// version is that of the manifest that was read last.
func (s *storageSync) version() (version uint64, err error) {
	err = s.store.View(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		version = settings.GetStorageManifestVersion()
		return err
	})
	return version, err
}

// knownItems are those that were read: an item that changes gets another key.
func (s *storageSync) knownItems() (known map[string]bool, err error) {
	known = make(map[string]bool)
	err = s.store.View(func(tx *store.Tx) error {
		err := tx.Recipients(0, 0, func(r *storepb.Recipient) error {
			known[string(r.GetStorageId())] = true
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Groups(func(g *storepb.Group) error {
			known[string(g.GetStorageId())] = true
			return nil
		})
	})
	return known, err
}

// wantedItems picks the account's record, and the contacts and groups that are new or changed.
func wantedItems(manifest *servicepb.ManifestRecord, known map[string]bool) ([][]byte, error) {
	if count := len(manifest.GetIdentifiers()); count > maxStorageItems {
		return nil, fmt.Errorf("%w: %d items", storagecipher.ErrMalformed, count)
	}
	var wanted [][]byte
	for _, id := range manifest.GetIdentifiers() {
		switch id.GetType() {
		case servicepb.ManifestRecord_Identifier_ACCOUNT:
			wanted = append(wanted, id.GetRaw())
		case servicepb.ManifestRecord_Identifier_CONTACT, servicepb.ManifestRecord_Identifier_GROUPV2:
			if len(id.GetRaw()) > 0 && !known[string(id.GetRaw())] {
				wanted = append(wanted, id.GetRaw())
			}
		}
	}
	return wanted, nil
}

// read fetches items in chunks that the service takes, and keeps each chunk.
func (s *storageSync) read(
	ctx context.Context, storage *service.Storage, keys storagecipher.ItemKeys, wanted [][]byte,
) error {
	chunk := storageChunk
	for len(wanted) > 0 {
		chunk = min(chunk, len(wanted))
		items, err := storage.Items(ctx, wanted[:chunk])
		if errors.Is(err, service.ErrTooLarge) && chunk > 1 {
			chunk /= 2
			continue
		}
		if err != nil {
			return err
		}
		if err := s.keep(ctx, s.openItems(keys, items)); err != nil {
			return err
		}
		wanted = wanted[chunk:]
	}
	return nil
}

// openItems leaves out what does not open: one damaged record does not hold up the others.
func (s *storageSync) openItems(keys storagecipher.ItemKeys, items []*servicepb.StorageItem) []storedRecord {
	records := make([]storedRecord, 0, len(items))
	for _, item := range items {
		record, err := keys.OpenItem(item)
		if err != nil {
			s.log.Warn().Err(err).Msg("an item of the storage service was passed over")
			continue
		}
		records = append(records, storedRecord{item.GetKey(), record})
	}
	return records
}

// storedRecord is a record and the key under which the service has it.
type storedRecord struct {
	key    []byte
	record *servicepb.StorageRecord
}

func (s *storageSync) keep(ctx context.Context, records []storedRecord) error {
	for len(records) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := records[:min(recordsPerUpdate, len(records))]
		records = records[len(part):]
		account := false
		err := s.store.Update(func(tx *store.Tx) error {
			account = false
			for _, r := range part {
				var err error
				switch {
				case r.record.GetContact() != nil:
					err = s.keepContact(tx, r.key, r.record.GetContact())
				case r.record.GetGroupV2() != nil:
					err = s.keepGroup(tx, r.key, r.record.GetGroupV2())
				case r.record.GetAccount() != nil:
					account = true
					err = keepAccount(tx, r.record.GetAccount())
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if account {
			if err := s.reloadAccount(); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish remembers the manifest; nil stands for the one that is known already.
func (s *storageSync) finish(manifest *servicepb.ManifestRecord) error {
	return s.store.Update(func(tx *store.Tx) error {
		settings, err := tx.AccountSettings()
		if err != nil {
			return err
		}
		settings.StorageSyncedAt = tx.Now().UnixMilli()
		if manifest != nil {
			settings.StorageManifestVersion = manifest.GetVersion()
			settings.StorageRecordIkm = manifest.GetRecordIkm()
			if err := dropGroupRecords(tx, manifest); err != nil {
				return err
			}
		}
		return tx.PutAccountSettings(settings)
	})
}

// askForKeys has the primary asked for the account's keys, unless that was done lately. Its answer leads here again.
func (s *storageSync) askForKeys() error {
	asked := false
	err := s.store.Update(func(tx *store.Tx) error {
		asked = false
		settings, err := tx.AccountSettings()
		if err != nil {
			return err
		}
		age := tx.Now().Sub(time.UnixMilli(settings.GetKeysRequestedAt()))
		if age >= 0 && age < keysEvery {
			return nil
		}
		settings.KeysRequestedAt = tx.Now().UnixMilli()
		payload, err := proto.Marshal(&storepb.SyncRequest{What: string(content.RequestKeys)})
		if err != nil {
			return err
		}
		asked = true
		if err := tx.AddJob(&storepb.Job{Kind: storepb.JobKind_JOB_SYNC_REQUEST, Payload: payload}); err != nil {
			return err
		}
		return tx.PutAccountSettings(settings)
	})
	if err == nil && asked {
		s.outbox.wake()
	}
	return err
}
