package signalcore

import (
	"bytes"
	"errors"

	"signalbox/signalcore/group"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/store"
)

// logStep is what the service says of one revision.
type logStep struct {
	change *group.Change    // nil: not told, or of a kind that is not known here
	state  *servicepb.Group // the state after it; nil: not told
	opened *group.State     // the same, where it was decrypted already: that of a big group takes its time
}

// commit writes steps, as many as fit into one transaction, until all are written.
func (s *groupSync) commit(steps []logStep) error {
	for len(steps) > 0 {
		taken, known := 0, s.known
		var out effects
		err := s.store.Update(func(tx *store.Tx) (err error) {
			if known, err = s.loadOrNew(tx, s.params); err != nil {
				return err
			}
			taken, out = 0, effects{}
			for _, step := range steps {
				more, err := s.step(tx, known, step)
				if errors.Is(err, errLogLost) && taken > 0 {
					break // after what led here is saved
				}
				if err != nil {
					return err
				}
				out.add(more)
				if taken++; tx.Fill() > batchFill {
					break
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.known, steps = known, steps[taken:]
		s.committed(out)
	}
	return nil
}

// step takes one step of the log. What the receiver applied meanwhile is passed over.
func (s *groupSync) step(tx *store.Tx, known *knownGroup, step logStep) (effects, error) {
	next, err := s.next(known, step)
	if err != nil || next == nil {
		return effects{}, err
	}
	return s.advance(tx, known, *next, groupOrigin{silent: s.wish.silent || s.isOwn(next.change)})
}

// isOwn tells the revision that a command has made without learning of it.
func (s *groupSync) isOwn(change *group.Change) bool {
	self, err := s.self()
	return err == nil && change != nil && change.Revision == s.wish.own && self.Has(change.Editor)
}

// next works out where a step leads; nil is for one that is known already. The change is applied where that can be done;
// else the state that came with it counts.
func (s *groupSync) next(known *knownGroup, step logStep) (*groupStep, error) {
	var cause error
	if step.change != nil && known.fetched() {
		if step.change.Revision <= known.state.Revision {
			return nil, nil
		}
		after, err := known.state.Apply(*step.change)
		if err == nil && (step.opened == nil || equalStates(after, *step.opened)) {
			return &groupStep{after: after, change: step.change}, nil
		}
		cause = err
	}
	after, err := s.stateOf(step)
	if err != nil {
		return nil, errors.Join(err, cause)
	}
	if known.fetched() && after.Revision <= known.state.Revision {
		same, err := s.sameAs(known, after)
		if err != nil || same || after.Revision < known.state.Revision {
			return nil, err
		}
	}
	return &groupStep{after: after, change: step.change}, nil
}

// stateOf is the state that came with a step.
func (s *groupSync) stateOf(step logStep) (group.State, error) {
	switch {
	case step.opened != nil:
		return *step.opened, nil
	case step.state == nil:
		return group.State{}, errLogLost
	}
	return group.Decrypt(step.state, s.params)
}

// sameAs reports whether a state of the known revision says nothing new: neither of the group, nor of whether the account
// is in it.
func (s *groupSync) sameAs(known *knownGroup, state group.State) (bool, error) {
	self, err := s.self()
	if err != nil {
		return false, err
	}
	inside := isInside(standings[state.MembershipOf(self)])
	return inside == isInside(known.record.GetStanding()) && equalStates(known.state, state), nil
}

func equalStates(a, b group.State) bool {
	one, errA := a.Marshal()
	other, errB := b.Marshal()
	return errA == nil && errB == nil && bytes.Equal(one, other)
}
