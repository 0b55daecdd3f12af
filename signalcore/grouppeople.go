package signalcore

import (
	"slices"

	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// peoplePerUpdate keeps transactions short.
const peoplePerUpdate = 100

// learn keeps what a step tells of people: that they exist, and their profile keys. What members say of each other counts
// only where nothing is known; what they say of themselves always does (Signal-Android ProfileKeySet).
func (k *groupKeeper) learn(tx *store.Tx, step groupStep, self group.Identity) error {
	if step.change == nil {
		return nil // sync does it, in parts: a whole group may be too much for one transaction
	}
	keys, own := step.change.LearnedKeys()
	for id, key := range keys {
		if self.Has(id) || tx.Fill() > batchFill { // who is left out is asked about when it matters
			continue
		}
		if err := learnProfileKey(tx, id, key, own != nil && id == step.change.Editor); err != nil {
			return err
		}
	}
	return nil
}

// learnProfileKey makes someone known, and keeps their profile key where none is known, or where it is surely theirs.
func learnProfileKey(tx *store.Tx, aci serviceid.ServiceID, key profilekey.Key, theirs bool) error {
	recipient, err := tx.Associate(store.Identifiers{ACI: aci})
	if err != nil {
		return err
	}
	known := recipient.GetProfileKey()
	if string(known) == string(key[:]) || len(known) > 0 && !theirs {
		return nil
	}
	// The upkeep's round of profiles finds out the name, and the access that goes with it.
	recipient.ProfileKey, recipient.Access, recipient.ProfileFetchedAt = key[:], storepb.Access_ACCESS_UNKNOWN, 0
	return tx.PutRecipient(recipient)
}

// learnFrom keeps what the changes of a log tell of people.
func (s *groupSync) learnFrom(steps []logStep) error {
	for _, step := range steps {
		if step.change == nil {
			continue
		}
		keys, own := step.change.LearnedKeys()
		var editor *serviceid.ServiceID
		if own != nil {
			editor = &step.change.Editor
		}
		if err := s.learnKeys(keys, editor); err != nil {
			return err
		}
	}
	return nil
}

// learnKeys keeps profile keys in several transactions: a whole group may be too much for one. editor, where not nil, is
// who gave their own.
func (s *groupSync) learnKeys(keys map[serviceid.ServiceID]profilekey.Key, editor *serviceid.ServiceID) error {
	self, err := s.self()
	if err != nil {
		return err
	}
	ids := make([]serviceid.ServiceID, 0, len(keys))
	for id := range keys {
		if !self.Has(id) {
			ids = append(ids, id)
		}
	}
	for part := range slices.Chunk(ids, peoplePerUpdate) {
		err := s.store.Update(func(tx *store.Tx) error {
			for _, id := range part {
				if err := learnProfileKey(tx, id, keys[id], editor != nil && id == *editor); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(ids) > 0 {
		s.upkeep.contactsRead()
	}
	return nil
}
