package store

import (
	"bytes"
	"errors"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/storepb"
)

const groupIDBytes = 32

// MaxGroupStateBytes bounds the serialised state of a group, so that a transaction holds it at any size of the caches. A
// group of 1,000 members, each with a label, and as many requests and bans takes about 200 KiB.
const MaxGroupStateBytes = MaxRecordBytes

// errGroupID is for a group id of another length: those of the first kind of groups have 16 bytes.
var errGroupID = errors.New("a group's id has 32 bytes")

func groupKey(k kind, id []byte, more ...[]byte) ([]byte, error) {
	if len(id) != groupIDBytes {
		return nil, errGroupID
	}
	return k.key(append([][]byte{id}, more...)...), nil
}

// readGroup reads what a kind has of a group. No record has an id of another length.
func (tx *Tx) readGroup(k kind, id []byte, into proto.Message) error {
	key, err := groupKey(k, id)
	if err != nil {
		return ErrNotFound
	}
	return tx.read(key, into)
}

func (tx *Tx) writeGroup(k kind, id []byte, record proto.Message) error {
	key, err := groupKey(k, id)
	if err != nil {
		return err
	}
	return tx.write(key, record)
}

func (tx *Tx) deleteGroup(k kind, id []byte) error {
	key, err := groupKey(k, id)
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	return tx.delete(key)
}

// Group reads a group with its state.
func (tx *Tx) Group(id []byte) (*storepb.Group, error) {
	out := new(storepb.Group)
	if err := tx.readGroup(kindGroup, id, out); err != nil {
		return out, err
	}
	if !out.HasState {
		return out, nil
	}
	var err error
	if out.State, err = tx.get(kindGroupState.key(id)); err != nil {
		return out, &CorruptError{string(kindGroupState), err}
	}
	return out, nil
}

// PutGroup writes a group with its state. Where State is empty, as in the records that Groups gives, the stored one stays.
func (tx *Tx) PutGroup(g *storepb.Group) error {
	if g.CreatedAt == 0 {
		g.CreatedAt = tx.nowMillis()
	}
	record := proto.CloneOf(g)
	record.State, record.HasState = nil, g.HasState || len(g.State) > 0
	if err := tx.writeGroup(kindGroup, g.GroupId, record); err != nil || len(g.State) == 0 {
		return err
	}
	return tx.put(kindGroupState.key(g.GroupId), bytes.Clone(g.State))
}

// DeleteGroup forgets a group: its state, endorsements, our sender key for it, and what waits for it. One that is not
// there is no error.
func (tx *Tx) DeleteGroup(id []byte) error {
	if len(id) != groupIDBytes {
		return nil
	}
	for _, k := range []kind{kindGroup, kindGroupState, kindGroupSender, kindEndorsements} {
		if err := tx.deleteGroup(k, id); err != nil {
			return err
		}
	}
	_, err := tx.deleteAll(scanRange{prefix: kindParked.key(id)})
	return err
}

// Groups calls fn with each group, without its state.
func (tx *Tx) Groups(fn func(*storepb.Group) error) error {
	return tx.scan(scanRange{prefix: kindGroup.key()}, func(_, value []byte) error {
		record := new(storepb.Group)
		if err := decode(kindGroup, value, record); err != nil {
			return err
		}
		return fn(record)
	})
}

// GroupSender reads the sender key with which we write to a group.
func (tx *Tx) GroupSender(id []byte) (*storepb.GroupSender, error) {
	out := new(storepb.GroupSender)
	return out, tx.readGroup(kindGroupSender, id, out)
}

// PutGroupSender writes it.
func (tx *Tx) PutGroupSender(id []byte, s *storepb.GroupSender) error {
	return tx.writeGroup(kindGroupSender, id, s)
}

// DeleteGroupSender forgets it; the next message makes a new one.
func (tx *Tx) DeleteGroupSender(id []byte) error { return tx.deleteGroup(kindGroupSender, id) }

// GroupSenders calls fn with the id of each group for which there is one.
func (tx *Tx) GroupSenders(fn func(id []byte, s *storepb.GroupSender) error) error {
	return tx.scan(scanRange{prefix: kindGroupSender.key()}, func(id, value []byte) error {
		record := new(storepb.GroupSender)
		if err := decode(kindGroupSender, value, record); err != nil {
			return err
		}
		return fn(bytes.Clone(id), record)
	})
}

// DeleteGroupSenders forgets those of all groups: they were a former device's.
func (tx *Tx) DeleteGroupSenders() (int, error) {
	return tx.deleteAll(scanRange{prefix: kindGroupSender.key()})
}

// GroupEndorsements reads the endorsements of a group's members.
func (tx *Tx) GroupEndorsements(id []byte) (*storepb.GroupEndorsements, error) {
	out := new(storepb.GroupEndorsements)
	return out, tx.readGroup(kindEndorsements, id, out)
}

// PutGroupEndorsements writes them.
func (tx *Tx) PutGroupEndorsements(id []byte, e *storepb.GroupEndorsements) error {
	return tx.writeGroup(kindEndorsements, id, e)
}

// DeleteGroupEndorsements forgets them.
func (tx *Tx) DeleteGroupEndorsements(id []byte) error { return tx.deleteGroup(kindEndorsements, id) }
