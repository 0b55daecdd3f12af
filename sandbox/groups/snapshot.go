package groups

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// State are the groups to be stored.
type State []GroupState

// GroupState is a group's log: states and signed changes by revision.
type GroupState struct {
	PublicKey []byte
	Revisions []RevisionState
}

// RevisionState is a revision of it.
type RevisionState struct{ State, Change []byte }

// Copy are the logs of groups as they were, by public parameters.
type Copy map[string][]revision

// Snapshot are the groups as they are, and stay while during runs.
func (s *Service) Snapshot(during func()) Copy {
	s.mu.Lock()
	defer s.mu.Unlock()
	during()
	out := Copy{}
	for key, g := range s.groups {
		out[key] = slices.Clip(g.log)
	}
	return out
}

// State serialises a copy.
func (c Copy) State() (State, error) {
	var out State
	for key, log := range c {
		stored := GroupState{PublicKey: []byte(key)}
		for _, r := range log {
			state, err := proto.Marshal(r.state)
			change, changeErr := proto.Marshal(r.change)
			if err = errors.Join(err, changeErr); err != nil {
				return nil, fmt.Errorf("groups: %w", err)
			}
			stored.Revisions = append(stored.Revisions, RevisionState{state, change})
		}
		out = append(out, stored)
	}
	slices.SortFunc(out, func(a, b GroupState) int { return slices.Compare(a.PublicKey, b.PublicKey) })
	return out, nil
}

// Restore fills a new service.
func (s *Service) Restore(state State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stored := range state {
		id, err := zkgroup.GroupIDOf(stored.PublicKey)
		if err != nil {
			return fmt.Errorf("groups: %w", err)
		}
		g := &group{id: id}
		for _, r := range stored.Revisions {
			restored := revision{&servicepb.Group{}, &servicepb.GroupChange{}}
			err := errors.Join(proto.Unmarshal(r.State, restored.state), proto.Unmarshal(r.Change, restored.change))
			if err != nil {
				return fmt.Errorf("groups: %w", err)
			}
			g.log = append(g.log, restored)
		}
		if len(g.log) == 0 {
			return errors.New("groups: one without revisions")
		}
		s.groups[string(stored.PublicKey)] = g
	}
	return nil
}
