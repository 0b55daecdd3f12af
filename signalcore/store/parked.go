package store

import (
	"signalbox/signalcore/signalpb/storepb"
)

// ParkMessage keeps a message until its group's state is new enough, and numbers it.
func (tx *Tx) ParkMessage(m *storepb.ParkedMessage) error {
	seq, err := tx.next(kindParked)
	if err != nil {
		return err
	}
	m.Seq, m.ParkedAt = seq, tx.nowMillis()
	key, err := groupKey(kindParked, m.GroupId, be64(m.Seq))
	if err != nil {
		return err
	}
	return tx.write(key, m)
}

// PutParked writes a message again that waits on.
func (tx *Tx) PutParked(m *storepb.ParkedMessage) error {
	key, err := groupKey(kindParked, m.GroupId, be64(m.Seq))
	if err != nil {
		return err
	}
	return tx.write(key, m)
}

// Parked calls fn with the messages that wait for a group, in the order of their arrival; with those of all groups,
// one group after the other, where id is nil.
func (tx *Tx) Parked(id []byte, fn func(*storepb.ParkedMessage) error) error {
	if id != nil && len(id) != groupIDBytes {
		return nil
	}
	return tx.scan(scanRange{prefix: kindParked.key(id)}, func(_, value []byte) error {
		record := new(storepb.ParkedMessage)
		if err := decode(kindParked, value, record); err != nil {
			return err
		}
		return fn(record)
	})
}

// DeleteParked removes a message that was filed, or dropped.
func (tx *Tx) DeleteParked(m *storepb.ParkedMessage) error {
	key, err := groupKey(kindParked, m.GroupId, be64(m.Seq))
	if err != nil {
		return err
	}
	return tx.delete(key)
}

// CountParked counts the messages that wait for a group, or, where id is nil, for any.
func (tx *Tx) CountParked(id []byte) (int, error) { return tx.count(kindParked.key(id)) }
