package storage

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// State is a store to be stored.
type State struct {
	Secret   []byte
	Accounts []AccountState
}

// AccountState is what an account keeps: a manifest, and items by their keys.
type AccountState struct {
	Account  uuid.UUID
	Manifest []byte
	Items    []Item
}

// Item is one of them.
type Item struct{ Key, Value []byte }

// Copy is a store as it was. Manifests and items are replaced, not changed.
type Copy struct {
	secret   []byte
	accounts map[uuid.UUID]account
}

// Snapshot is the store as it is, and stays while during runs.
func (s *Store) Snapshot(during func()) Copy {
	s.mu.Lock()
	defer s.mu.Unlock()
	during()
	out := Copy{s.secret[:], map[uuid.UUID]account{}}
	for id, a := range s.accounts {
		if a.manifest != nil {
			out.accounts[id] = account{a.manifest, maps.Clone(a.items)}
		}
	}
	return out
}

// State serialises a copy.
func (c Copy) State() (State, error) {
	out := State{Secret: c.secret}
	for id, a := range c.accounts {
		manifest, err := proto.Marshal(a.manifest)
		if err != nil {
			return out, fmt.Errorf("storage service: %w", err)
		}
		stored := AccountState{Account: id, Manifest: manifest}
		for _, key := range slices.Sorted(maps.Keys(a.items)) {
			stored.Items = append(stored.Items, Item{[]byte(key), a.items[key]})
		}
		out.Accounts = append(out.Accounts, stored)
	}
	slices.SortFunc(out.Accounts, func(a, b AccountState) int { return slices.Compare(a.Account[:], b.Account[:]) })
	return out, nil
}

// Restore fills a new store.
func (s *Store) Restore(state State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(state.Secret) != len(s.secret) {
		return errors.New("storage service: no secret")
	}
	s.secret = [32]byte(state.Secret)
	for _, stored := range state.Accounts {
		a := s.of(stored.Account)
		a.manifest = &servicepb.StorageManifest{}
		if err := proto.Unmarshal(stored.Manifest, a.manifest); err != nil {
			return fmt.Errorf("storage service: %w", err)
		}
		for _, item := range stored.Items {
			a.items[string(item.Key)] = item.Value
		}
	}
	return nil
}
