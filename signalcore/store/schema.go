package store

import (
	"errors"
	"fmt"

	"signalbox/signalcore/signalpb/storepb"
)

// migration brings a store from one schema version to the next, in one transaction.
type migration func(*Tx) error

// migrations lists them in order: the first leads from version 1 to 2. A new store starts at the last version.
func migrations() []migration { return []migration{rereadStorageService} }

// rereadStorageService leads from version 1, which did not read groups, to 2: what the storage service has is read from the
// beginning.
func rereadStorageService(tx *Tx) error {
	settings, err := tx.AccountSettings()
	if err != nil || settings.StorageManifestVersion == 0 {
		return err
	}
	settings.StorageManifestVersion = 0
	return tx.PutAccountSettings(settings)
}

func schemaKey() []byte { return kindMeta.key([]byte("schema")) }

func (s *Store) migrate(steps []migration) error {
	known := uint32(len(steps)) + 1
	var found storepb.Schema
	err := s.View(func(tx *Tx) error { return tx.read(schemaKey(), &found) })
	switch {
	case errors.Is(err, ErrNotFound):
		return s.Update(func(tx *Tx) error {
			return tx.write(schemaKey(), &storepb.Schema{Version: known, CreatedAt: tx.nowMillis()})
		})
	case err != nil:
		return err
	case found.Version == 0:
		return &CorruptError{"schema", errors.New("version 0")}
	case found.Version > known:
		return &SchemaError{found.Version, known}
	}
	for found.Version < known {
		if err := s.step(&found, steps[found.Version-1]); err != nil {
			return fmt.Errorf("migrating the store from schema %d: %w", found.Version, err)
		}
	}
	return nil
}

func (s *Store) step(schema *storepb.Schema, do migration) error {
	next := &storepb.Schema{Version: schema.Version + 1, CreatedAt: schema.CreatedAt}
	err := s.Update(func(tx *Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		next.MigratedAt = tx.nowMillis()
		return tx.write(schemaKey(), next)
	})
	if err == nil {
		schema.Version = next.Version
	}
	return err
}
